"""The look-ups behind firewalls: numbers for policies and for what their rules name, and which networks they guard.

    ("policy number", policy)      -> its number on this node
    ("policy sets", policy)        -> what its rules name (AddressEnd), in the order in which it asks
    ("set number", group, end)     -> the number of that on this node
    ("firewalled", network)        -> True where a router's port on it is in a firewall group
    ("router firewalls", network)  -> these groups' ids, sorted

A rule changed costs the policies that name it, not their ports.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from netweft.model import FirewallPolicy, FirewallRule, Object, RouterPort
from netweft.reconcile.memo import Fact, Unit
from netweft.services.security.firewall_policies import MOST_SETS, ends_of
from netweft.services.security.remotes import Numbers
from netweft.services.values import AddressEnd


class Policies:
    """put, mark: of the memo."""

    def __init__(self, put: Callable[[Fact, Any], None], mark: Callable[[Unit], None]) -> None:
        self._put, self._mark = put, mark
        self._numbers, self._set_numbers = Numbers(), Numbers()
        self._policies: dict[str, FirewallPolicy] = {}
        self._rules: dict[str, FirewallRule] = {}
        self._named: defaultdict[str, Counter[str]] = defaultdict(Counter)  # rule -> policies
        self._sets: dict[str, tuple[AddressEnd, ...]] = {}
        self._groups: defaultdict[str, Counter[str]] = defaultdict(Counter)  # network -> firewall groups

    def changed(self, before: Object | None, after: Object | None) -> None:
        one = after or before
        if isinstance(one, FirewallPolicy):
            self._policy_changed(one.id, before, after)
        elif isinstance(one, FirewallRule):
            if isinstance(after, FirewallRule):
                self._rules[one.id] = after
            else:
                self._rules.pop(one.id, None)
            for policy_id in sorted(self._named.get(one.id, ())):
                self._name(policy_id)
        elif isinstance(one, RouterPort):
            self._guard(before, after)

    def _policy_changed(self, id: str, before: Object | None, after: Object | None) -> None:
        for policy, step in ((after, 1), (before, -1)):
            if isinstance(policy, FirewallPolicy):
                for other, number in self._numbers.use(policy.id, step).items():
                    self._put(("policy number", other), number)
                for rule_id in policy.firewall_rules:
                    _count(self._named, rule_id, id, step)
        if isinstance(after, FirewallPolicy):
            self._policies[id] = after
            self._mark(("firewall_policy", id))
        else:
            self._policies.pop(id, None)
        self._name(id)

    def _name(self, policy_id: str) -> None:
        """What its rules name; sorted, so that it does not depend on what came before."""
        policy = self._policies.get(policy_id)
        rules = (self._rules.get(id) for id in policy.firewall_rules) if policy else ()
        named = sorted({end for rule in rules if rule and rule.enabled for end in ends_of(rule)})[:MOST_SETS]
        was, now = self._sets.pop(policy_id, ()), tuple(named)
        if now:
            self._sets[policy_id] = now
        for ends, step in ((now, 1), (was, -1)):
            for end in ends:
                for name, number in self._set_numbers.use(" ".join(end), step).items():
                    self._put(("set number", *name.split(" ")), number)
        self._put(("policy sets", policy_id), now or None)

    def _guard(self, before: Object | None, after: Object | None) -> None:
        networks: list[str] = []
        for port, step in ((after, 1), (before, -1)):
            if isinstance(port, RouterPort) and port.firewall_group_id is not None:
                _count(self._groups, port.network_id, port.firewall_group_id, step)
                networks.append(port.network_id)
        for network_id in dict.fromkeys(networks):
            groups = tuple(sorted(self._groups.get(network_id, ())))
            self._put(("firewalled", network_id), bool(groups) or None)
            self._put(("router firewalls", network_id), groups or None)


def _count(counters: defaultdict[str, Counter[str]], key: str, value: str, step: int) -> None:
    counters[key][value] += step
    if not counters[key][value]:
        del counters[key][value]
    if not counters[key]:
        del counters[key]
