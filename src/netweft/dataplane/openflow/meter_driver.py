"""The meters of one bridge whose numbers carry our mark: what is wanted against what is there.

A flow names a meter, so there are two halves with the flows in between: `put` before the flows that name new meters,
`remove` after the flows that named old ones are gone.  The switch would take such flows away with their meter.
The switch says nothing of a meter that somebody else changes: `doubt` whenever something hints at it.
"""

from collections.abc import Mapping, Sequence

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.meters import DropMeter, MeterCommand
from netweft.reconcile.delta import Delta


class MeterDriver:
    """mark, mask: whose meters these are, by their numbers; all others are never changed or deleted."""

    def __init__(self, connection: OpenFlowConnection, mark: int, mask: int) -> None:
        self._connection = connection
        self._mark = mark
        self._mask = mask
        self._delta: Delta[int, DropMeter] = Delta()
        self._stale = True

    @property
    def actual(self) -> Mapping[int, DropMeter]:
        return self._delta.actual

    def doubt(self) -> None:
        """What is there is not known for sure: it is read before anything is done."""
        self._stale = True

    async def read(self) -> Mapping[int, DropMeter]:
        meters = await self._connection.dump_meters()
        self._delta.replace_actual({meter.id: meter for meter in meters if meter.id & self._mask == self._mark})
        self._stale = False
        return self._delta.actual

    def want(self, meters: Mapping[int, DropMeter]) -> None:
        """All that should be there."""
        self._delta.replace_desired(meters)

    def change(self, upserts: Sequence[DropMeter] = (), deletes: Sequence[int] = ()) -> None:
        for number in deletes:
            self._delta.unwant(number)
        for meter in upserts:
            self._delta.want(meter.id, meter)

    def upserts(self) -> tuple[DropMeter, ...]:
        return tuple(self._delta.upserts().values())

    def deletes(self) -> tuple[DropMeter, ...]:
        return tuple(self._delta.deletes().values())

    async def put(self) -> int:
        """Adds and changes; a flow that goes through a changed one is not interrupted.  Raises OpenFlowError."""
        if self._stale and (self._delta.desired or self._delta.actual):
            await self.read()
        actual, wanted = self._delta.actual, self.upserts()
        commands = [(MeterCommand.MODIFY if meter.id in actual else MeterCommand.ADD, meter) for meter in wanted]
        await self._send(commands)
        for meter in wanted:
            self._delta.saw(meter.id, meter)
        return len(wanted)

    async def remove(self) -> int:
        """Raises OpenFlowError."""
        obsolete = self.deletes()
        await self._send([(MeterCommand.DELETE, meter) for meter in obsolete])
        for meter in obsolete:
            self._delta.saw_gone(meter.id)
        return len(obsolete)

    async def _send(self, commands: Sequence[tuple[MeterCommand, DropMeter]]) -> None:
        if commands:
            self._stale = True  # if this is cut off, nobody knows how far it came
            await self._connection.change_meters(commands)
            self._stale = False
