"""One JSON-RPC session with ovsdb-server (RFC 7047 and ovsdb-server(7)): transactions, and a replica kept by a monitor.

Reconnecting is the caller's loop.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from netweft.dataplane.ovsdb.replica import Changes, Replica


class OvsdbConnection:
    """Made by `connect`.  Every method raises OvsdbLost once the server is gone."""

    replica: Replica

    @classmethod
    async def connect(
        cls,
        socket: Path | str,
        *,
        on_change: Callable[[Changes], None] | None = None,
        timeout: float = 5.0,
    ) -> "OvsdbConnection":
        """Connect and read what we need of the Open_vSwitch database; it is complete when this returns, and kept.

        on_change is called from the event loop after the replica has changed, whoever changed it."""
        raise NotImplementedError

    async def transact(self, operations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """One atomic transaction; the results, one per operation.  Raises TransactionFailed, Conflict, OvsdbLost."""
        raise NotImplementedError

    async def wait_for(self, condition: Callable[[Replica], bool]) -> None:
        """Returns when `condition` holds; it is asked again after each change.  Put a timeout round it."""
        raise NotImplementedError

    async def wait_closed(self) -> None:
        """Returns when the connection is gone."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
