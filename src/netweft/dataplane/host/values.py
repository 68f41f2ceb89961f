"""What the host driver is asked to make, as values.  Pure: services build them."""

from msgspec import Struct


class Address(Struct, frozen=True):
    """An IPv4 or IPv6 address on an interface, in text."""

    interface: str
    ip: str
    prefix_length: int


class VethPair(Struct, frozen=True):
    """Both ends in this namespace, up, without transmit checksum offload (the userspace datapath drops the packets)."""

    name: str
    peer: str
    mtu: int = 1500
