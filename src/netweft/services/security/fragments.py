"""Fragments: what is judged of a datagram that comes in pieces.

The bridge shows the ports, or the ICMP type, of a first fragment (`nx-match`, which the agent keeps set); later ones
show none.  So a first fragment is judged as the whole datagram would be, and later ones pass: without the first they
are worth nothing to whoever gets them.  Conntrack sees datagrams whole, and what it says holds for each
fragment.

What it gives back of a datagram in more than 32 it gives in parts: the first 32, and the others with the next packet
that it sees, whosever that is (decision 0337).  They go on as that does, in their own network, and to whom they are
for: with a fragment; with a whole packet they end.

That is so only if the first fragment shows what it is of.  What ends at guarded ports, from them and to them:

    first fragments without their ports or type   too short, or an IPv6 header chain that goes on in the next one
                                                  (RFC 1858, RFC 7112); and all first fragments as long as the bridge
                                                  hides ports, since somebody else has changed it: better closed
    IPv6 whose header chain makes no sense        Open vSwitch shows protocol 0 then
    neighbour and router discovery in fragments   nobody may send or take it (RFC 6980)
"""

from collections.abc import Iterator

from netweft.dataplane.openflow.fields import (
    ETH_IPV4,
    ETH_IPV6,
    ND_ADVERT,
    ND_SOLICIT,
    PROTO_FRAGMENT,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
    ROUTER_ADVERT,
    ROUTER_SOLICIT,
)
from netweft.services.tables import Value

NONE, FIRST, LATER = 0, 1, 3  # as ip_frag says it
ANY = (1, 1)
LATER_PROTOCOL = {6: PROTO_FRAGMENT}  # as Open vSwitch shows it, by IP version; in IPv4 it is the datagram's
MATCH = ("eth_type", "ip_proto", "ip_frag", "icmpv6_type", "tcp_dst", "udp_dst", "sctp_dst")

REDIRECT = 137
DISCOVERY = (ROUTER_SOLICIT, ROUTER_ADVERT, ND_SOLICIT, ND_ADVERT, REDIRECT)
PORTS = {PROTO_TCP: "tcp_dst", PROTO_UDP: "udp_dst", PROTO_SCTP: "sctp_dst"}
NO_PROTOCOL, NO_TYPE, NO_PORT = 0, 0, 0


def unacceptable() -> Iterator[dict[str, Value]]:
    """What ends at a guarded port, whoever sends it.  Ports that are not there read 0, and so does a type; nothing
    real is sent to port 0, or has ICMPv6's type 0.  (ICMPv4's is an echo's answer.  Nothing is guarded by its type.)"""
    yield {"eth_type": ETH_IPV6, "ip_proto": NO_PROTOCOL}
    for eth_type in (ETH_IPV4, ETH_IPV6):
        for protocol, port in PORTS.items():
            yield {"eth_type": eth_type, "ip_proto": protocol, "ip_frag": FIRST, port: NO_PORT}
    for kind in (NO_TYPE, *DISCOVERY):
        yield {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "ip_frag": FIRST, "icmpv6_type": kind}


def later() -> Iterator[dict[str, Value]]:
    for eth_type in (ETH_IPV4, ETH_IPV6):
        yield {"eth_type": eth_type, "ip_frag": LATER}
