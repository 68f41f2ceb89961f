"""What the host driver is to make, as values.  Pure: services build them."""

from msgspec import Struct


class Address(Struct, frozen=True):
    """An IPv4 or IPv6 address on an interface, in text."""

    interface: str
    ip: str
    prefix_length: int


class Endpoint(Struct, frozen=True, kw_only=True):
    """An interface on which this host has whole prefixes as its own addresses, and resolves no neighbours: it has this
    MAC, and sends everything to it.

    addresses: with the lengths of their prefixes, which are on the link.  prefixes: those that are all its own."""

    interface: str
    mac: str
    addresses: tuple[tuple[str, int], ...]
    prefixes: tuple[str, ...]


class Guarantee(Struct, frozen=True):
    """What is left on an interface for frames with this source MAC, also when others want it too, in kbit/s.

    offset: where the MAC stands in the frame: in its own header, or in that of the frame in a tunnel's packet."""

    interface: str
    mac: int
    offset: int
    kbps: int

    @property
    def key(self) -> tuple[str, int, int]:
        return (self.interface, self.mac, self.offset)


class ShapedNic(Struct, frozen=True, kw_only=True):
    """An interface that can send `kbps`, and what is guaranteed there.  kbps 0: it is left alone.

    short_queues: who sends shares one buffer for all interfaces, and what waits at one is in the way of all others
    (Open vSwitch's userspace datapath; docs/decisions/0133)."""

    interface: str
    kbps: int
    guarantees: tuple[Guarantee, ...] = ()
    short_queues: bool = False


class VethPair(Struct, frozen=True, repr_omit_defaults=True):
    """Both ends in this namespace, up.

    offloads: large frames cross it whole, and checksums are left to who takes them: the userspace datapath drops
    those."""

    name: str
    peer: str
    mtu: int = 1500
    offloads: bool = False
