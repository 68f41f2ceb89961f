"""Which local VLAN stands for which network on this node.

A network has one while a port of it is plugged in here, or a router leads to it from one that has.  The numbers live as
tags on the VIFs' Port rows and, of networks behind routers, on the row of the link to the tunnel bridge, so that an
agent without any memory finds them again (`restore`).  A number that was given up is free once nothing stands for it
any more on any bridge (`settled`): two bridges are two bundles, and in between frames would go from one network into
the other.  It is taken again as late as possible.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from netweft.dataplane.ovsdb.rows import NUMBER, PortRow, Vif, number_of

NETWORK_KEY: Final = "netweft-network"  # external_ids of a VIF's Port row: which network its tag stands for
# numbers like local VLANs, of conntrack zones: each for a router's NAT; what is 32768 more, for its fragments.  From
# 61440 up are those of what others have balanced
ROUTER_ZONES: Final = (4096, 28671)
SOON: Final = 0  # instead of a number: one is about to be free


class LocalVlans:
    def __init__(self, first: int, last: int) -> None:
        self._range = range(first, last + 1)
        self._of: dict[str, int] = {}
        self._taken: dict[int, str] = {}  # by whom
        self._given_up: set[int] = set()  # and flows may still stand for them
        self._unknown = False  # whether flows stand for any that is not taken
        self._waiting: set[str] = set()
        self._given: set[int] = set()
        self._latest = first - 1

    @property
    def assigned(self) -> Mapping[str, int]:
        return self._of

    def network_at(self, vlan: int) -> str:
        """Empty: none has it."""
        return self._taken.get(vlan, "")

    def restore(self, vifs: Iterable[Vif], links: Iterable[PortRow] = ()) -> None:
        """Take over what the rows say.  Where they contradict each other the first one holds; the others are put right
        as if somebody had changed them by hand.  What they do not say may still be on the bridges."""
        rows: tuple[Vif | PortRow, ...] = (*sorted(vifs, key=lambda vif: vif.port_name), *links)
        for network_id, vlan in (pair for row in rows for pair in _read(row)):
            if vlan in self._range and network_id not in self._of and vlan not in self._taken:
                self._take(network_id, vlan)
        self._unknown = len(self._taken) < len(self._range)

    def want(self, network_id: str) -> Mapping[str, int | None]:
        """Returns what holds now: network -> VLAN, SOON, or None when none is left."""
        if network_id in self._of:
            return {network_id: self._of[network_id]}
        vlan = self._next_free()
        if vlan is None:
            self._waiting.add(network_id)
            return {network_id: SOON if self._unknown or self._given_up else None}
        self._take(network_id, vlan)
        self._given.add(vlan)
        return {network_id: vlan}

    def take_given(self) -> frozenset[int]:
        """Those that were given out (not taken over) since the last call: they may have stood for others before."""
        given = frozenset(self._given)
        self._given.clear()
        return given

    def release(self, network_id: str) -> Mapping[str, int | None]:
        """Returns what holds now."""
        self._waiting.discard(network_id)
        vlan = self._of.pop(network_id, None)
        if vlan is None:
            return {network_id: None}
        del self._taken[vlan]
        self._given_up.add(vlan)
        return {network_id: None, **dict.fromkeys(self._waiting, SOON)}

    def settled(self) -> Mapping[str, int | None]:
        """On every bridge is what is wanted, and nothing else.  Returns what holds now for networks that waited."""
        if not self._unknown and not self._given_up:
            return {}
        self._unknown = False
        self._given_up.clear()
        return self._give()

    def found(self, numbers: Iterable[int]) -> Mapping[str, int | None]:
        """Flows stand for these, on the only bridge where any can: none besides is unknown.  Returns what holds now for
        networks that waited."""
        self._given_up |= {number for number in numbers if number in self._range} - self._taken.keys()
        self._unknown = False
        return self._give()

    def _give(self) -> dict[str, int | None]:
        return {id: vlan for waiting in sorted(self._waiting) for id, vlan in self.want(waiting).items()}

    def _take(self, network_id: str, vlan: int) -> None:
        self._waiting.discard(network_id)
        self._of[network_id] = vlan
        self._taken[vlan] = network_id
        self._latest = vlan

    def _next_free(self) -> int | None:
        if self._unknown or len(self._taken) + len(self._given_up) >= len(self._range):
            return None
        candidates = chain(range(self._latest + 1, self._range.stop), self._range)
        return next(vlan for vlan in candidates if vlan not in self._taken and vlan not in self._given_up)


def kept(carried: Iterable[tuple[int, str]]) -> tuple[tuple[str, str], ...]:
    """external_ids of a VIF that say so.  carried: (local VLAN, network) of its sub-ports."""
    return tuple(sorted((f"{NUMBER}{vlan}", network_id) for vlan, network_id in carried))


def _read(row: Vif | PortRow) -> Iterator[tuple[str, int]]:
    """(network, local VLAN) of the port itself and of those that it carries."""
    for key, value in row.external_ids:
        if key == NETWORK_KEY and row.tag is not None:
            yield value, row.tag
        elif (number := number_of(key)) is not None:
            yield value, number
