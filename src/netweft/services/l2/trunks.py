"""Trunks as facts of the ports concerned: where a sub-port is, and which sub-ports a port's interface carries.

A trunk with many sub-ports changes often and a little: only those that changed are sent, and the trunk's port.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from netweft.model import Object, Trunk
from netweft.services.wiring import SubPlace

Fact = tuple[str, str]


class Trunks:
    """Should two trunks claim one sub-port, which no server says, the one with the smaller id has it."""

    def __init__(self) -> None:
        self._places: defaultdict[str, dict[str, SubPlace]] = defaultdict(dict)  # sub-port -> trunk -> place
        self._carried: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)  # port -> trunk -> sub-ports

    def sub_ports_of(self, port_id: str) -> list[str]:
        return sorted({id for ids in self._carried.get(port_id, {}).values() for id in ids})

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        """Facts and their new values, None for those that are gone."""
        old = before if isinstance(before, Trunk) else None
        new = after if isinstance(after, Trunk) else None
        was, now = _places(old), _places(new)
        for trunk, ids in ((old, ()), (new, tuple(sorted(now)))):
            if trunk:
                yield from self._carry(trunk, ids)
        for id in sorted(id for id in was.keys() | now.keys() if was.get(id) != now.get(id)):
            places = self._places[id]
            if old:
                places.pop(old.id, None)
            if new and id in now:
                places[new.id] = now[id]
            yield ("sub_port", id), places[min(places)] if places else None
            if not places:
                del self._places[id]

    def _carry(self, trunk: Trunk, sub_ports: Iterable[str]) -> Iterator[tuple[Fact, object]]:
        carried = self._carried[trunk.port_id]
        carried.pop(trunk.id, None)
        if sub_ports:
            carried[trunk.id] = tuple(sub_ports)
        if not carried:
            del self._carried[trunk.port_id]
        yield ("sub_ports", trunk.port_id), tuple(self.sub_ports_of(trunk.port_id)) or None


def _places(trunk: Trunk | None) -> dict[str, SubPlace]:
    if trunk is None:
        return {}
    return {sub.port_id: SubPlace(trunk.port_id, sub.segmentation_id, trunk.admin_state_up) for sub in trunk.sub_ports}
