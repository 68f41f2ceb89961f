"""What this node should have, sorted by who makes it: rows, flows per bridge, links, statuses.

Holds the rendering, from the first look at Open vSwitch on: before, neither datapath nor local VLANs are known.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from netweft.dataplane.host.values import Address, Guarantee, VethPair
from netweft.dataplane.openflow.flow import Flow, FlowKey
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.ovsdb.rows import BridgeRow, PortRow, Row, RowKey, Vif, VifTag, row_key
from netweft.model import EMPTY_VIEW, Key, NodeView, PortStatus, key_of
from netweft.services.announce import Packet, announcement
from netweft.services.ends import Ends
from netweft.services.local_vlans import NETWORK_KEY, LocalVlans
from netweft.services.pipeline import BridgeFlow
from netweft.services.rendering import Broken, Item, ItemKey, Rendering
from netweft.services.values import Asked, HostFacts, Interface, Lease, LocalPort, LocalRouter, Uplinks

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Part(Generic[K, V]):
    upserts: list[V] = field(default_factory=list)
    deletes: list[K] = field(default_factory=list)


FlowChanges: TypeAlias = Part[FlowKey, Flow]
RowChanges: TypeAlias = Part[RowKey, Row]
MeterChanges: TypeAlias = Part[int, DropMeter]


@dataclass(slots=True)
class Changes:
    """What is wanted otherwise than before."""

    flows: defaultdict[str, FlowChanges] = field(default_factory=lambda: defaultdict(FlowChanges))
    meters: MeterChanges = field(default_factory=MeterChanges)
    rows: RowChanges = field(default_factory=RowChanges)
    statuses: Part[str, PortStatus] = field(default_factory=Part)
    guarantees: bool = False
    new_zones: frozenset[int] = frozenset()  # conntrack zones of networks that are new here


class Desired:
    def __init__(self) -> None:
        self.view = EMPTY_VIEW
        self.complete = False
        self.statuses: dict[str, PortStatus] = {}
        self.leases: dict[int, Lease] = {}  # by logical port
        self.vifs: dict[str, Vif] = {}
        self._rendering: Rendering | None = None
        self._swept = False
        self._moved_here: set[str] = set()  # and not announced yet
        self._rows: dict[RowKey, Row] = {}
        self._links: dict[ItemKey, VethPair | Address] = {}
        self._broken: dict[ItemKey, Broken] = {}
        self._guarantees: dict[ItemKey, Guarantee] = {}

    @property
    def started(self) -> bool:
        return self._rendering is not None

    @property
    def vlans(self) -> Mapping[str, int]:
        return self._rendering.vlans.assigned if self._rendering else {}

    def start(self, host: HostFacts, vlans: LocalVlans, vifs: Iterable[Vif], links: Iterable[PortRow]) -> None:
        """The first look at Open vSwitch: local VLANs are taken over from its rows."""
        vifs = list(vifs)
        vlans.restore(vifs, links)
        if any(vif.iface_id not in self.view.ports and NETWORK_KEY in dict(vif.external_ids) for vif in vifs):
            self.complete = False  # we wired a port that the view on disk does not have yet: it is too old to delete by
        self._rendering = Rendering(host, vlans)
        self._rendering.update(self.view, [key_of(obj) for obj in self.view.objects()], ())

    def see(self, view: NodeView, upserts: Iterable[Key], deletes: Iterable[Key]) -> None:
        """From now on `view` is complete: what is not in it may be removed."""
        upserts = tuple(upserts)
        self._moved_here |= {id for kind, id in upserts if kind == "port" and _activated(self.view, view, id)}
        self.view = view
        self.complete = True
        if self._rendering:
            self._rendering.update(view, upserts, deletes)

    def observe(self, plugged: Mapping[str, Vif | None], uplinks: Uplinks) -> None:
        """plugged: what is plugged in otherwise than before; None: nothing any more."""
        assert self._rendering is not None
        for port_id, vif in plugged.items():
            if vif is None:
                self.vifs.pop(port_id, None)
            else:
                self.vifs[port_id] = vif
            self._rendering.plug(port_id, vif)
        self._rendering.set_uplinks(uplinks)

    def find_out(self, *, meters: bool, nic_problems: Mapping[str, str]) -> None:
        """What this node turned out to be able to do."""
        assert self._rendering is not None
        self._rendering.set_abilities(meters=meters, nic_problems=nic_problems)

    def refresh(self) -> Changes:
        assert self._rendering is not None
        if self.complete and not self._swept:
            self._swept = True
            self._rendering.release_unused()
        changes = Changes()
        for key, item in self._rendering.refresh().items():
            self._sort(changes, key, item)
        changes.new_zones = self._rendering.vlans.take_given()
        return changes

    def settled(self) -> bool:
        """What was wanted at the last refresh is in place.  Returns whether that allows more: another turn."""
        return self._rendering is not None and self._rendering.settled()

    def arrived(self) -> list[str]:
        """The ports that have become active here and are wired: each once."""
        assert self._rendering is not None
        wired = [port_id for port_id in sorted(self._moved_here) if self._rendering.local_port(port_id)]
        self._moved_here = (self._moved_here & self.view.ports.keys()) - set(wired)
        return wired

    def local_port(self, port_id: str) -> LocalPort | None:
        """As it is wired; None when it is not."""
        return self._rendering.local_port(port_id) if self._rendering else None

    def announcement(self, port_id: str, time: int) -> Packet | None:
        """For the nth time that it is said; None when there is nothing to say."""
        here = self.local_port(port_id)
        return announcement(here, time) if here else None

    def ends(self, vlan: int) -> Ends:
        """Of the network with this local VLAN."""
        network_id, ports = self._rendering.ports_on(vlan) if self._rendering else ("", [])
        peers = (peer for peer in self.view.peers.values() if peer.network_id == network_id)
        ranges = (pair for member in self.view.group_members.values() for pair in member.ranges)
        return Ends(ports, peers, ranges)

    def port_at(self, number: int) -> LocalPort | None:
        """By the number of its logical port."""
        return self._rendering.port_at(number) if self._rendering else None

    def router_at(self, number: int) -> LocalRouter | None:
        """By its number on this node."""
        return self._rendering.router_at(number) if self._rendering else None

    def interfaces_on(self, network_id: str) -> list[Interface]:
        """Of all routers that are up."""
        return self._rendering.interfaces_on(network_id) if self._rendering else []

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None:
        """Whether the agent takes such requests from this port."""
        if self._rendering:
            self._rendering.listen(port_id, asked, again=again)

    def flows(self, role: str) -> dict[FlowKey, Flow]:
        items = self._rendering.desired.values() if self._rendering else ()
        return {item.flow.key: item.flow for item in items if isinstance(item, BridgeFlow) and item.bridge == role}

    def meters(self) -> dict[int, DropMeter]:
        items = self._rendering.desired.values() if self._rendering else ()
        return {item.id: item for item in items if isinstance(item, DropMeter)}

    @property
    def guarantees(self) -> Iterable[Guarantee]:
        return self._guarantees.values()

    @property
    def rows(self) -> Iterable[Row]:
        return self._rows.values()

    @property
    def problems(self) -> list[str]:
        """What could not be made sense of, but for ports: these have their status."""
        return [f"{broken.kind} {broken.id}: {broken.why}" for broken in self._broken.values()]

    @property
    def links(self) -> Iterable[VethPair | Address]:
        return self._links.values()

    def _sort(self, changes: Changes, key: ItemKey, item: Item | None) -> None:
        match item:
            case BridgeFlow(bridge=bridge, flow=flow):
                changes.flows[bridge].upserts.append(flow)
            case BridgeRow() | PortRow() | VifTag():
                self._rows[row_key(item)] = item
                changes.rows.upserts.append(item)
            case VethPair() | Address():
                self._links[key] = item
            case Lease():
                self.leases[item.number] = item
            case DropMeter():
                changes.meters.upserts.append(item)
            case Guarantee():
                self._guarantees[key] = item
                changes.guarantees = True
            case PortStatus():
                self.statuses[item.port_id] = item
                changes.statuses.upserts.append(item)
            case Broken():
                self._broken[key] = item
            case None:
                self._unwant(changes, key)

    def _unwant(self, changes: Changes, key: ItemKey) -> None:
        match key:
            case ("flow", str(bridge), (int(), int(), tuple()) as flow_key):
                changes.flows[bridge].deletes.append(flow_key)
            case ("meter", int(number)):
                changes.meters.deletes.append(number)
            case ("status", str(port_id)):
                del self.statuses[port_id]
                changes.statuses.deletes.append(port_id)
            case ("lease", int(number)):
                del self.leases[number]
            case _ if key in self._broken:
                del self._broken[key]
            case ("row", (("bridge" | "port" | "vif") as kind, str(name))):
                del self._rows[kind, name]
                changes.rows.deletes.append((kind, name))
            case _ if key in self._guarantees:
                del self._guarantees[key]
                changes.guarantees = True
            case _:
                del self._links[key]


def _activated(before: NodeView, after: NodeView, port_id: str) -> bool:
    was, now = before.ports.get(port_id), after.ports.get(port_id)
    return was is not None and now is not None and now.active and not was.active
