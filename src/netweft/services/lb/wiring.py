"""From facts to the values that a load balancer's flows are made of."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP
from netweft.model import Listener, LoadBalancer, Member, Network, Pool, Proxy, QosPolicy, RouterPort, Subnet, VipPort
from netweft.model.load_balancer import SOURCE_IP
from netweft.model.proxy import needs_proxy
from netweft.reconcile.memo import Reader
from netweft.services import node_facts, wiring
from netweft.services.addresses import mac, prefix
from netweft.services.fields import Reason, object_bits
from netweft.services.l3.values import GatewayPlace
from netweft.services.lb.admitted import admitted
from netweft.services.lb.trees import Parts
from netweft.services.lb.values import Backend, LocalBalancer, Served, Service, Spread, VipOnWire
from netweft.services.qos import largest_frame
from netweft.services.values import PHYSICAL, LocalNetwork

PROTOCOLS: Final = {"TCP": PROTO_TCP, "HTTPS": PROTO_TCP, "UDP": PROTO_UDP, "SCTP": PROTO_SCTP}
PINGS: Final = {4: PROTO_ICMP, 6: PROTO_ICMPV6}
_NOTHING: Final = Parts(())


def local_balancer(read: Reader, id: str) -> LocalBalancer | None:
    """None: it is not known here, or its network is not wired."""
    balancer: LoadBalancer | None = read.get(("load_balancer", id))
    if balancer is None:
        return None
    network = wiring.local_network(read, balancer.vip_network_id)
    if isinstance(network, wiring.Problem) or not balancer.vip_mac_address:
        return None
    subnets: tuple[Subnet, ...] = read.get(("subnets", balancer.vip_network_id)) or ()
    vips = addresses(balancer)
    policy = _qos_policy(read, balancer, network.network)
    datapath = node_facts.host_facts(read).datapath_type
    return LocalBalancer(
        balancer=balancer,
        network=network,
        vips=tuple(map(prefix, vips)),
        served=tuple(_with_clients(read, balancer, vips)) if balancer.admin_state_up else (),
        on_link=tuple(prefix(subnet.cidr) for subnet in subnets),
        by=_routers(read.get(("router ports", balancer.vip_network_id)) or (), subnets),
        pings={version: admitted(read, balancer, protocol, None) for version, protocol in PINGS.items()},
        qos=policy,
        frame=largest_frame(network.network.mtu, datapath) if policy else 0,
        gives_pieces=datapath == "netdev",
        wire=vip_on_wire(read, read.get(("vip_port", balancer.vip_port_id)), network),
    )


def vip_on_wire(read: Reader, port: VipPort | None, network: LocalNetwork) -> VipOnWire | None:
    """None: the network has no wire here, or nobody answers on it."""
    if port is None or not port.order or network.segment.network_type not in PHYSICAL:
        return None
    node = node_facts.host_facts(read).name
    place: GatewayPlace | None = read.get(("place", port.id))
    return VipOnWire(port=port, node=node, answers=place.answers if place else port.answers_on == node)


def _qos_policy(read: Reader, balancer: LoadBalancer, network: Network) -> QosPolicy | None:
    """The VIP's own, or its network's, as of any port that is not the network's own."""
    id = balancer.vip_qos_policy_id or network.qos_policy_id
    found: QosPolicy | None = read.get(("qos_policy", id)) if id else None
    return found if found is not None and not read.get(node_facts.NO_METERS) else None


def _with_clients(read: Reader, balancer: LoadBalancer, vips: Iterable[str]) -> Iterator[Served]:
    """The API takes either allowed CIDRs or security groups."""
    for one in served(tree(read, balancer.id), vips):
        by_groups = admitted(read, balancer, one.protocol, one.listener.protocol_port)
        yield replace(one, clients=one.listener.allowed_cidrs or None if by_groups is None else by_groups)


def addresses(balancer: LoadBalancer) -> list[str]:
    return [vip.ip_address for vip in balancer.vips] or [balancer.vip_address]


def tree(read: Reader, id: str) -> Parts:
    found: Parts | None = read.get(("tree", id))
    return found or _NOTHING


def _routers(ports: tuple[RouterPort, ...], subnets: tuple[Subnet, ...]) -> dict[int, int]:
    """By each IP version the subnets' gateway, or else any router."""
    gateways = {subnet.gateway_ip for subnet in subnets}
    found: dict[int, int] = {}
    for port in sorted(ports, key=lambda port: port.id):
        for one in port.fixed_ips:
            version = prefix(one.ip_address).version
            if one.ip_address in gateways or version not in found:
                found[version] = mac(port.mac_address)
    return found


def spreads(read: Reader, balancer_id: str) -> dict[str, Spread]:
    """By id: who can get connections by any of its listeners."""
    balancer: LoadBalancer = read.get(("load_balancer", balancer_id))
    parts = tree(read, balancer_id)
    found = (one.spread for one in served(parts, addresses(balancer)))
    wire: VipPort | None = read.get(("vip_port", balancer.vip_port_id))
    on_wire = wire is not None and node_facts.host_facts(read).name in wire.order
    return {one.id: replace(_within_sight(read, parts, one), on_wire=on_wire) for one in found}


def _within_sight(read: Reader, parts: Parts, spread: Spread) -> Spread:
    """Instances of HAProxy on nodes that this one has lost get no new connections: the server hears of such an end
    later.  Where all are lost, all do."""
    hosts = {one.id: one.host_id for one in parts.of(Proxy)} if spread.reason is Reason.LISTENER_PROXY else {}
    lost = {id for id, host in hosts.items() if read.get(("lost", host))}
    if not lost or all(one.id in lost for one in spread.backends):
        return spread
    return replace(spread, backends=tuple(replace(one, weight=int(one.id not in lost)) for one in spread.backends))


def served(parts: Parts, vips: Iterable[str]) -> Iterator[Served]:
    """vips: the balancer's addresses."""
    for listener in parts.of(Listener):
        spread = spread_of(parts, listener, vips)
        if spread is not None and listener.admin_state_up:
            protocol = PROTOCOLS.get(listener.protocol, PROTO_TCP)
            yield Served(listener=listener, protocol=protocol, spread=spread)


def spread_of(parts: Parts, listener: Listener, vips: Iterable[str]) -> Spread | None:
    """Its pool's members, or the instances of HAProxy that serve it.  None: it has no pool, or one of another kind."""
    pool = next((one for one in parts.of(Pool) if one.id == listener.default_pool_id), None)
    if needs_proxy(listener, pool, (one for one in parts.of(Member) if pool and one.pool_id == pool.id), vips):
        return _proxied(parts, listener)
    if pool is None or pool.protocol != listener.protocol:
        return None
    return pooled(parts, pool)


def _proxied(parts: Parts, listener: Listener) -> Spread:
    return Spread(
        id=listener.id,
        reason=Reason.LISTENER_PROXY,
        number=number_of(listener.id),
        backends=tuple(
            Backend(one.id, _service(PROTO_TCP, fixed.ip_address, listener.protocol_port))
            for one in parts.of(Proxy)
            if one.gets_traffic
            for fixed in one.fixed_ips
        ),
    )


def pooled(parts: Parts, pool: Pool) -> Spread:
    """Backup members are in it only when no other gets traffic."""
    members = [one for one in parts.of(Member) if one.pool_id == pool.id] if pool.admin_state_up else []
    first = [one for one in members if one.gets_traffic and not one.backup]
    chosen = first or [one for one in members if one.gets_traffic]
    persistence = pool.session_persistence
    protocol = PROTOCOLS[pool.protocol]
    return Spread(
        id=pool.id,
        reason=Reason.POOL_METHOD,
        number=number_of(pool.id),
        by_source=pool.lb_algorithm == SOURCE_IP or persistence is not None,
        netmask=prefix(grain) if (grain := persistence and persistence.persistence_granularity) else None,
        backends=tuple(
            Backend(one.id, _service(protocol, one.address, one.protocol_port), one.weight if one in chosen else 0)
            for one in members
            if keeps_connections(one)
        ),
    )


def keeps_connections(member: Member) -> bool:
    """It is drained, or a backup, or gets new ones.  Of one that has failed, or is down, those that it has end."""
    return member.admin_state_up and (member.gets_traffic or member.weight == 0)


def _service(protocol: int, address: str, port: int) -> Service:
    return Service(protocol, prefix(address), port)


def number_of(id: str) -> int:
    """The same on every node.  Two that are alike would share what they get: one pair in 4 billion."""
    return object_bits(id) >> 8 or 1
