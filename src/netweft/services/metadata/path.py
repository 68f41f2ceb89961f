"""From a VM to the agent's interface and back, on whatever bridge: the client becomes an address (`ends`), and what is
needed for the way back stands in ct_label.
"""

from collections.abc import Iterator
from typing import NamedTuple

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_TCP
from netweft.dataplane.openflow.flow import Ct, Goto, Move, Output, SetField
from netweft.services.addresses import mac
from netweft.services.fields import IN_PORT, NEXT_HOP, OUT_PORT
from netweft.services.l3.neighbours.responder import ASK
from netweft.services.metadata import ends
from netweft.services.metadata.ends import Offer
from netweft.services.security.conntrack import REPLY, TRACKED_BIT
from netweft.services.tables import BridgeFlow, Table, Value

PORT_AT, ADDRESS_AT = 48, 96  # where what is in a connection's label begins

ADDRESS, SUBNET = NEXT_HOP[-1], NEXT_HOP[-2]  # of IPv6: the first 32 bits, the 32 after them
_REMEMBERED = (
    Move("eth_src", "ct_label", bits=48),
    Move(IN_PORT, "ct_label", bits=32, dst_start=PORT_AT),
    Move(ADDRESS, "ct_label", bits=32, dst_start=ADDRESS_AT),
)
_ADDRESSES_4 = (
    SetField("ipv4_src", int(ends.SERVER_4)),
    Move("ct_label", "ipv4_dst", bits=32, src_start=ADDRESS_AT),
)
_ADDRESSES_6 = (
    Move("ipv6_dst", "ipv6_dst", bits=32, src_start=ends.SUBNET_AT, dst_start=64),
    Move("ct_label", "ipv6_dst", bits=32, src_start=ADDRESS_AT, dst_start=96),
    Move("ipv6_src", "ipv6_dst", bits=ends.PLACE_BITS_6),
    SetField("ipv6_src", int(ends.SERVER_6)),
)


class Tables(NamedTuple):
    """requests: where VMs' packets are, whose IN_PORT is set.  metadata: from there to the interface, and in from it.
    answer: what conntrack gives back of that.  onward: then, with OUT_PORT and the VM's addresses."""

    requests: Table
    metadata: Table
    answer: Table
    onward: Goto


def asked_for(offer: Offer) -> tuple[dict[str, Value], dict[str, Value]]:
    """In IPv4 and IPv6.  No pieces: what conntrack keeps of them it may give back with somebody else's (0221)."""
    asked: dict[str, Value] = {"ip_proto": offer.protocol, "ip_frag": 0, _port(offer, "dst"): offer.port}
    return (
        {"eth_type": ETH_IPV4, **asked, "ipv4_dst": int(ends.SERVER_4)},
        {"eth_type": ETH_IPV6, **asked, "ipv6_dst": int(ends.SERVER_6)},
    )


def _port(offer: Offer, end: str) -> str:
    """The field that has it.  end: src or dst."""
    return f"{'tcp' if offer.protocol == PROTO_TCP else 'udp'}_{end}"


def asked(tables: Tables, owner: int, offer: Offer) -> Iterator[BridgeFlow]:
    """From its port's place on this node, as an address."""
    asked_4, asked_6 = asked_for(offer)
    yield tables.requests.flow(
        ASK,
        owner,
        asked_4,
        Move("ipv4_src", ADDRESS, bits=32),
        SetField("ipv4_dst", ends.PLACES_4),
        Move("ipv4_src", "ipv4_dst", bits=ends.PLACE_BITS_4),
        SetField("ipv4_src", ends.ASKERS_4),
        Move(IN_PORT, "ipv4_src", bits=ends.NUMBER_BITS),
        tables.metadata.goto,
    )
    yield tables.requests.flow(
        ASK,
        owner,
        asked_6,
        Move("ipv6_src", ADDRESS, bits=32, src_start=96),
        Move("ipv6_src", SUBNET, bits=32, src_start=64),
        SetField("ipv6_dst", ends.PLACES_6),
        Move("ipv6_src", "ipv6_dst", bits=ends.PLACE_BITS_6),
        SetField("ipv6_src", ends.ASKERS_6),
        Move(SUBNET, "ipv6_src", bits=32, dst_start=ends.SUBNET_AT),
        Move(IN_PORT, "ipv6_src", bits=ends.NUMBER_BITS),
        tables.metadata.goto,
    )


def through(tables: Tables, owner: int, interface: int, offer: Offer) -> Iterator[BridgeFlow]:
    """To the agent's interface and in from there."""
    to, of = _port(offer, "dst"), _port(offer, "src")
    for version in (ETH_IPV4, ETH_IPV6):
        spoken: dict[str, Value] = {"eth_type": version, "ip_proto": offer.protocol}
        yield tables.metadata.flow(
            10,
            owner,
            {**spoken, to: offer.port},
            SetField(to, offer.at),
            Ct(zone=ends.ZONE, commit=True, exec=_REMEMBERED),
            SetField("eth_dst", mac(ends.MAC)),
            Output(interface),
        )
        # in from there: no logical port is set
        yield tables.metadata.flow(
            20, owner, {**spoken, IN_PORT: 0, of: offer.at}, Ct(zone=ends.ZONE, table=tables.answer.id)
        )


def answered(tables: Tables, owner: int, offer: Offer) -> Iterator[BridgeFlow]:
    """Only replies: nothing begins here."""
    of = _port(offer, "src")
    for version, addresses in ((ETH_IPV4, _ADDRESSES_4), (ETH_IPV6, _ADDRESSES_6)):
        yield tables.answer.flow(
            10,
            owner,
            {
                "eth_type": version,
                "ip_proto": offer.protocol,
                of: offer.at,
                "ct_state": (TRACKED_BIT | REPLY, TRACKED_BIT | REPLY),
            },
            SetField("eth_src", mac(ends.MAC)),
            Move("ct_label", "eth_dst", bits=48),
            Move("ct_label", OUT_PORT, bits=32, src_start=PORT_AT),
            *addresses,
            SetField(of, offer.port),
            tables.onward,
        )
