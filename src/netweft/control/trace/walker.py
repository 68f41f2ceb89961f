"""A packet on its way, by the rows of the database: from network to router to network, until it ends."""

from collections.abc import Sequence
from typing import NamedTuple

from netweft.control.explain import codes as known
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l3.owners import FLOATING, GATEWAY, INTERFACE
from netweft.control.rbac import IS_EXTERNAL
from netweft.control.trace import balanced, codes, routed
from netweft.control.trace.packet import Packet
from netweft.control.trace.way import (
    OUTSIDE,
    PORT,
    ROUTER,
    UNKNOWN,
    Nat,
    Way,
    delivered,
    holds,
    is_ping,
    leaves,
    mac_for,
    owner_of,
    passes_firewall,
    sees_all_of,
    subnets_of,
)
from netweft.model.load_balancer import VIP_OWNER
from netweft.model.proxy import PROXY_OWNER

MOST_ROUTERS = 16
_PHYSICAL = ("flat", "vlan")
_TYPE = "provider:network_type"


class Start(NamedTuple):
    """port: where it starts; None: outside, on that external network."""

    port: Row | None
    network: Row


class Walker:
    """undo: the translations that an answer is put right by."""

    def __init__(
        self,
        seen: Snapshot,
        packet: Packet,
        target: Row | None,
        undo: Sequence[Nat] = (),
        *,
        answer: bool = False,
    ) -> None:
        self.way = Way(packet)
        self._seen, self._target, self._undo, self._answer = seen, target, undo, answer

    def start(self, start: Start, by: str = "") -> None:
        """by: of an answer from outside, the router that the question came by."""
        if start.port is None:
            self._from_outside(start.network, by)
            return
        leaves(self._seen, self.way, start.port, answer=self._answer)
        if start.port["device_owner"] in (INTERFACE, GATEWAY):
            router = self._seen.get("routers", start.port["device_id"])
            if router is not None:
                self.onward(router, start.network, entered=True)
            return
        self._on(start.network)
        self._send(start)

    def _send(self, start: Start) -> None:
        subnet = self._subnet_of(start)
        if subnet is None or holds(subnet, self.way.packet.dst):
            self._arrive(start.network)
        else:
            self._to_gateway(start.network, subnet)

    def _subnet_of(self, start: Start) -> Row | None:
        """Whose gateway the VM uses."""
        subnets = [*subnets_of(self._seen, start.network)]
        own = next(
            (one for one in subnets if holds_version(one, self.way.packet) and holds(one, self.way.packet.src)), None
        )
        return own or next((one for one in subnets if holds_version(one, self.way.packet)), None)

    def _on(self, network: Row) -> None:
        """The packet is in this network."""
        way = self.way
        way.networks.append(network["id"])
        way.step("networks", network, "carries it")
        way.check(self._seen, "networks", network, known.NETWORK_ADMIN_DOWN)
        mtu = network.get("mtu") or 0
        if 0 < mtu < way.packet.size:
            detail = f"{way.packet.size} bytes, {mtu} fit"
            way.stops(codes.TOO_LARGE, "networks", network, detail, mtu=str(way.packet.size))

    def _mac(self, port: Row, address: str) -> None:
        self.way.via = self.way.via if self.way.mac else address
        self.way.mac = self.way.mac or mac_for(port, address)

    # -- to a gateway

    def _to_gateway(self, network: Row, subnet: Row) -> None:
        way, address = self.way, self._next_hop(subnet)
        if not address:
            way.stops(codes.SUBNET_NO_GATEWAY, "subnets", subnet, way.packet.dst)
            return
        port = owner_of(self._seen, network, address)
        if port is None and sees_all_of(self._seen, network):
            way.stops(codes.GATEWAY_NOBODYS, "subnets", subnet, address)
        elif port is None:
            self._unknown(f"whose the gateway {address} is, and what it does, is not yours to see")
        else:
            self._hand_to(network, port, address)

    def _next_hop(self, subnet: Row) -> str:
        """Of the routes that the subnet tells its VMs, and its gateway."""
        said = [one for one in subnet.get("host_routes") or () if _is_in(self.way.packet.dst, one["destination"])]
        best = max(said, key=lambda one: _length(one["destination"]), default=None)
        return str((best["nexthop"] if best else subnet.get("gateway_ip")) or "")

    def _hand_to(self, network: Row, port: Row, address: str) -> None:
        """It is not the destination's own address."""
        self._mac(port, address)
        router = self._seen.get("routers", port["device_id"]) if port["device_owner"] in (INTERFACE, GATEWAY) else None
        if router is not None:
            self._enter(router, port, network)
        elif port["device_owner"] in (INTERFACE, GATEWAY):
            self._unknown(f"the router with {address} is not yours to see")
        else:
            self.way.step("ports", port, f"has {address}: it has to forward what is not for it")
            self._unknown(f"port {port['id']} forwards it, which nobody but its VM knows")

    def _unknown(self, why: str) -> None:
        self.way.suppose(why)
        self.way.ends(UNKNOWN)

    # -- routers

    def _enter(self, router: Row, port: Row, network: Row) -> None:
        way = self.way
        if len(way.routers) >= MOST_ROUTERS or way.routers.count(router["id"]) > 1:
            way.stops(codes.ROUTE_LOOP, "routers", router)
            return
        own = ", ".join(fixed["ip_address"] for fixed in port["fixed_ips"])
        if port["device_owner"] == INTERFACE and not routed.is_its_own(self._seen, router, way.packet.dst):
            passes_firewall(self._seen, way, port, "egress", answer=self._answer)
        way.step("routers", router, f"takes it at {own}")
        routed.enters(self._seen, way, router, port)
        by_gateway = port["device_owner"] == GATEWAY
        goes_on = way.undo(router, "src", self._undo) or not by_gateway or routed.from_outside(self._seen, way, router)
        if goes_on:
            self.onward(router, network)

    def onward(self, router: Row, network: Row, *, entered: bool = False) -> None:
        """entered: it begins there."""
        way, address = self.way, self.way.packet.dst
        if not entered and routed.is_its_own(self._seen, router, address):
            self._itself(router, network)
            return
        route = routed.route(self._seen, router, address)
        if route is None:
            self._no_route(router)
            return
        if route.kind == routed.DEFAULT:
            self._refuse_elsewhere(router)
        by = {routed.CONNECTED: "", routed.EXTRA: f" by {route.next_hop}", routed.DEFAULT: f" by {route.next_hop}"}
        way.step("routers", router, f"{route.kind} {route.destination}{by[route.kind]}")
        routed.leaves_by(self._seen, way, router, route.port, network)
        into = self._seen.get("networks", route.port["network_id"])
        if into is None:
            self._unknown("the next hop of the router's route is not yours to see")
        elif route.port["device_owner"] == GATEWAY:
            self._leave(router, route, into, network)
        else:
            way.undo(router, "dst", self._undo)
            if not entered:
                passes_firewall(self._seen, way, route.port, "ingress", answer=self._answer)
            self._on(into)
            if route.next_hop:
                self._by_route(router, route, into)
            else:
                self._arrive(into)

    def _itself(self, router: Row, network: Row) -> None:
        if not is_ping(self.way.packet) and not self._answer:
            self.way.stops(codes.ROUTER_DOES_NOT_LISTEN, "routers", router, str(self.way.packet))
        self.way.step("routers", router, f"has {self.way.packet.dst} itself")
        self.way.ends(ROUTER, router, network)

    def _no_route(self, router: Row) -> None:
        if not self._refuse_elsewhere(router):
            address = self.way.packet.dst
            destination = f"{address}/{128 if ':' in address else 32}"
            self.way.stops(codes.NO_ROUTE, "routers", router, address, destination=destination)

    def _refuse_elsewhere(self, router: Row) -> bool:
        """What is meant for a port has gone another way than to the port's subnet."""
        for fixed in (self._target or {}).get("fixed_ips", ()):
            if fixed["ip_address"] == self.way.packet.dst:
                self.way.stops(codes.NOT_ITS_NETWORK, "routers", router, fixed["ip_address"], subnet=fixed["subnet_id"])
                return True
        return False

    def _by_route(self, router: Row, route: routed.Route, into: Row) -> None:
        port = owner_of(self._seen, into, route.next_hop)
        if port is not None:
            self._hand_to(into, port, route.next_hop)
        elif into.get(_TYPE) in _PHYSICAL or not sees_all_of(self._seen, into):
            self._unknown(f"{route.next_hop} is a host that Netweft does not know, or not yours to see")
        else:
            values = {"destination": route.destination, "nexthop": route.next_hop}
            self.way.stops(codes.ROUTE_TO_NOBODY, "routers", router, route.next_hop, **values)

    def _leave(self, router: Row, route: routed.Route, into: Row, came_from: Row) -> None:
        """To the external network."""
        way = self.way
        balanced.takes_back(self._seen, way, tuple(self._undo))
        if not way.undo(router, "dst", self._undo):
            routed.to_outside(self._seen, way, router, route.port, came_from)
        self._on(into)
        if route.kind == routed.CONNECTED:
            self._outside(into)
            return
        if route.kind == routed.DEFAULT and not route.next_hop:
            subnet = next((one for one in subnets_of(self._seen, into) if holds_version(one, way.packet)), None)
            if subnet is not None:
                way.stops(codes.OUTSIDE_NO_GATEWAY, "subnets", subnet, way.packet.dst)
        next_router = owner_of(self._seen, into, route.next_hop) if route.next_hop else None
        if next_router is not None and next_router["device_owner"] == GATEWAY:
            self._hand_to(into, next_router, route.next_hop)
            return
        self._out(into)

    # -- outside

    def _from_outside(self, network: Row, by: str) -> None:
        self.way.step("outside", None, "sends it" if not self._answer else "answers")
        self._on(network)
        if self._outside(network, from_there=True):
            return
        router = self._seen.get("routers", by) if by else self._router_to(network)
        gateways = routed.ports_of(self._seen, router, GATEWAY) if router is not None else iter(())
        port = next((one for one in gateways if one["network_id"] == network["id"]), None)
        if router is None or port is None:
            if self._target is not None:
                self.way.stops(codes.NOT_REACHED_FROM_OUTSIDE, "ports", self._target, port=self._target["id"])
            return
        if not self._answer and routed.answers_only(router, network, self.way.packet.dst) and self._target is not None:
            self.way.stops(codes.NOT_REACHED_FROM_OUTSIDE, "ports", self._target, port=self._target["id"])
        self.way.suppose(f"outside, there is a route to {self.way.packet.dst} by router {router['id']}")
        self._mac(port, "")
        self._enter(router, port, network)

    def _router_to(self, network: Row) -> Row | None:
        """From this external network to the target's subnet."""
        for port in self._seen.all("ports", device_owner=GATEWAY, network_id=network["id"]):
            router = self._seen.get("routers", port["device_id"])
            found = routed.route(self._seen, router, self.way.packet.dst) if router is not None else None
            if found is not None and found.kind != routed.DEFAULT and found.port["device_owner"] == INTERFACE:
                return router
        return None

    def _outside(self, network: Row, *, from_there: bool = False) -> bool:
        """On an external network, to somebody there.  False: to nobody that is known."""
        address = self.way.packet.dst
        its = {"floating_ip_address": address, "floating_network_id": network["id"]}
        floating = next(self._seen.all("floatingips", **its), None)
        if floating is not None:
            self._to_floating(network, floating)
            return True
        port = owner_of(self._seen, network, address)
        if port is not None and port["device_owner"] == GATEWAY:
            self._hand_to(network, port, address)
            return True
        if port is not None and port["device_owner"] != FLOATING:
            self._deliver(port, network)
            return True
        if not from_there or any(holds(one, address) for one in subnets_of(self._seen, network)):
            self._out(network)
            return True
        return False

    def _to_floating(self, network: Row, floating: Row) -> None:
        way = self.way
        router = self._seen.get("routers", floating.get("router_id"))
        gateways = routed.ports_of(self._seen, router, GATEWAY) if router is not None else iter(())
        port = next((one for one in gateways if one["network_id"] == network["id"]), None)
        if router is None or port is None:
            way.step("floatingips", floating, f"has {way.packet.dst}")
            way.check(self._seen, "floatingips", floating)
            return
        its_own = (
            floating.get(routed.ADDRESS_MAC) if floating.get("port_id") else None
        )  # what forwards has the gateway's
        way.mac = way.mac or str(its_own or port["mac_address"])
        self._enter(router, port, network)

    def _out(self, network: Row) -> None:
        if not self._answer:
            self.way.suppose(f"{self.way.packet.dst} is there, outside, and answers")
        self.way.step("outside", None, "gets it")
        self.way.ends(OUTSIDE, None, network)

    # -- in a network

    def _arrive(self, network: Row) -> None:
        way, address = self.way, self.way.packet.dst
        port = owner_of(self._seen, network, address)
        if network.get(IS_EXTERNAL):
            self._outside(network)
        elif port is None and (network.get(_TYPE) in _PHYSICAL or not sees_all_of(self._seen, network)):
            self._unknown(f"{address} is a host that Netweft does not know, or not yours to see")
        elif port is None:
            way.stops(codes.ADDRESS_NOBODYS, "networks", network, address)
        elif port["device_owner"] in (INTERFACE, GATEWAY):
            self._hand_to(network, port, address)
        else:
            self._deliver(port, network)

    def _deliver(self, port: Row, network: Row) -> None:
        self._mac(port, self.way.packet.dst)
        if self._answer and port["device_owner"] == PROXY_OWNER:
            if balanced.takes_back(self._seen, self.way, tuple(self._undo), by_proxy=True):
                self._send(Start(port, network))
                return
        elif self._answer:
            balanced.takes_back(self._seen, self.way, tuple(self._undo))
        elif port["device_owner"] == VIP_OWNER:
            if not self._balance(port, network):
                self.way.check(self._seen, "ports", port)
                self.way.ends(PORT, port, network)
            return
        delivered(self._seen, self.way, port, network, answer=self._answer)

    # -- by load balancers

    def _balance(self, vip: Row, network: Row) -> bool:
        """To one of its members, by the ways to all of them.  False: it goes no further, as far as is known."""
        way, balancer = self.way, balanced.of_vip(self._seen, vip)
        if balancer is None:
            way.suppose(f"the load balancer with {way.packet.dst} forwards it to a member that takes it")
            return False
        if way.balanced is not None:
            self._unknown(f"member {way.packet.dst} is a load balancer itself")
            return True
        led = balanced.lead(self._seen, way, balancer, vip)
        if led is None:
            return False
        way.balanced = vip
        for member in led.members[1:]:
            other = Walker(self._seen, way.packet, None)
            other.way.routers, other.way.balanced = [*way.routers], vip
            other._to_member(led, member, vip, network)
            way.findings += [one for one in other.way.findings if one not in way.findings]
        if len(led.members) > 1:
            way.suppose(f"the connection's hash chooses one of {len(led.members)} members")
        self._to_member(led, led.members[0], vip, network)
        return True

    def _to_member(self, led: balanced.Led, member: Row, vip: Row, network: Row) -> None:
        balanced.gives(self.way, led, member)
        starts = led.proxy if led.proxy is not None else vip
        subnets = [one for one in subnets_of(self._seen, network) if holds_version(one, self.way.packet)]
        if any(holds(one, member["address"]) for one in subnets):
            self._arrive(network)
        elif own := [one for one in balanced.ends(self._seen, starts) if one in subnets] or subnets:
            self._to_gateway(network, own[0])
        else:
            self._unknown(f"there is no route from {network['id']} to member {member['address']}")


def holds_version(subnet: Row, packet: Packet) -> bool:
    return bool(subnet["ip_version"] == packet.version)


def _is_in(address: str, prefix: str) -> bool:
    return holds({"cidr": prefix}, address)


def _length(prefix: str) -> int:
    return int(prefix.partition("/")[2] or 128)
