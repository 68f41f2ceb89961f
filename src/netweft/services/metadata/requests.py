"""What VMs ask of 169.254.169.254 and fe80::a9fe:a9fe, metadata over HTTP and names by DNS (`ends.OFFERS`), goes to the
agent of their node, and back.

Whoever the VM takes for the way there, it comes no further than this: the router's MAC or the server's, it is caught by
its destination, before the firewall, which has to be open to nothing for it.  Anything else for these addresses is
not for the agent.  The addresses are nobody else's (decision 0427).

    VM ── source_address ── requests ───────────── metadata ── nw-metadata, the agent
    VM ── deliver ── ingress_qos ── metadata_answer ──┘

No flow is a port's own: the way back is in the connection's label.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import (
    ETH_ARP,
    ETH_IPV4,
    ETH_IPV6,
    ND_ADVERT,
    ND_SOLICIT,
    PROTO_ICMPV6,
    PROTO_TCP,
)
from netweft.dataplane.openflow.flow import Controller, Ct, Move, Output, SetField
from netweft.dataplane.ovsdb.rows import MARK, PortRow
from netweft.services.addresses import Prefix, mac
from netweft.services.fields import AGENT, IN_PORT, NEXT_HOP, OUT_PORT, Reason, cookie
from netweft.services.l2.neighbours import arp_reply, asks_for
from netweft.services.l3.neighbours.responder import ASK, CLAIM
from netweft.services.metadata import ends
from netweft.services.metadata.ends import Offer
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import REPLY, TRACKED_BIT
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, HostFacts, LocalPort, Uplinks

UNHEARD = 29

PORT_AT, ADDRESS_AT = 48, 96  # where what is in a connection's label begins

REQUESTS, METADATA_TABLE, ANSWER = INT["requests"], INT["metadata"], INT["metadata_answer"]
ADDRESS, SUBNET = NEXT_HOP[-1], NEXT_HOP[-2]  # of IPv6: the first 32 bits, the 32 after them
TO_AGENT = Controller(AGENT)
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


def _asked_for(offer: Offer) -> tuple[dict[str, Value], dict[str, Value]]:
    """In IPv4 and IPv6.  No pieces: what conntrack keeps of them it may give back with somebody else's (0221)."""
    asked: dict[str, Value] = {"ip_proto": offer.protocol, "ip_frag": 0, _port(offer, "dst"): offer.port}
    return (
        {"eth_type": ETH_IPV4, **asked, "ipv4_dst": int(ends.SERVER_4)},
        {"eth_type": ETH_IPV6, **asked, "ipv6_dst": int(ends.SERVER_6)},
    )


def _port(offer: Offer, end: str) -> str:
    """The field that has it.  end: src or dst."""
    return f"{'tcp' if offer.protocol == PROTO_TCP else 'udp'}_{end}"


def _offers(host: HostFacts) -> tuple[Offer, ...]:
    answered = {Asked.METADATA: host.metadata, Asked.DNS: host.dns}
    return tuple(offer for offer in ends.OFFERS if answered[offer.asked])


def host(host: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    offers = _offers(host)
    if not offers:
        return
    marks = ((MARK, "metadata"),)
    yield PortRow(name=ends.INTERFACE, bridge=host.integration_bridge, type="internal", external_ids=marks)
    yield ends.ENDPOINT
    owner = cookie(Reason.METADATA)
    looks_for = asks_for(Prefix(4, int(ends.SERVER_4), None))
    yield REQUESTS.flow(ASK, owner, looks_for, *arp_reply(mac(ends.MAC), int(ends.SERVER_4)))
    yield REQUESTS.flow(ASK, owner, asks_for(Prefix(6, int(ends.SERVER_6), None)), TO_AGENT)
    for claim in _claims():
        yield REQUESTS.flow(CLAIM, owner, claim)
    for offer in offers:
        yield from _asked(owner, offer)
        yield from _answered(owner, offer)
    if uplinks.metadata is not None:
        yield INT["classify"].flow(10, owner, {"in_port": uplinks.metadata}, METADATA_TABLE.goto)
        for offer in offers:
            yield from _through(owner, uplinks.metadata, offer)


def _asked(owner: int, offer: Offer) -> Iterator[BridgeFlow]:
    """From its port's place on this node, as an address."""
    asked_4, asked_6 = _asked_for(offer)
    yield REQUESTS.flow(
        ASK,
        owner,
        asked_4,
        Move("ipv4_src", ADDRESS, bits=32),
        SetField("ipv4_dst", ends.PLACES_4),
        Move("ipv4_src", "ipv4_dst", bits=ends.PLACE_BITS_4),
        SetField("ipv4_src", ends.ASKERS_4),
        Move(IN_PORT, "ipv4_src", bits=ends.NUMBER_BITS),
        METADATA_TABLE.goto,
    )
    yield REQUESTS.flow(
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
        METADATA_TABLE.goto,
    )


def _through(owner: int, interface: int, offer: Offer) -> Iterator[BridgeFlow]:
    """To the agent's interface and in from there."""
    to, of = _port(offer, "dst"), _port(offer, "src")
    for version in (ETH_IPV4, ETH_IPV6):
        spoken: dict[str, Value] = {"eth_type": version, "ip_proto": offer.protocol}
        yield METADATA_TABLE.flow(
            10,
            owner,
            {**spoken, to: offer.port},
            SetField(to, offer.at),
            Ct(zone=ends.ZONE, commit=True, exec=_REMEMBERED),
            SetField("eth_dst", mac(ends.MAC)),
            Output(interface),
        )
        # in from there: no logical port is set
        yield METADATA_TABLE.flow(20, owner, {**spoken, IN_PORT: 0, of: offer.at}, Ct(zone=ends.ZONE, table=ANSWER.id))


def _answered(owner: int, offer: Offer) -> Iterator[BridgeFlow]:
    """Only to who has asked: nothing begins here."""
    of = _port(offer, "src")
    for version, addresses in ((ETH_IPV4, _ADDRESSES_4), (ETH_IPV6, _ADDRESSES_6)):
        yield ANSWER.flow(
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
            INT["ingress_qos"].goto,
        )


def _claims() -> Iterator[dict[str, Value]]:
    """What says that somebody else is the server."""
    yield {"eth_type": ETH_ARP, "arp_spa": int(ends.SERVER_4)}
    discovery: dict[str, Value] = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6}
    yield {**discovery, "icmpv6_type": ND_ADVERT, "icmpv6_code": 0, "nd_target": int(ends.SERVER_6)}
    yield {**discovery, "icmpv6_type": ND_SOLICIT, "ipv6_src": int(ends.SERVER_6)}


_PORTS: Final = {Asked.METADATA: Reason.PORT_METADATA, Asked.DNS: Reason.PORT_DNS}


def port(here: LocalPort) -> Iterator[Wanted]:
    """One that asks without end is ignored for a while."""
    for offer in ends.OFFERS:
        if offer.asked in here.deaf_to:
            owner = cookie(_PORTS[offer.asked], here.port.id)
            for asked in _asked_for(offer):
                yield REQUESTS.flow(UNHEARD, owner, {IN_PORT: here.number, **asked})


METADATA = Service("metadata", host=host, port=port)
