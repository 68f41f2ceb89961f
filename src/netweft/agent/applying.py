"""Rows and flows, as they are wanted, put in place: in which order, and what has come of it."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from netweft.agent.host.bridges import Bridges
from netweft.agent.host.ovs import OvsSide
from netweft.dataplane.openflow.errors import ConnectionLost, OpenFlowError
from netweft.dataplane.ovsdb.errors import OvsdbError, OvsdbLost
from netweft.dataplane.ovsdb.rows import OTHERS, OURS
from netweft.services.pipeline import INT

_Results: TypeAlias = list[int | BaseException]


class Applied(Struct, frozen=True):
    _rows: _Results
    _flows: _Results

    @property
    def rows(self) -> int:
        return _count(self._rows)

    @property
    def flows(self) -> int:
        return _count(self._flows)

    def problem(self) -> str | None:
        """What stands in the way; None when a connection was lost over it, so that nobody knows.  Raises what is no
        error of Open vSwitch's."""
        problems: list[str] = []
        for result in (*self._rows, *self._flows):
            if isinstance(result, (ConnectionLost, OvsdbLost)):
                return None
            if isinstance(result, (OpenFlowError, OvsdbError)):
                problems.append(str(result))
            elif isinstance(result, BaseException):
                raise result
        return "; ".join(problems)


class Applying:
    """new_zones: of networks that are new here, and are not written down yet."""

    def __init__(self, ovs: OvsSide, bridges: Bridges) -> None:
        self.ovs, self._bridges = ovs, bridges
        self.new_zones: frozenset[int] = frozenset()

    async def carry_out(self, read: Mapping[str, int], *, delete: bool) -> Applied:
        """Rows of ours and flows side by side: a flow names only what has been observed.  What we
        write on the rows of VIFs comes after: for it vswitchd looks at all of its ports again, and the flows would
        wait.  But before anything stands for a local VLAN that is given out, it is written down: an agent that is
        killed here must find it again.

        read: the sessions of bridges when it was worked out what is wanted.  One that was read since has to wait for
        the next turn: what was on it says which gateways are here."""
        flows = (self._flows(role, session, delete=delete) for role, session in read.items())
        if self.new_zones:
            written = await _all(self._write_numbers(delete=delete))
            return Applied(written, [] if isinstance(written[0], ConnectionLost) else await _all(*flows))
        rows, *done = await _all(self.ovs.apply(delete=delete, kinds=OURS), *flows)
        return Applied([rows, *await _all(self.ovs.apply(delete=delete, kinds=OTHERS))], done)

    async def _flows(self, role: str, session: int, *, delete: bool) -> int:
        """Looked at when it is its turn: the bridge may have been read since this was begun."""
        side = self._bridges[role]
        return await side.apply(delete=delete) if side.sessions == session else 0

    async def _write_numbers(self, *, delete: bool) -> int:
        """And before that, what was connected while they stood for other networks is forgotten."""
        if not await self._bridges[INT.role].forget_connections(self.new_zones):
            return await self.ovs.apply(delete=False, kinds=OURS)  # the bridge may be among them
        self.new_zones = frozenset()
        return await self.ovs.apply(delete=delete)


async def _all(*work: Coroutine[Any, Any, int]) -> _Results:
    """Side by side, and each of them whatever becomes of the others."""
    return list(await asyncio.gather(*work, return_exceptions=True))


def _count(results: _Results) -> int:
    return sum(result for result in results if isinstance(result, int))
