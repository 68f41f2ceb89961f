"""One bridge's meters, as its side needs them: read when it connects, put before the flows, removed after them."""

from collections.abc import Callable, Iterable, Mapping

from netweft.agent.desired import MeterChanges
from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.meter_driver import MeterDriver
from netweft.dataplane.openflow.meters import DropMeter
from netweft.reconcile.plan import Step
from netweft.services.fields import METERS_MASK, OUR_METERS


class BridgeMeters:
    """wanted: all that should be there, called once per connection.
    possible: whether the datapath has meters; assumed until it is read."""

    def __init__(self, wanted: Callable[[], Mapping[int, DropMeter]]) -> None:
        self.possible = True
        self._wanted = wanted
        self._driver: MeterDriver | None = None
        self._connection: OpenFlowConnection | None = None

    async def read(self, connection: OpenFlowConnection) -> None:
        """Raises OpenFlowError."""
        self.possible = await connection.max_meters() > 0
        if self.possible:
            driver = MeterDriver(connection, OUR_METERS, METERS_MASK)
            await driver.read()
            driver.want(self._wanted())
            self._driver, self._connection = driver, connection

    def lost(self) -> None:
        self._driver = self._connection = None

    async def dropped(self, numbers: Iterable[int]) -> dict[int, int]:
        """Packets ever, of those of these meters that are there.  Raises OpenFlowError."""
        if self._driver is None or self._connection is None:
            return {}
        there = self._driver.actual
        return {number: await self._connection.dropped_by(number) for number in numbers if number in there}

    def doubt(self) -> bool:
        """Somebody else may have changed some.  False: there are none."""
        if self._driver is None or not self._driver.actual:
            return False
        self._driver.doubt()
        return True

    def change(self, part: MeterChanges) -> None:
        if self._driver:
            self._driver.change(part.upserts, part.deletes)

    async def put(self) -> int:
        """Returns how many were written.  Raises OpenFlowError."""
        return await self._driver.put() if self._driver else 0

    async def remove(self) -> int:
        """Returns how many.  Raises OpenFlowError."""
        return await self._driver.remove() if self._driver else 0

    def plan(self, *, delete: bool) -> list[Step]:
        if self._driver is None:
            return []
        there, gone = self._driver.actual, self._driver.deletes() if delete else ()
        return [
            *(Step("meter", meter.id, there.get(meter.id), meter) for meter in self._driver.upserts()),
            *(Step("meter", meter.id, was=meter) for meter in gone),
        ]
