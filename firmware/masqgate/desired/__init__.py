"""What the kernel and the services should look like, as pure functions of Config and Facts."""
