"""An agent on fakes: its own turns, bridges' sides and flow drivers are real; sockets, switch and database are not."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast
from zlib import crc32

from msgspec.structs import replace

from netweft.agent.desired import Desired, RowChanges
from netweft.agent.host.links import LinksSide
from netweft.agent.host.ovs import OvsSide
from netweft.agent.host.shaping import ShapingSide
from netweft.agent.loop import Agent
from netweft.agent.sync import NO_CAUSES, changes_by
from netweft.dataplane.host.values import Guarantee
from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.conntrack import Connections
from netweft.dataplane.openflow.errors import FlowRejected, Rejected
from netweft.dataplane.openflow.flow import Action, Flow, FlowKey, Meter
from netweft.dataplane.openflow.messages import Count, FlowChange, PacketIn
from netweft.dataplane.openflow.meters import DropMeter, MeterCommand
from netweft.dataplane.ovsdb.errors import TransactionFailed
from netweft.dataplane.ovsdb.replica import InterfaceRecord
from netweft.dataplane.ovsdb.rows import ROW_KINDS, PortRow, Row, RowKey, RowKind, Vif, VifTag, row_key
from netweft.model import NodeView, Object, PortState, PortStatus, Tracked, key_of
from netweft.services.fields import Reason, cookie
from netweft.services.l2.bridges import KINDS, overlay_port, physical_link, tunnel_link
from netweft.services.l3.gateways.watched_nodes import interface_to
from netweft.services.metadata.ends import INTERFACE as METADATA_PORT
from netweft.services.pipeline import INT, TUN, physical_role
from netweft.services.values import BY_OVS
from netweft.settings import AgentSettings
from netweft.testing.node import as_stored
from netweft.testing.region import MAPPINGS
from netweft.wire.causes import Cause
from netweft.wire.messages import Delta, Snapshot

PORTS_OF_OURS = [
    *(name for kind in KINDS for name in tunnel_link(kind)),
    *(name for kind in KINDS for bridge in MAPPINGS.values() for name in physical_link(kind, bridge)),
    *map(overlay_port, BY_OVS),
    METADATA_PORT,
]


Gate = Callable[[str], Awaitable[None]]


async def pass_on(what: str) -> None:
    """A gate that stands open."""


class FakeSwitch:
    """One bridge's flows and meters, which outlive connections.  fail: the next bundle is refused.
    gate: asked before anything is done."""

    def __init__(self, role: str = "", gate: Gate = pass_on) -> None:
        self.gate = gate
        self.role = role
        self.flushed: Callable[[int], object] = lambda zone: None
        self.ended: Callable[[Connections], object] = lambda which: None
        self.flows: dict[FlowKey, Flow] = {}
        self.meters: dict[int, DropMeter] = {}
        self.fail = False
        self.deleted = 0
        self.written = 0
        self.packets: list[bytes] = []
        self.first_fragments = False
        self._watcher: Callable[[FlowChange], None] = lambda _: None

    async def count(self, table: int, cookie: int, cookie_mask: int) -> list[Count]:
        """No packet has come by."""
        return [
            Count(flow.cookie, (flow.table, flow.priority, repr(flow.match).encode()), 0, 0)
            for flow in await self.dump_flows(cookie, cookie_mask)
            if flow.table == table
        ]

    async def dump_flows(self, cookie: int = 0, cookie_mask: int = 0) -> list[Flow]:
        return [flow for flow in self.flows.values() if flow.cookie & cookie_mask == cookie & cookie_mask]

    async def apply(
        self, adds: Sequence[Flow], deletes: Iterable[FlowKey] = (), *, clear: tuple[int, int] | None = None
    ) -> None:
        await self.gate(f"flows of {self.role}")
        if self.fail:
            self.fail = False
            raise Rejected(5, 1, "table full")  # whoever's flow it was
        for flow in adds:
            if not _named(flow) <= self.meters.keys():
                raise FlowRejected(2, 5, "bad argument", flow)
        self.written += len(adds)
        if clear is not None:
            deletes = {*deletes, *(flow.key for flow in await self.dump_flows(*clear))} - {flow.key for flow in adds}
        self.flows.update((flow.key, flow) for flow in adds)
        for key in deletes:
            self.deleted += 1
            del self.flows[key]

    async def max_meters(self) -> int:
        return 1000

    async def dump_meters(self) -> list[DropMeter]:
        return list(self.meters.values())

    async def change_meters(self, commands: Sequence[tuple[MeterCommand, DropMeter]]) -> None:
        await self.gate("meters")
        for command, meter in commands:
            if (command == MeterCommand.ADD) == (meter.id in self.meters):
                raise Rejected(12, 1 if command == MeterCommand.ADD else 3, f"meter mod failed: {meter}")
            if command == MeterCommand.DELETE:
                assert not any(meter.id in _named(flow) for flow in self.flows.values()), "a flow still names it"
                del self.meters[meter.id]
            else:
                self.meters[meter.id] = meter

    async def flush_zones(self, zones: Iterable[int]) -> None:
        await self.gate("zones")
        for zone in zones:
            self.flushed(zone)

    async def end_connections(self, which: Iterable[Connections]) -> None:
        await self.gate("connections")
        for each in which:
            self.ended(each)

    async def send_packet(self, frame: bytes, actions: tuple[Action, ...]) -> None:
        self.packets.append(frame)

    async def send_packets(self, packets: Iterable[tuple[bytes, tuple[Action, ...]]]) -> None:
        self.packets.extend(frame for frame, _ in packets)

    def send_packet_soon(self, frame: bytes, actions: tuple[Action, ...]) -> None:
        self.packets.append(frame)

    async def watch_packets(self, controller_id: int, callback: Callable[[PacketIn], None]) -> None:
        """No packet comes in here."""

    async def shows_first_fragments(self) -> bool:
        return self.first_fragments

    async def show_first_fragments(self) -> None:
        await self.gate("fragments")
        self.first_fragments = True

    async def watch_flows(self, callback: Callable[[FlowChange], None]) -> None:
        self._watcher = callback

    def somebody_deletes(self, nth: int) -> None:
        if self.flows:
            key = sorted(self.flows)[nth % len(self.flows)]
            self._watcher(FlowChange(self.flows.pop(key), removed=True))

    def somebody_deletes_meter(self, nth: int) -> None:
        """The flows that name it first go with it."""
        if self.meters:
            number = sorted(self.meters)[nth % len(self.meters)]
            del self.meters[number]
            for key, flow in list(self.flows.items()):
                if number in _named(flow):
                    self._watcher(FlowChange(self.flows.pop(key), removed=True))

    def somebody_changes(self, nth: int) -> None:
        if self.flows:
            key = sorted(self.flows)[nth % len(self.flows)]
            self.flows[key] = replace(self.flows[key], actions=())
            self._watcher(FlowChange(self.flows[key]))


def _named(flow: Flow) -> set[int]:
    return {action.id for action in flow.actions if isinstance(action, Meter)}


class FakeOvs:
    """Stands for OvsSide: what is plugged in, and the rows.  fail: the next transaction is refused."""

    def __init__(self, gate: Gate = pass_on) -> None:
        self.gate = gate
        self.plugged: dict[str, Vif] = {}
        self.rows: list[Row] = []
        self.begin()
        self.bridges = set(MAPPINGS.values())  # the operator's
        self.gone: set[str] = set()  # nodes that are watched and whose sessions have ended
        self.cut: set[str] = set()  # bridges whose NICs have no carrier
        self.fail = False
        self.connection = object()
        self.view = self

    def begin(self) -> None:
        """Of an agent that knows nothing yet and wants nothing."""
        self._taken: dict[str, Vif] = {}
        self._wanted: dict[RowKey, Row] = {}

    def datapath_type(self) -> str:
        return "netdev"

    def version(self) -> str:
        return "3.1.0"

    def nics(self, _: str) -> list[InterfaceRecord]:
        """Nothing leads out of its bridges."""
        return []

    def take_plugged(self) -> Mapping[str, Vif | None]:
        before, self._taken = self._taken, dict(self.plugged)
        ids = before.keys() | self._taken.keys()
        return {id: self._taken.get(id) for id in ids if before.get(id) != self._taken.get(id)}

    def ofport(self, interface: str) -> int | None:
        """Every port whose row is there is open at once, with a number of its own."""
        if not self._is_there(interface):
            return None
        known = PORTS_OF_OURS
        return known.index(interface) + 1 if interface in known else 1000 + crc32(interface.encode()) % 50000

    def _is_there(self, interface: str) -> bool:
        return any(isinstance(row, PortRow) and row.name == interface for row in self.rows)

    def bfd_status(self, interface: str) -> dict[str, str] | None:
        """Sessions with next hops are up."""
        if not self._is_there(interface):
            return None
        is_up = interface not in map(interface_to, self.gone)
        return {"state": "up" if is_up else "down", "flap_count": "1"}

    def datapath_of(self, bridge: str) -> str | None:
        return "netdev" if bridge in self.bridges else None

    def ports(self, bridge: str) -> dict[str, PortRow]:
        return {row.name: row for row in as_stored(self.rows) if row.bridge == bridge}

    def vlan_limit(self) -> int:
        return 1

    def has_carrier(self, bridge: str) -> bool:
        return bridge not in self.cut

    def change(self, part: RowChanges) -> None:
        for key in part.deletes:
            del self._wanted[key]
        self._wanted.update((row_key(row), row) for row in part.upserts)

    async def apply(self, *, delete: bool, kinds: Sequence[RowKind] = ROW_KINDS) -> int:
        if self.fail:
            self.fail = False
            raise TransactionFailed("resources exhausted", "no space left on device")
        there = {row_key(row): row for row in self.rows}
        kept = {key: row for key, row in there.items() if not delete or key[0] not in kinds}
        wanted = {key: row for key, row in self._wanted.items() if key[0] in kinds}
        after = sorted((kept | wanted).values(), key=row_key)
        if after == self.rows:
            return 0
        await self.gate("rows")
        self.rows = after
        tags = {row.port_name: row for row in self.rows if isinstance(row, VifTag)}
        for port_id, vif in self.plugged.items():
            tag = tags.get(vif.port_name)
            ids = tag.external_ids if tag else ()
            self.plugged[port_id] = replace(vif, tag=tag.tag if tag else None, external_ids=ids)
        return 0


def without_epoch(flows: Mapping[FlowKey, Flow]) -> dict[FlowKey, Flow]:
    """Which one it is depends on how the bridge came to be as it is."""
    return {key: flow for key, flow in flows.items() if flow.cookie != cookie(Reason.EPOCH)}


class FakeLinks:
    """Stands for LinksSide: whatever is wanted is there."""

    in_place = True
    problem = ""

    def want(self, links: object, *, sweep: bool) -> None:
        pass


class FakeShaping:
    """Stands for ShapingSide: what is wanted is promised."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}
        self.guarantees: list[Guarantee] = []

    def want(self, guarantees: Iterable[Guarantee], *, sweep: bool, short_queues: bool) -> None:
        self.guarantees = sorted(guarantees, key=lambda each: each.key)


class AgentWorld:
    """One node: the switch and the database live on, agents come and go."""

    def __init__(self, folder: Path) -> None:
        self.settings = AgentSettings(
            node="hv1", tunnel_ip="192.0.2.1", tunnel_types=BY_OVS, state_dir=str(folder), ovs_run_dir=str(folder),
            bridge_mappings=tuple(map(":".join, MAPPINGS.items())), uplink_bandwidths=("tunnel:eth0:9000",),
        )  # fmt: skip
        roles = (INT.role, TUN.role, *map(physical_role, MAPPINGS))
        self.switches = {role: FakeSwitch(role, self.gate) for role in roles}
        self.ovs = FakeOvs(self.gate)
        self.told: dict[str, PortStatus] = {}
        self.left: dict[str, tuple[Tracked, ...]] = {}  # what ports were connected to that moved away
        self.taken_up: dict[str, float] = {}
        self.next_ofport = 10

    async def start(self, *, subscribed: bool = True, on_disk: NodeView | None = None) -> None:
        self.new_agent(on_disk)
        await self.agent.turn()
        await self.attach()
        if subscribed:
            self.tell(Snapshot(history="h", revision=0, objects=()), first=True)
        await self.agent.turn()

    def new_agent(self, on_disk: NodeView | None = None) -> None:
        self.agent = Agent(self.settings)
        self.agent.ovs = self.agent.applying.ovs = cast(OvsSide, self.ovs)
        self.ovs.begin()
        self.agent.links = cast(LinksSide, FakeLinks())
        self.agent.shaping = cast(ShapingSide, FakeShaping())
        self.agent.endings.ask = self.agent.departures.ask = self.agent.arrivals.ask = self.listing
        self.agent.feed.tell_left = self._told_left  # type: ignore[method-assign]
        self.agent.feed.tell_taken_up = self._told_taken_up  # type: ignore[method-assign]
        self.agent.feed.report = self._told  # type: ignore[method-assign]
        if on_disk:
            self.desired.see(on_disk, [key_of(obj) for obj in on_disk.objects()], ())

    async def attach(self) -> None:
        """All bridges at once, as their own tasks do."""
        await asyncio.gather(
            *(side.attach(cast(OpenFlowConnection, self.switches[role])) for role, side in self.agent.bridges.items())
        )

    async def listing(self, *words: str) -> str:
        """Of connections: there are none."""
        return ""

    async def gate(self, what: str) -> None:
        """Asked before anything outside of the agent is changed."""

    def tell(self, message: Snapshot | Delta, *, first: bool = False) -> None:
        changes = changes_by(self.agent.desired.view, message, subscribed=first)
        self.agent.view_changed(changes)

    def see(self, view: NodeView, objects: Iterable[Object]) -> None:
        """The same as a snapshot of all objects."""
        self.tell(Snapshot(history="h", revision=view.revision + 1, objects=tuple(objects)), first=True)

    def plug(self, port_id: str) -> None:
        if port_id not in self.ovs.plugged:
            ofport, self.next_ofport = self.next_ofport, self.next_ofport + 1
            tap = f"tap{ofport}"
            self.ovs.plugged[port_id] = Vif(iface_id=port_id, port_name=tap, name=tap, ofport=ofport)

    def _told(
        self, statuses: Iterable[PortStatus], *, complete: bool = False, causes: Mapping[str, Cause] = NO_CAUSES
    ) -> None:
        if complete:
            self.told.clear()
        self.told.update((status.port_id, status) for status in statuses)

    def _told_left(self, port_id: str, connections: tuple[Tracked, ...]) -> None:
        self.left[port_id] = connections

    def _told_taken_up(self, port_id: str, at: float) -> None:
        self.taken_up[port_id] = at

    @property
    def desired(self) -> Desired:
        return self.agent.desired

    def state(self) -> tuple[object, ...]:
        """Everything that can be seen from outside."""
        flows = {role: without_epoch(switch.flows) for role, switch in self.switches.items()}
        tags = {port_id: (vif.ofport, vif.tag, vif.external_ids) for port_id, vif in self.ovs.plugged.items()}
        # that it was unplugged before is said of what has happened, which a fresh start knows nothing of
        plugged = {id: replace(status, anew=False) for id, status in self.told.items() if id in self.ovs.plugged}
        # and that a port which is not the node's is in the way of nothing any more, it is not told
        for port_id in plugged.keys() - self.desired.view.ports.keys():
            if plugged[port_id].state is PortState.ERROR:
                del plugged[port_id]
        # to be told that a port is down, and not to hear of it in a complete report, is one and the same
        statuses = {id: status for id, status in plugged.items() if status != PortStatus(id, PortState.DOWN)}
        meters = self.switches[INT.role].meters
        return flows, meters, self.agent.shaping.guarantees, self.ovs.rows, tags, statuses  # type: ignore[attr-defined]
