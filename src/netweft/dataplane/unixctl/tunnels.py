"""Where tunnels lead, as Open vSwitch's userspace datapath knows it: its neighbour cache, its routes, and the answers
of neighbours that are in its flow cache.

`tnl/neigh/show` has two lines of head, then `ADDRESS  MAC  BRIDGE` each, and STALE behind those that are over.
`ovs/route/lookup ADDRESS` says `src`, `gateway` (`::` for none) and `dev`, a line each; it fails without a route.
`dpctl/dump-flows -m` has a line each: `ufid:..., ... arp(sip=ADDRESS,...` or `... nd(target=ADDRESS,...`.
"""

import re
from collections.abc import Container, Iterator

NEIGHBOURS = "tnl/neigh/show"
ROUTE = "ovs/route/lookup"
FORGET = "dpctl/del-flow"
ANSWERS = {4: ("dpctl/dump-flows", "-m", "filter=arp,arp_op=2"), 6: ("dpctl/dump-flows", "-m", "filter=icmp6")}

_ANSWER = re.compile(r"^(ufid:[0-9a-f-]+),.*(?:arp\(sip|nd\(target)=([0-9a-f.:]+)", re.MULTILINE)


def neighbours(said: str) -> frozenset[str]:
    """The addresses whose MAC is known."""
    lines = (line.split() for line in said.splitlines()[2:])
    return frozenset(words[0] for words in lines if words and words[-1] != "STALE")


def next_hop(said: str, address: str) -> str:
    """The next hop that is resolved to reach the address: a gateway, or itself."""
    gateway = dict(line.split(maxsplit=1) for line in said.splitlines() if " " in line).get("gateway", "::")
    return address if gateway == "::" else gateway


def answers_of(said: str, addresses: Container[str]) -> Iterator[str]:
    """The flows by which answers of these neighbours pass, for FORGET."""
    return (flow for flow, address in _ANSWER.findall(said) if address in addresses)
