"""From facts to routers as services work on them: as in `services/wiring`, which says what is wired here."""

from collections.abc import Iterable, Iterator

from netweft.model import FloatingIp, GatewayPort, Peer, QosPolicy, Router, RouterPort, Subnet
from netweft.reconcile.memo import Reader
from netweft.services.addresses import Prefix, prefix, text_of_mac
from netweft.services.l3.wire import wire_mac
from netweft.services.values import (
    Gateway,
    GatewayPlace,
    Interface,
    Limited,
    LocalNetwork,
    LocalRouter,
    RemotePort,
    WayToGateway,
)
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
    outside: list[GatewayPort] = [read.get(("gateway_port", id)) for id in read.get(("gateways", router_id)) or ()]
    port = next((port for port in outside if port.order), None)
    place = place_of(read, port) if port else GatewayPlace("")
    mine = _gateway(read, port, place) if port and node in port.order else None
    gateway = mine if place.here else None
    others = tuple(host for host in port.order if host != node) if port else ()
    return LocalRouter(
        router=found,
        number=read.get(("number", router_id)),
        node=node,
        interfaces=interfaces,
        checks_length=not read.get(NO_LENGTHS),
        can_limit=not read.get(NO_METERS),
        out_of_reach=tuple(net for port, one in maybe if one is None for net in _on_link(read, port)),
        gateway=gateway,
        limited=tuple(_limited(read, found, gateway)) if gateway and not read.get(NO_METERS) else (),
        standby=None if place.here else mine,
        ways=tuple(way for host in others for way in _ways(read, interfaces, host)),
        leads_to=place.host if place.host in others else "",
    )


def place_of(read: Reader, port: GatewayPort) -> GatewayPlace:
    """As this node has found; else as the server says."""
    found: GatewayPlace | None = read.get(("place", port.id))
    here = port.host_id == host_facts(read).name
    return found or GatewayPlace(port.host_id, here=here, answers=here)


def _gateway(read: Reader, port: GatewayPort, place: GatewayPlace) -> Gateway | None:
    """None: its network is not wired here, or there is no zone for it."""
    network, zone = local_network(read, port.network_id), read.get(("zone", port.router_id))
    if not isinstance(network, LocalNetwork) or not zone:
        return None
    floating: list[FloatingIp] = [
        read.get(("floating_ip", id)) for id in read.get(("floating_ips", port.router_id)) or ()
    ]
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
        next_hops=tuple(sorted(prefix(one.gateway_ip) for one in _subnets_of(read, port) if one.gateway_ip)),
        floating_ips={
            prefix(one.floating_ip_address).value: prefix(one.fixed_ip_address).value
            for one in floating
            if one.floating_network_id == port.network_id
        },
        forwarded=read.get(("forwarded", port.router_id, port.network_id)) or (),
    )


def _limited(read: Reader, router: Router, gateway: Gateway) -> Iterator[Limited]:
    """What is translated here and has a policy, or whose network has one."""
    network = gateway.network.network
    own = [address.value for address in gateway.addresses if address.version == 4][:1]
    ends = [(router.id, value, router.qos_policy_id) for value in own if router.enable_snat]
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


def _interface(read: Reader, port: RouterPort) -> Interface | None:
    """None: its network is not wired here."""
    network = local_network(read, port.network_id)
    if isinstance(network, Problem):
        return None
    return Interface(port=port, network=network, on_link=_on_link(read, port))
