"""The kernel's network interfaces, over netlink."""
