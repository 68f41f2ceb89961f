"""The look-ups behind the firewall: numbers for groups and sets of addresses, and which address is in which sets.

    ("number", group or set)  -> its number on this node
    ("stateful", group)       -> whether it is
    ("group project", group)  -> whose it is
    ("directions", set)       -> in which directions rules here name it
    ("sets", MAC, address)    -> ids of the sets it is in; MAC: empty where it is with any

Each change costs what it touches: a member more is one address, a rule more its group and the sets it names.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

from netweft.model import AddressGroup, GroupMember, Object, SecurityGroup
from netweft.reconcile.memo import Fact, Unit
from netweft.services.addresses import maybe_mac, prefix, text
from netweft.services.numbers import Numbers
from netweft.services.security.firewall_rules import remote_set

_K = TypeVar("_K", bound=Hashable)
_Place: TypeAlias = tuple[str, str]  # MAC or empty, address


class Remotes:
    """put, mark: of the memo."""

    def __init__(self, put: Callable[[Fact, Any], None], mark: Callable[[Unit], None]) -> None:
        self._put = put
        self._mark = mark
        self._numbers = Numbers()
        self._named: defaultdict[str, Counter[str]] = defaultdict(Counter)  # set -> direction -> rules
        self._sets: defaultdict[_Place, Counter[str]] = defaultdict(Counter)  # -> set -> members

    def changed(self, before: Object | None, after: Object | None) -> None:
        for obj, step in ((after, 1), (before, -1)):  # so that what stays is never without
            if isinstance(obj, SecurityGroup):
                self._group(obj, step)
            elif isinstance(obj, GroupMember):
                self._members(obj.group_id, _places(obj), step)
            elif isinstance(obj, AddressGroup):
                self._members(obj.id, (("", address) for address in map(_canonical, obj.addresses)), step)
        if isinstance(after, SecurityGroup):
            self._put(("stateful", after.id), after.stateful)
            self._put(("group project", after.id), after.project_id)
            self._mark(("security_group", after.id))
        elif isinstance(before, SecurityGroup):
            self._put(("stateful", before.id), None)
            self._put(("group project", before.id), None)

    def _group(self, group: SecurityGroup, step: int) -> None:
        self._number(group.id, step)
        for rule in group.rules:
            name = remote_set(rule)
            if name is not None:
                self._number(name, step)
                _count(self._named, name, rule.direction, step)
                self._put(("directions", name), tuple(sorted(self._named.get(name, ()))) or None)

    def _members(self, set_id: str, places: Iterable[_Place], step: int) -> None:
        for place in places:
            if place[1]:
                _count(self._sets, place, set_id, step)
                self._put(("sets", *place), tuple(sorted(self._sets.get(place, ()))) or None)
                self._mark(("remote", *place))

    def _number(self, id: str, step: int) -> None:
        for other, number in self._numbers.use(id, step).items():
            self._put(("number", other), number)


def _places(member: GroupMember) -> Iterator[_Place]:
    """A range without its MAC, as an older server may say it, is nobody's: better closed than open."""
    for address in map(_canonical, member.ip_addresses):
        if prefix(address or "::/0").mask is None:
            yield "", address
    for pair in member.ranges:
        if maybe_mac(pair.mac_address) is not None:
            yield pair.mac_address.lower(), _canonical(pair.ip_address)


def _count(counters: defaultdict[_K, Counter[str]], key: _K, value: str, step: int) -> None:
    counter = counters[key]
    counter[value] += step
    if not counter[value]:
        del counter[value]
    if not counter:
        del counters[key]


def _canonical(address: str) -> str:
    """One text for one prefix; empty for what is no address, so that nobody else suffers from it."""
    try:
        one = prefix(address)
    except ValueError:
        return ""
    return text(one) if one.mask is not None else f"{text(one)}/{32 if one.version == 4 else 128}"
