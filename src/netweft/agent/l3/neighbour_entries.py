"""What the resolver holds of an address that the database does not know. Values."""

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from msgspec import Struct, field

from netweft.agent.l3.requesters import Requester
from netweft.dataplane.openflow.fields import ETH_IPV4
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.fields import NEXT_HOP


class Place(NamedTuple):
    network_id: str
    address: IpAddress


class Question(Struct):
    """tries: that were made.  by: the logical port that the first packet came from.  packets: what waits."""

    requester: Requester
    due: float
    tries: int = 0
    by: int = 0
    packets: list[PacketIn] = field(default_factory=list)


class Known(Struct):
    """requester: the router that requested it first, by its gateway's or interface's port; empty for entries of the
    agent before this one.  again: when it is probed again."""

    mac: bytes
    since: float
    again: float
    requester: str = ""


class Wanted(NamedTuple):
    """A next hop in the network with this local VLAN, for what leaves router number `router` with the MAC `own`."""

    router: int
    vlan: int
    address: IpAddress
    own: bytes


def next_hop_of(packet: PacketIn) -> IpAddress:
    """To which a packet goes that a flow has handed up."""
    words = [packet.fields.get(register, 0) for register in NEXT_HOP]
    if packet.frame[12:14] == ETH_IPV4.to_bytes(2, "big"):
        return IPv4Address(words[-1])
    return IPv6Address(b"".join(word.to_bytes(4, "big") for word in words))
