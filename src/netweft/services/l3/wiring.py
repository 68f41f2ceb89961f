"""From facts to routers as services work on them: as in `services/wiring`, which says what is wired here."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from netweft.model import FloatingIp, GatewayPort, Peer, QosPolicy, Router, RouterPort, Subnet
from netweft.reconcile.memo import Reader
from netweft.services.addresses import Prefix, prefix, text_of_mac, within
from netweft.services.l3.labels import labels_of
from netweft.services.l3.wire import wire_mac
from netweft.services.values import Gateway, Interface, Limited, LocalNetwork, LocalRouter, RemotePort, WayToGateway
from netweft.services.wiring import NO_LENGTHS, NO_METERS, Problem, host_facts, local_network, tunnel_to


def local_router(read: Reader, router_id: str) -> LocalRouter | None:
    """None: there is no such router."""
    found: Router | None = read.get(("router", router_id))
    if found is None:
        return None
    ports: list[RouterPort | None] = [read.get(("router_port", id)) for id in read.get(("interfaces", router_id)) or ()]
    maybe = [(port, _interface(read, port)) for port in ports if port]
    interfaces = tuple(one for _, one in maybe if one)
    node = host_facts(read).name
    outside = gateways_of(read, found)
    first = outside[0] if outside else None
    here = first if first and first.host_id == node else None
    there = first if first and first.host_id not in ("", node) else None
    gateway = _gateway(read, found, here, ()) if here else None
    more = tuple(_more(read, found, outside)) if gateway else ()
    return LocalRouter(
        router=found,
        number=read.get(("number", router_id)),
        node=node,
        interfaces=interfaces,
        checks_length=not read.get(NO_LENGTHS),
        can_limit=not read.get(NO_METERS),
        out_of_reach=tuple(net for port, one in maybe if one is None for net in _on_link(read, port)),
        gateway=gateway,
        more=more,
        limited=tuple(
            limited
            for one in ((gateway, *more) if gateway and not read.get(NO_METERS) else ())
            for limited in _limited(read, found, one)
        ),
        labels=tuple(labels_of(read, found)) if gateway else (),
        ways=tuple(_ways(read, interfaces, there.host_id)) if there and not here else (),
    )


def gateways_of(read: Reader, router: Router) -> list[GatewayPort]:
    """Their ports, in order: the first says where they are."""
    ids: tuple[str, ...] = read.get(("gateways", router.id)) or ()
    order = (router.first_gateway, *router.extra_gateways)
    return [read.get(("gateway_port", id)) for id in sorted(ids, key=lambda id: _place(order, id))]


def _place(order: tuple[str | None, ...], id: str) -> int:
    return order.index(id) if id in order else len(order)


def zone_of(read: Reader, router: Router, port: GatewayPort) -> int | None:
    """The first gateway's is the router's, a further one's its own."""
    zone: int | None = read.get(("zone", port.id if port.id in router.extra_gateways else router.id))
    return zone


def _more(read: Reader, router: Router, ports: list[GatewayPort]) -> Iterator[Gateway]:
    """What leads to ports inside by a network's addresses has the first gateway there."""
    taken = {ports[0].network_id}
    for port in ports[1:]:
        gateway = _gateway(read, router, port, taken) if port.id in router.extra_gateways else None
        taken.add(port.network_id)
        if gateway is not None:
            yield gateway


def _gateway(read: Reader, router: Router, port: GatewayPort, taken: Collection[str]) -> Gateway | None:
    """None: its network is not wired here, or there is no zone for it.  taken: networks that gateways before it are
    on."""
    network, zone = local_network(read, port.network_id), zone_of(read, router, port)
    if not isinstance(network, LocalNetwork) or not zone:
        return None
    floating: list[FloatingIp] = [
        read.get(("floating_ip", id)) for id in read.get(("floating_ips", port.router_id)) or ()
    ]
    return Gateway(
        port=port,
        network=network,
        zone=zone,
        on_link=_on_link(read, port),
        next_hops=tuple(sorted(prefix(one.gateway_ip) for one in _subnets_of(read, port) if one.gateway_ip)),
        floating_ips={
            prefix(one.floating_ip_address).value: prefix(one.fixed_ip_address).value
            for one in floating
            if one.fixed_ip_address and one.floating_network_id == port.network_id and port.network_id not in taken
        },
        floating_ids={
            prefix(one.floating_ip_address).value: one.id
            for one in floating
            if one.fixed_ip_address and one.floating_network_id == port.network_id
        },
        forwarded=() if port.network_id in taken else read.get(("forwarded", port.router_id, port.network_id)) or (),
        watched=tuple(_watched(read, router, port)),
        silent=read.get(("silent", port.network_id)) or frozenset(),
    )


def _watched(read: Reader, router: Router, port: GatewayPort) -> Iterator[Prefix]:
    """The next hops there of routes that have several."""
    times, on_link = Counter(route.destination for route in router.routes), _on_link(read, port)
    several = {prefix(route.nexthop) for route in router.routes if times[route.destination] > 1}
    several = {hop for hop in several if any(within(hop, net) for net in on_link)}
    if router.ecmp and router.extra_gateways:
        several |= {prefix(one.gateway_ip) for one in _subnets_of(read, port) if one.gateway_ip}
    yield from sorted(several)


def _limited(read: Reader, router: Router, gateway: Gateway) -> Iterator[Limited]:
    """What is translated here and has a policy, or whose network has one."""
    network = gateway.network.network
    own = gateway.snat_address
    ends = [(router.id, own, router.qos_policy_id)] if router.enable_snat and own is not None else []
    for id in read.get(("floating_ips", router.id)) or ():
        one: FloatingIp = read.get(("floating_ip", id))
        if one.floating_network_id == network.id:
            ends.append((one.id, prefix(one.floating_ip_address).value, one.qos_policy_id))
    for id, address, own_policy in sorted(ends):
        policy_id = own_policy or network.qos_policy_id
        policy: QosPolicy | None = read.get(("qos_policy", policy_id)) if policy_id else None
        if policy is not None:
            yield Limited(id=id, address=address, mtu=network.mtu, policy=policy)


def _ways(read: Reader, interfaces: Iterable[Interface], host: str) -> Iterator[WayToGateway]:
    """By the MAC that the other node has for the interface, as to any peer there."""
    for interface in interfaces:
        peer = Peer(
            id=interface.port.id,
            network_id=interface.port.network_id,
            mac_address=text_of_mac(wire_mac(host, interface.port.id)),
            port_security_enabled=False,
            host_id=host,
        )
        tunnel = tunnel_to(read, interface.network, host)
        yield WayToGateway(interface, RemotePort(peer=peer, network=interface.network, tunnel=tunnel))


def _subnets_of(read: Reader, port: RouterPort | GatewayPort) -> list[Subnet]:
    own = {fixed.subnet_id for fixed in port.fixed_ips}
    subnets: tuple[Subnet, ...] = read.get(("subnets", port.network_id)) or ()
    return [subnet for subnet in subnets if subnet.id in own]


def _on_link(read: Reader, port: RouterPort | GatewayPort) -> tuple[Prefix, ...]:
    return tuple(sorted(prefix(subnet.cidr) for subnet in _subnets_of(read, port)))


def _interface(read: Reader, port: RouterPort) -> Interface | None:
    """None: its network is not wired here."""
    network = local_network(read, port.network_id)
    if isinstance(network, Problem):
        return None
    return Interface(port=port, network=network, on_link=_on_link(read, port))
