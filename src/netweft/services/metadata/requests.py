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
    ETH_IPV6,
    ND_ADVERT,
    ND_SOLICIT,
    PROTO_ICMPV6,
)
from netweft.dataplane.openflow.flow import Controller
from netweft.dataplane.ovsdb.rows import MARK, PortRow
from netweft.services.addresses import Prefix, mac
from netweft.services.fields import AGENT, IN_PORT, Reason, cookie
from netweft.services.l2.neighbours import arp_reply, asks_for
from netweft.services.l3.neighbours.responder import ASK, CLAIM
from netweft.services.metadata import ends, path
from netweft.services.metadata.ends import Offer
from netweft.services.metadata.path import Tables
from netweft.services.pipeline import INT, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, HostFacts, LocalPort, Uplinks

UNHEARD = 29

REQUESTS, METADATA_TABLE = INT["requests"], INT["metadata"]
_TABLES: Final = Tables(REQUESTS, METADATA_TABLE, INT["metadata_answer"], INT["ingress_qos"].goto)
TO_AGENT = Controller(AGENT)


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
        yield from path.asked(_TABLES, owner, offer)
        yield from path.answered(_TABLES, owner, offer)
    if uplinks.metadata is not None:
        yield INT["classify"].flow(10, owner, {"in_port": uplinks.metadata}, METADATA_TABLE.goto)
        for offer in offers:
            yield from path.through(_TABLES, owner, uplinks.metadata, offer)


def _claims() -> Iterator[dict[str, Value]]:
    """What says that somebody else is the server."""
    yield {"eth_type": ETH_ARP, "arp_spa": int(ends.SERVER_4)}
    discovery: dict[str, Value] = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6}
    yield {**discovery, "icmpv6_type": ND_ADVERT, "icmpv6_code": 0, "nd_target": int(ends.SERVER_6)}
    yield {**discovery, "icmpv6_type": ND_SOLICIT, "ipv6_src": int(ends.SERVER_6)}


_PORTS: Final = {Asked.METADATA: Reason.PORT_METADATA, Asked.DNS: Reason.PORT_DNS}


def port(here: LocalPort) -> Iterator[Wanted]:
    """A port that floods the agent is ignored for a while."""
    for offer in ends.OFFERS:
        if offer.asked in here.deaf_to:
            owner = cookie(_PORTS[offer.asked], here.port.id)
            for asked in path.asked_for(offer):
                yield REQUESTS.flow(UNHEARD, owner, {IN_PORT: here.number, **asked})


METADATA = Service("metadata", host=host, port=port)
