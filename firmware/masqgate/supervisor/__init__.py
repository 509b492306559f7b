"""The supervisor: one loop that owns configuration, desired state, uplink choice and calls."""
