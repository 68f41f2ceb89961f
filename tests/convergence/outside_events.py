"""What may be done to routers and their ways outside at the API, on a region without a server: two routers on the same
networks, gateways on two external networks, floating IPs, forwarded ports.  What the server refuses or takes along
is refused and taken along here, too."""

from collections.abc import Iterable

from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.model import (
    BandwidthLimit,
    ConntrackHelper,
    FloatingIp,
    GatewayPort,
    HostRoute,
    MeteringLabel,
    Network,
    Object,
    PortForwarding,
    QosPolicy,
)
from netweft.model.metering import SHARED, MeteringRule
from netweft.testing.region import (
    Region,
    floating_ip,
    gateway,
    interface,
    network,
    port,
    port_forwarding,
    router,
    subnet,
)

NODES = ("hv1", "hv2", "hv3")
A, B, EXT, MORE = network(1), network(2, "vlan"), network(8, "flat", "public"), network(9, "vlan", "public")
ROUTERS = (router(1), router(2))
INTERFACES = tuple(
    interface(number, ROUTERS[number // 2], net, f"10.0.{place}.{254 - number // 2}", f"2001:db8:{place}::{number}f")
    for number, (place, net) in enumerate([(0, A), (1, B), (0, A), (1, B)])
)
PORTS = (
    *(port(number, A, f"10.0.0.{number}", f"2001:db8::{number}") for number in (1, 2)),
    *(port(number, B, f"10.0.1.{number}", f"2001:db8:1::{number}") for number in (3, 4)),
    *(port(5, EXT, "203.0.113.205", "2001:db8:8::205"), port(6, MORE, "198.51.100.206")),
)
GATEWAYS = (  # the router's place, the network, what its addresses may be
    (0, EXT, (("203.0.113.5",), ("203.0.113.6", "2001:db8:8::5"), ("203.0.113.5", "203.0.113.7"))),
    (0, MORE, (("198.51.100.5",), ("198.51.100.6", "2001:db8:9::5"))),
    (1, EXT, (("203.0.113.15",), ("203.0.113.16", "2001:db8:8::15"))),
    (0, EXT, (("203.0.113.25",),)),  # a further one on the same network
)
HOPS = {EXT.id: ("203.0.113.1", "203.0.113.2"), MORE.id: ("198.51.100.1", "198.51.100.2")}
ROUTES = (
    (),
    (HostRoute("192.0.2.0/24", "10.0.0.1"),),
    (HostRoute("192.0.2.0/24", "10.0.0.1"), HostRoute("192.0.2.0/24", "10.0.1.9")),
    (HostRoute("192.0.2.0/24", "203.0.113.2"), HostRoute("192.0.2.0/24", "10.0.1.3")),
    (HostRoute("2001:db8:f::/48", "2001:db8::1"), HostRoute("2001:db8:f::/48", "2001:db8:1::9")),
)
HELPERS = (ConntrackHelper("ftp", "tcp", 21), ConntrackHelper("tftp", "udp", 69))
SUBNETS = (
    *(subnet(A, "10.0.0.0/24"), subnet(A, "2001:db8::/64", ipv6_ra_mode="slaac")),
    *(subnet(B, "10.0.1.0/24"), subnet(B, "2001:db8:1::/64")),
    *(subnet(EXT, "203.0.113.0/24", gateway_ip="203.0.113.1"), subnet(EXT, "2001:db8:8::/64", gateway_ip="fe80::1")),
    *(subnet(MORE, "198.51.100.0/24", gateway_ip="198.51.100.1"), subnet(MORE, "2001:db8:9::/64")),
)
POLICIES = ("gold", "iron")
FIXED: tuple[Object, ...] = (A, B, EXT, MORE, *SUBNETS, *ROUTERS, *INTERFACES, *PORTS)
FORWARDED_AT = "203.0.113.60"
HOLDER = replace(floating_ip(9, ROUTERS[0], EXT, FORWARDED_AT, ""), qos_policy_id="iron")
FLAGS = ("snat", "ecmp", "bfd", "up")

_ports = st.integers(0, len(PORTS) - 1)
_routers = st.integers(0, 1)
_gateways = st.integers(0, len(GATEWAYS) - 1)
_nodes = st.sampled_from(NODES)
_orders = st.lists(_nodes, max_size=3, unique=True)
events = st.one_of(
    st.tuples(st.just("create router"), _routers),
    st.tuples(st.just("delete router"), _routers),
    st.tuples(st.just("router"), _routers, st.sampled_from(FLAGS), st.sampled_from([None, True, False])),
    st.tuples(st.just("routes"), _routers, st.sampled_from(ROUTES)),
    st.tuples(st.just("helpers"), _routers, st.lists(st.sampled_from(HELPERS), unique=True)),
    st.tuples(st.just("router's policy"), _routers, st.sampled_from([None, *POLICIES])),
    st.tuples(st.just("interface"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("delete interface"), st.integers(0, 3)),
    st.tuples(st.just("answers on"), st.integers(0, 3), st.sampled_from(["", *NODES])),
    *[st.tuples(st.just("gateway"), _gateways, _orders, st.integers(0, 2))] * 2,
    st.tuples(st.just("clear gateway"), _gateways),
    st.tuples(st.just("first gateway"), _gateways),
    *[st.tuples(st.just("floating"), st.integers(0, 3), _ports, st.booleans(), st.sampled_from([None, "gold"]))] * 3,
    st.tuples(st.just("delete floating"), st.integers(0, 3)),
    *[st.tuples(st.just("forwarding"), st.integers(0, 2), _ports, st.sampled_from(["53", "53:55"]))] * 2,
    st.tuples(st.just("delete forwarding"), st.integers(0, 2)),
    st.tuples(st.just("label"), st.integers(0, 2)),
    st.tuples(st.just("policy"), st.sampled_from(POLICIES), st.sampled_from([0, 1000, 2000])),
    st.tuples(st.just("network's policy"), st.sampled_from([EXT, MORE]), st.sampled_from([None, *POLICIES])),
    st.tuples(st.just("next hop"), st.sampled_from([EXT, MORE]), st.sampled_from([None, 0, 1])),
    st.tuples(st.just("mtu"), st.sampled_from([A, EXT]), st.sampled_from([1500, 1400])),
    *[st.tuples(st.just("plug"), _ports, _nodes)] * 2,
    st.tuples(st.just("unplug"), _ports),
    st.tuples(st.just("delete port"), _ports),
    st.tuples(st.just("create port"), _ports),
)


def begin(nodes: int = 3) -> Region:
    """With both routers on both networks, each with a gateway, and a VM on each network."""
    region = Region(nodes)
    region.create(*FIXED)
    for number, node in ((0, "hv1"), (2, "hv2"), (4, "hv3")):
        region.plug(node, PORTS[number])
    for number, order in ((0, ["hv1", "hv2"]), (2, ["hv2", "hv3"])):
        do(region, ("gateway", number, order, 0))
    return region


def do(region: Region, event: tuple[object, ...]) -> None:
    match event:
        case ("create router", int(number)):
            if ROUTERS[number].id not in region.routers:
                region.create(ROUTERS[number])
        case ("delete router", int(number)):
            _delete_router(region, number)
        case ("router", int(number), str(flag), value):
            names = {"snat": "enable_snat", "up": "admin_state_up"}
            wanted = value is not False if flag in names else value
            _change_router(region, number, **{names.get(flag, flag): wanted})
        case ("routes", int(number), tuple() as routes):
            _change_router(region, number, routes=routes)
        case ("helpers", int(number), list(helpers)):
            _change_router(region, number, helpers=tuple(helpers))
        case ("router's policy", int(number), policy):
            _change_router(region, number, qos_policy_id=policy)
        case ("interface", int(number), bool(up)):
            if INTERFACES[number].router_id in region.routers:
                region.create(replace(INTERFACES[number], admin_state_up=up))
        case ("delete interface", int(number)):
            region.router_ports.pop(INTERFACES[number].id, None)
            _drop_unreachable(region)
        case ("answers on", int(number), str(node)):
            if found := region.router_ports.get(INTERFACES[number].id):
                region.create(replace(found, answers_on=node))
        case ("gateway", int(number), list(order), int(variant)):
            _set_gateway(region, number, order, variant)
        case ("clear gateway", int(number)):
            region.gateway_ports.pop(gateway_id(number), None)
            _drop_unreachable(region)
            _link_gateways(region)
        case ("first gateway", int(number)):
            _link_gateways(region, first=gateway_id(number))
        case ("floating", int(number), int(inside), bool(distributed), policy):
            _set_floating(region, number, inside, distributed=distributed, policy=policy)
        case ("delete floating", int(number)):
            for id in [one.id for one in region.floating_ips.values() if one.id.startswith(f"{number + 1:08x}-")]:
                del region.floating_ips[id]
        case ("forwarding", int(number), int(inside), str(ports)):
            _set_forwarding(region, number, inside, ports)
        case ("delete forwarding", int(number)):
            for id in [one for one in region.port_forwardings if one.startswith(f"{number + 1:08x}-")]:
                del region.port_forwardings[id]
            _drop_unreachable(region)
        case _:
            _do_beside_routers(region, event)


def _do_beside_routers(region: Region, event: tuple[object, ...]) -> None:
    match event:
        case ("label", int(number)):
            rules = (MeteringRule(direction="ingress"), MeteringRule(direction="egress"))[:number]
            region.labels.pop("label", None)
            region.create(*([MeteringLabel(id="label", metered=SHARED, rules=rules)] if rules else []))
        case ("policy", str(id), int(kbps)):
            limits = (BandwidthLimit(max_kbps=kbps), BandwidthLimit(max_kbps=2 * kbps, direction="ingress"))
            region.create(QosPolicy(id=id, bandwidth_limits=limits if kbps else ()))
        case ("network's policy", Network() as net, policy):
            _change_network(region, net, qos_policy_id=policy)
        case ("mtu", Network() as net, int(mtu)):
            _change_network(region, net, mtu=mtu)
        case ("next hop", Network() as net, which):
            made = region.subnets[f"{net.id[:8]}-4"]
            hop = HOPS[net.id][which] if isinstance(which, int) else None
            region.create(replace(made, gateway_ip=hop))
        case ("plug", int(number), str(node)):
            _unplug(region, number)
            if PORTS[number].id in region.ports:
                region.plug(node, PORTS[number])
        case ("unplug", int(number)):
            _unplug(region, number)
        case ("delete port", int(number)):
            region.ports.pop(PORTS[number].id, None)
            _unplug(region, number)
            _drop_unreachable(region)
        case ("create port", int(number)):
            region.create(PORTS[number])


def _delete_router(region: Region, number: int) -> None:
    id = ROUTERS[number].id
    if region.routers.pop(id, None):
        for number in (number for number, port in enumerate(INTERFACES) if port.router_id == id):
            region.router_ports.pop(INTERFACES[number].id, None)
        for port_id in [port.id for port in region.gateway_ports.values() if port.router_id == id]:
            del region.gateway_ports[port_id]
        _drop_unreachable(region)


def _change_router(region: Region, number: int, **more: object) -> None:
    if found := region.routers.get(ROUTERS[number].id):
        region.create(replace(found, **more))


def _change_network(region: Region, net: Network, **more: object) -> None:
    region.create(replace(region.networks[net.id], **more))


def _gateway(number: int, order: Iterable[str], variant: int) -> GatewayPort:
    place, net, variants = GATEWAYS[number]
    hosts = tuple(order)
    made = gateway(number + 1, ROUTERS[place], net, next(iter(hosts), ""), *variants[variant % len(variants)])
    return replace(made, hosts=hosts)


def gateway_id(number: int) -> str:
    return _gateway(number, (), 0).id


def _set_gateway(region: Region, number: int, order: list[str], variant: int) -> None:
    made = _gateway(number, order, variant)
    if made.router_id in region.routers:
        region.create(made)
        _link_gateways(region)


def _link_gateways(region: Region, first: str = "") -> None:
    """The router's row names them in their order; the first stays the first as long as it is there."""
    for one in list(region.routers.values()):
        ids = {port.id for port in region.gateway_ports.values() if port.router_id == one.id}
        order = [id for id in (first, one.first_gateway, *one.extra_gateways, *sorted(ids)) if id in ids]
        named = list(dict.fromkeys(order))
        region.create(replace(one, first_gateway=next(iter(named), None), extra_gateways=tuple(named[1:])))


def _router_to(region: Region, net_id: str, inside: int) -> str:
    """Through which an address on that external network can lead to the port; empty: none."""
    of_port = PORTS[inside]
    if of_port.id not in region.ports:
        return ""
    outside = {one.router_id for one in region.gateway_ports.values() if one.network_id == net_id}
    inward = {one.router_id for one in region.router_ports.values() if one.network_id == of_port.network_id}
    return min(outside & inward, default="")


def _set_floating(region: Region, number: int, inside: int, *, distributed: bool, policy: object) -> None:
    """Numbers are addresses; one address inside has one of each external network."""
    net, prefix = ((EXT, "203.0.113.5"), (MORE, "198.51.100.5"))[number == 3]
    router_id = _router_to(region, net.id, inside)
    fixed = PORTS[inside].fixed_ips[0].ip_address
    made = floating_ip(number + 1, ROUTERS[0], net, f"{prefix}{number}", fixed, PORTS[inside])
    others = [one for one in region.floating_ips.values() if one.id != made.id]
    if router_id and not any((net.id, fixed) == (one.floating_network_id, one.fixed_ip_address) for one in others):
        region.create(replace(made, router_id=router_id, distributed=distributed, qos_policy_id=policy))


def _set_forwarding(region: Region, number: int, inside: int, ports: str) -> None:
    """All of one floating IP, whose ports' ranges are apart."""
    router_id = _router_to(region, EXT.id, inside)
    if not router_id or any(one.router_id != router_id for one in region.port_forwardings.values()):
        return
    outside = ":".join(str(8000 + 100 * number + int(each)) for each in ports.split(":"))
    fixed = PORTS[inside].fixed_ips[0].ip_address
    made = port_forwarding(number + 1, ROUTERS[0], EXT, (FORWARDED_AT, outside), (fixed, ports), (17, 6, 132)[number])
    region.create(replace(made, router_id=router_id))
    region.create(replace(HOLDER, router_id=router_id))


def _drop_unreachable(region: Region) -> None:
    """The server takes no gateway, interface or port away on which one of these leans; here they go first."""
    outside = {(one.router_id, one.network_id) for one in region.gateway_ports.values()}
    routed = {(one.router_id, one.network_id) for one in region.router_ports.values()}
    there = {
        (router_id, fixed.ip_address)
        for one in region.ports.values()
        for fixed in one.fixed_ips
        for router_id, net in routed
        if net == one.network_id
    }

    def leans(one: FloatingIp | PortForwarding, inside: str) -> bool:
        leads_in = not inside or (one.router_id, inside) in there
        return not leads_in or (one.router_id, one.floating_network_id) not in outside

    for id in [one.id for one in region.floating_ips.values() if leans(one, one.fixed_ip_address)]:
        del region.floating_ips[id]
    for id in [one.id for one in region.port_forwardings.values() if leans(one, one.internal_ip_address)]:
        del region.port_forwardings[id]
    if not region.port_forwardings:
        region.floating_ips.pop(HOLDER.id, None)


def _unplug(region: Region, number: int) -> None:
    region.bound.pop(PORTS[number].id, None)
    for node in region.nodes.values():
        node.unplug(PORTS[number].id)
