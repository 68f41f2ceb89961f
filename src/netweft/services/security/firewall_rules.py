"""Security groups' rules as flows: each group once per node, whatever the number of its ports.

    remote end          flows of a rule, all with the group's number (GROUP) in their match
    anybody, a prefix   one for each mask of its port range: permits
    a remote group,     one for each mask of its port range: half of a conjunction; the other half is one flow for
    an address group    each of the set's addresses, whichever groups name the set; and one that permits for the set

A member whose address pair is a range of addresses is known by its MAC there: anybody may have one of them.

So a rule between a group of n and a group of m costs n+m flows, a member more is one flow more, a rule more likewise.
All flows permit: their order does not matter, and a packet that two of them match is permitted once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from netweft.dataplane.openflow.fields import (
    ETH_IPV4,
    ETH_IPV6,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
)
from netweft.dataplane.openflow.flow import Conjunction, SetField
from netweft.model.firewall import SecurityGroupRule
from netweft.services.addresses import mac, prefix
from netweft.services.fields import GROUP, PERMITTED, Reason, cookie
from netweft.services.pipeline import INT, BridgeFlow, Table, Value
from netweft.services.security import fragments
from netweft.services.security.port_masks import PORT_BITS, port_masks
from netweft.services.service import Wanted
from netweft.services.values import LocalGroup, RemoteAddress

ANY_REMOTE, REMOTE_SET = 20, 10
FROM_WHOM, WHAT, CLAUSES = 1, 2, 2
DIRECTIONS = {"ingress": "src", "egress": "dst"}  # and which address of a packet is the remote one
ETH_TYPES = {"IPv4": ETH_IPV4, "IPv6": ETH_IPV6}
PORTS = {PROTO_TCP: "tcp_dst", PROTO_UDP: "udp_dst", PROTO_SCTP: "sctp_dst"}
ICMP = {(ETH_IPV4, PROTO_ICMP): "icmpv4", (ETH_IPV6, PROTO_ICMPV6): "icmpv6"}

PERMIT = SetField(PERMITTED, 1)


def rules_table(direction: str) -> Table:
    return INT[f"{direction}_rules"]


def group(here: LocalGroup) -> Iterator[Wanted]:
    for direction, end in DIRECTIONS.items():
        rules = sorted((rule for rule in here.group.rules if rule.direction == direction), key=lambda rule: rule.id)
        yield from _permits(here, rules_table(direction), end, rules)
        yield from _conjunctions(here, rules_table(direction), rules)


def remote(there: RemoteAddress) -> Iterator[Wanted]:
    """One half of the conjunctions of all sets that the address is in."""
    version, value, mask = prefix(there.address)
    owner = cookie(Reason.ADDRESS_REMOTE, there.address)
    for direction, end in DIRECTIONS.items():
        numbers: tuple[int, ...] = getattr(there, direction)
        if numbers:
            eth_type = ETH_IPV4 if version == 4 else ETH_IPV6
            match: dict[str, Value] = {"eth_type": eth_type, f"ipv{version}_{end}": (value, mask)}
            if there.mac:
                match[f"eth_{end}"] = mac(there.mac)
            halves = (Conjunction(number, FROM_WHOM, CLAUSES) for number in numbers)
            yield rules_table(direction).flow(REMOTE_SET, owner, match, *halves)


def needs_no_rule(owner: int, rules: Table, dhcp: Iterable[dict[str, Value]]) -> Iterator[BridgeFlow]:
    """All fragments but the first have no ports to be judged by (see `fragments`).  dhcp: what passes as whole packets
    without a group's rule, and so passes in fragments, which conntrack has to see first: as its first
    fragment, or as a whole from the kernel's."""
    for match in (*fragments.later(), *dhcp):
        yield rules.flow(ANY_REMOTE + 1, owner, match, PERMIT)


def remote_set(rule: SecurityGroupRule) -> str | None:
    """The set of addresses that a rule names, if it does."""
    return rule.remote_group_id or rule.remote_address_group_id


def _permits(here: LocalGroup, table: Table, end: str, rules: list[SecurityGroupRule]) -> Iterator[BridgeFlow]:
    for rule in rules:
        if remote_set(rule):
            continue
        whom: dict[str, Value] = {GROUP: here.number}
        if rule.remote_ip_prefix:
            version, value, mask = prefix(rule.remote_ip_prefix)
            whom[f"ipv{version}_{end}"] = (value, mask)
        for what in services(rule):
            yield table.flow(ANY_REMOTE, cookie(Reason.RULE_PERMIT, rule.id), {**whom, **what}, PERMIT)


def _conjunctions(here: LocalGroup, table: Table, rules: list[SecurityGroupRule]) -> Iterator[BridgeFlow]:
    """Rules that differ only in their remote set share a flow: it is half of several conjunctions."""
    owners: dict[tuple[tuple[str, Value], ...], str] = {}
    sets: defaultdict[tuple[tuple[str, Value], ...], set[int]] = defaultdict(set)
    for rule in rules:
        name = remote_set(rule)
        number = here.remotes.get(name) if name else None
        if name is None or number is None:
            continue
        permitted: dict[str, Value] = {"conj_id": number}
        yield table.flow(REMOTE_SET, cookie(Reason.GROUP_REMOTE, name), permitted, PERMIT)
        for what in services(rule):
            key = tuple(sorted(what.items()))
            owners.setdefault(key, rule.id)
            sets[key].add(number)
    for key, numbers in sets.items():
        halves = (Conjunction(number, WHAT, CLAUSES) for number in sorted(numbers))
        match: dict[str, Value] = {GROUP: here.number, **dict(key)}
        yield table.flow(REMOTE_SET, cookie(Reason.RULE_PERMIT, owners[key]), match, *halves)


def services(rule: SecurityGroupRule) -> Iterator[dict[str, Value]]:
    """What of a packet the rule looks at, but for the remote end: one match for each mask of a port range.
    None for ports that Open vSwitch cannot see (DCCP, UDP-Lite; the API refuses them): better closed than open."""
    eth_type, protocol = ETH_TYPES[rule.ethertype], rule.protocol
    if protocol is None:
        yield {"eth_type": eth_type}
        return
    what: dict[str, Value] = {"eth_type": eth_type, "ip_proto": protocol}
    low, high = rule.port_range_min, rule.port_range_max
    icmp = ICMP.get((eth_type, protocol))
    if icmp:
        chosen = ((f"{icmp}_type", low), (f"{icmp}_code", high))
        yield {**what, **{name: value for name, value in chosen if value is not None}}
    elif low is None and high is None:
        yield what
    elif protocol in PORTS:
        lowest, highest = low or 0, (1 << PORT_BITS) - 1 if high is None else high
        for masked in port_masks(lowest, highest):
            yield {**what, PORTS[protocol]: masked}
