"""Firewall groups (FWaaS) of VMs' ports: a port group each, whose ACLs stand before those of security groups.

OVN asks ACLs once in each direction, and the first that matches decides.  A firewall's rules are asked besides those of
security groups, and both have to permit: so what a rule of the firewall allows is let through where a rule of a
security group does, too, and dropped otherwise.  Rules keep their order by priority:

    LAST - 2n      the n-th rule: drop, reject, or allow with what security groups permit
    LAST - 2n - 1  what the n-th rule allows, and no security group
    REST           everything else

Groups of routers' ports: `router_firewalls`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from typing import Final

from netweft.model.fwaas import DESTINATION_ADDRESSES, FIREWALL_GROUP, SOURCE_ADDRESSES
from netweft.model.protocols import NUMBERS
from netweft.plugins.mechanisms import Row, Wanted
from netweft.plugins.mechanisms.ovn import security
from netweft.plugins.mechanisms.ovn.rows import Rows, port_key
from netweft.plugins.mechanisms.ovn.schema import key, row

NODES_PRIORITY, LAST, REST = 32000, 16000, 2000
MOST_RULES: Final = (LAST - REST) // 2 - 1  # of a policy
MOST_TEXT: Final = 1_000_000  # characters, of all matches of a group: rules times what security groups permit
_POLICIES: Final = {"ingress": "ingress_firewall_policy_id", "egress": "egress_firewall_policy_id"}
TOO_MUCH: Final = "its rules times those of its ports' security groups are too many for OVN: nothing passes"
DONE: Final = {"deny": "drop", "reject": "reject"}
_ENDS: Final = (("source", "src", SOURCE_ADDRESSES), ("destination", "dst", DESTINATION_ADDRESSES))


def desired(rows: Rows) -> Iterator[tuple[str, Wanted]]:
    for group, here in grouped(rows, rows.ports.values()):
        yield from _Group(rows, group, here).wanted()


def grouped(rows: Rows, ports: Iterable[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Firewall groups, and which of these ports are in each."""
    found: dict[str, list[Row]] = defaultdict(list)
    for port in ports:
        if port.get(FIREWALL_GROUP) in rows.firewall_groups:
            found[port[FIREWALL_GROUP]].append(port)
    return ((rows.firewall_groups[id], its) for id, its in found.items())


def rules(rows: Rows, group: Row, direction: str) -> Iterator[tuple[int, str, str, str]]:
    """Place in the policy, id, action and match, in order.  None: the group is down, or has no policy for this way."""
    policy = rows.firewall_policies.get(group[_POLICIES[direction]] or "")
    if policy is None or not group["admin_state_up"]:
        return
    for place, id in enumerate(policy["firewall_rules"]):
        rule = rows.firewall_rules.get(id)
        if rule is not None and rule["enabled"]:
            yield place, id, rule["action"], " && ".join(_matches(rule))


def permitted(rows: Rows, ports: Iterable[Row], direction: str) -> str:
    """What security groups permit of these ports; empty: nothing."""
    side = security.SIDES[direction][1]
    found, groups, free = list[str](), set[str](), list[str]()
    for port in ports:
        if port["port_security_enabled"]:
            groups |= set(port.get("security_groups") or ())
        else:
            free.append(f'"{port["id"]}"')
    if free:
        found.append(f"{side} == {{{', '.join(sorted(free))}}}")
    found += sorted(
        security.match(rule)
        for rule in rows.rules.values()
        if rule["security_group_id"] in groups and rule["direction"] == direction
    )
    return " || ".join(f"({one})" for one in found)


def verdicts(rows: Rows, ports: Iterable[Row], direction: str) -> Iterator[tuple[str, str]]:
    """Match and action of the firewalls of these ports, of several the first that matches."""
    its = {port.get(FIREWALL_GROUP) for port in ports}
    for group, here in grouped(rows, rows.ports.values()):
        if group["id"] in its:
            acls = [wanted.value for _, wanted in _Group(rows, group, here).wanted() if wanted.value]
            acls = [one for one in acls if one.get("direction") == security.SIDES[direction][0]]
            yield from ((one["match"], one["action"]) for one in sorted(acls, key=lambda one: -int(one["priority"])))


def _name(id: str) -> str:
    return f"fw_{id.replace('-', '_')}"


class _Group:
    def __init__(self, rows: Rows, group: Row, ports: Sequence[Row]) -> None:
        self._rows, self._group, self._ports = rows, group, ports
        self._name = _name(group["id"])
        self._parent = key("Port_Group", self._name)
        parts = frozenset({("firewall_groups", str(group["id"]))})
        self._told = frozenset(str(port["id"]) for port in ports), "", parts

    def wanted(self) -> Iterator[tuple[str, Wanted]]:
        members = [port_key(port["id"]) for port in self._ports]
        yield self._parent, Wanted(row({"name": self._name, "ports": members}), *self._told)
        for name, match, action in security.NODES:
            yield self._acl("egress", name, NODES_PRIORITY, action, match)
        found = {direction: list(self._rules(direction)) for direction in _POLICIES}
        acls = [acl for one in found.values() for acl in one]
        if why := _too_much(found.values()):
            ports, _, parts = self._told
            yield key("Port_Group", f"{self._name}_rules"), Wanted(None, ports, why, parts)
        else:
            yield from acls
        for direction in _POLICIES:
            yield self._acl(direction, "rest", REST, "drop", "ip")

    def _rules(self, direction: str) -> Iterator[tuple[str, Wanted]]:
        permits = permitted(self._rows, self._ports, direction)
        for place, id, action, match in rules(self._rows, self._group, direction):
            priority = LAST - 2 * place
            if action != "allow":
                yield self._acl(direction, id, priority, DONE[action], match)
                continue
            if permits:
                yield self._acl(direction, id, priority, "allow-related", f"{match} && ({permits})")
            yield self._acl(direction, f"{id}-rest", priority - 1, "drop", match)

    def _acl(self, direction: str, name: str, priority: int, action: str, match: str) -> tuple[str, Wanted]:
        way, side, _ = security.SIDES[direction]
        columns = {
            "priority": priority,
            "direction": way,
            "match": f"{side} == @{self._name} && {match}",
            "action": action,
        }
        return key("ACL", f"{self._name}-{direction}-{name}"), Wanted(row(columns, self._parent), *self._told)


def _too_much(found: Iterable[list[tuple[str, Wanted]]]) -> str:
    """Then nothing passes: what was closed does not open."""
    found = list(found)
    if any(len(one) > 2 * MOST_RULES for one in found):
        return f"OVN is told of no more than {MOST_RULES} rules of a firewall policy: nothing passes"
    if sum(len(wanted.value["match"]) for one in found for _, wanted in one) > MOST_TEXT:
        return TOO_MUCH
    return ""


def _matches(rule: Row) -> Iterator[str]:
    version = rule["ip_version"]
    ip = f"ip{version}"
    yield ip
    for side, field, group in _ENDS:
        if address := rule.get(f"{side}_ip_address"):
            yield f"{ip}.{field} == {ip_network(address, strict=False)}"
        elif rule.get(group):
            yield f"{ip}.{field} == ${security.set_name('ag', rule[group], version)}"
    yield from _protocol(rule)


def _protocol(rule: Row) -> Iterator[str]:
    protocol = rule.get("protocol")
    if protocol is None:
        return
    if protocol == "icmp" or (protocol == "ipv6-icmp" and rule["ip_version"] == 6):
        yield f"icmp{rule['ip_version']}"
    elif protocol not in ("tcp", "udp", "sctp"):
        yield f"ip.proto == {NUMBERS[protocol]}"
    else:
        yield protocol
        for side, field, _ in _ENDS:
            if said := rule.get(f"{side}_port"):
                first, _, last = said.partition(":")
                yield (
                    f"{protocol}.{field} == {first}"
                    if last in ("", first)
                    else (f"{protocol}.{field} >= {first} && {protocol}.{field} <= {last}")
                )
