"""The agent's one loop: whatever happens only wakes it, and each turn makes actual equal to desired.

    view changed ─┐
    row changed  ─┤            ┌─ observe ─ render ─ apply ─ report ─┐
    flow changed ─┴─▶ wake ──▶ │                                     │ ◀── retry, with back-off
                               └─────────────────────────────────────┘

Nothing is deleted before the view is complete (from the server, or as it was kept on disk).  A failure leaves what
failed different from what is desired, so the next turn finds it again.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

import structlog

from netweft import bundled, starting
from netweft.agent import facts, metrics, planning, show
from netweft.agent.desired import Part
from netweft.agent.parts import Parts
from netweft.agent.sync import Changes, Link
from netweft.dataplane.openflow.driver import FlowPlan
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.ovsdb.rows import MARK
from netweft.metrics.values import Reading
from netweft.model import PortStatus, key_of
from netweft.reconcile.plan import Plan
from netweft.services.kinds import GUARANTEE, ROW
from netweft.services.pipeline import INT, physical_role
from netweft.services.security import zone_limits
from netweft.services.security.endings import ended
from netweft.services.untracked import untracked
from netweft.services.values import BY_OVS
from netweft.wire.queries import Answer, Ask

if TYPE_CHECKING:
    from netweft.agent.queries.answering import Answering

log = structlog.get_logger(__name__)

STOP_SECONDS = 2.0
SPARE_SECONDS = 2.0
FROM_DISK_SECONDS = 1.0  # a first look at Open vSwitch takes a tenth
BEGINNING_SECONDS = 20.0
ASKED_SECONDS = 0.05


class Agent(Parts):
    """Constructing it does no I/O; `run` does it all."""

    def wake(self) -> None:
        self._awake.set()

    async def _begin(self) -> None:
        """What requests need is loaded before the first one."""
        await self.spare()
        await asyncio.to_thread(bundled.keep)
        self.packet_ins.load()
        await asyncio.to_thread(import_module, "netweft.agent.queries.answering")
        await self.spare(BEGINNING_SECONDS)
        starting.begun()

    async def spare(self, seconds: float = SPARE_SECONDS) -> None:
        """Returns once all was in place and the server there, or after a while: what is not needed for that is not
        loaded before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._was_in_place.wait()

    def load_state(self) -> None:
        view = self.state.load()
        self.endings.owe(self.state.left)
        if view.revision:
            self.feed.view = view
            all_ = frozenset(key_of(obj) for obj in view.objects())
            self.desired.see(view, all_, ())
            self.arrivals.see(Changes(view, all_, frozenset()))
            log.info("view taken from disk", revision=view.revision, ports=len(view.ports))

    async def run(self) -> None:
        """Until cancelled."""
        self.load_state()
        self.feed.ready = self._rendered_from_disk
        async with asyncio.TaskGroup() as tasks:
            for side in (
                *(self.ovs.run(), *(bridge.run() for bridge in self.bridges.values()), self.links.run()),
                *(self.shaping.run(), self.nics.run(), self.feed.run(), self.state.run(), self.announcer.run()),
                *(self.arrivals.run(), self.trials.run(), self.resolver.run(), self.advertiser.run()),
                *(self.metadata.run(), self.dns.run(), self.counting.run(), self.failover.run()),
                *(self.tunnel_neighbours.run(), self.proxies.run(), self.health.run()),
                *(self.fragment_shares.run(), self.stt.run(), self.untracked.run()),
                *(self.lldp.run(), self.active.run(), self.zone_limits.run(), self.request_errors.run()),
                self._begin(),
            ):
                tasks.create_task(side)
            if self.settings.flow_restore_wait:
                tasks.create_task(self._restore.run())
            tasks.create_task(self._turns())

    async def _rendered_from_disk(self) -> None:
        """The feed is followed once what is on disk has been rendered: else nobody is notified of what has ended since
        then, a router that was advertised for one.  Not long where no Open vSwitch is there."""
        if self.desired.view.revision:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FROM_DISK_SECONDS):
                    await self._rendered.wait()

    async def stop(self) -> None:
        """On purpose: everything stays in place but what would hold up a vswitchd that starts without us."""
        if self.settings.flow_restore_wait:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._restore.give_up()

    # what the feed calls: sync.Listener

    def view_changed(self, changes: Changes) -> None:
        self.wiring.see(self.desired.view, changes)
        self.causes.see(self.desired.view, changes)
        changed = changes.upserts | changes.deletes
        self.endings.owe(ended(self.desired.view, changes.view, changed, self.desired.tree))
        self.vips.see(self.desired.view, changes.view, changes.upserts)
        self.departures.see(self.desired.view, changes, self.desired.vlans)
        self.arrivals.see(changes)
        self.desired.see(changes.view, changes.upserts, changes.deletes)
        if changes.subscribed:
            self.handover.doubt()
        self.state.keep(changes)
        self._reporter.left((id for kind, id in changes.deletes if kind == "port"), self.desired.vifs)
        self._owes_all |= changes.subscribed
        self.wake()

    def ports_denied(self, reasons: Mapping[str, str]) -> None:
        self.denials.add(reasons)

    def link_changed(self, link: Link) -> None:
        """What is wired stays wired."""
        if link.up:
            self.counting.begin_session()
            self.request_errors.begin_session()
            self.health.begin_session()
            self.wake()  # what waits for that can be sent

    # the loop

    async def _turns(self) -> None:
        await self._awake.wait()
        await self.bridges.asked(ASKED_SECONDS)  # vswitchd writes its answers while all is rendered
        while True:
            await self._awake.wait()
            await asyncio.sleep(0)  # let what else has arrived be read first: one plan for all of it
            self._awake.clear()
            try:
                await self.turn()
            except Exception as error:  # the loop's boundary: whatever it is, the other ports have to be served
                log.exception("a turn failed")
                self.retries.note(f"{type(error).__name__}: {error}")

    async def turn(self) -> None:
        self.causes.begin_turn()
        if self._observe():
            self.causes.done("observe")
            self._render()
            sessions = self.bridges.sessions()
            self._rendered.set()
            self._tell_facts()
            self.causes.done("render")
            problem = await self._apply(sessions)
            self.causes.done("write rows and flows")
            await self.taps.see_to(self.desired.view.ports.keys())
            if self._was_read_since(sessions):
                problem = None
            if problem is not None:
                self._report(problem)
            self.causes.end_turn(problem, in_place=problem == "" and self._settled())
            if problem is not None and self.bridges[INT.role].connected:
                self.failover.wired()
            if problem == "":
                await self._change_links()
                self._know_tunnels()
                self.announcer.arrived(self.desired.arrived())
                self.arrivals.wired()
                self.vips.wired()
                self.handover.wired()
                self.resolver.wired()
                self.advertiser.wired()
                self.health.wired()
            if self.all_in_place() and self.feed.link.up:
                self._was_in_place.set()

    def _observe(self) -> bool:
        """False: Open vSwitch has not been seen yet, so there is nothing to compare with."""
        view = self.ovs.view
        if view is None:
            return self.desired.started
        plugged = self.ovs.take_plugged()
        if self._host is None:
            self._host = facts.host_facts(self.settings, view.datapath_type())
            self.datapath.assume(self._host.datapath_type)
            if self._host.datapath_type == "netdev":
                self.keepers[ROW] = (self.ovs, self.nics)
            links = (
                row for row in view.ports(self.settings.integration_bridge).values() if MARK in dict(row.external_ids)
            )
            self.desired.start(self._host, facts.local_vlans(self.settings), filter(None, plugged.values()), links)
        uplinks = self.uplinks.observe(view, self._host)
        self.bridges.expect_all_but(frozenset(physical_role(name) for name in uplinks.problems))
        self.carriers.observe(view, self._host.bridge_mappings, connected=self.feed.link.up)
        self.desired.observe(plugged, uplinks, self.carriers.apart)
        self.wiring.plugged(plugged)
        self.failover.observe(view, self._host, self.carriers.cut)
        self.handover.observe()
        self.bfd.observe(view)
        self.resolver.adopt()
        self.taps.observe(plugged)
        self.metadata.observe()
        self.proxies.observe()
        self.desired.find_out(
            meters=self.meters.possible,
            lengths=self.datapath.compares_lengths,
            discovery=self.datapath.writes_discovery,
            nic_problems=self.shaping.problems,
        )
        self.denials.forget()
        return True

    def _know_tunnels(self) -> None:
        if self._host is not None and self._host.datapath_type == "netdev":
            overlays = [at for kind, at in self.uplinks.now.overlays.items() if kind in BY_OVS]
            self.tunnel_neighbours.want(self.desired.view.nodes, self._host.tunnel_ip, overlays)

    def _tell_facts(self) -> None:
        if self.ovs.view is not None and self._host is not None:
            uplinks = (*self.uplinks.now.problems.values(), *self.shaping.problems.values())
            deaf = self.metadata.problem
            own = [self.datapath.problem, self.dns.problem, self.stt.problem, self.lldp.problem, self.unbuilt]
            sides = [deaf and f"metadata: {deaf}", *own]
            problems = [*filter(None, sides), *uplinks, *self.desired.problems, *self.refusals.of_no_port]
            problems += self.proxies.problems
            crowded = self.zone_limits.crowded
            problems += zone_limits.problems(crowded)
            version = self.ovs.view.version()
            unwired = self.uplinks.now.problems.keys() | self.carriers.cut
            bridges = self._host.bridge_mappings.values()
            nics = {nic.name for bridge in bridges for nic in self.ovs.view.nics(bridge)}
            heard = self.lldp.neighbours(nics)
            kind = self._host.datapath_type
            ids = (id for _, id in crowded if id)
            self.feed.tell(facts.node_facts(self.settings, kind, version, problems, unwired, heard, ids, deaf))

    def _render(self) -> None:
        if self._owes_all:  # only from here on: a turn that is under way knows nothing of the new session's view
            self._owes_all = False
            self._reporter.owe_all()
        changes = self.desired.refresh()
        for part, change in changes.parts.items():
            for keeper in self.keepers.get(part, ()):
                keeper.change(change)
        if GUARANTEE in changes.parts or self._shaping_swept != self.desired.complete:
            self._shaping_swept = self.desired.complete
            self._shape()
        self.proxies.sweep(complete=self.desired.complete)
        if self._host is not None:
            self.stt.want(self._host, self.desired.view.nodes, sweep=self.desired.complete)
            self.untracked.want(untracked(self._host))
        self.applying.new_zones |= changes.new_zones
        self.zone_limits.see(changes.new_zones, self.bridges[INT.role].sessions)
        self.endings.rendered(self.desired.vlans, complete=self.desired.complete)
        if self.settings.interconnect == "veth":
            self._hand_over_links()

    def _shape(self) -> None:
        short = self._host is not None and self._host.datapath_type == "netdev"
        self.shaping.want(self.desired.guarantees, sweep=self.desired.complete, short_queues=short)

    async def _apply(self, sessions: Mapping[str, int]) -> str | None:
        """Returns what stands in the way; None when a connection was lost over it, or made, so that nobody knows: its
        side reconnects, and wakes us then.  sessions: of the bridges, when it was rendered."""
        await self.stt.tell()
        applied, _ = await asyncio.gather(
            self.applying.carry_out(sessions, delete=self.desired.complete), self.departures.carry_out()
        )
        self.trials.call()
        problem = applied.problem()
        if problem is None or self._was_read_since(sessions):
            return None
        if not problem:
            await self.endings.carry_out(self.desired.vlans, self.desired.view.ports.values())
        if applied.rows or applied.flows:
            log.info("applied", rows=applied.rows, flows=applied.flows)
        if not problem and self._settled() and self.desired.settled():
            self.wake()
        return problem

    def _was_read_since(self, sessions: Mapping[str, int]) -> bool:
        """Whether a bridge was: nothing of this turn is on it, and what was found there is for the next one."""
        return self.bridges.sessions() != sessions

    def _settled(self) -> bool:
        return self.desired.complete and self.bridges.in_sync and self.stt.is_current

    def _flows_found(self, flows: Iterable[Flow]) -> None:
        """Not before there is something that it can be said of: which gateways are here was decided without them."""
        found = list(flows)
        self.desired.found(found)
        self.resolver.found(found)
        self.failover.found(found)
        self.handover.found(found)

    def _taking_away(self, plan: FlowPlan) -> None:
        self.trials.taking_away(plan)

    @property
    def _connected(self) -> bool:
        return self.ovs.connection is not None and self.bridges.connected

    async def _change_links(self) -> None:
        """One step from patch to veth or back, if there is one to do: those before are in place."""
        if self._connected and self.links.in_place and self.uplinks.applied(self.settings.interconnect):
            if not self.uplinks.now.keep:
                await self.learned.forget(facts.bridge_mappings(self.settings).values())
            self.wake()

    def _report(self, problem: str) -> None:
        refused = {bits: why for bridge in self.bridges.values() for bits, why in bridge.refused.items()}
        told = self.refusals.statuses(refused, self.desired.view.ports, self.desired.statuses)
        self._reporter.change(Part(list(told)))
        self.retries.note(problem or self.refusals.text)
        sessions = self.bridges[INT.role].sessions  # others are not always connected
        if sessions != self._sessions:
            self._sessions = sessions
            self._restore.bridge_connected()
        if not self._connected:
            return
        self._hand_over_links()
        if self.desired.complete:
            self._reporter.tell(self.desired.view, problem, self.proxies.starting, self.desired.vifs)
            if not problem:
                self._restore.settled()

    def _tell(self, statuses: Iterable[PortStatus], complete: bool) -> None:
        told = list(statuses)
        self.feed.report(told, complete=complete, causes=self.causes.told(told))
        self.wiring.told(told)

    def _hand_over_links(self) -> None:
        """Only once the bridges are connected, for their sake, unless the links are to join them."""
        self.links.want(self.desired.links, sweep=self.desired.complete)

    # requests that it answers

    def in_place(self) -> bool:
        return (
            self.retries.problem == self.refusals.text
            and self.desired.complete
            and not self._awake.is_set()
            and self.bridges.in_sync
        )

    def all_in_place(self) -> bool:
        """Links, too, which Open vSwitch takes into its bridges whenever they appear."""
        return self.in_place() and self.links.in_place

    async def readings(self) -> Iterable[Reading]:
        return await metrics.read(self)

    def show(self) -> str:
        return show.describe(self)

    @cached_property
    def _answering(self) -> "Answering":
        from netweft.agent.queries.answering import Answering

        return Answering(self)

    async def _answer(self, question: Ask) -> Answer:
        return await self._answering.answer(question)

    async def explain(self, name: str) -> bytes:
        """Raises NotKnown."""
        from netweft.agent.queries import local

        return await local.explain(self, name)

    async def trace(self, packet: bytes) -> bytes:
        """Raises NotKnown."""
        from netweft.agent.queries import local

        return await local.trace(self, packet)

    async def plan(self) -> Plan:
        """What would change now; changes nothing.  Raises NotKnown."""
        return await planning.planned(self)
