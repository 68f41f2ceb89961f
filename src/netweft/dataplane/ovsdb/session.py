"""One JSON-RPC session with an ovsdb-server (RFC 7047 and ovsdb-server(7)): requests, and a monitor's updates.

Knows no schema.  Reconnecting is the caller's loop.
"""

import asyncio
import itertools
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import msgspec
from msgspec import Struct

from netweft.dataplane.ovsdb.errors import Conflict, OvsdbError, OvsdbLost, OvsdbProtocolError, TransactionFailed
from netweft.dataplane.ovsdb.framing import Framer

REPLY_SECONDS = 30.0
_MONITOR = "netweft"


class _Message(Struct):
    """A request, a notification or an answer: JSON-RPC 1.0 distinguishes them by their members."""

    id: Any = None
    method: str | None = None
    params: list[Any] = []
    result: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Message)
_encoder = msgspec.json.Encoder()


class Session(asyncio.Protocol):
    """Made by `open`.  Every method raises OvsdbLost once the server is gone."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._lost: asyncio.Future[OvsdbLost] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.WriteTransport | None = None
        self._closed = asyncio.Event()
        self._framer = Framer()
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def open(
        self, remote: str, columns: Mapping[str, Sequence[str]], *, timeout: float, tls: ssl.SSLContext | None = None
    ) -> Self:
        """Connect and monitor these columns; `updated` has been called with all of them when this returns.

        remote: unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT, as Open vSwitch's tools write them."""
        try:
            async with asyncio.timeout(timeout):
                await self._connect(remote, tls)
                wanted = {table: [{"columns": list(names)}] for table, names in columns.items()}
                await self._request("monitor_cond", [self._database, _MONITOR, wanted])
        except (OSError, TimeoutError, OvsdbError) as error:
            lost = OvsdbLost(f"{remote.removeprefix('unix:')}: {str(error) or 'no answer'}")
            self._abort(lost)
            raise lost from None
        return self

    async def _connect(self, remote: str, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        method, _, where = remote.partition(":")
        if method == "unix":
            await loop.create_unix_connection(lambda: self, where)
            return
        host, _, port = where.rpartition(":")
        # a switch's certificate has its name, mostly: whose authority it is of is what counts
        secured = tls if method == "ssl" else None
        server_name = "" if secured else None
        await loop.create_connection(
            lambda: self, host.strip("[]"), int(port), ssl=secured, server_hostname=server_name
        )

    async def transact(self, operations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """One atomic transaction; the results, one per operation.  Raises TransactionFailed, Conflict, OvsdbLost."""
        results = await self._request("transact", [self._database, *operations])
        if not isinstance(results, list):
            raise OvsdbProtocolError("a transaction without results")
        for index, result in enumerate(results):
            if isinstance(result, dict) and result.get("error"):
                operation = operations[index] if index < len(operations) else None
                kind = Conflict if result["error"] == "timed out" else TransactionFailed
                raise kind(str(result["error"]), str(result.get("details", "")), operation)
        return results[: len(operations)]

    async def leads(self) -> bool:
        """Whether this server is current and takes transactions: of a cluster only its leader (ovsdb-server(7)).
        Raises OvsdbLost, TransactionFailed."""
        ours = [["name", "==", self._database]]
        asked = {"op": "select", "table": "Database", "where": ours, "columns": ["model", "connected", "leader"]}
        (answer,) = await self._request("transact", ["_Server", asked])
        found = answer["rows"]
        return bool(found) and (found[0]["model"] != "clustered" or (found[0]["connected"] and found[0]["leader"]))

    @property
    def is_lost(self) -> bool:
        return self._lost.done()

    async def wait_closed(self) -> OvsdbLost:
        """Returns the reason when the connection is gone."""
        return await asyncio.shield(self._lost)

    async def close(self) -> None:
        self._abort(OvsdbLost("closed by us"))
        if self._transport is not None:
            await self._closed.wait()

    def updated(self, tables: dict[str, Any]) -> None:
        """<table-updates2> of the monitor.  Raises OvsdbProtocolError."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one without saying so

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()
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
        if message.id == 1:  # the monitor: its answer must be taken in before the next update is
            self._update(message.result)
        answer.set_result(message.result)

    def _update(self, tables: Any) -> None:
        if not isinstance(tables, dict):
            raise OvsdbProtocolError("an update without tables")
        self.updated(tables)

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

    def _waiters(self) -> Sequence[asyncio.Future[Any]]:
        """Called when the connection is gone."""
        return tuple(self._answers.values())

    def _abort(self, error: OvsdbLost) -> None:
        """Close, and let everybody who waits know why."""
        if self._lost.done():
            return
        self._lost.set_result(error)
        if self._transport is not None:
            self._transport.abort()
        for future in self._waiters():
            if not future.done():
                future.set_exception(self._gone())

    def _gone(self) -> OvsdbLost:
        """A new exception each time: one raised twice would grow its traceback."""
        if not self._lost.done():
            return OvsdbLost("not connected")
        error = self._lost.result()
        return type(error)(str(error))
