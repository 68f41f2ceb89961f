"""Which members this node probes, and how: from the view to a value for the agent.

A member is watched by the node that its port is plugged in at, one probe for all pools that have it.  The kind of
probe is the balancer's owner's choice; where it goes is not: only to a port here, in the VIP's network or in
one that a router joins to it (decision 0590).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from netweft.model import Peer, Port, Router, Subnet
from netweft.model.load_balancer import HealthMonitor, LoadBalancer, Member, Pool
from netweft.reconcile.memo import Reader
from netweft.services import node_facts, wiring
from netweft.services.addresses import Prefix, address, mac, prefix, within
from netweft.services.health import ends
from netweft.services.values import LocalPort

HTTP, HTTPS, TCP, TLS_HELLO = "HTTP", "HTTPS", "TCP", "TLS-HELLO"
UDP_CONNECT, PING, SCTP = "UDP-CONNECT", "PING", "SCTP"
TYPES: Final = frozenset({HTTP, HTTPS, TCP, TLS_HELLO, UDP_CONNECT, PING, SCTP})


class Check(Struct, frozen=True, kw_only=True):
    """A probe.  delay, timeout: seconds.  rise, fall: how many successes, failures one after the other change
    what is said of a member.  codes: ranges of HTTP statuses that are well."""

    type: str
    delay: float
    timeout: float
    rise: int
    fall: int
    method: str = "GET"
    path: str = "/"
    codes: tuple[tuple[int, int], ...] = ((200, 200),)
    version: str = "1.0"
    domain: str = ""


class Watched(Struct, frozen=True, kw_only=True):
    """A member that this node watches.  known: what the server has said of it.  to, port: where probes go, as the agent
    sends them.  within: the balancer from whose HAProxy's namespace they are sent; empty: from the agent's interface.
    problem: why it cannot be probed at all: it counts as one that does not answer."""

    member_id: str
    known: str
    check: Check
    version: int = 4
    to: str = ""
    port: int = 0
    within: str = ""
    problem: str = ""


class End(Struct, frozen=True, kw_only=True):
    """A member as flows reach it.  source: the balancer's address; mac: that of its VIP."""

    member_id: str
    number: int
    here: LocalPort
    address: Prefix
    source: Prefix
    mac: int
    type: str
    port: int


def check_of(monitor: HealthMonitor) -> Check:
    return Check(
        type=monitor.type,
        delay=monitor.delay,
        timeout=monitor.timeout,
        rise=monitor.max_retries,
        fall=monitor.max_retries_down,
        method=monitor.http_method or "GET",
        path=monitor.url_path or "/",
        codes=tuple(codes(monitor.expected_codes or "200")),
        version="1.1" if monitor.http_version == 1.1 else "1.0",
        domain=monitor.domain_name or "",
    )


def codes(expected: str) -> Iterator[tuple[int, int]]:
    """`200`, `200,202` or `200-204`."""
    for part in expected.split(","):
        first, _, last = part.strip().partition("-")
        yield int(first), int(last or first)


def end_key(member: Member) -> str:
    """Members with the same one are probed at the same address by the same balancer."""
    return f"{member.load_balancer_id} {_asked_at(member)}"


def _asked_at(member: Member) -> str:
    return member.monitor_address or member.address


def _asked_port(member: Member) -> int:
    return member.monitor_port or member.protocol_port


def watched(read: Reader, member: Member) -> tuple[Watched, End | None] | None:
    """None: it is not this node's to watch."""
    pool: Pool | None = read.get(("pool", member.pool_id))
    balancer: LoadBalancer | None = read.get(("load_balancer", member.load_balancer_id))
    monitor: HealthMonitor | None = read.get(("health_monitor", pool.healthmonitor_id)) if pool else None
    if pool is None or balancer is None or monitor is None or monitor.type not in TYPES:
        return None
    if not all(one.admin_state_up for one in (member, pool, balancer, monitor)):
        return None
    port = next(_ports(read, member, balancer), None)
    if port is None:
        found = _stranger(read, member, balancer, monitor)
        return (found, None) if found else None
    told = Watched(member_id=member.id, known=member.operating_status, check=check_of(monitor))
    at = address(_asked_at(member))
    source = next((one for one in map(address, _vips(balancer)) if one.version == at.version), None)
    here = wiring.local_port(read, port.id)
    number: int | None = read.get(("probed", end_key(member)))
    if source is None or number is None:
        return _silent(told, f"the balancer has no IPv{at.version} address to ask from"), None
    if not port.admin_state_up:
        return _silent(told, f"port {port.id} is administratively down"), None
    if not isinstance(here, LocalPort):
        why = here.detail if here else "it is not plugged in"
        return None if here and here.passing else (_silent(told, f"port {port.id}: {why}"), None)
    if wiring.is_out_of_use(read, port.id):
        return _silent(told, f"port {port.id} is not plugged in"), None
    end = End(
        member_id=member.id,
        number=number,
        here=here,
        address=at,
        source=source,
        mac=mac(balancer.vip_mac_address),
        type=monitor.type,
        port=_asked_port(member),
    )
    to = ends.text(at.version, number)
    return Watched(
        member_id=member.id, known=told.known, check=told.check, version=at.version, to=to, port=end.port
    ), end


def _stranger(read: Reader, member: Member, balancer: LoadBalancer, monitor: HealthMonitor) -> Watched | None:
    """No port of ours has its address, as far as can be seen here (the server knows for sure): it is probed from
    HAProxy's namespace, which is in the VIP's network and in no other."""
    if read.get(("asker", balancer.id)) != node_facts.host_facts(read).name:
        return None
    peers: Iterable[Peer | None] = (read.get(("peer", id)) for id in read.get(("known at", _asked_at(member))) or ())
    if any(_may_ask(read, balancer, peer.network_id) for peer in peers if peer):
        return None
    at = address(_asked_at(member))
    return Watched(
        member_id=member.id,
        known=member.operating_status,
        check=check_of(monitor),
        version=at.version,
        to=_asked_at(member),
        port=_asked_port(member),
        within=balancer.id,
    )


def _silent(told: Watched, problem: str) -> Watched:
    return Watched(member_id=told.member_id, known=told.known, check=told.check, problem=problem)


def _vips(balancer: LoadBalancer) -> Iterator[str]:
    yield balancer.vip_address
    yield from (vip.ip_address for vip in balancer.vips)


def _ports(read: Reader, member: Member, balancer: LoadBalancer) -> Iterator[Port]:
    """That have the member's address, and that the balancer may ask."""
    found = (read.get(("port", id)) for id in read.get(("with address", _asked_at(member))) or ())
    subnet: Subnet | None = read.get(("subnet", member.subnet_id)) if member.subnet_id else None
    wanted = subnet.network_id if subnet and _lies_in(member, subnet) else None
    for port in filter(None, found):
        if wanted in (None, port.network_id) and _may_ask(read, balancer, port.network_id):
            yield port


def _lies_in(member: Member, subnet: Subnet) -> bool:
    """A monitor's address may be on another subnet than the member's."""
    return within(address(_asked_at(member)), prefix(subnet.cidr))


def _may_ask(read: Reader, balancer: LoadBalancer, network_id: str) -> bool:
    """A gateway routes to the networks behind it for the balancers of the router's own project only."""
    if network_id == balancer.vip_network_id:
        return True
    behind: frozenset[str] = read.get(("routers on", network_id)) or frozenset()
    beside: frozenset[str] = read.get(("routers on", balancer.vip_network_id)) or frozenset()
    if not behind.isdisjoint(beside):
        return True
    leading: frozenset[str] = read.get(("routers out to", balancer.vip_network_id)) or frozenset()
    routers: Iterable[Router | None] = (read.get(("router", id)) for id in sorted(behind & leading))
    return any(router.project_id == balancer.project_id for router in routers if router)
