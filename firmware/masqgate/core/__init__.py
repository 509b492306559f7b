"""What the supervisor decides, as pure functions: no I/O, no clock."""
