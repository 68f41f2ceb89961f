"""An L2 agent for a host that is looked at and wired as a whole: all of it but the wiring.

Owns the session with the server, the view kept on disk, when to look again, and the reports.  A `Wiring` makes the
host equal to the view and knows nothing of these.  Our own agent does not use it: it renders what changed only.

    view changed ─┐
    host changed ─┴─▶ wake ──▶ wire the view ──▶ report ──▶ again, with back-off, while something is in error
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import structlog
from msgspec.structs import replace

from netweft.agent.report import Reporter
from netweft.agent.state import StateFile
from netweft.agent.sync import Changes, FeedClient, Link
from netweft.metrics import definitions as metrics
from netweft.metrics.values import Reading
from netweft.model import NodeFacts, NodeView, PortState, PortStatus
from netweft.reconcile.plan import Plan
from netweft.reconcile.retry import Backoff
from netweft.settings import AgentSettings

SETTLE_SECONDS = 0.02  # what comes in a burst is wired at once

log = structlog.get_logger(__name__)


class Wiring(Protocol):
    """Keeps no state: it compares the view with the host, each time anew."""

    def facts(self) -> NodeFacts:
        """What the server, and through it the other nodes, should know of this node."""
        ...

    async def watch(self, changed: Callable[[], None]) -> None:
        """Until cancelled.  Calls `changed` when something was plugged in or out, or is otherwise than we left it."""
        ...

    async def plan(self, view: NodeView, *, delete: bool) -> Plan:
        """What `wire` would do now; changes nothing."""
        ...

    async def wire(self, view: NodeView, *, delete: bool) -> Mapping[str, PortStatus]:
        """Makes the host equal to the view and says how each port is that is plugged in here.

        One port's failure is that port's status, ERROR; an exception means that nothing could be done.  Either way it
        is called again.  delete: remove what is ours and not wanted; not while the view is one kept on disk, which
        may be older than what is wired.
        """
        ...


class Follower:
    """An `L2Agent`.  Constructing it does no I/O; `run` does it all."""

    def __init__(self, settings: AgentSettings, wiring: Wiring) -> None:
        self._settings = settings
        self._wiring = wiring
        self._state = StateFile(Path(settings.state_dir) / "view", settings.node)
        self._feed = FeedClient(settings, self, facts=wiring.facts())
        self._reporter = Reporter(lambda statuses, complete: self._feed.report(statuses, complete=complete))
        self._statuses: Mapping[str, PortStatus] | None = None  # before the first look nothing is known to be down
        self._problem = ""
        self._current = False  # whether the view is a server's, and not the one on disk
        self._owes_all = False
        self._awake = asyncio.Event()

    # plugin.L2Agent

    async def run(self) -> None:
        """Until cancelled."""
        view = self._state.load()
        if view.revision:
            self._feed.view = view
            self._awake.set()
        async with asyncio.TaskGroup() as tasks:
            for part in (self._feed.run(), self._state.run(), self._wiring.watch(self._awake.set), self._turns()):
                tasks.create_task(part)

    async def stop(self) -> None:
        """Nothing of this is in anybody's way."""

    async def plan(self) -> Plan:
        return await self._wiring.plan(self._feed.view, delete=self._current)

    async def readings(self) -> Iterable[Reading]:
        states = Counter(status.state.value for status in (self._statuses or {}).values())
        return [
            metrics.SESSION.at(self._feed.link.up),
            metrics.VIEW_REVISION.at(self._feed.view.revision),
            metrics.IN_PLACE.at(self._current and not self._problem and not self._awake.is_set()),
            *metrics.PORTS.each(states.items()),
        ]

    def show(self) -> str:
        link, view = self._feed.link, self._feed.view
        lines = [
            f"node {self._settings.node}",
            f"server {link.server or '-'} {'up' if link.up else f'down: {link.problem}'}",
            f"view revision {view.revision}{'' if self._current else ' (as kept on disk)'}",
            *([f"problem {self._problem}"] if self._problem else []),
            *(f"port {port.port_id} {port.state} {port.detail}".rstrip() for port in (self._statuses or {}).values()),
        ]
        return "\n".join(lines)

    # what the feed calls: sync.Listener

    def view_changed(self, changes: Changes) -> None:
        self._state.keep(changes)
        self._reporter.left(id for kind, id in changes.deletes if kind == "port")
        self._owes_all |= changes.subscribed
        self._current = True
        self._awake.set()

    def ports_denied(self, reasons: Mapping[str, str]) -> None:
        for port_id, reason in reasons.items():
            log.warning("port denied", port=port_id, reason=reason)

    def link_changed(self, link: Link) -> None:
        """Nothing to do: what is wired stays wired."""

    # the loop

    async def _turns(self) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        again: float | None = None
        while True:
            await self._wait(again)
            if await self._turn():
                backoff.succeeded()
                again = None
            else:
                again = backoff.failed(clock())

    async def _wait(self, seconds: float | None) -> None:
        """For whatever wakes us; `seconds` at the longest."""
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(SETTLE_SECONDS)

    async def _turn(self) -> bool:
        """Whether all is well."""
        self._awake.clear()
        if not (self._current or self._feed.view.revision):
            return True  # there is no view yet
        if self._owes_all:  # only from here on: a turn that is under way knows nothing of the new session's view
            self._owes_all = False
            self._reporter.owe_all()
        problem = ""
        try:
            self._statuses = await self._wiring.wire(self._feed.view, delete=self._current)
        except Exception as error:  # a plug-in's fault must not end the agent: what is wired stays, and it tries again
            problem = f"{type(error).__name__}: {error}"
            if problem != self._problem:
                log.exception("not wired")
        self._problem = problem
        self._feed.tell(self._facts())
        if self._statuses is None:
            return False
        self._reporter.replace(self._statuses)
        self._reporter.tell(self._feed.view, problem)
        return not problem and all(status.state is not PortState.ERROR for status in self._statuses.values())

    def _facts(self) -> NodeFacts:
        facts = self._wiring.facts()
        return replace(facts, problems=(*facts.problems, self._problem)) if self._problem else facts
