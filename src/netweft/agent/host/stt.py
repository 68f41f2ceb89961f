"""STT's carrier on this node: started where it is not running, configured, restarted when it has ended.

It goes on when this process ends, whatever ends it; the next one finds it by its socket.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from netweft.agent.desired import Part
from netweft.dataplane.stt import process, talk
from netweft.dataplane.stt.talk import Answer, NotThere, Question
from netweft.dataplane.stt.values import SttNetwork, SttPeer, SttSettings, SttTables
from netweft.model import Node
from netweft.reconcile.plan import Step
from netweft.reconcile.retry import Backoff
from netweft.services.addresses import endpoint, text
from netweft.services.l2.stt import TYPE, tag_of
from netweft.services.values import HostFacts
from netweft.settings import AgentSettings

log = structlog.get_logger(__name__)

FOLDER: Final = "stt"  # beside the agent's socket
KIND: Final = "stt"
START_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 5.0
_LOOK_FAST: Final = 0.02
_TELL_SECONDS: Final = 0.2


class SttSide:
    """settled: called when the carrier has become what it should be, or its problem another one."""

    def __init__(self, settings: AgentSettings, settled: Callable[[], None]) -> None:
        self._folder, self._settled = Path(settings.socket).parent / FOLDER, settled
        self._wanted: SttSettings | None = None
        self._networks: dict[int, SttNetwork] = {}
        self._peers: tuple[SttPeer, ...] = ()
        self._nodes: Mapping[str, Node] | None = None
        self._due = asyncio.Event()
        self._told = asyncio.Event()
        self._sweep = False
        self._handle = -1
        self.answer: Answer | None = None
        self.problem = ""
        self.starts = 0

    def want(self, host: HostFacts, nodes: Mapping[str, Node], *, sweep: bool) -> None:
        """Of each turn.  nodes: those with which this one shares a network.  sweep: one that nobody wants may go."""
        own = endpoint(host.tunnel_ip)
        offered = TYPE in host.tunnel_types and own is not None
        wire = host.underlay if host.datapath_type == "netdev" else ""
        dscp = -1 if host.dscp_inherit else host.dscp
        wanted = SttSettings(own=host.tunnel_ip, wire=wire, dscp=dscp) if offered else None
        if (wanted, sweep) != (self._wanted, self._sweep):
            self._wanted, self._sweep = wanted, sweep
            self._due.set()
        if nodes is self._nodes or own is None or not offered:
            return
        self._nodes = nodes
        ends = (endpoint(node.tunnel_ip) for node in nodes.values() if TYPE in node.tunnel_types)
        peers = {SttPeer(text(end), tag_of(end)) for end in ends if end and end.version == own.version and end != own}
        if tuple(sorted(peers)) != self._peers:
            self._peers = tuple(sorted(peers))
            self._due.set()

    def change(self, part: Part[Any, Any]) -> None:
        for vlan in part.deletes:
            self._networks.pop(vlan, None)
        for network in part.upserts:
            self._networks[network.vlan] = network
        self._due.set()

    @property
    def tables(self) -> SttTables:
        return SttTables(tuple(self._networks[vlan] for vlan in sorted(self._networks)), self._peers)

    @property
    def in_place(self) -> bool:
        if self._wanted is None or not self._networks:
            return True
        return self.answer is not None and self.answer.tables == self.tables

    @property
    def is_current(self) -> bool:
        """No local VLAN stands for a network any more that it is not wanted for: the number may be another's."""
        told = self.answer.tables.networks if self.answer is not None else ()
        return all(self._networks.get(one.vlan) == one for one in told)

    async def tell(self) -> None:
        """Before flows send it frames of a network, or for a peer, that is new.  Nobody waits for one that is about to
        start."""
        if self.answer is None or self.in_place:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TELL_SECONDS):
                while self.answer is not None and not self.in_place:
                    self._told.clear()
                    await self._told.wait()

    def plan(self) -> list[Step]:
        if self.in_place:
            return []
        was = self.answer.tables if self.answer is not None else None
        return [Step(KIND, "carrier", was=_shown(was), now=_shown(self.tables))]

    async def run(self) -> None:
        """Until cancelled; the carrier goes on."""
        backoff = Backoff(first=0.05, limit=5.0)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS if self._wanted else None):
                        await self._due.wait()
                self._due.clear()
                try:
                    await self._keep()
                    backoff.succeeded()
                except (NotThere, OSError) as error:
                    self._becomes(None, f"stt: {error}")
                    await asyncio.sleep(backoff.failed(asyncio.get_running_loop().time()))
                    self._due.set()
        finally:
            self._unwatch()

    async def _keep(self) -> None:
        """Raises NotThere, OSError."""
        if self._wanted is None:
            if self._sweep:
                await self._remove()
            return
        if not self._networks and not (self._folder / talk.SOCKET).exists():
            return  # it is started for the first network
        tables = self.tables
        try:
            answer = await talk.ask(self._folder, Question(tables))
        except NotThere:
            answer = await self._start(self._wanted, tables)
        if answer.settings != self._wanted:
            log.info("STT's carrier is started anew", was=answer.settings, now=self._wanted)
            self._unwatch()
            process.stop(answer.pid)
            answer = await self._start(self._wanted, tables)
        self._watch(answer.pid)
        self._becomes(answer, f"stt: {answer.problem}" if answer.problem and self._networks else "")

    async def _start(self, settings: SttSettings, tables: SttTables) -> Answer:
        """Raises NotThere, OSError."""
        pid = await asyncio.to_thread(process.start, self._folder, settings)
        self.starts += 1
        log.info("STT's carrier started", pid=pid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while True:
                    with contextlib.suppress(NotThere):
                        return await talk.ask(self._folder, Question(tables))
                    if process.has_ended(pid):
                        break
                    await asyncio.sleep(_LOOK_FAST)
        raise NotThere(process.said_last(self._folder) or "the carrier does not start")

    async def _remove(self) -> None:
        if (self._folder / talk.SOCKET).exists():
            with contextlib.suppress(NotThere):
                process.stop((await talk.ask(self._folder, Question())).pid)
            (self._folder / talk.SOCKET).unlink(missing_ok=True)
        self._unwatch()
        self._becomes(None, "")

    def _becomes(self, answer: Answer | None, problem: str) -> None:
        news = problem != self.problem or (answer and answer.tables) != (self.answer and self.answer.tables)
        if problem and problem != self.problem:
            log.warning("STT is not carried", problem=problem)
        self.answer, self.problem = answer, problem
        self._told.set()
        if news:
            self._settled()

    # -- a process that ends

    def _watch(self, pid: int) -> None:
        if self._handle >= 0:
            return
        with contextlib.suppress(OSError):
            self._handle = os.pidfd_open(pid)
            asyncio.get_running_loop().add_reader(self._handle, self._ended, pid)

    def _unwatch(self) -> None:
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1

    def _ended(self, pid: int) -> None:
        self._unwatch()
        process.has_ended(pid)
        log.warning("STT's carrier has ended", pid=pid)
        self.answer = None
        self._due.set()


def _shown(tables: SttTables | None) -> str | None:
    return f"{len(tables.networks)} networks, {len(tables.peers)} peers" if tables is not None else None
