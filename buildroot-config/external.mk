include $(sort $(wildcard $(BR2_EXTERNAL_MASQGATE_PATH)/package/*/*.mk))
