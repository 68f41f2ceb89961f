"""Which local VLAN stands for which network on this node.

A network has one while a port of it is plugged in here.  The numbers live as tags on the VIFs' Port rows, so that an
agent without any memory finds them again (`restore`).  A number that was given up is taken again as late as possible.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from netweft.dataplane.ovsdb.rows import Vif
from netweft.services.switching import CARRIED_KEY, NETWORK_KEY


class LocalVlans:
    def __init__(self, first: int, last: int) -> None:
        self._range = range(first, last + 1)
        self._of: dict[str, int] = {}
        self._taken: set[int] = set()
        self._waiting: set[str] = set()
        self._given: set[int] = set()
        self._latest = first - 1

    @property
    def assigned(self) -> Mapping[str, int]:
        return self._of

    def restore(self, vifs: Iterable[Vif]) -> None:
        """Take over what the rows say.  Where they contradict each other the first one holds; the others are put right
        as if somebody had changed them by hand."""
        for network_id, vlan in (pair for vif in sorted(vifs, key=lambda vif: vif.port_name) for pair in _kept(vif)):
            if vlan in self._range and network_id not in self._of and vlan not in self._taken:
                self._take(network_id, vlan)

    def want(self, network_id: str) -> Mapping[str, int | None]:
        """Returns what holds now: network -> VLAN.  Nothing when none is left."""
        if network_id in self._of:
            return {network_id: self._of[network_id]}
        vlan = self._next_free()
        if vlan is None:
            self._waiting.add(network_id)
            return {}
        self._take(network_id, vlan)
        self._given.add(vlan)
        return {network_id: vlan}

    def take_given(self) -> frozenset[int]:
        """Those that were given out (not taken over) since the last call: they may have stood for others before."""
        given = frozenset(self._given)
        self._given.clear()
        return given

    def release(self, network_id: str) -> Mapping[str, int | None]:
        """Returns what holds now: a network that waited may get the number that became free."""
        self._waiting.discard(network_id)
        if network_id not in self._of:
            return {}
        self._taken.discard(self._of.pop(network_id))
        heir = min(self._waiting, default=None)
        return {network_id: None, **(self.want(heir) if heir else {})}

    def _take(self, network_id: str, vlan: int) -> None:
        self._waiting.discard(network_id)
        self._of[network_id] = vlan
        self._taken.add(vlan)
        self._latest = vlan

    def _next_free(self) -> int | None:
        if len(self._taken) >= len(self._range):
            return None
        ahead = range(self._latest + 1, self._range.stop)
        return next(vlan for vlan in chain(ahead, self._range) if vlan not in self._taken)


def _kept(vif: Vif) -> Iterator[tuple[str, int]]:
    """(network, local VLAN) of the port itself and of the sub-ports that use its interface."""
    for key, value in vif.external_ids:
        if key == NETWORK_KEY and vif.tag is not None:
            yield value, vif.tag
        elif key.startswith(CARRIED_KEY) and key.removeprefix(CARRIED_KEY).isdigit():
            yield value, int(key.removeprefix(CARRIED_KEY))
