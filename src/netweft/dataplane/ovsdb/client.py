"""One JSON-RPC session with ovsdb-server (RFC 7047 and ovsdb-server(7)): transactions, and a replica kept by a monitor.

Reconnecting is the caller's loop.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from netweft.dataplane.ovsdb.errors import Conflict, OvsdbError, OvsdbLost, OvsdbProtocolError, TransactionFailed
from netweft.dataplane.ovsdb.framing import Framer
from netweft.dataplane.ovsdb.replica import TABLES, Changes, Replica

DATABASE = "Open_vSwitch"
REPLY_SECONDS = 30.0
_MONITOR = "netweft"


class _Message(Struct):
    """A request, a notification or an answer: JSON-RPC 1.0 tells them apart by what is there."""

    id: Any = None
    method: str | None = None
    params: list[Any] = []
    result: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Message)
_encoder = msgspec.json.Encoder()


class OvsdbConnection(asyncio.Protocol):
    """Made by `connect`.  Every method raises OvsdbLost once the server is gone."""

    def __init__(self) -> None:
        self.replica = Replica()
        self._watchers: list[Callable[[Changes], None]] = []
        self._lost: asyncio.Future[OvsdbLost] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.WriteTransport | None = None
        self._framer = Framer()
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._waiting: list[tuple[Callable[[Replica], bool], asyncio.Future[None]]] = []

    @classmethod
    async def connect(
        cls,
        socket: Path | str,
        *,
        timeout: float = 5.0,
    ) -> "OvsdbConnection":
        """Connect and read what we need of the Open_vSwitch database; it is complete when this returns, and kept."""
        connection = cls()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().create_unix_connection(lambda: connection, str(socket))
                columns = {table: [{"columns": list(record.__struct_fields__)}] for table, record in TABLES.items()}
                await connection._request("monitor_cond", [DATABASE, _MONITOR, columns])
        except (OSError, TimeoutError, OvsdbError) as error:
            lost = OvsdbLost(f"{socket}: {str(error) or 'no answer'}")
            connection._abort(lost)
            raise lost from None
        return connection

    async def transact(self, operations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """One atomic transaction; the results, one per operation.  Raises TransactionFailed, Conflict, OvsdbLost."""
        results = await self._request("transact", [DATABASE, *operations])
        if not isinstance(results, list):
            raise OvsdbProtocolError("a transaction without results")
        for index, result in enumerate(results):
            if isinstance(result, dict) and result.get("error"):
                operation = operations[index] if index < len(operations) else None
                kind = Conflict if result["error"] == "timed out" else TransactionFailed
                raise kind(str(result["error"]), str(result.get("details", "")), operation)
        return results[: len(operations)]

    def watch(self, callback: Callable[[Changes], None]) -> None:
        """Called from the event loop each time that the replica has changed, whoever changed it."""
        self._watchers.append(callback)

    async def wait_for(self, condition: Callable[[Replica], bool]) -> None:
        """Returns when `condition` holds; it is asked again after each change.  Put a timeout round it."""
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

    async def wait_closed(self) -> OvsdbLost:
        """Returns the reason when the connection is gone."""
        return await asyncio.shield(self._lost)

    async def close(self) -> None:
        self._abort(OvsdbLost("closed by us"))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one without saying so

    def connection_lost(self, exc: Exception | None) -> None:
        self._abort(OvsdbLost(f"ovsdb-server closed the connection{f': {exc}' if exc else ''}"))

    def data_received(self, data: bytes) -> None:
        try:
            for text in self._framer.feed(data):
                self._dispatch(_decoder.decode(text))
        except (OvsdbProtocolError, msgspec.DecodeError) as error:
            self._abort(OvsdbProtocolError(str(error)))

    def _dispatch(self, message: _Message) -> None:
        if message.method == "echo":
            self._send({"id": message.id, "result": message.params, "error": None})
        elif message.method == "update2" and len(message.params) == 2:
            self._update(message.params[1])
        elif message.method is None and isinstance(message.id, int):
            self._answered(message)

    def _answered(self, message: _Message) -> None:
        answer = self._answers.get(message.id)
        if answer is None or answer.done():
            return
        if message.error is not None:
            answer.set_exception(TransactionFailed("refused", str(message.error)))
            return
        if message.id == 1:  # the monitor: its answer must be in the replica before the next update is
            self._update(message.result)
        answer.set_result(message.result)

    def _update(self, tables: Any) -> None:
        if not isinstance(tables, dict):
            raise OvsdbProtocolError("an update without tables")
        changes = self.replica.update(tables)
        for condition, future in self._waiting:
            if not future.done() and condition(self.replica):
                future.set_result(None)
        for watcher in self._watchers:
            watcher(changes)

    async def _request(self, method: str, params: list[Any]) -> Any:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            self._send({"id": number, "method": method, "params": params})
            async with asyncio.timeout(REPLY_SECONDS):
                return await answer
        except TimeoutError:
            self._abort(OvsdbLost(f"no answer for {REPLY_SECONDS:g} s"))
            raise self._gone() from None
        finally:
            del self._answers[number]

    def _send(self, message: dict[str, Any]) -> None:
        if self._lost.done() or self._transport is None:
            raise self._gone()
        self._transport.write(_encoder.encode(message))

    def _abort(self, error: OvsdbLost) -> None:
        """Close, and let everybody who waits know why."""
        if self._lost.done():
            return
        self._lost.set_result(error)
        if self._transport is not None:
            self._transport.abort()
        for future in (*self._answers.values(), *(future for _, future in self._waiting)):
            if not future.done():
                future.set_exception(self._gone())

    def _gone(self) -> OvsdbLost:
        """A new exception each time: one raised twice would grow its traceback."""
        if not self._lost.done():
            return OvsdbLost("not connected")
        error = self._lost.result()
        return type(error)(str(error))
