"""Packets that ended in flows of ours that lead nowhere, by bridge, table and reason: counted by Open vSwitch.

A flow's counter begins again at 0 with the flow; totals only grow.  Asked for when somebody wants to know.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from netweft.agent.host.bridge import BridgeSide
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.openflow.flow import (
    Apart,
    Clone,
    Conjunction,
    Controller,
    Ct,
    Flow,
    Goto,
    Output,
    Resubmit,
    Unreadable,
)
from netweft.services.fields import OURS_MASK, REASON_MASK, owner
from netweft.services.pipeline import pipeline_of

LEADING: Final = (Goto, Resubmit, Apart, Output, Controller, Clone, Conjunction, Unreadable)
AT_ONCE: Final = 2000  # flows that are looked at before others have their turn
SECONDS: Final = 4.0  # for all bridges together

_Place: TypeAlias = tuple[int, int]  # table, and the cookie's bits of mark and reason


class Where(NamedTuple):
    bridge: str
    table: str
    reason: str


class Drops:
    """packets: ever.  flows: by bridge and table, at the last look."""

    def __init__(self, bridges: Mapping[str, BridgeSide]) -> None:
        self.packets: Counter[Where] = Counter()
        self.flows: Counter[tuple[str, str]] = Counter()
        self._bridges = bridges
        self._seen: dict[str, dict[object, int]] = {}
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """One at a time.  Of a bridge that is away, or does not answer in time, what was known stays."""
        async with self._looking:
            self.flows.clear()
            end = asyncio.get_running_loop().time() + SECONDS
            for role, side in self._bridges.items():
                flows = side.flows
                if flows is None:
                    continue
                names = {table.id: table.name for table in pipeline_of(role).tables.values()}
                places = await self._survey(role, list(flows), names)
                try:
                    async with asyncio.timeout_at(end):
                        found = [one for place in sorted(places) for one in await side.count(*_asked(place))]
                except (OpenFlowError, TimeoutError):  # whoever keeps the connection up says so
                    continue
                seen, self._seen[role] = self._seen.get(role, {}), {}
                for flow, count in found:
                    if not _leads_on(flow):
                        before = seen.get(count.flow, 0)
                        self._seen[role][count.flow] = count.packets
                        more = count.packets - before if count.packets >= before else count.packets
                        self.packets[Where(role, names.get(flow.table, str(flow.table)), _reason(flow))] += more

    async def _survey(self, role: str, there: list[Flow], names: Mapping[int, str]) -> set[_Place]:
        """Counts the flows, and finds where there are some that lead nowhere."""
        subroutines = {table.id for table in pipeline_of(role).tables.values() if table.is_subroutine}
        places: set[_Place] = set()
        tables: defaultdict[int, int] = defaultdict(int)
        for flows in _parts(there):
            for flow in flows:
                tables[flow.table] += 1
                if flow.table not in subroutines and not _leads_on(flow):
                    places.add((flow.table, flow.cookie & (OURS_MASK | REASON_MASK)))
            await asyncio.sleep(0)
        for table, number in tables.items():
            self.flows[role, names.get(table, str(table))] += number
        return places


def _parts(flows: list[Flow]) -> Iterable[list[Flow]]:
    return (flows[at : at + AT_ONCE] for at in range(0, len(flows), AT_ONCE))


def _asked(place: _Place) -> tuple[int, int, int]:
    table, cookie = place
    return table, cookie, OURS_MASK | REASON_MASK


def _leads_on(flow: Flow) -> bool:
    return any(isinstance(one, LEADING) or (isinstance(one, Ct) and one.table is not None) for one in flow.actions)


def _reason(flow: Flow) -> str:
    whose = owner(flow.cookie)
    return whose.reason.name.lower() if whose and whose.reason else "unknown"
