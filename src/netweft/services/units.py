"""Each unit of what a node should have: from what is known to what all services want for it.

units: ("host",)  ("network", id)  ("port", id)  ("peer", id)  ("named_port", id)  ("security_group", id)
       ("policy_rule", policy, rule)
       ("remote", MAC or empty, address)  ("router", id)  ("port_forwarding", id)  ("floating_address", id)
       ("neighbour", network, address)  ("watch", host)  ("load_balancer", id)
       ("spread", balancer, pool)  ("service", protocol, IP version, address, port)  ("proxy", id)
       ("services",)  ("carried", network or gateway)  ("speaker", IP version, address)  ("watched", member)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec.structs import replace

from netweft.model import (
    FloatingAddress,
    NamedPort,
    Node,
    PortState,
    PortStatus,
)
from netweft.model.load_balancer import Member
from netweft.reconcile.memo import Reader, Unit
from netweft.services import dns, node_facts, wiring
from netweft.services.addresses import prefix
from netweft.services.dhcp.machines import MACHINES
from netweft.services.dhcp.requests import DHCP
from netweft.services.dns import DNS
from netweft.services.fields import Reason, cookie
from netweft.services.health import flows as health
from netweft.services.health.watched import watched
from netweft.services.kinds import Broken, Item, ItemKey, item_key
from netweft.services.l2 import bridges
from netweft.services.l2.bridges import BRIDGES
from netweft.services.l2.neighbours import NEIGHBOURS
from netweft.services.l2.physical import PHYSICAL_NETWORKS
from netweft.services.l2.stt import STT
from netweft.services.l2.switching import SWITCHING
from netweft.services.l3.echo import ECHOES
from netweft.services.l3.firewalls import ROUTER_FIREWALLS
from netweft.services.l3.floating_ips.flows import FLOATING_IPS
from netweft.services.l3.gateways.conntrack_helpers import HELPERS
from netweft.services.l3.gateways.flows import GATEWAYS
from netweft.services.l3.gateways.inside_sources import INSIDE_SOURCES
from netweft.services.l3.gateways.nat66 import NAT66
from netweft.services.l3.gateways.symmetric_replies import CAME_IN_BY
from netweft.services.l3.gateways.watched_nodes import session
from netweft.services.l3.hand_ups import HAND_UPS
from netweft.services.l3.metering.flows import METERINGS
from netweft.services.l3.neighbours.responder import ROUTERS_NEIGHBOURS, nobody_elses
from netweft.services.l3.neighbours.router_advertisements import ADVERTISEMENTS
from netweft.services.l3.neighbours.unknown_hosts import UNKNOWN_HOSTS, claimed
from netweft.services.l3.port_forwarding.flows import FORWARDINGS
from netweft.services.l3.port_forwarding.fragments import FORWARDED_PIECES
from netweft.services.l3.port_forwarding.wiring import local_forwarding
from netweft.services.l3.qos import LIMITS
from netweft.services.l3.routing.bfd import BFD
from netweft.services.l3.routing.flows import ROUTERS
from netweft.services.l3.routing.next_hops import NEXT_HOPS, learned
from netweft.services.l3.wiring import local_router
from netweft.services.lb import balancing, fragments
from netweft.services.lb.balancing import BALANCING
from netweft.services.lb.indexes import ANYWHERE, address_of, service_of, units_of
from netweft.services.lb.wiring import local_balancer, spreads, tree
from netweft.services.metadata.requests import METADATA
from netweft.services.qos import QOS
from netweft.services.security.firewall import FIREWALL
from netweft.services.security.firewall_policies import POLICIES, closed
from netweft.services.security.firewalls import policy_rule
from netweft.services.security.port_security import PORT_SECURITY
from netweft.services.service import Service, nothing
from netweft.services.values import LocalPort

SERVICES: tuple[Service, ...] = (
    *(BRIDGES, PHYSICAL_NETWORKS, SWITCHING, STT, PORT_SECURITY, NEIGHBOURS, DHCP, MACHINES, FIREWALL, POLICIES, QOS),
    *(ROUTERS, ROUTERS_NEIGHBOURS, ECHOES, ADVERTISEMENTS, NEXT_HOPS, GATEWAYS, FLOATING_IPS, FORWARDINGS),
    *(FORWARDED_PIECES, CAME_IN_BY, LIMITS, HELPERS, NAT66, HAND_UPS, METERINGS, METADATA, UNKNOWN_HOSTS, BFD),
    BALANCING,
    DNS,
    ROUTER_FIREWALLS,
    INSIDE_SOURCES,
)


def render(unit: Unit, read: Reader, services: Iterable[Service] = SERVICES) -> Mapping[ItemKey, Item] | None:
    try:
        items = _RENDERERS[unit[0]](read, services, *unit[1:])
        return None if items is None else {item_key(item): item for item in items}
    except Exception as error:  # an address that is none, a flow that must not be, a fault of ours: nobody else suffers
        broken = _broken(unit, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
        return {item_key(broken): broken}


def _broken(unit: Unit, why: str) -> Item:
    kind, id = unit[0], unit[-1]
    return PortStatus(id, PortState.ERROR, f"cannot be wired: {why}") if kind == "port" else Broken(kind, id, why)


def _host(read: Reader, services: Iterable[Service]) -> Iterator[Item]:
    facts = node_facts.host_facts(read)
    links = replace(node_facts.uplinks(read), routed=bool(read.get(node_facts.ROUTED)))
    for service in services:
        yield from service.host(facts, links)


def _carried(read: Reader, _: Iterable[Service], name: str) -> list[Item] | None:
    number: int | None = read.get(("carried", name))
    if number is None:
        return None
    host, links = node_facts.host_facts(read), node_facts.observed_uplinks(read)
    return list(bridges.carried(host, links.keep, number, name))


def _network(read: Reader, services: Iterable[Service], network_id: str) -> list[Item] | None:
    if read.get(("network", network_id)) is None:
        return None
    network = wiring.local_network(read, network_id)
    if isinstance(network, wiring.Problem):
        return []
    links, flood = node_facts.uplinks(read), wiring.flood(read, network)
    return [item for service in services for item in service.network(links, network, flood)]


def _port(read: Reader, services: Iterable[Service], port_id: str) -> list[Item] | None:
    wired = wiring.local_port(read, port_id)
    if wired is None:
        return None
    status = wiring.status(read, port_id, wired)
    items: list[Item] = [] if status is None else [status]
    if isinstance(wired, LocalPort) and wired.port.admin_state_up:
        for service in services:
            if service.port is not nothing:
                items += service.port(wired)
    return items


def _peer(read: Reader, services: Iterable[Service], peer_id: str) -> list[Item] | None:
    if read.get(("peer", peer_id)) is None:
        return None
    there = wiring.remote_port(read, peer_id)
    if there is None:
        return []
    links = node_facts.uplinks(read)
    return [item for service in services for item in service.peer(links, there)]


def _named_port(read: Reader, _: Iterable[Service], id: str) -> list[Item] | None:
    port: NamedPort | None = read.get(("named_port", id))
    if port is None:
        return None
    network = wiring.local_network(read, port.network_id)
    return [] if isinstance(network, wiring.Problem) else list(dns.unbound(port, network.network))


def _security_group(read: Reader, services: Iterable[Service], group_id: str) -> list[Item] | None:
    group = wiring.local_group(read, group_id)
    return None if group is None else [item for service in services for item in service.group(group)]


def _policy_rule(read: Reader, services: Iterable[Service], policy_id: str, rule_id: str) -> list[Item] | None:
    rule = policy_rule(read, policy_id, rule_id)
    if rule is None:
        return None
    try:
        return [item for service in services for item in service.policy_rule(rule)]
    except ValueError as error:  # the rules behind it are not to decide in its place
        return [closed(rule), Broken("firewall_rule", rule_id, str(error))]


def _remote(read: Reader, services: Iterable[Service], mac: str, address: str) -> list[Item] | None:
    there = wiring.remote_address(read, mac, address)
    return None if there is None else [item for service in services for item in service.remote(there)]


def _router(read: Reader, services: Iterable[Service], router_id: str) -> list[Item] | None:
    here = local_router(read, router_id)
    if here is None:
        return None
    links = node_facts.uplinks(read)
    return [here, *(item for service in services for item in service.router(links, here))]


def _forwarding(read: Reader, services: Iterable[Service], forwarding_id: str) -> list[Item] | None:
    if read.get(("port_forwarding", forwarding_id)) is None:
        return None
    here = local_forwarding(read, forwarding_id)
    return [] if here is None else [item for service in services for item in service.forwarding(here)]


def _floating_address(read: Reader, _: Iterable[Service], id: str) -> list[Item] | None:
    found: FloatingAddress | None = read.get(("floating_address", id))
    if found is None:
        return None
    network = wiring.local_network(read, found.floating_network_id)
    if isinstance(network, wiring.Problem):
        return []
    address = [prefix(found.floating_ip_address)]
    return list(nobody_elses(cookie(Reason.FLOATING_ADDRESS, id), network, address, found.mac_address))


def _neighbour(read: Reader, _: Iterable[Service], network_id: str, address: str) -> list[Item] | None:
    found: str | None = read.get(("learned", network_id, address))
    network = wiring.local_network(read, network_id)
    if found is None:
        return None
    if isinstance(network, wiring.Problem):
        return []
    guarded = network.firewalled and not read.get(("is a port's", network_id, found))
    return [learned(network, prefix(address), found, guarded=guarded), *claimed(network, prefix(address))]


def _watch(read: Reader, _: Iterable[Service], host: str) -> list[Item] | None:
    there: Node | None = read.get(("node", host))
    if not read.get(("watched", host)) or there is None:
        return None
    row = session(node_facts.host_facts(read), there, cut=bool(read.get(node_facts.CUT)))
    return [] if row is None else [row]


def _proxy(read: Reader, _: Iterable[Service], id: str) -> list[Item] | None:
    if read.get(("proxy", id)) is None:
        return None
    from netweft.services.lb.proxy.instances import proxy  # few nodes have one, and each start would wait for it

    return list(proxy(read, id))


def _watched(read: Reader, _: Iterable[Service], id: str) -> list[Item] | None:
    member: Member | None = read.get(("member", id))
    if member is None:
        return None
    found = watched(read, member)
    if found is None:
        return []
    told, end = found
    return [told, *(health.end(end, node_facts.uplinks(read).metadata) if end else ())]


def _load_balancer(read: Reader, _: Iterable[Service], id: str) -> list[Item] | None:
    if read.get(("load_balancer", id)) is None:
        return None
    here = local_balancer(read, id)
    return [] if here is None else list(balancing.balancer(here, node_facts.uplinks(read)))


def _spread(read: Reader, _: Iterable[Service], balancer_id: str, id: str) -> list[Item] | None:
    if ("spread", balancer_id, id) not in units_of(balancer_id, tree(read, balancer_id)):
        return None
    found = spreads(read, balancer_id).get(id) if local_balancer(read, balancer_id) else None
    return [] if found is None else list(balancing.spread(found))


def _service(read: Reader, _: Iterable[Service], *where: str) -> list[Item] | None:
    first: str | None = read.get(("service", *where))
    return None if first is None else list(balancing.answers(service_of(*where), first))


def _speaker(read: Reader, _: Iterable[Service], *where: str) -> list[Item] | None:
    protocols = read.get(("speaker", *where))
    if not protocols:
        return None
    gives_pieces = node_facts.host_facts(read).datapath_type == "netdev"
    return list(fragments.answers(address_of(*where), protocols)) if gives_pieces else []


def _services(read: Reader, _: Iterable[Service]) -> list[Item] | None:
    return list(balancing.errors()) if read.get(ANYWHERE) else None


_RENDERERS: dict[str, Callable[..., Iterable[Item] | None]] = {
    "host": _host,
    "carried": _carried,
    "network": _network,
    "port": _port,
    "peer": _peer,
    "named_port": _named_port,
    "security_group": _security_group,
    "policy_rule": _policy_rule,
    "remote": _remote,
    "router": _router,
    "port_forwarding": _forwarding,
    "floating_address": _floating_address,
    "neighbour": _neighbour,
    "watch": _watch,
    "proxy": _proxy,
    "watched": _watched,
    "load_balancer": _load_balancer,
    "spread": _spread,
    "service": _service,
    "services": _services,
    "speaker": _speaker,
}
