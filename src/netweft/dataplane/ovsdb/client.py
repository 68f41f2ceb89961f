"""A session with the Open_vSwitch database of this host, and a replica of it kept by a monitor."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from netweft.dataplane.ovsdb.replica import TABLES, Changes, Replica
from netweft.dataplane.ovsdb.session import Session

DATABASE = "Open_vSwitch"


class OvsdbConnection(Session):
    """Made by `connect`.  Every method raises OvsdbLost once the server is gone."""

    def __init__(self) -> None:
        super().__init__(DATABASE)
        self.replica = Replica()
        self._watchers: list[Callable[[Changes], None]] = []
        self._waiting: list[tuple[Callable[[Replica], bool], asyncio.Future[None]]] = []

    @classmethod
    async def connect(
        cls,
        socket: Path | str,
        *,
        timeout: float = 5.0,
    ) -> "OvsdbConnection":
        """Connect and read what we need of the Open_vSwitch database; it is complete when this returns, and kept."""
        columns = {table: record.__struct_fields__ for table, record in TABLES.items()}
        return await cls().open(f"unix:{socket}", columns, timeout=timeout)

    def watch(self, callback: Callable[[Changes], None]) -> None:
        """Called from the event loop each time that the replica has changed, whoever changed it."""
        self._watchers.append(callback)

    async def wait_for(self, condition: Callable[[Replica], bool]) -> None:
        """Returns when `condition` holds; it is evaluated again after each change.  Put a timeout round it."""
        if self._lost.done():
            raise self._gone()
        if condition(self.replica):
            return
        waiter = (condition, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            await waiter[1]
        finally:
            self._waiting.remove(waiter)

    def updated(self, tables: dict[str, Any]) -> None:
        changes = self.replica.update(tables)
        for condition, future in self._waiting:
            if not future.done() and condition(self.replica):
                future.set_result(None)
        for watcher in self._watchers:
            watcher(changes)

    def _waiters(self) -> Sequence[asyncio.Future[Any]]:
        return (*super()._waiters(), *(future for _, future in self._waiting))
