################################################################################
#
# python-masqgate
#
################################################################################

# Taken from the tree around this folder, not from an archive. build.py cleans
# this package before each build, so that what changed in the tree is taken.
PYTHON_MASQGATE_VERSION = tree
PYTHON_MASQGATE_SOURCE =
PYTHON_MASQGATE_TREE = $(BR2_EXTERNAL_MASQGATE_PATH)/..
PYTHON_MASQGATE_LICENSE = GPL-2.0+
PYTHON_MASQGATE_LICENSE_FILES = LICENSE
PYTHON_MASQGATE_DEPENDENCIES = python3
PYTHON_MASQGATE_PLACE = $(TARGET_DIR)/usr/lib/python$(PYTHON3_VERSION_MAJOR)/site-packages

define PYTHON_MASQGATE_EXTRACT_CMDS
	cp $(PYTHON_MASQGATE_TREE)/LICENSE $(@D)/
endef

# The target's Python is compiled to bytecode by Buildroot, ours with it.
define PYTHON_MASQGATE_INSTALL_TARGET_CMDS
	mkdir -p $(PYTHON_MASQGATE_PLACE)
	rsync -a --delete --exclude=__pycache__ --chmod=u=rwX,go=rX \
		$(PYTHON_MASQGATE_TREE)/firmware/masqgate \
		$(PYTHON_MASQGATE_TREE)/webui/masqgate_web \
		$(PYTHON_MASQGATE_PLACE)/
endef

$(eval $(generic-package))
