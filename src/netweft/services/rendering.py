"""All services together: the view and what was observed in, what this node should have out, change by change.

Owns the facts, the local VLANs and the two look-ups that services need (a network's ports here, its hosts elsewhere).
It must not know how anything is applied.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from msgspec.structs import replace

from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.ovsdb.rows import Vif
from netweft.dataplane.packets.datagram import IpAddress
from netweft.model import (
    GatewayPort,
    Key,
    NodeView,
    Object,
    RouterPort,
    VipPort,
    key_of,
)
from netweft.reconcile.memo import Fact, Memo
from netweft.services import node_facts, wiring
from netweft.services.addresses import Prefix, prefix
from netweft.services.fields import BALANCED_ZONE, LED_ZONE
from netweft.services.health.indexes import Watchable
from netweft.services.indexes import Indexes
from netweft.services.kinds import Item, ItemKey
from netweft.services.l2.local_vlans import LocalVlans
from netweft.services.l2.network_hosts import NetworkHosts
from netweft.services.l2.plugged_ports import PluggedPorts
from netweft.services.l2.transit import Transit
from netweft.services.l2.trunks import Trunks
from netweft.services.l3.floating_ips.places import FloatingPlace, FloatingPlaces
from netweft.services.l3.gateways.nat_zones import NatZones
from netweft.services.l3.interfaces import Interfaces
from netweft.services.l3.local_routers import LocalRouters
from netweft.services.l3.metering.labels import Labels
from netweft.services.l3.neighbours.advertisers import Advertisers
from netweft.services.l3.neighbours.port_macs import PortMacs
from netweft.services.l3.neighbours.unknown_locations import Domains, UnguardedPorts, may_be_there
from netweft.services.l3.port_forwarding.wiring import ForwardedAddresses
from netweft.services.l3.router_numbers import RouterNumbers
from netweft.services.l3.routing.watched_hops import WatchedHops
from netweft.services.l3.values import BfdSession, GatewayPlace, Interface, LocalFloatingIp, LocalRouter
from netweft.services.l3.wiring import place_of
from netweft.services.lb.admitted import Sources
from netweft.services.lb.indexes import Services, Vips, balancer_of, units_of
from netweft.services.lb.trees import Parts, Trees
from netweft.services.lb.values import VipOnWire
from netweft.services.lb.wiring import tree, vip_on_wire
from netweft.services.security.paired_addresses import PairedAddresses
from netweft.services.security.policies import Policies
from netweft.services.security.remotes import Remotes
from netweft.services.security.zone_limits import Owner, zones_of
from netweft.services.service import Service
from netweft.services.subnets import Subnets
from netweft.services.units import SERVICES, render
from netweft.services.values import PHYSICAL, Asked, HostFacts, LocalNetwork, LocalPort, RemotePort, Uplinks

# of which each is a unit
UNITS: Final = frozenset(
    {
        *("network", "port", "peer", "named_port", "router", "port_forwarding", "floating_address"),
        *("load_balancer", "proxy"),
    }
)


class Rendering:
    """zones: of routers whose gateway, or a floating IP, is here."""

    def __init__(
        self, host: HostFacts, vlans: LocalVlans, zones: LocalVlans, services: Iterable[Service] = SERVICES
    ) -> None:
        self._node = host.name
        self._mappings = frozenset(host.bridge_mappings)
        self._memo: Memo[ItemKey, Item] = Memo(partial(render, services=services))
        self.vlans = vlans
        self._transit = Transit(self._memo, zones.assigned)
        self._hosts = NetworkHosts()
        self._plugged = PluggedPorts(self._memo)
        self._trunks = Trunks()
        self._remotes = Remotes(self._memo.put, self._memo.mark)
        self._policies = Policies(self._memo.put, self._memo.mark)
        self._interfaces = Interfaces(host.name)
        self._zones = NatZones(zones, self._memo, self._interfaces, self._transit)
        self._hops = WatchedHops()
        self.routers = LocalRouters(self._memo, self._interfaces, self._hops)
        self._router_numbers = RouterNumbers()
        self.forwarded = ForwardedAddresses()
        self._domains = Domains(host.name)
        self._floating = FloatingPlaces(self._memo, self._mappings)
        self._trees = Trees()
        self._services = Services(self._memo.put, self._memo.mark)
        self._indexes = Indexes(
            *(Subnets(), PairedAddresses(), self._interfaces, Advertisers(), self.forwarded, UnguardedPorts()),
            PortMacs(),
            *(self._domains, Labels(), self._hops, self._router_numbers, Watchable(), Vips(), Sources()),
        )
        self._regrouped: set[str] = set()  # networks
        self.vips_version = 0  # another one whenever VIPs on wires may be otherwise
        self._nic_problems: frozenset[str] = frozenset()
        self._lost: frozenset[str] = frozenset()
        self.set_host(host)
        self._memo.mark(("host",))

    @property
    def desired(self) -> Mapping[ItemKey, Item]:
        return self._memo.desired

    def local_port(self, port_id: str) -> LocalPort | None:
        """As it is wired, or will be with the next refresh; None when it is not."""
        wired = wiring.local_port(self._memo, port_id)
        return wired if isinstance(wired, LocalPort) else None

    def port_at(self, number: int) -> LocalPort | None:
        """By the number of its logical port."""
        port_id = self._plugged.at(number)
        return self.local_port(port_id) if port_id else None

    def port_id_at(self, number: int) -> str | None:
        return self._plugged.at(number)

    def router_at(self, number: int) -> LocalRouter | None:
        """By its number on this node."""
        router_id = self._router_numbers.at(number)
        return self.routers.get(router_id) if router_id else None

    def answering(self) -> Iterator[tuple[LocalRouter, Interface]]:
        """The interfaces for which this node answers on a wire."""
        for router in filter(None, map(self.routers.get, self._interfaces.answering)):
            for one in router.interfaces if router.router.admin_state_up else ():
                here = one.answers and one.port.admin_state_up
                if here and self.near(one.port.network_id) is not None:
                    yield router, one

    def tree(self, balancer_id: str) -> Parts:
        """What belongs to a balancer, as it was last set."""
        return tree(self._memo, balancer_id)

    def vips_on_wires(self) -> Iterator[tuple[LocalNetwork, VipOnWire]]:
        """For which this node answers physical hosts, or may have to."""
        for port in self._interfaces.vips_on_wires.values():
            network = wiring.local_network(self._memo, port.network_id)
            found = vip_on_wire(self._memo, port, network) if isinstance(network, LocalNetwork) else None
            if isinstance(network, LocalNetwork) and found is not None:
                yield network, found

    def may_be_there(self, network_id: str, address: IpAddress) -> bool:
        """Whether a host may have this address that the database does not know: agents ask for such only."""
        network = wiring.local_network(self._memo, network_id)
        single = Prefix(address.version, int(address), None)
        return isinstance(network, LocalNetwork) and may_be_there(self._memo, network, single)

    def near(self, network_id: str) -> int | None:
        """The way to hosts that no agent stands before, by the network's wire or its tunnels; None where there are
        none."""
        network = wiring.local_network(self._memo, network_id)
        is_wired = isinstance(network, LocalNetwork) and (network.segment.network_type in PHYSICAL or network.answered)
        link = network.link(node_facts.uplinks(self._memo)) if isinstance(network, LocalNetwork) and is_wired else None
        return link.near if link else None

    def remote_port(self, peer_id: str) -> RemotePort | None:
        return wiring.remote_port(self._memo, peer_id)

    def ports_on(self, vlan: int) -> tuple[str, list[LocalPort]]:
        """The network with this local VLAN (empty: none), and its ports here."""
        network_id = self.vlans.network_at(vlan)
        found = (self.local_port(port_id) for port_id in self._plugged.on(network_id))
        return network_id, [here for here in found if here]

    def refresh(self) -> dict[ItemKey, Item | None]:
        """What is wanted otherwise than at the last call; None: no longer."""
        regrouped = sorted(self._regrouped)
        self._regrouped.clear()
        for network_id in regrouped:
            hosts = self._hosts.on(network_id)
            self._memo.put(("members", network_id), self._plugged.flooded(network_id) or None)
            self._memo.put(("hosts", network_id), tuple(sorted(hosts)) or None)
            self._domains.has_hosts(network_id, hosts)
            if self._is_wanted(network_id):
                self._vlans_changed(self.vlans.want(network_id))
        for network_id in regrouped:
            if not self._is_wanted(network_id):
                self._vlans_changed(self.vlans.release(network_id))
            self._carry_network(network_id)
        for fact, value in self._domains.refresh():
            self._memo.put(fact, value)
        for host, is_watched in self._domains.watched.take_changed():
            self._memo.put(("watched", host), is_watched or None)
            self._memo.mark(("watch", host))
        self._zones.refresh()
        self._transit.refresh()
        self.routers.forget_dirty()
        return self._memo.refresh()

    @property
    def watched(self) -> frozenset[str]:
        """The nodes that this one has a session with, or is about to."""
        return self._domains.watched.hosts

    @property
    def on_wires(self) -> Mapping[str, GatewayPort]:
        """The interfaces for which this node answers physical hosts, or may have to."""
        return self._interfaces.on_wires

    def choose(self, port_id: str, place: GatewayPlace | None) -> None:
        """Where the gateway with this port is.  As long as nobody has said so, it is where the server says."""
        self.vips_version += port_id in self._interfaces.vips_on_wires
        port = self._memo.get(("gateway_port", port_id)) or self.on_wires.get(port_id)
        if port is not None and place == place_of(self._memo, port):
            self._memo.assume(("place", port_id), place)
        else:
            self._memo.put(("place", port_id), place)

    def settled_floating_ips(self) -> set[str]:
        """Those whose place may have changed since the last call."""
        return self._floating.settled()

    def floating_place(self, id: str) -> FloatingPlace | None:
        return self._floating.place(id, self._node)

    def floating_ip(self, id: str) -> LocalFloatingIp | None:
        """If it is translated here, or ports of it are forwarded."""
        place = self._floating.place(id, self._node)
        router = self.routers.get(place.floating_ip.router_id) if place else None
        found = (*router.floating_ips, *router.holders) if router else ()
        return next((one for one in found if one.id == id), None)

    def hold_back(self, id: str, held: bool) -> None:
        """Whether this floating IP is not answered for here, as long as another node may be."""
        self._memo.put(("held back", id), held or None)

    def cut_off(self, cut: bool) -> None:
        """Whether this node's way outside is cut."""
        self._memo.put(node_facts.CUT, cut or None)

    def _is_wanted(self, network_id: str) -> bool:
        return bool(self._plugged.on(network_id)) or self._interfaces.on(network_id)

    def settled(self) -> bool:
        """What was wanted at the last refresh is in place.  Returns whether that allows more: refresh again."""
        waiting = self.vlans.settled()
        self._vlans_changed(waiting)
        return self._zones.settled() or bool(waiting)

    def found(self, flows: Iterable[Flow]) -> None:
        """On the integration bridge, as it was read: which zones these have is known for sure."""
        self._zones.found(flows)

    def take_given(self) -> frozenset[int]:
        """Conntrack zones that were given out since the last call: they may have been others' before."""
        networks = self.vlans.take_given()
        further = {zone | vlan for vlan in networks for zone in (BALANCED_ZONE, LED_ZONE)}
        return networks | further | self._zones.take_given()

    @property
    def zones(self) -> dict[int, Owner]:
        return zones_of(self.vlans.assigned, self._zones.routers)

    def release_unused(self) -> None:
        """Give up restored local VLANs that nothing needs; once the first full view has been rendered."""
        self._regrouped.update(self.vlans.assigned)
        self._zones.release_unused()

    def set_host(self, host: HostFacts) -> None:
        self._memo.put(node_facts.HOST, host)

    def set_uplinks(self, uplinks: Uplinks, cut: frozenset[str] = frozenset()) -> None:
        """cut: the physical networks on which no floating IP is here."""
        self._memo.put(node_facts.UPLINKS, uplinks)
        self._place_floating_ips(self._floating.rewired(self._mappings - uplinks.problems.keys() - cut))

    def set_abilities(
        self, *, meters: bool, lengths: bool, discovery: bool = False, nic_problems: Mapping[str, str]
    ) -> None:
        """What this node turned out to be able to do: of its datapath, of its NICs (interface -> why not)."""
        self._memo.put(node_facts.NO_METERS, None if meters else True)
        self._memo.put(node_facts.NO_LENGTHS, None if lengths else True)
        self._memo.put(node_facts.DISCOVERY, discovery or None)
        for name in self._nic_problems - nic_problems.keys():
            self._memo.put(("nic problem", name), None)
        for name, problem in nic_problems.items():
            self._memo.put(("nic problem", name), problem)
        self._nic_problems = frozenset(nic_problems)

    def plug(self, port_id: str, vif: Vif | None) -> None:
        """What is plugged in under this id now; None: nothing.  What we write on its row ourselves is no news."""
        self._memo.put(("vif", port_id), vif and replace(vif, tag=None, external_ids=()))
        for id in (port_id, *self._trunks.sub_ports_of(port_id)):
            self._memo.mark(("port", id))
            self._regrouped.update(self._plugged.changed(id))

    def listen(self, port_id: str, asked: Asked, *, again: bool) -> None:
        deaf: frozenset[Asked] = self._memo.get(("deaf", port_id)) or frozenset()
        self._memo.put(("deaf", port_id), (deaf - {asked} if again else deaf | {asked}) or None)

    def learn(self, network_id: str, address: str, mac: str | None) -> None:
        """Who has an address that the database does not know; None: nobody any more."""
        self._memo.put(("learned", network_id, address), mac)
        self._memo.mark(("neighbour", network_id, address))

    def lose(self, hosts: frozenset[str]) -> None:
        """Nodes that this one watched and sees no more."""
        for host in self._lost ^ hosts:
            self._memo.put(("lost", host), host in hosts or None)
        self._lost = hosts

    def fall_silent(self, network_id: str, addresses: Iterable[str]) -> None:
        """Which next hops on this network, of those that are watched, do not answer."""
        self._memo.put(("silent", network_id), frozenset(map(prefix, addresses)) or None)

    def see_session(self, session: BfdSession, ofport: int | None, *, down: bool) -> None:
        """What has become of a session with a next hop.  ofport: None: its ports are not there, or it is not wanted."""
        self._memo.put(("ofport", session.far), ofport)
        self._memo.put(("bfd down", session.near), down or None)

    def put(self, obj: Object) -> None:
        key = key_of(obj)
        before = self._memo.get(key)
        self._memo.put(key, obj)
        self._moved(key, before, obj)

    def drop(self, key: Key) -> None:
        before = self._memo.get(key)
        if before is not None:
            self._memo.put(key, None)
            self._moved(key, before, None)

    def update(self, view: NodeView, upserts: Iterable[Key], deletes: Iterable[Key]) -> None:
        for key in deletes:
            self.drop(key)
        for key in upserts:
            obj = view.get(key)
            if obj is not None:
                self.put(obj)

    def _moved(self, key: Key, before: Object | None, after: Object | None) -> None:
        """Keep the look-ups; everything else follows from reading the facts."""
        kind, name = key
        if kind in UNITS and after is not None:
            self._memo.mark(key)
        if kind == "member":
            self._memo.mark(("watched", name))
        if kind == "port":
            self._regrouped.update(self._plugged.changed(name))
        self._remotes.changed(before, after)
        self._policies.changed(before, after)
        for fact, value in self._indexes.changed(before, after):
            self._memo.put(fact, value)
        for fact, value in self._trees.changed(before, after):
            self._memo.put(fact, value)
            for unit in units_of(fact[1], value):
                self._memo.mark(unit)
        for id in sorted({of for of in map(balancer_of, (before, after)) if of}):
            self._services.changed(id, self._memo.get(("load_balancer", id)), self._memo.get(("tree", id)))
        self._place_floating_ips(self._floating.changed(before, after))
        self._zones.changed(before, after)
        for obj in (after, before):
            if isinstance(obj, RouterPort | GatewayPort | VipPort):
                self._regrouped.add(obj.network_id)
            self.vips_version += isinstance(obj, VipPort)
            if isinstance(obj, RouterPort | GatewayPort):
                self._renumber_ports(obj)
        if kind == "trunk":
            self._trunk_changed(before, after)
        self._regrouped.update(self._hosts.changed(before, after))

    def _renumber_ports(self, router_port: RouterPort | GatewayPort) -> None:
        """Of ports without security the numbers say whether a firewall is there."""
        if isinstance(router_port, RouterPort) and router_port.firewall_group_id is not None:
            for port_id in tuple(self._plugged.on(router_port.network_id)):
                self._regrouped.update(self._plugged.changed(port_id))

    def _place_floating_ips(self, facts: Iterable[tuple[Fact, object]]) -> None:
        for fact, value in facts:
            self._memo.put(fact, value)
        for one, here in self._floating.moved():
            self._memo.put(*self._interfaces.placed(one, here=here))
            self._regrouped.add(one.floating_network_id)
            self._zones.placed(one.router_id)

    def _trunk_changed(self, before: Object | None, after: Object | None) -> None:
        for fact, value in self._trunks.changed(before, after):
            self._memo.put(fact, value)
            if fact[0] == "sub_port":
                self._memo.mark(("port", fact[1]))
                self._regrouped.update(self._plugged.changed(fact[1]))

    def _vlans_changed(self, changed: Mapping[str, int | None]) -> None:
        for network_id, vlan in changed.items():
            self._memo.put(("vlan", network_id), vlan)
            self._carry_network(network_id)

    def _carry_network(self, network_id: str) -> None:
        is_behind = self._interfaces.on(network_id)
        self._transit.carry(network_id, self.vlans.assigned.get(network_id) if is_behind else None)
