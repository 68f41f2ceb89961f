"""A device's database, by OVSDB: a session that is opened again when it is lost, and its values in JSON (RFC 7047)."""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netweft.dataplane.ovsdb.errors import OvsdbError, OvsdbLost, TransactionFailed
from netweft.dataplane.ovsdb.session import Session
from netweft.plugins.mechanisms import Unreachable

SECONDS = 5.0


class _Watching(Session):
    """changed: called when anything that is watched has changed, by somebody else.

    What changes while a transaction of ours is under way is taken for ours: the server sends the update before its
    answer.  What somebody else wrote at just that moment is seen when the rows are read next.
    """

    def __init__(self, database: str, changed: Callable[[], None]) -> None:
        super().__init__(database)
        self._changed = changed
        self.is_writing = False

    def updated(self, tables: dict[str, Any]) -> None:
        if not self.is_writing:
            self._changed()


class Remote:
    """remote: as Open vSwitch's tools write it; of a cluster all of its servers', with commas between: its leader is
    used, whichever that is now.  watched: table -> columns."""

    def __init__(
        self,
        remote: str,
        database: str,
        watched: Mapping[str, Sequence[str]],
        changed: Callable[[], None],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._remotes, self._database = remote.split(","), database
        self._watched, self._changed = watched, changed
        self._tls = tls
        self._session: _Watching | None = None
        self._watch: asyncio.Task[Any] | None = None
        self._turn = asyncio.Lock()

    async def select(self, tables: Mapping[str, Sequence[str]]) -> dict[str, list[dict[str, Any]]]:
        """All rows of these columns, of one moment.  Raises Unreachable."""
        asked = [
            {"op": "select", "table": table, "where": [], "columns": list(names)} for table, names in tables.items()
        ]
        answers, refused = await self.transact(asked)
        if refused:
            raise Unreachable(refused)
        return {table: answer["rows"] for table, answer in zip(tables, answers, strict=True)}

    async def transact(self, operations: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        """The answers, or why it was refused.  Raises Unreachable."""
        if not operations:
            return [], ""
        async with self._turn:
            try:
                session = await self._connected()
                session.is_writing = any(one["op"] != "select" for one in operations)
                try:
                    return await session.transact(operations), ""
                finally:
                    session.is_writing = False
            except TransactionFailed as error:
                return [], str(error)
            except (OvsdbLost, OvsdbError) as error:
                raise Unreachable(str(error)) from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _connected(self) -> _Watching:
        """Raises OvsdbError, OvsdbLost."""
        session = self._session
        if session is not None and not session.is_lost:
            if len(self._remotes) == 1 or await session.leads():
                return session
            await session.close()
        problems = list[str]()
        for remote in list(self._remotes):
            try:
                return await self._open(remote)
            except OvsdbError as error:
                problems.append(str(error))
                self._remotes.append(self._remotes.pop(0))  # the next one is tried first, too
        raise OvsdbLost("; ".join(problems))

    async def _open(self, remote: str) -> _Watching:
        """Raises OvsdbError, OvsdbLost."""
        opened = _Watching(self._database, self._changed)
        opened.is_writing = True  # the initial content comes first
        await opened.open(remote, self._watched, timeout=SECONDS, tls=self._tls)
        opened.is_writing = False
        if len(self._remotes) > 1 and not await opened.leads():
            await opened.close()
            raise OvsdbLost(f"{remote} is not the leader")
        self._session = opened
        self._watch = asyncio.create_task(opened.wait_closed())
        self._watch.add_done_callback(lambda _: self._changed())
        return opened


def tls_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """By files.  A device's certificate has its name, not its address: whose authority it is of is what counts.
    Raises OSError."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.check_hostname = False
    context.load_verify_locations(ca)
    context.load_cert_chain(certificate, key)
    return context


def from_set(value: Any) -> list[Any]:
    """One member is written as itself."""
    return list(value[1]) if isinstance(value, list) and value[0] == "set" else [value]


def from_map(value: Any) -> dict[str, Any]:
    return dict(value[1]) if isinstance(value, list) and value[0] == "map" else {}


def to_map(value: Mapping[str, Any]) -> list[Any]:
    return ["map", [[name, one] for name, one in sorted(value.items())]]
