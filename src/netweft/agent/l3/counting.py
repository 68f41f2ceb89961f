"""Reads the flows' counters periodically, and reports them to the server: many objects in one report.

On disk before it is reported, so that a restarted agent counts on: whatever passed meanwhile is in the flows.  Without
the file, or with a torn one, what flows counted before is left out, as it may have been reported.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.openflow.messages import Count
from netweft.model import NodeView
from netweft.model.counting import Counted
from netweft.services.fields import OURS_MASK, REASON_MASK, cookie
from netweft.services.l3.counting import COUNTED, Kept, Place, Tally

FORMAT = 1

log = structlog.get_logger(__name__)


class _File(Struct, frozen=True):
    node: str
    kept: Kept
    format: int = FORMAT


class Counting:
    """view: what the node has to do with.  tell: sends totals to the server, as soon as there is one."""

    def __init__(
        self,
        path: Path,
        node: str,
        seconds: float,
        view: Callable[[], NodeView],
        tell: Callable[[Iterable[Counted]], None],
    ) -> None:
        self._path = path
        self._node = node
        self._seconds = seconds
        self._view = view
        self._tell = tell
        self._tally: Tally | None = None
        self._connection: OpenFlowConnection | None = None
        self._looking = asyncio.Lock()
        self._problem = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            view = self._view()
            if view.routers or view.firewall_rules or view.listeners or (self._tally and self._tally.totals):
                await self.look()

    async def connected(self, connection: OpenFlowConnection) -> None:
        """To the integration bridge, and nothing was changed there yet: flows that go now have counted."""
        self._connection = connection
        await self.look()

    def begin_session(self) -> None:
        """Whatever the server has heard, or not."""
        if self._tally is not None:
            self._tell(self._tally.totals)

    async def look(self) -> None:
        async with self._looking:
            tally = self._tally = self._tally or Tally(self._load())
            try:
                found = await self._read(tally)
            except OpenFlowError:  # whoever keeps the connection up says so
                self._connection = None
                return
            if found is not None:
                changed = tally.take(self._view(), found)
                await asyncio.to_thread(self._keep, tally.kept)
                if changed:
                    self._tell(changed)

    async def _read(self, tally: Tally) -> list[tuple[Place, Count]] | None:
        """None: the bridge is away."""
        connection = self._connection
        if connection is None:
            return None
        places = [place for place in COUNTED if place.table in tally.tables]
        asked = (
            connection.count(tally.tables[place.table], cookie(place.reason), OURS_MASK | REASON_MASK)
            for place in places
        )
        counts = await asyncio.gather(*asked)  # at once: each answer is a turn of vswitchd's to wait for
        return [(place, count) for place, some in zip(places, counts, strict=True) for count in some]

    def _load(self) -> Kept | None:
        try:
            content = msgspec.msgpack.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("counters begin anew", path=str(self._path), problem=str(error))
            return None
        return content.kept if (content.node, content.format) == (self._node, FORMAT) else None

    def _keep(self, kept: Kept) -> None:
        draft = self._path.with_name(f".{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.msgpack.encode(_File(self._node, kept)))
            draft.replace(self._path)
            self._problem = ""
        except OSError as error:
            if self._problem != str(error):
                log.error("counters not written", path=str(self._path), problem=str(error))
            self._problem = str(error)
