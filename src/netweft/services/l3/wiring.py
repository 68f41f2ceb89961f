"""From facts to routers as services work on them: as in `services/wiring`, which says what is wired here."""

from collections.abc import Collection, Iterable, Iterator

from msgspec.structs import replace

from netweft.model import FixedIp, FloatingIp, GatewayPort, Network, Peer, QosPolicy, Router, RouterPort, Subnet
from netweft.model.wire_macs import asking_mac, wire_mac
from netweft.reconcile.memo import Reader
from netweft.services.addresses import Prefix, prefix, text_of_mac, within
from netweft.services.l3.floating_ips.places import Where
from netweft.services.l3.gateways.nat_zones import name_of
from netweft.services.l3.metering.labels import labels_of
from netweft.services.l3.routing.bfd import ends
from netweft.services.l3.routing.watched_hops import on_the_link, several
from netweft.services.l3.values import (
    BfdSession,
    Gateway,
    GatewayPlace,
    Interface,
    Limited,
    LocalFloatingIp,
    LocalRouter,
    WayToGateway,
)
from netweft.services.node_facts import NO_LENGTHS, NO_METERS, host_facts
from netweft.services.qos import largest_frame
from netweft.services.security.firewalls import firewall
from netweft.services.values import LocalNetwork, RemotePort
from netweft.services.wiring import Problem, local_network, tunnel_to


def local_router(read: Reader, router_id: str) -> LocalRouter | None:
    """None: there is no such router."""
    found: Router | None = read.get(("router", router_id))
    if found is None:
        return None
    ports: list[RouterPort | None] = [read.get(("router_port", id)) for id in read.get(("interfaces", router_id)) or ()]
    maybe = [(port, _interface(read, found, port)) for port in ports if port]
    interfaces = tuple(one for _, one in maybe if one)
    host = host_facts(read)
    node = host.name
    outside = gateways_of(read, found)
    first = outside[0] if outside else None
    place = place_of(read, first) if first else GatewayPlace("")
    mine = tuple(_mine(read, found, outside))
    floating = tuple(_floating_ips(read, found, outside, [one for one, is_here in mine if is_here]))
    own = [one for one, is_here in mine if is_here]
    holders = tuple(_holders(read, found, own))
    gateways = tuple(_with_beside(one, floating, holders) for one in own)
    others = tuple(host for host in first.order if host != node) if first else ()
    return LocalRouter(
        router=found,
        number=read.get(("number", router_id)),
        node=node,
        interfaces=interfaces,
        checks_length=not read.get(NO_LENGTHS),
        can_limit=not read.get(NO_METERS),
        gives_pieces=host.datapath_type == "netdev",
        out_of_reach=tuple(net for port, one in maybe if one is None for net in _on_link(read, port)),
        gateway=next(iter(gateways), None),
        more=gateways[1:],
        standbys=tuple(one for one, is_here in mine if not is_here),
        outside=tuple(prefix(fixed.ip_address) for port in outside for fixed in port.fixed_ips),
        outside_on_link=tuple(net for port in outside for net in _on_link(read, port)) if floating else (),
        floating_ips=floating,
        holders=holders,
        limited=() if read.get(NO_METERS) else tuple(_limited(read, found, gateways, floating)),
        labels=tuple(labels_of(read, found)) if gateways or floating else (),
        ways=tuple(way for host in others for way in _ways(read, interfaces, host)),
        leads_to=place.host if place.host in others else "",
    )


def gateways_of(read: Reader, router: Router) -> list[GatewayPort]:
    """Their ports, in order: the first says where they are."""
    ids: tuple[str, ...] = read.get(("gateways", router.id)) or ()
    order = (router.first_gateway, *router.extra_gateways)
    return [read.get(("gateway_port", id)) for id in sorted(ids, key=lambda id: _place(order, id))]


def gateways_here(read: Reader, router: Router) -> list[GatewayPort]:
    """Those that are on this node: none without the first."""
    there = gateways_of(read, router)
    is_here = bool(there) and place_of(read, there[0]).here
    return [port for port in there if is_here and place_of(read, port).here]


def _place(order: tuple[str | None, ...], id: str) -> int:
    return order.index(id) if id in order else len(order)


def zone_of(read: Reader, port: GatewayPort) -> int | None:
    zone: int | None = read.get(("zone", name_of(port, read.get(("network", port.network_id)))))
    return zone


def place_of(read: Reader, port: GatewayPort) -> GatewayPlace:
    """As this node has found; else as the server says."""
    found: GatewayPlace | None = read.get(("place", port.id))
    here = port.host_id == host_facts(read).name
    return found or GatewayPlace(port.host_id, here=here, answers=here)


def _mine(read: Reader, router: Router, ports: list[GatewayPort]) -> Iterator[tuple[Gateway, bool]]:
    """What this node has or may have to take over, and whether it is here: nothing without the first.  What leads to
    ports inside by a network's addresses has the first gateway there."""
    node, taken, here = host_facts(read).name, set[str](), gateways_here(read, router)
    for place, port in enumerate(ports):
        is_here, found = port in here, None
        if node in port.order and (not place or port.id in router.extra_gateways):
            found = _gateway(read, router, port, place_of(read, port) if is_here else GatewayPlace(""), taken)
        taken.add(port.network_id)
        if found is not None:
            yield found, is_here
        elif not place:
            return


def _gateway(
    read: Reader, router: Router, port: GatewayPort, place: GatewayPlace, taken: Collection[str]
) -> Gateway | None:
    """None: its network is not wired here, or there is no zone for it.  taken: networks that gateways before it are
    on."""
    network, zone = local_network(read, port.network_id), zone_of(read, port)
    if not isinstance(network, LocalNetwork) or not zone:
        return None
    node = host_facts(read).name
    return Gateway(
        port=port,
        leaves=place.host == node,
        answers=place.answers,
        node_mac=wire_mac(node, port.id),
        others_macs=tuple(wire_mac(host, port.id) for host in port.order if host != node),
        network=network,
        zone=zone,
        on_link=_on_link(read, port),
        next_hops=next_hops_of(read, port),
        forwarded=() if port.network_id in taken else read.get(("forwarded", port.router_id, port.network_id)) or (),
        watched=tuple(_watched(read, router, port)),
        silent=read.get(("silent", port.network_id)) or frozenset(),
        sessions=tuple(_sessions(read, router, port)) if place.answers else (),
    )


def next_hops_of(read: Reader, port: GatewayPort) -> tuple[Prefix, ...]:
    """Of its default routes."""
    return tuple(sorted(prefix(one.gateway_ip) for one in _subnets_of(read, port) if one.gateway_ip))


def _watched(read: Reader, router: Router, port: GatewayPort) -> Iterator[Prefix]:
    """The next hops there of routes that have several."""
    on_link = _on_link(read, port)
    found = {hop for hop in several(router) if any(within(hop, net) for net in on_link)}
    if router.ecmp and router.extra_gateways:
        found |= {prefix(one.gateway_ip) for one in _subnets_of(read, port) if one.gateway_ip}
    yield from sorted(found)


def _sessions(read: Reader, router: Router, port: GatewayPort) -> Iterator[BfdSession]:
    """vswitchd speaks BFD by IPv4."""
    subnets = {one.id: one for one in _subnets_of(read, port) if router.bfd and one.gateway_ip}
    for own in port.fixed_ips:
        subnet = subnets.get(own.subnet_id)
        hop = prefix(subnet.gateway_ip) if subnet and subnet.gateway_ip else None
        if hop and hop.version == 4:
            near, far = ends(port.id, hop)
            ofport, up = read.get(("ofport", far)), not read.get(("bfd down", near))
            yield BfdSession(hop, own.ip_address, host_facts(read).integration_bridge, near, far, ofport, up)


def _limited(
    read: Reader, router: Router, gateways: Iterable[Gateway], floating: Iterable[LocalFloatingIp]
) -> Iterator[Limited]:
    """What is translated here and has a policy, or whose network has one."""
    limited = [(one.id, one.address, one.qos_policy_id, one.end.network.network) for one in floating]
    for network in {one.port.network_id: one.network.network for one in gateways}.values():
        limited += _of_forwarded_ports(read, router.id, network)
    for gateway in gateways if router.enable_snat else ():
        if gateway.snat_address is not None:
            limited.append((gateway.port.id, gateway.snat_address, router.qos_policy_id, gateway.network.network))
    for id, address, own_policy, network in sorted(limited, key=lambda end: end[:2]):
        policy_id = own_policy or network.qos_policy_id
        policy: QosPolicy | None = read.get(("qos_policy", policy_id)) if policy_id else None
        if policy is not None:
            frame = largest_frame(network.mtu, host_facts(read).datapath_type)
            yield Limited(id=id, address=address, frame=frame, policy=policy)


def _of_forwarded_ports(
    read: Reader, router_id: str, network: Network
) -> Iterator[tuple[str, int, str | None, Network]]:
    """Floating IPs that only ports of lead somewhere."""
    for id in read.get((Where.GATEWAY, router_id)) or ():
        one: FloatingIp = read.get(("floating_ip", id))
        if not one.fixed_ip_address and one.floating_network_id == network.id:
            yield id, prefix(one.floating_ip_address).value, one.qos_policy_id, network


def _floating_ips(
    read: Reader, router: Router, outside: Iterable[GatewayPort], gateways: Iterable[Gateway]
) -> Iterator[LocalFloatingIp]:
    """Those with VMs of this node, by which packets come and go whoever has the gateways; and those with the gateways,
    if they are here, as these do.  In the gateways' order.  By one of each network next hops are watched, where no
    gateway does."""
    ids: dict[Where, tuple[str, ...]] = {where: read.get((where, router.id)) or () for where in Where}
    by = {one.port.id: one for one in gateways}
    if ids[Where.HERE]:
        always, own = GatewayPlace(host_facts(read).name, here=True, answers=True), dict(by)
        found = {port.id: own.get(port.id) or _gateway(read, router, port, always, ()) for port in outside}
        by = {id: one for id, one in found.items() if one is not None}
    leads: dict[str, list[tuple[FloatingIp, Gateway]]] = {id: [] for id in by}
    for where, there in ((Where.HERE, [*by.values()]), (Where.GATEWAY, [*gateways])):
        for one in (read.get(("floating_ip", id)) for id in ids[where]):
            gateway = _gateway_of(one, there) if one.fixed_ip_address else None
            if gateway is not None:
                as_here = replace(gateway, leaves=True, answers=True) if where is Where.HERE else gateway
                leads[gateway.port.id].append((one, as_here))
    watched = {one.port.network_id for one in gateways}
    for its in leads.values():
        for one, gateway in its:
            yield _floating_ip(read, one, gateway, watches=one.floating_network_id not in watched)
            watched.add(one.floating_network_id)


def _gateway_of(one: FloatingIp, gateways: Iterable[Gateway]) -> Gateway | None:
    """The first on its network, of those that are on its link if there are such."""
    there = [gateway for gateway in gateways if gateway.port.network_id == one.floating_network_id]
    address = prefix(one.floating_ip_address)
    near = (gateway for gateway in there if any(within(address, net) for net in gateway.on_link))
    return next(near, there[0] if there else None)


def _holders(read: Reader, router: Router, gateways: Iterable[Gateway]) -> Iterator[LocalFloatingIp]:
    """Each with the gateway that forwards its ports; on a wire, where other nodes may have had it."""
    for one in (read.get(("floating_ip", id)) for id in read.get((Where.GATEWAY, router.id)) or ()):
        by = next((gateway for gateway in gateways if gateway.port.network_id == one.floating_network_id), None)
        if by is not None and not one.fixed_ip_address and not by.network.tunnelled:
            yield _floating_ip(read, one, by, watches=False)


def _with_beside(gateway: Gateway, floating: Iterable[LocalFloatingIp], holders: Iterable[LocalFloatingIp]) -> Gateway:
    its = (one for one in floating if one.gateway_id == gateway.port.id)
    held = tuple(one.address for one in holders if one.gateway_id == gateway.port.id and one.waits)
    return replace(gateway, beside=tuple(one.address for one in its if not one.own_mac), held=held)


def _floating_ip(read: Reader, one: FloatingIp, by: Gateway, *, watches: bool) -> LocalFloatingIp:
    """With a MAC of its own, so that switches see no MAC at two of their ports, and who knows it need not learn another
    one when it moves.  On an overlay, where it does not move, other nodes know the gateway's."""
    own_mac = not by.network.tunnelled
    port = GatewayPort(
        id=one.id,
        network_id=one.floating_network_id,
        mac_address=(one.mac_address or text_of_mac(wire_mac("", one.id))) if own_mac else by.port.mac_address,
        fixed_ips=(FixedIp("", one.floating_ip_address),),
        router_id=one.router_id,
        host_id=by.port.host_id,
    )
    ipv4 = {
        name: tuple(net for net in nets if net.version == 4)
        for name, nets in (
            ("on_link", by.on_link),
            ("next_hops", by.next_hops),
            ("watched", by.watched if watches else ()),
        )
    }
    waits = bool(read.get(("held back", one.id)))
    by = replace(by, node_mac=asking_mac(host_facts(read).name, one.id), answers=by.answers and not waits)
    return LocalFloatingIp(
        end=replace(by, port=port, forwarded=(), beside=(), others_macs=(), sessions=(), **ipv4),
        gateway_id=by.port.id,
        address=prefix(one.floating_ip_address).value,
        fixed=prefix(one.fixed_ip_address).value if one.fixed_ip_address else 0,
        own_mac=own_mac,
        waits=waits,
        qos_policy_id=one.qos_policy_id,
    )


def _ways(read: Reader, interfaces: Iterable[Interface], host: str) -> Iterator[WayToGateway]:
    """By the MACs that the other node has for the interface, as to any peer there."""
    for interface in interfaces:
        tunnel = tunnel_to(read, interface.network, host)
        there, relay = (
            RemotePort(peer=_there(interface, host, relayed=relayed), network=interface.network, tunnel=tunnel)
            for relayed in (False, True)
        )
        yield WayToGateway(interface, there, relay)


def _there(interface: Interface, host: str, *, relayed: bool) -> Peer:
    return Peer(
        id=interface.port.id,
        network_id=interface.port.network_id,
        mac_address=text_of_mac(wire_mac(host, interface.port.id, relayed=relayed)),
        port_security_enabled=False,
        host_id=host,
    )


def _subnets_of(read: Reader, port: RouterPort | GatewayPort) -> list[Subnet]:
    own = {fixed.subnet_id for fixed in port.fixed_ips}
    subnets: tuple[Subnet, ...] = read.get(("subnets", port.network_id)) or ()
    return [subnet for subnet in subnets if subnet.id in own]


def _on_link(read: Reader, port: RouterPort | GatewayPort) -> tuple[Prefix, ...]:
    return tuple(sorted(prefix(subnet.cidr) for subnet in _subnets_of(read, port)))


def _interface(read: Reader, router: Router, port: RouterPort) -> Interface | None:
    """None: its network is not wired here."""
    network = local_network(read, port.network_id)
    if isinstance(network, Problem):
        return None
    on_link = _on_link(read, port)
    watched, down = on_the_link(read, router, network, on_link)
    silent: frozenset[Prefix] = (read.get(("silent", port.network_id)) if watched else None) or frozenset()
    node, place = host_facts(read).name, read.get(("place", port.id))
    return Interface(
        port=port,
        network=network,
        on_link=on_link,
        answers=place.answers if place else port.answers_on == node,
        others_macs=tuple(wire_mac(host, port.id) for host in port.order if host != node and node in port.order),
        watched=tuple(watched),
        silent=silent.union(down),
        firewall=firewall(read, port),
        nodes=tuple(_nodes(read, port, node)) if network.firewalled else (),
    )


def _nodes(read: Reader, port: RouterPort, own: str) -> list[str]:
    """The other nodes that may route into its network."""
    places: tuple[str, ...] = read.get(("domain", port.network_id)) or ()
    return sorted({*places, *(read.get(("hosts", port.network_id)) or ()), *port.order} - {own, ""})
