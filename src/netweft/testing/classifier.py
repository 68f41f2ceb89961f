"""A bridge's flows, found as Open vSwitch finds them: those of one table and priority that look at the same bits
stand in one dict, by what these have to be."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from netweft.dataplane.openflow.flow import Flow, FlowKey

Packet = Mapping[str, int]


class _Field(NamedTuple):
    """unset: what it reads where nobody set it; None: it is not there.  values: of any of the flows."""

    name: str
    mask: int | None
    unset: int | None
    values: frozenset[int]


class _Alike:
    """Flows that look at the same bits."""

    def __init__(self, flows: list[Flow]) -> None:
        self._flows = {tuple(value for _, value, _ in flow.match): flow for flow in flows}
        columns = zip(*self._flows, strict=True)
        self._fields = [
            _Field(name, mask, _unset(name), frozenset(values))
            for (name, _, mask), values in zip(flows[0].match, columns, strict=True)
        ]

    def matching(self, packet: Packet) -> Flow | None:
        seen = []
        for name, mask, unset, values in self._fields:
            actual = packet.get(name, unset)
            if actual is None or (masked := actual if mask is None else actual & mask) not in values:
                return None
            seen.append(masked)
        return self._flows.get(tuple(seen))


class Flows(dict[FlowKey, Flow]):
    """By their keys; and by table."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._in_table: dict[int, dict[FlowKey, Flow]] = {}  # of all, once one was looked for
        self._levels: dict[int, list[list[_Alike]]] = {}  # of tables in which nothing has changed since

    def matching(self, table: int, packet: Packet) -> Iterable[list[Flow]]:
        """Priority by priority, the highest first."""
        if not self._in_table:
            for key, flow in self.items():
                self._in_table.setdefault(flow.table, {})[key] = flow
        if table not in self._levels:
            self._levels[table] = _sorted(self._in_table.get(table, {}).values())
        for level in self._levels[table]:
            if found := [one for alike in level if (one := alike.matching(packet))]:
                yield found

    def __setitem__(self, key: FlowKey, flow: Flow) -> None:
        self._levels.pop(flow.table, None)
        if self._in_table:
            self._in_table.setdefault(flow.table, {})[key] = flow
        super().__setitem__(key, flow)

    def __delitem__(self, key: FlowKey) -> None:
        super().__delitem__(key)
        table, _, _ = key
        self._levels.pop(table, None)
        if self._in_table:
            del self._in_table[table][key]

    def _not_by_this_way(self, *_: object, **__: object) -> NoReturn:
        raise NotImplementedError("flows are set and deleted one by one")

    update = pop = popitem = clear = setdefault = __ior__ = _not_by_this_way


def _sorted(flows: Iterable[Flow]) -> list[list[_Alike]]:
    found: defaultdict[int, defaultdict[Any, list[Flow]]] = defaultdict(lambda: defaultdict(list))
    for flow in flows:
        names, _, masks = zip(*flow.match, strict=True) if flow.match else ((), (), ())
        found[flow.priority][names, masks].append(flow)
    return [[*map(_Alike, found[priority].values())] for priority in sorted(found, reverse=True)]


def matches(flow: Flow, packet: Packet) -> bool:
    for name, value, mask in flow.match:
        actual = value_of(packet, name)
        if actual is None or (actual if mask is None else actual & mask) != value:
            return False
    return True


def value_of(packet: Packet, name: str) -> int | None:
    return packet.get(name, _unset(name))


def _unset(name: str) -> int | None:
    """Registers, and what conntrack says, are 0 until set; a frame is no fragment by itself."""
    return 0 if name.startswith(("reg", "ct_")) or name == "ip_frag" else None
