"""The Open_vSwitch database: a connection that is kept up, what is observed in it, and our rows while there is one."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from netweft.agent.desired import RowChanges
from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.driver import RowDriver
from netweft.dataplane.ovsdb.errors import OvsdbError
from netweft.dataplane.ovsdb.replica import Changes
from netweft.dataplane.ovsdb.rows import ROW_KINDS, PortRow, Row, RowKind, Vif, VifTag, row_key
from netweft.dataplane.ovsdb.statistics import select_statistics, statistics_of
from netweft.dataplane.ovsdb.view import OvsView
from netweft.dataplane.ovsdb.vifs import Vifs
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff

log = structlog.get_logger(__name__)

VSWITCHD_SECONDS = 10.0


class OvsSide:
    """bridge: where VIFs are plugged in.  wanted: all rows that should be there, called once per connection.
    wake: called when there is something to do."""

    def __init__(
        self, run_dir: Path, bridge: str, wanted: Callable[[], Iterable[Row]], wake: Callable[[], None]
    ) -> None:
        self.connection: OvsdbConnection | None = None
        self._socket = run_dir / "db.sock"
        self._bridge = bridge
        self._wanted = wanted
        self._wake = wake
        self._driver: RowDriver | None = None
        self._vifs: Vifs | None = None
        self._plugged: dict[str, Vif | None] = {}  # otherwise than was taken last
        self._conflicts: tuple[str, ...] = ()
        self.on_opened: Callable[[], None] = lambda: None

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff(first=0.05, limit=1.0)
        problem = ""
        while True:
            try:
                connection = await OvsdbConnection.connect(self._socket)
            except OvsdbError as error:
                if str(error) != problem:
                    problem = str(error)
                    log.warning("waiting for ovsdb-server", problem=problem)
                await asyncio.sleep(backoff.failed(clock()))
                continue
            backoff.succeeded()
            self._attach(connection)
            log.info("ovsdb-server connected", socket=str(self._socket))
            try:
                lost = await connection.wait_closed()
                problem = str(lost)
                log.warning("ovsdb-server lost", problem=problem)
            finally:
                self.connection = self._driver = None
                await connection.close()

    def _attach(self, connection: OvsdbConnection) -> None:
        """What it says is compared with what was known, and kept up to date from now on."""
        before = self._vifs.plugged if self._vifs else {}
        self.connection, self._driver = connection, RowDriver(connection)
        self._driver.want(self._wanted())
        self._vifs = Vifs(connection.replica, self._bridge)
        now = self._vifs.plugged
        self._plugged |= dict.fromkeys(before.keys() - now.keys())
        self._plugged |= {port_id: vif for port_id, vif in now.items() if before.get(port_id) != vif}
        connection.watch(partial(self._changed, self._vifs))
        self.on_opened()
        self._wake()

    @property
    def view(self) -> OvsView | None:
        return OvsView(self.connection.replica) if self.connection else None

    def take_plugged(self) -> Mapping[str, Vif | None]:
        """What was plugged differently since the last call; None: nothing any more."""
        plugged, self._plugged = self._plugged, {}
        return plugged

    def change(self, part: RowChanges) -> None:
        if self._driver:
            self._driver.change(part.upserts, part.deletes)

    def plan(self, *, delete: bool) -> list[Step]:
        if self._driver is None:
            return []
        plan = self._driver.plan(delete=delete)
        return [
            *(Step(_kind(row), row_key(row), now=_text(row)) for row in plan.upserts),
            *(Step(_kind(row), row_key(row), was=_text(row)) for row in plan.deletes),
        ]

    async def apply(self, *, delete: bool, kinds: Sequence[RowKind] = ROW_KINDS) -> int:
        """Returns how many rows of these kinds were written.  Raises OvsdbError."""
        if self._driver is None:
            return 0
        plan = await self._driver.apply(delete=delete, kinds=kinds)
        for conflict in plan.conflicts:
            if conflict not in self._conflicts:
                log.error("not ours to change", problem=conflict)
        self._conflicts = plan.conflicts
        return len(plan.upserts) + len(plan.deletes)

    async def reopen(self, port: PortRow) -> None:
        """Of ours: vswitchd closes its interface, and opens it when the next turn puts it in again."""
        driver = self._driver
        if driver is None:
            return
        try:
            await driver.take_out(port)
            await self.vswitchd_done()
        except (OvsdbError, TimeoutError) as error:
            log.warning("port not opened anew", port=port.name, problem=str(error) or "vswitchd does not answer")
        driver.change(upserts=[port])
        self._wake()

    async def statistics(self, interfaces: Iterable[str]) -> dict[str, dict[str, int]]:
        """By name: what vswitchd has counted, some seconds ago at most.  Read on demand: a monitor would wake us
        for each count.  Raises OvsdbError."""
        if self.connection is None:
            return {}
        found = await self.connection.transact([select_statistics(name) for name in interfaces])
        return {name: dict(statistics) for one in found for name, statistics in statistics_of(one)}

    async def set_other_config(self, key: str, value: str, *, wait: bool = True) -> None:
        """Of the root row.  wait: until vswitchd has read it.  Raises OvsdbError, TimeoutError."""
        await self._mutate_root(_replaced("other_config", key, value), wait=wait)

    async def set_external_id(self, key: str, value: str) -> None:
        """Of the root row.  Raises OvsdbError."""
        await self._mutate_root(_replaced("external_ids", key, value), wait=False)

    async def vswitchd_done(self) -> None:
        """Returns when vswitchd has done all that stands in the database.  Raises OvsdbError, TimeoutError."""
        await self._mutate_root([], wait=True)

    async def _mutate_root(self, mutations: list[list[Any]], *, wait: bool) -> None:
        """next_cfg is the question, cur_cfg vswitchd's answer."""
        if self.connection is None:
            return
        asking = [["next_cfg", "+=", 1]] if wait else []
        operation = {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [*mutations, *asking]}
        await self.connection.transact([operation])
        if not wait:
            return
        asked = self.connection.replica.root.next_cfg
        async with asyncio.timeout(VSWITCHD_SECONDS):
            await self.connection.wait_for(lambda replica: replica.root.cur_cfg >= asked)

    def _changed(self, vifs: Vifs, changes: Changes) -> None:
        self._plugged |= vifs.update(changes)
        self._wake()


def _replaced(column: str, key: str, value: str) -> list[list[Any]]:
    return [[column, "delete", ["set", [key]]], [column, "insert", ["map", [[key, value]]]]]


def _kind(row: Row) -> str:
    return "tag" if isinstance(row, VifTag) else row_key(row)[0]


def _text(row: Row) -> str:
    fields = ((name, getattr(row, name)) for name in row.__struct_fields__)
    return " ".join(f"{name}={value}" for name, value in fields if value not in ("", (), None))
