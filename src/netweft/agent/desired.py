"""What this node should have, in parts, by who keeps it: rows, flows per bridge, links, statuses.

Holds the rendering, from the first look at Open vSwitch on: before, neither datapath nor local VLANs are known.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct, field

from netweft.dataplane.host.values import Address, Endpoint, Guarantee, VethPair
from netweft.dataplane.openflow.flow import Flow, FlowKey
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.ovsdb.rows import PortRow, Row, RowKey, Vif
from netweft.dataplane.packets.datagram import IpAddress
from netweft.model import EMPTY_VIEW, GatewayPort, Key, NodeView, PortStatus, key_of
from netweft.services.addresses import octets
from netweft.services.fields import NOBODY
from netweft.services.kinds import ADVERTISED, BROKEN, GUARANTEE, LEASE, LINK, METER, ROW, STATUS, Broken, value
from netweft.services.l2.announce import Packet, announcement
from netweft.services.l2.local_vlans import NETWORK_KEY, ROUTER_ZONES, LocalVlans
from netweft.services.l3.floating_ips.places import FloatingPlace
from netweft.services.l3.port_forwarding.wiring import ForwardedAddresses
from netweft.services.l3.values import BfdSession, Gateway, GatewayPlace, Interface, LocalFloatingIp, LocalRouter
from netweft.services.lb.trees import Parts
from netweft.services.lb.values import VipOnWire
from netweft.services.lb.wiring import addresses as vips
from netweft.services.rendering import Rendering
from netweft.services.security.ends import Ends
from netweft.services.security.zone_limits import Owner
from netweft.services.values import Advertised, Asked, HostFacts, Lease, LocalNetwork, LocalPort, RemotePort, Uplinks

K = TypeVar("K")
V = TypeVar("V")


class Part(Struct, Generic[K, V]):
    upserts: list[V] = field(default_factory=list)
    deletes: list[K] = field(default_factory=list)


FlowChanges: TypeAlias = Part[FlowKey, Flow]
RowChanges: TypeAlias = Part[RowKey, Row]
MeterChanges: TypeAlias = Part[int, DropMeter]
StatusChanges: TypeAlias = Part[str, PortStatus]


class Changes(Struct):
    """What is wanted otherwise than before: by part (services/kinds), a bridge's role for its flows."""

    parts: dict[str, Part[Any, Any]] = field(default_factory=dict)
    new_zones: frozenset[int] = frozenset()  # conntrack zones of networks that are new here


class Desired:
    def __init__(self) -> None:
        self.view = EMPTY_VIEW
        self.complete = False
        self.vifs: dict[str, Vif] = {}
        self._rendering: Rendering | None = None
        self._swept = False
        self._moved_here: set[str] = set()  # and not announced yet
        self._held: defaultdict[str, dict[Any, Any]] = defaultdict(dict)  # by part

    @property
    def started(self) -> bool:
        return self._rendering is not None

    @property
    def vlans(self) -> Mapping[str, int]:
        return self._rendering.vlans.assigned if self._rendering else {}

    @property
    def zones(self) -> Mapping[int, Owner]:
        """Of conntrack, that are this node's, and whose."""
        return self._rendering.zones if self._rendering else {}

    def network_at(self, vlan: int) -> str:
        """With this local VLAN; empty: none."""
        return self._rendering.vlans.network_at(vlan) if self._rendering else ""

    def start(self, host: HostFacts, vlans: LocalVlans, vifs: Iterable[Vif], links: Iterable[PortRow]) -> None:
        """The first look at Open vSwitch: local VLANs are taken over from its rows."""
        vifs, links = list(vifs), list(links)
        vlans.restore(vifs, links)
        zones = LocalVlans(*ROUTER_ZONES)
        zones.restore((), links)
        if any(vif.iface_id not in self.view.ports and NETWORK_KEY in dict(vif.external_ids) for vif in vifs):
            self.complete = False  # we wired a port that the view on disk does not have yet: it is too old to delete by
        self._rendering = Rendering(host, vlans, zones)
        self._rendering.update(self.view, [key_of(obj) for obj in self.view.objects()], ())

    def see(self, view: NodeView, upserts: Iterable[Key], deletes: Iterable[Key]) -> None:
        """From now on `view` is complete: what is not in it may be removed."""
        upserts = tuple(upserts)
        self._moved_here |= {id for kind, id in upserts if kind == "port" and _activated(self.view, view, id)}
        self.view = view
        self.complete = True
        if self._rendering:
            self._rendering.update(view, upserts, deletes)

    def observe(self, plugged: Mapping[str, Vif | None], uplinks: Uplinks, cut: frozenset[str] = frozenset()) -> None:
        """plugged: otherwise than before; None: nothing any more.  cut: physical networks without floating IPs here."""
        assert self._rendering is not None
        for port_id, vif in plugged.items():
            if vif is None:
                self.vifs.pop(port_id, None)
            else:
                self.vifs[port_id] = vif
            self._rendering.plug(port_id, vif)
        self._rendering.set_uplinks(uplinks, cut)

    def find_out(self, *, meters: bool, lengths: bool, discovery: bool, nic_problems: Mapping[str, str]) -> None:
        """What this node turned out to be able to do."""
        assert self._rendering is not None
        self._rendering.set_abilities(meters=meters, lengths=lengths, discovery=discovery, nic_problems=nic_problems)

    def found(self, flows: Iterable[Flow]) -> None:
        """On the integration bridge, as it was read."""
        if self._rendering:
            self._rendering.found(flows)

    def refresh(self) -> Changes:
        assert self._rendering is not None
        if self.complete and not self._swept:
            self._swept = True
            self._rendering.release_unused()
        changes = Changes()
        for (part, key), item in self._rendering.refresh().items():
            change = changes.parts.setdefault(part, Part())
            if item is None:
                change.deletes.append(key)
                self._held[part].pop(key, None)
            else:
                self._held[part][key] = value(item)
                change.upserts.append(self._held[part][key])
        changes.new_zones = self._rendering.take_given()
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
        return Ends(ports, peers, ranges, {version: self._way_out(network_id, version) for version in (4, 6)})

    def _way_out(self, network_id: str, version: int) -> bytes:
        """The MAC by which the network's ports reach what is on no link of theirs, and that comes from; NOBODY where
        that is ambiguous."""
        subnets = [one for one in self.view.subnets.values() if one.network_id == network_id]
        gateways = {one.gateway_ip for one in subnets}
        there = [one for one in self.interfaces_on(network_id) if any(own.version == version for own in one.on_link)]
        near = [one for one in there if any(own.ip_address in gateways for own in one.port.fixed_ips)]
        macs = {one.port.mac_address for one in (near or there)}
        return octets(macs.pop()) if len(macs) == 1 else NOBODY

    def vip_macs(self, network_id: str, address: IPv6Address) -> Iterator[str]:
        """Of the load balancer that has its VIP there."""
        for balancer in self.view.load_balancers.values():
            if balancer.vip_network_id == network_id and balancer.vip_mac_address:
                yield from (balancer.vip_mac_address for one in vips(balancer) if ip_address(one) == address)

    def ports_on(self, vlan: int) -> list[int]:
        """Numbers of the logical ports here of the network with this local VLAN."""
        return [here.number for here in self._rendering.ports_on(vlan)[1]] if self._rendering else []

    def port_at(self, number: int) -> LocalPort | None:
        """By the number of its logical port."""
        return self._rendering.port_at(number) if self._rendering else None

    def port_id_at(self, number: int) -> str | None:
        """What has the number at this moment, wired or not."""
        return self._rendering.port_id_at(number) if self._rendering else None

    def router_at(self, number: int) -> LocalRouter | None:
        """By its number on this node."""
        return self._rendering.router_at(number) if self._rendering else None

    @property
    def forwarded(self) -> ForwardedAddresses:
        """By routers on this node."""
        return self._rendering.forwarded if self._rendering else ForwardedAddresses()

    @property
    def routers(self) -> int:
        """Another number as soon as any router here may be otherwise."""
        return self._rendering.routers.version if self._rendering else 0

    def changed_routers(self, since: int) -> tuple[int, Iterable[str]]:
        """Those that may have changed since then, and the value for the next call; 0: all with a gateway here."""
        return self._rendering.routers.changed(since) if self._rendering else (0, ())

    def router_that_is_up(self, id: str) -> LocalRouter | None:
        found = self._rendering.routers.get(id) if self._rendering else None
        return found if found and found.router.admin_state_up else None

    def gateways(self) -> list[Gateway]:
        """Of routers, that are on this node."""
        return self._rendering.routers.gateways() if self._rendering else []

    def standbys(self) -> list[Gateway]:
        """Of routers, that this node may have to take over."""
        return self._rendering.routers.standbys() if self._rendering else []

    def unlike_on(self, network_id: str) -> list[Gateway]:
        """Gateways and standbys on this network: one for each way to ask."""
        return self._rendering.routers.unlike_on(network_id) if self._rendering else []

    def unlike_standbys(self) -> list[Gateway]:
        return self._rendering.routers.unlike_standbys.all() if self._rendering else []

    def with_watched(self) -> list[Gateway]:
        """Those of the gateways by which next hops are watched."""
        return self._rendering.routers.with_watched() if self._rendering else []

    def bfd_sessions(self) -> list[BfdSession]:
        """Of gateways that are answered for here."""
        return self._rendering.routers.sessions() if self._rendering else []

    def is_a_routers(self, network_id: str, mac: int) -> bool:
        """Whether a router's requests in the network have this MAC here."""
        return self._rendering is not None and (network_id, mac) in self._rendering.routers.macs

    def candidate(self, port_id: str) -> Gateway | None:
        """The gateway with this port, if this node has it or may have to take it over."""
        return self._rendering.routers.candidate(port_id) if self._rendering else None

    @property
    def watched(self) -> frozenset[str]:
        """The nodes that this one has a session with."""
        return self._rendering.watched if self._rendering else frozenset()

    @property
    def on_wires(self) -> Mapping[str, GatewayPort]:
        """The interfaces for which this node answers physical hosts, or may have to."""
        return self._rendering.on_wires if self._rendering else {}

    def choose(self, port_id: str, place: GatewayPlace | None) -> None:
        """Where the gateway with this port is; None: there is none."""
        if self._rendering:
            self._rendering.choose(port_id, place)

    def settled_floating_ips(self) -> set[str]:
        """Those whose place may have changed since the last call."""
        return self._rendering.settled_floating_ips() if self._rendering else set()

    def floating_place(self, id: str) -> FloatingPlace | None:
        """None: it leads nowhere, or concerns nobody here."""
        return self._rendering.floating_place(id) if self._rendering else None

    def floating_ip(self, id: str) -> LocalFloatingIp | None:
        """If it is translated here."""
        return self._rendering.floating_ip(id) if self._rendering else None

    def router(self, id: str) -> LocalRouter | None:
        return self._rendering.routers.get(id) if self._rendering else None

    def hold_back(self, id: str, held: bool) -> None:
        """Whether this floating IP is not answered for here, as long as another node may be."""
        if self._rendering:
            self._rendering.hold_back(id, held)

    def cut_off(self, cut: bool) -> None:
        """Whether this node's way outside is cut."""
        if self._rendering:
            self._rendering.cut_off(cut)

    def learn(self, network_id: str, address: str, mac: str | None) -> None:
        """Who has an address that the database does not know; None: nobody any more."""
        if self._rendering:
            self._rendering.learn(network_id, address, mac)

    def lose(self, hosts: frozenset[str]) -> None:
        """Nodes that this one watched and sees no more; not those that it has never seen."""
        if self._rendering:
            self._rendering.lose(hosts)

    def fall_silent(self, network_id: str, addresses: Iterable[str]) -> None:
        """Which next hops on this network, of those that are watched, do not answer."""
        if self._rendering:
            self._rendering.fall_silent(network_id, addresses)

    def see_session(self, session: BfdSession, ofport: int | None, *, down: bool) -> None:
        """What has become of a session with a next hop; ofport: None: its ports are not there, or it is not wanted."""
        if self._rendering:
            self._rendering.see_session(session, ofport, down=down)

    def may_be_there(self, network_id: str, address: IpAddress) -> bool:
        """Whether a host in the network may have this address that the database does not know."""
        return self._rendering is not None and self._rendering.may_be_there(network_id, address)

    def wire_of(self, network_id: str) -> int | None:
        """The OpenFlow port to the network's wire; None where it has none."""
        return self._rendering.near(network_id) if self._rendering else None

    def machine(self, network_id: str, mac_address: str) -> RemotePort | None:
        """Behind a VTEP, by its MAC; None where this node does not answer it."""
        peers = self.view.peers.values() if self._rendering else ()
        ids = [one.id for one in peers if (one.network_id, one.mac_address.lower()) == (network_id, mac_address)]
        found = self._rendering.remote_port(ids[0]) if self._rendering and ids else None
        return found if found is not None and found.lease is not None else None

    def interfaces_on(self, network_id: str) -> list[Interface]:
        """Of all routers that are up."""
        return [interface for _, interface in self._rendering.routers.on(network_id)] if self._rendering else []

    def router_by_mac(self, vlan: int, own: bytes) -> int | None:
        """The number of the router that has this MAC in the network with this local VLAN, by whichever node."""
        there, its = self.routers_on(self.network_at(vlan)), int.from_bytes(own, "big")
        return next((router.number for router, one in there if its in one.macs(router.node)), None)

    def routers_on(self, network_id: str) -> Iterable[tuple[LocalRouter, Interface]]:
        """All that are up, with their interfaces there."""
        return self._rendering.routers.on(network_id) if self._rendering else ()

    def watching(self) -> Iterable[tuple[LocalRouter, Interface]]:
        """The interfaces on networks where next hops of their routers are watched."""
        return self._rendering.routers.watching() if self._rendering else ()

    def answering(self) -> Iterable[tuple[LocalRouter, Interface]]:
        """The interfaces for which this node answers physical hosts."""
        return self._rendering.answering() if self._rendering else ()

    @property
    def tree(self) -> Callable[[str], Parts] | None:
        """What belongs to a balancer, by its id; None: it is not looked up yet."""
        return self._rendering.tree if self._rendering else None

    @property
    def vips_version(self) -> int:
        """Another one whenever VIPs on wires may be otherwise."""
        return self._rendering.vips_version if self._rendering else 0

    def vips_on_wires(self) -> Iterable[tuple[LocalNetwork, VipOnWire]]:
        """The VIPs for which this node answers physical hosts, or may have to."""
        return self._rendering.vips_on_wires() if self._rendering else ()

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None:
        """Whether the agent takes such requests from this port."""
        if self._rendering:
            self._rendering.listen(port_id, asked, again=again)

    def flows(self, role: str) -> dict[FlowKey, Flow]:
        return self._held[role]

    @property
    def meters(self) -> dict[int, DropMeter]:
        return self._held[METER]

    @property
    def leases(self) -> dict[int, Lease]:
        """By logical port."""
        return self._held[LEASE]

    @property
    def advertised(self) -> dict[int, Advertised]:
        """By logical port."""
        return self._held[ADVERTISED]

    @property
    def statuses(self) -> dict[str, PortStatus]:
        return self._held[STATUS]

    @property
    def guarantees(self) -> Iterable[Guarantee]:
        return self._held[GUARANTEE].values()

    @property
    def rows(self) -> Iterable[Row]:
        return self._held[ROW].values()

    @property
    def links(self) -> Iterable[VethPair | Address | Endpoint]:
        return self._held[LINK].values()

    @property
    def problems(self) -> list[str]:
        """What could not be made sense of, but for ports: these have their status."""
        broken: Iterable[Broken] = self._held[BROKEN].values()
        return [f"{one.kind} {one.id}: {one.why}" for one in broken]


def _activated(before: NodeView, after: NodeView, port_id: str) -> bool:
    was, now = before.ports.get(port_id), after.ports.get(port_id)
    return was is not None and now is not None and now.active and not was.active
