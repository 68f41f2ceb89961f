"""Whom the user's security groups of a VIP let in: by prefixes, since a listener's flows say from whom (decision 0586).

("sources", set) -> the prefixes of a group, or an address group, that a rule of a VIP's group names, sorted
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6
from netweft.model import AddressGroup, GroupMember, LoadBalancer, Object, SecurityGroup, SecurityGroupRule
from netweft.reconcile.memo import Fact, Reader
from netweft.services.security.firewall_rules import remote_set

_EVERYBODY: Final = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
_ICMP: Final = frozenset({PROTO_ICMP, PROTO_ICMPV6})


class Sources:
    of: Final = (LoadBalancer, SecurityGroup, GroupMember, AddressGroup)

    def __init__(self) -> None:
        self._users: Counter[str] = Counter()  # group -> of how many VIPs
        self._groups: dict[str, SecurityGroup] = {}
        self._of: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)  # set -> whose -> prefixes
        self._said: set[str] = set()

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        touched = {name for obj, step in ((before, -1), (after, 1)) for name in self._take(obj, step)}
        if not touched:
            return
        wanted = {name for group in self._users for name in self._named(group)}
        for name in sorted(touched & (wanted | self._said)):
            every = {one for each in self._of.get(name, {}).values() for one in each}
            yield ("sources", name), tuple(sorted(every)) if name in wanted and every else None
            (self._said.add if name in wanted else self._said.discard)(name)

    def _take(self, obj: Object | None, step: int) -> set[str]:
        """step: it came (1) or went (-1).  Returns the sets that may be otherwise, or named otherwise."""
        match obj:
            case LoadBalancer():
                for id in obj.vip_sg_ids:
                    self._users[id] += step
                    if not self._users[id]:
                        del self._users[id]
                return {name for id in obj.vip_sg_ids for name in self._named(id)}
            case SecurityGroup():
                before = self._named(obj.id)
                self._groups.pop(obj.id, None)
                if step > 0:
                    self._groups[obj.id] = obj
                return before | self._named(obj.id)
            case GroupMember():  # ranges are a member's only with its MAC, which a VIP does not see
                return self._put(obj.group_id, obj.port_id, obj.ip_addresses if step > 0 else ())
            case AddressGroup():
                return self._put(obj.id, "", obj.addresses if step > 0 else ())
        return set()

    def _put(self, name: str, whose: str, prefixes: tuple[str, ...]) -> set[str]:
        self._of[name].pop(whose, None)
        if prefixes:
            self._of[name][whose] = prefixes
        elif not self._of[name]:
            del self._of[name]
        return {name}

    def _named(self, group_id: str) -> set[str]:
        group = self._groups.get(group_id)
        return {name for rule in group.rules if (name := remote_set(rule))} if group else set()


def admitted(read: Reader, balancer: LoadBalancer, protocol: int, port: int | None) -> tuple[str, ...] | None:
    """Prefixes.  port: a listener's; None: a ping.  None: everybody, the VIP has no groups of the user's."""
    if not balancer.vip_sg_ids:
        return None
    groups: Iterator[SecurityGroup | None] = (read.get(("security_group", id)) for id in balancer.vip_sg_ids)
    rules = (rule for group in groups if group for rule in group.rules if rule.direction == "ingress")
    found = (_sources(read, rule) for rule in rules if _is_about(rule, protocol, port))
    return tuple(dict.fromkeys(one for each in found for one in each))


def _is_about(rule: SecurityGroupRule, protocol: int, port: int | None) -> bool:
    if rule.protocol not in (None, protocol):
        return False
    if rule.port_range_min is None:
        return True
    if protocol in _ICMP:
        return rule.port_range_min == (8 if protocol == PROTO_ICMP else 128)
    most = rule.port_range_min if rule.port_range_max is None else rule.port_range_max
    return port is not None and rule.port_range_min <= port <= most


def _sources(read: Reader, rule: SecurityGroupRule) -> tuple[str, ...]:
    name = remote_set(rule)
    if name is not None:
        every: tuple[str, ...] = read.get(("sources", name)) or ()
        return tuple(one for one in every if (":" in one) == (rule.ethertype == "IPv6"))
    return (rule.remote_ip_prefix or _EVERYBODY[rule.ethertype],)
