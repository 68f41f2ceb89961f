"""What the agent is made of, and which part notifies which: every side of it is made here, once, and wired to the
others.

A new kind of thing that is kept in order is one more side here, and one more line among `keepers`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from netweft.agent import facts
from netweft.agent.applying import Applying
from netweft.agent.causes import Causes
from netweft.agent.denials import Denials
from netweft.agent.desired import Desired, Part
from netweft.agent.dns.side import DnsSide
from netweft.agent.drops import Drops
from netweft.agent.health.side import HealthSide
from netweft.agent.host.announcer import Announcer
from netweft.agent.host.bridges import Bridges
from netweft.agent.host.datapath import BridgeDatapath
from netweft.agent.host.learned import LearnedMacs
from netweft.agent.host.links import LinksSide
from netweft.agent.host.lldp import LldpSide
from netweft.agent.host.meters import BridgeMeters
from netweft.agent.host.nics import NicsSide
from netweft.agent.host.ovs import OvsSide
from netweft.agent.host.restore import RestoreWait
from netweft.agent.host.shaping import ShapingSide
from netweft.agent.host.stt import SttSide
from netweft.agent.host.taps import TapsSide
from netweft.agent.host.tunnel_neighbours import TunnelNeighbours
from netweft.agent.host.untracked import UntrackedSide
from netweft.agent.host.uplinks import UplinksSide
from netweft.agent.l3.advertiser import Advertiser
from netweft.agent.l3.bfd_watch import BfdWatch
from netweft.agent.l3.carriers import Carriers
from netweft.agent.l3.counting import Counting
from netweft.agent.l3.failover import Failover
from netweft.agent.l3.floating_handover import FloatingHandover
from netweft.agent.l3.resolver import Resolver
from netweft.agent.l3.underlay import Underlay
from netweft.agent.lb.active import ActiveConnections
from netweft.agent.lb.announcing import VipAnnouncer
from netweft.agent.lb.proxies import ProxiesSide
from netweft.agent.lb.request_errors import RequestErrors
from netweft.agent.metadata.floods import Floods
from netweft.agent.metadata.interface import InterfaceWatch
from netweft.agent.metadata.side import MetadataSide
from netweft.agent.packet_ins import PacketInHandler, PacketIns
from netweft.agent.refusals import Refusals
from netweft.agent.report import Reporter
from netweft.agent.retries import Retries
from netweft.agent.security.endings import Endings
from netweft.agent.security.fragment_shares import FragmentShares
from netweft.agent.security.moving import Arrivals, Departures
from netweft.agent.security.trials import Trials
from netweft.agent.security.zone_limits import ZoneLimits
from netweft.agent.state import StateFile
from netweft.agent.sync import Changes, FeedClient, Link
from netweft.agent.wiring_times import WiringTimes
from netweft.dataplane.openflow.driver import FlowPlan
from netweft.dataplane.openflow.flow import Flow
from netweft.model import PortStatus
from netweft.services.kinds import ADVERTISED, METER, NAMED, PROXY, ROW, STATUS, STT, WATCHED
from netweft.services.pipeline import INT, TUN
from netweft.services.values import HostFacts
from netweft.settings import AgentSettings
from netweft.wire.queries import Answer, Ask


class Keeper(Protocol):
    """Keeps one part of what this node should have."""

    def change(self, part: Part[Any, Any]) -> None: ...


class Parts(ABC):
    """Constructing it does no I/O.  What the loop does for its sides is abstract here."""

    def __init__(self, settings: AgentSettings) -> None:
        self.settings = settings
        self.desired = Desired()
        self.denials = Denials(self.desired)
        run_dir = Path(settings.ovs_run_dir)
        self.ovs = OvsSide(run_dir, settings.integration_bridge, lambda: self.desired.rows, self.wake)
        self.links = LinksSide(self.wake, self.spare)
        self.nics = NicsSide(self.ovs.reopen)
        self.uplinks = UplinksSide()
        self.taps = TapsSide()
        self.learned = LearnedMacs(run_dir)
        self.meters = BridgeMeters(lambda: self.desired.meters)
        self.datapath = BridgeDatapath(run_dir, settings.integration_bridge)
        nics = {nic.interface: nic.kbps for nic in facts.uplink_bandwidths(settings).values()}
        self.shaping = ShapingSide(nics, self.wake)
        self.bridges = Bridges(
            settings, self.desired, self.wake, self._taking_away, meters=self.meters, datapath=self.datapath
        )
        self.applying = Applying(self.ovs, self.bridges)
        self.drops = Drops(self.bridges)
        self.trials = Trials(run_dir, self.desired.ends, self.bridges[INT.role].send_packets)
        self.fragment_shares = FragmentShares(run_dir, self.desired, self.wake)
        self.zone_limits = ZoneLimits(run_dir, settings.conntrack_zone_limit, lambda: self.desired.zones, self.wake)
        self.tunnel_neighbours = TunnelNeighbours(run_dir, self.bridges[TUN.role].answer)
        say = self.bridges[INT.role].answer
        self.resolver = Resolver(self.desired, say, self.wake)
        self.failover = Failover(
            facts.node_name(settings), self.desired, say, self.wake, lambda ids: self.feed.tell_gateways(ids)
        )
        self.failover.on_said = self.resolver.said
        self.failover.ask_underlay(Underlay(settings.tunnel_ip, self.desired).reaches)
        self.handover = FloatingHandover(
            facts.node_name(settings), self.desired, say, self.wake, lambda id, led: self.feed.tell_has_alone(id, led)
        )
        self.handover.on_said = self.resolver.said
        self.bfd = BfdWatch(self.desired, self.wake)
        self.carriers = Carriers(self.wake)
        self.ovs.on_opened = self.failover.opened
        self.bridges.on_lost = self.failover.lost
        self._rendered = asyncio.Event()
        self.bridges[INT.role].on_read = self._flows_found
        self.bridges[INT.role].rendered = self._rendered.wait
        self.advertiser = Advertiser(self.desired, say)
        self.vips = VipAnnouncer(self.desired, say)
        self.packet_ins = PacketIns(self.desired, self._handlers, say, self.wake)
        for side in (self.failover, self.handover):
            side.asking.is_deaf = partial(self.packet_ins.is_deaf, side.asked)
        self.bridges[INT.role].on_packet = self.packet_ins.take
        self.endings = Endings(run_dir, self.bridges[INT.role], lambda: self.state.settled(), self.wake)
        self.state = StateFile(Path(settings.state_dir) / "view", settings.node, lambda: self.endings.owed)
        self.feed = FeedClient(settings, self, facts=facts.node_facts(settings))
        self.feed.on_asked = self._answer
        self.counting = Counting(
            Path(settings.state_dir) / "counts",
            settings.node,
            settings.count_seconds,
            lambda: self.desired.view,
            lambda counted: self.feed.tell_counted(counted),
        )
        self.bridges[INT.role].on_connected = self.counting.connected
        self.active = ActiveConnections(
            run_dir, settings.count_seconds, lambda: self.desired.view, lambda counted: self.feed.tell_counted(counted)
        )
        asked_at = InterfaceWatch()
        self.metadata = MetadataSide(
            settings, self.desired, asked_at, lambda: self.feed.link.server, self.wake, self.spare
        )
        self.dns = DnsSide(settings, self.desired, asked_at, self.wake, self.spare)
        self.zone_limits.on_shared_flood = Floods(run_dir, self.desired, self.wake).end
        self.proxies = ProxiesSide(settings, self.ovs, lambda: self.feed.link.server, self.wake)
        self.request_errors = RequestErrors(
            settings.count_seconds, lambda: self.proxies.folders, lambda counted: self.feed.tell_counted(counted)
        )
        self.stt = SttSide(settings, self.wake)
        self.untracked = UntrackedSide()
        self.lldp = LldpSide(settings.lldp_socket, settings.lldp_seconds, self.wake)
        self.health = HealthSide(lambda health: self.feed.tell_health(health), within=self.proxies.within)
        self.retries = Retries(self.wake)
        self._host: HostFacts | None = None
        self.unbuilt = facts.unbuilt(settings)
        self.wiring = WiringTimes()
        self.causes = Causes(facts.node_name(settings))
        self._reporter = Reporter(self._tell)
        self.departures = Departures(run_dir, lambda id, found: self.feed.tell_left(id, found))
        self.arrivals = Arrivals(
            run_dir, self.desired, self.bridges[INT.role].send_packet, lambda id, at: self.feed.tell_taken_up(id, at)
        )
        self.announcer = Announcer(self.desired.announcement, self.bridges[INT.role].send_packet)
        self._restore = RestoreWait(self.ovs, self.in_place)
        self._sessions = 0
        self.refusals = Refusals()
        # what changed goes, part by part, to its keeper; links, leases and guarantees are read
        self.keepers: dict[str, tuple[Keeper, ...]] = {
            **{role: (bridge,) for role, bridge in self.bridges.items()},
            ROW: (self.ovs,),
            METER: (self.meters,),
            STATUS: (self._reporter,),
            ADVERTISED: (self.advertiser,),
            PROXY: (self.proxies,),
            STT: (self.stt,),
            WATCHED: (self.health,),
            NAMED: (self.dns,),
        }
        self._owes_all = False
        self._shaping_swept = False
        self._awake = asyncio.Event()
        self._was_in_place = asyncio.Event()

    def _handlers(self) -> Iterable[PacketInHandler]:
        from netweft.agent.packet_in_handlers import handlers  # loaded on the first request, or once all is in place

        return handlers(self.settings, self.desired, self.resolver, self.failover, self.handover)

    # -- what sides ask of the loop

    @abstractmethod
    def wake(self) -> None: ...

    @abstractmethod
    async def spare(self, seconds: float = ...) -> None: ...

    @abstractmethod
    def in_place(self) -> bool: ...

    @abstractmethod
    def view_changed(self, changes: Changes) -> None: ...

    @abstractmethod
    def ports_denied(self, reasons: Mapping[str, str]) -> None: ...

    @abstractmethod
    def link_changed(self, link: Link) -> None: ...

    @abstractmethod
    def _taking_away(self, plan: FlowPlan) -> None: ...

    @abstractmethod
    def _flows_found(self, flows: Iterable[Flow]) -> None: ...

    @abstractmethod
    async def _answer(self, question: Ask) -> Answer: ...

    @abstractmethod
    def _tell(self, statuses: Iterable[PortStatus], complete: bool) -> None: ...
