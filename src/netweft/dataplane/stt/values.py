"""The carrier's settings, as values.  Pure: services build them."""

from typing import Final

from msgspec import Struct

CARRIED: Final = "stt-carrier"  # the end of the veth pair that is the carrier's
PORT: Final = 7471
DROPS: Final = (
    *("no_network_out", "no_peer", "unresolved", "too_long", "send_failed"),
    *("no_network_in", "malformed", "bad_checksum", "overlaps", "expired", "no_memory", "ce_dropped"),
    *("deliver_failed", "strangers"),
)


class SttNetwork(Struct, frozen=True):
    """A network that is wired here.  key: its context id on the wire."""

    vlan: int
    key: int


class SttPeer(Struct, frozen=True, order=True):
    """A node.  tag: that frames for it have."""

    address: str
    tag: int


class SttTables(Struct, frozen=True):
    """All that there is, sorted."""

    networks: tuple[SttNetwork, ...] = ()
    peers: tuple[SttPeer, ...] = ()


class SttSettings(Struct, frozen=True, kw_only=True):
    """What a carrier keeps as long as it runs.  own: this node's tunnel address.  wire: the NIC of the underlay, where
    the address is on a bridge that has the NIC; empty: where the address is.  dscp: of outer headers; -1: the inner
    packet's own.  protocol: version of its control socket."""

    own: str
    wire: str = ""
    dscp: int = 0
    protocol: int = 1
