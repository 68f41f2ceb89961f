"""Firewall policies (FWaaS) as flows: each policy once per node, for all ports and directions that have it.

    a rule             in `policy_rules`, one flow for each mask of its port ranges, with the policy's number; its
                       priority is by its place, so that the first that matches a packet decides.  Where it names
                       ranges for both ends, their masks meet in a conjunction at that priority
    an address group   in `address_sets`, one flow for each of its prefixes and each end (source, destination) that
                       rules name it for, whichever rules and policies do.  A policy looks up each of its sets first,
                       and its rules match a bit for each (MEMBERS)

So a policy with n rules that name groups with m prefixes costs n+m flows, a rule or a prefix more one, as places have
gaps.  A disabled rule keeps its place.  Rules match source and destination, and know no direction: that is a matter of
where a policy is evaluated.  That, and what becomes of the verdict, is in `firewall`.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Final, TypeAlias

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6
from netweft.dataplane.openflow.flow import Action, Conjunction, Move, SetField
from netweft.model import FirewallRule
from netweft.model.fwaas import MOST_PLACES
from netweft.services.addresses import Prefix, prefix
from netweft.services.fields import (
    ANSWER,
    MEMBERS,
    OUT_PORT,
    PERMITTED,
    POLICY,
    REJECTED,
    TRIAL,
    Reason,
    cookie,
    object_bits,
)
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security import firewall_logs as logs
from netweft.services.security import fragments
from netweft.services.security.conntrack import IS_ANSWER, IS_RELATED
from netweft.services.security.port_masks import PORT_BITS, port_masks
from netweft.services.service import Service, Wanted
from netweft.services.values import (
    DESTINATION,
    SOURCE,
    AddressEnd,
    Firewall,
    HostFacts,
    PolicyCall,
    PolicyRule,
    RemoteAddress,
    Uplinks,
)

SETS, RULES = INT["address_sets"], INT["policy_rules"]
TABLES: Final = frozenset(INT[name].id for name in ("router_egress", "router_ingress", "address_sets", "policy_rules"))
"""In these a flow more may refuse what was permitted."""
ANSWERS, FIRST, UNKNOWN = 65000, 60000, 1
MOST_SETS: Final = 16  # of one policy: each is a resubmit more for a packet that has no megaflow
FOUND: Final = 1 << 31
ETH: Final = {4: ETH_IPV4, 6: ETH_IPV6}
PORT_FIELDS: Final = {6: "tcp", 17: "udp"}
NO_POLICY: Final = PolicyCall(0)
REFUSE: Final = SetField(PERMITTED, 0)
_Masks: TypeAlias = dict[str, Value]
_DONE: Final = {"allow": (), "deny": (REFUSE,), "reject": (SetField(PERMITTED, REJECTED),)}


def asked(firewall: Firewall | None, side: str) -> Iterator[Action]:
    """Takes PERMITTED away if the policy does not permit the packet.  Without one nothing passes but answers, as by a
    policy without rules."""
    firewall = firewall or Firewall()
    call: PolicyCall = getattr(firewall, side) or NO_POLICY
    if call.sets:
        yield SetField(MEMBERS, 0)
    yield from logs.before(firewall)
    for bit, number in enumerate(call.sets):
        yield SetField(POLICY, number)
        yield SETS.resubmit
        yield Move(MEMBERS, MEMBERS, bits=1, src_start=31, dst_start=bit)
        yield SetField(MEMBERS, 0, FOUND)
    yield SetField(POLICY, call.number)
    yield RULES.resubmit
    yield from logs.after(firewall)


def host(_: HostFacts, __: Uplinks) -> Iterator[Wanted]:
    """Replies pass: their client was permitted.  So do fragments but the first, as with security groups' rules."""
    owner = cookie(Reason.PIPELINE)
    for state in (IS_ANSWER, IS_RELATED):
        yield RULES.flow(ANSWERS, owner, {"ct_state": state})
    yield RULES.flow(ANSWERS, owner, {TRIAL: (ANSWER, ANSWER), OUT_PORT: 0})
    for match in fragments.later():
        yield RULES.flow(ANSWERS, owner, match)
    yield RULES.flow(UNKNOWN, owner, {}, REFUSE)


def policy_rule(here: PolicyRule) -> Iterator[Wanted]:
    if here.rule is None:  # not known here yet
        yield closed(here)
    elif here.rule.enabled:
        yield from _rule(here, here.rule)


def closed(here: PolicyRule) -> BridgeFlow:
    """In place of a rule of which nobody knows what it says, or what it means: better closed than open."""
    return RULES.flow(_height(here), cookie(Reason.PIPELINE), {POLICY: here.policy}, REFUSE)


def _height(here: PolicyRule) -> int:
    return FIRST - min(here.place, MOST_PLACES - 1)


def _rule(here: PolicyRule, rule: FirewallRule) -> Iterator[BridgeFlow]:
    members = _members(here, rule)
    if members is None:
        return
    owner, done, height = cookie(Reason.FIREWALL_RULE, rule.id), _DONE[rule.action], _height(here)
    what, *ends = looked_at(rule)
    common: dict[str, Value] = {POLICY: here.policy, **members, **what}
    if math.prod(map(len, ends)) <= sum(map(len, ends)) + 1:
        for match in product(*ends):
            yield RULES.flow(height, owner, {**common, **match[0], **match[1]}, *done)
        return
    number = object_bits(rule.id) & 0xFFFFFFFF
    for clause, masks in enumerate(ends, 1):
        for masked in masks:
            yield RULES.flow(height, owner, {**common, **masked}, Conjunction(number, clause, len(ends)))
    yield RULES.flow(height, owner, {**common, "conj_id": number}, *done)


def _members(here: PolicyRule, rule: FirewallRule) -> dict[str, Value] | None:
    """None: it can be true of nothing.  A set too many for the policy: nobody is let through by it, all are refused."""
    bits = 0
    for end in ends_of(rule):
        if end in here.sets:
            bits |= 1 << here.sets.index(end)
        elif rule.action == "allow":
            return None
    return {MEMBERS: (bits, bits)} if bits else {}


def ends_of(rule: FirewallRule) -> Iterator[AddressEnd]:
    if rule.source_address_group_id:
        yield AddressEnd(rule.source_address_group_id, SOURCE)
    if rule.destination_address_group_id:
        yield AddressEnd(rule.destination_address_group_id, DESTINATION)


@lru_cache(maxsize=4096)
def looked_at(rule: FirewallRule) -> tuple[dict[str, Value], tuple[_Masks, ...], tuple[_Masks, ...]]:
    """What of a packet the rule looks at, but for address groups; and the masks of its port ranges."""
    what: dict[str, Value] = {"eth_type": ETH[rule.ip_version]}
    for end, said in (("src", rule.source_ip_address), ("dst", rule.destination_ip_address)):
        if said is not None:
            address = prefix(said)
            what[f"ipv{address.version}_{end}"] = _value(address)
            if address.version != rule.ip_version:
                return {}, (), ()
    if rule.protocol is not None:
        what["ip_proto"] = rule.protocol
    sources = tuple(_ports(rule, "src", rule.source_port_range_min, rule.source_port_range_max))
    targets = tuple(_ports(rule, "dst", rule.destination_port_range_min, rule.destination_port_range_max))
    return what, sources, targets


def _value(address: Prefix) -> Value:
    return address.value if address.mask is None else (address.value, address.mask)


def _ports(rule: FirewallRule, end: str, low: int | None, high: int | None) -> Iterator[dict[str, Value]]:
    if low is None and high is None:
        yield {}
        return
    name = PORT_FIELDS.get(rule.protocol or 0)
    if name is None:  # Open vSwitch cannot see them: nobody is let through by it, all are refused
        yield from () if rule.action == "allow" else ({},)
        return
    for masked in port_masks(low or 0, (1 << PORT_BITS) - 1 if high is None else high):
        yield {f"{name}_{end}": masked}


def remote(there: RemoteAddress) -> Iterator[Wanted]:
    version, value, mask = prefix(there.address)
    owner = cookie(Reason.ADDRESS_FIREWALL, there.address)
    for end, numbers in (("src", there.sources), ("dst", there.destinations)):
        for number in numbers if not there.mac else ():
            match: dict[str, Value] = {POLICY: number, "eth_type": ETH[version], f"ipv{version}_{end}": (value, mask)}
            yield SETS.flow(10, owner, match, SetField(MEMBERS, FOUND, FOUND))


POLICIES = Service("firewall policies", host=host, policy_rule=policy_rule, remote=remote)
