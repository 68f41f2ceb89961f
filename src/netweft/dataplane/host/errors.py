"""What the kernel refuses.  Imports nothing: the library that asks it takes long to load."""


class HostError(Exception):
    """The kernel refused; the message names the interface and the errno."""
