"""The look-ups behind firewalls: numbers for policies and for what their rules name, and which networks they guard.

    ("policy number", policy)      -> its number on this node
    ("place", policy, rule)        -> where the rule stands in it
    ("policy sets", policy)        -> what its rules name (AddressEnd), in the order of its look-ups
    ("set number", group, end)     -> the number of that on this node
    ("firewalled", network)        -> True where a router's port on it is in a firewall group
    ("router firewalls", network)  -> these groups' ids, sorted
    ("firewall logs", project)     -> its logs, by id

A rule changed, or put into a policy, costs itself, not the others there, nor the policy's ports.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeVar

from netweft.model import FirewallLog, FirewallPolicy, FirewallRule, Object, RouterPort
from netweft.reconcile.memo import Fact, Unit
from netweft.services.numbers import Numbers
from netweft.services.security.firewall_policies import MOST_SETS, ends_of
from netweft.services.values import AddressEnd

_V = TypeVar("_V", bound=Hashable)
_NO_PLACES: Final[dict[str, int]] = {}


class Policies:
    """put, mark: of the memo."""

    def __init__(self, put: Callable[[Fact, Any], None], mark: Callable[[Unit], None]) -> None:
        self._put, self._mark = put, mark
        self._numbers, self._set_numbers = Numbers(), Numbers()
        self._rules: dict[str, FirewallRule] = {}
        self._named: defaultdict[str, Counter[str]] = defaultdict(Counter)  # rule -> policies
        self._ends: defaultdict[str, Counter[AddressEnd]] = defaultdict(Counter)  # policy -> what its rules name
        self._sets: dict[str, tuple[AddressEnd, ...]] = {}
        self._logs: defaultdict[str, dict[str, FirewallLog]] = defaultdict(dict)  # project -> by id
        self._groups: defaultdict[str, Counter[str]] = defaultdict(Counter)  # network -> firewall groups

    def changed(self, before: Object | None, after: Object | None) -> None:
        one = after or before
        if isinstance(one, FirewallPolicy):
            self._policy_changed(one.id, before, after)
        elif isinstance(one, FirewallRule):
            self._rule_changed(one.id, after if isinstance(after, FirewallRule) else None)
        elif isinstance(one, RouterPort):
            self._guard(before, after)
        elif isinstance(one, FirewallLog):
            self._log(before, after)

    def _policy_changed(self, id: str, before: Object | None, after: Object | None) -> None:
        for policy, step in ((after, 1), (before, -1)):
            if isinstance(policy, FirewallPolicy):
                for other, number in self._numbers.use(policy.id, step).items():
                    self._put(("policy number", other), number)
        was = before.placed if isinstance(before, FirewallPolicy) else _NO_PLACES
        now = after.placed if isinstance(after, FirewallPolicy) else _NO_PLACES
        gone, new = sorted(was.keys() - now.keys()), sorted(now.keys() - was.keys())
        for rule_id in gone:
            _count(self._named, rule_id, id, -1)
            self._put(("place", id, rule_id), None)
        for rule_id, place in sorted(now.items() - was.items()):
            self._put(("place", id, rule_id), place)
        for rule_id in new:
            _count(self._named, rule_id, id, 1)
            self._mark(("policy_rule", id, rule_id))
        self._name(id, gone, -1)
        self._name(id, new, 1)
        self._renumber(id)

    def _rule_changed(self, id: str, after: FirewallRule | None) -> None:
        policies = sorted(self._named.get(id, ()))
        for policy_id in policies:
            self._name(policy_id, [id], -1)
        if after is None:
            self._rules.pop(id, None)
        else:
            self._rules[id] = after
        for policy_id in policies:
            self._name(policy_id, [id], 1)
            self._renumber(policy_id)

    def _name(self, policy_id: str, rules: Iterable[str], step: int) -> None:
        for rule in filter(None, map(self._rules.get, rules)):
            for end in ends_of(rule) if rule.enabled else ():
                _count(self._ends, policy_id, end, step)

    def _renumber(self, policy_id: str) -> None:
        """What its rules name; sorted, so that it does not depend on what came before."""
        was, now = self._sets.pop(policy_id, ()), tuple(sorted(self._ends.get(policy_id, ()))[:MOST_SETS])
        if now:
            self._sets[policy_id] = now
        if was == now:
            return
        for ends, step in ((now, 1), (was, -1)):
            for end in ends:
                for name, number in self._set_numbers.use(" ".join(end), step).items():
                    self._put(("set number", *name.split(" ")), number)
        self._put(("policy sets", policy_id), now or None)

    def _log(self, before: Object | None, after: Object | None) -> None:
        for one in (before, after):
            if isinstance(one, FirewallLog):
                logs = self._logs[one.project_id]
                logs.pop(one.id, None)
                if one is after:
                    logs[one.id] = one
                self._put(("firewall logs", one.project_id), tuple(logs[id] for id in sorted(logs)) or None)

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


def _count(counters: defaultdict[str, Counter[_V]], key: str, value: _V, step: int) -> None:
    counters[key][value] += step
    if not counters[key][value]:
        del counters[key][value]
    if not counters[key]:
        del counters[key]
