"""What the kernel refuses.  Imports nothing: the netlink library takes long to load."""


class HostError(Exception):
    """The kernel refused; the message names the interface and the errno."""
