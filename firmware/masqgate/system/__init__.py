"""The only place that touches the system: files, processes, serial ports, netlink, sockets."""
