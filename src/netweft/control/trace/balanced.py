"""Load balancers on a packet's way: which listener takes it, to which members it may be led, what keeps it from that.

Who gets a connection is decided by a hash of its ends in flows, which rows do not tell: each member that gets any is
walked to.  What HAProxy serves is a connection of its own to the member, and starts at HAProxy's port.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple, TypeVar

import msgspec

from netweft.control.explain import codes as known
from netweft.control.explain.balancers import gets_traffic
from netweft.control.explain.examine import found_of
from netweft.control.explain.snapshot import Row, Snapshot
from netweft.control.l2.hosts import HOST
from netweft.control.lb.vocabulary import BALANCERS, LISTENERS, MEMBERS, POLICIES, POOLS, transport
from netweft.control.trace import codes
from netweft.control.trace.packet import WITH_PORTS
from netweft.control.trace.way import Nat, Way, filtered
from netweft.model import Listener, Member, Pool
from netweft.model.load_balancer import LOAD_BALANCER, VIP_ADDRESSES, VIP_OWNER
from netweft.model.proxy import PROXY_OWNER, needs_proxy

T = TypeVar("T", Listener, Pool, Member)
MOST: Final = 8  # members that are walked to
_TOLD = 5  # that are told of, where none gets connections


class Led(NamedTuple):
    """proxy: HAProxy's port; None: flows alone lead to the members.  members: of which it gets one."""

    balancer: Row
    proxy: Row | None
    members: tuple[Row, ...]


def of_vip(seen: Snapshot, port: Row) -> Row | None:
    """The balancer that has this port."""
    return next(seen.all(BALANCERS, vip_port_id=port["id"]), None) if port["device_owner"] == VIP_OWNER else None


def lead(seen: Snapshot, way: Way, balancer: Row, vip: Row) -> Led | None:
    """None: to nobody, or to whom is not known."""
    way.step(BALANCERS, balancer, f"has {way.packet.dst}")
    way.check(seen, BALANCERS, balancer)
    if groups := balancer.get("vip_sg_ids"):
        judged = {**vip, "security_groups": groups, "port_security_enabled": True}
        way.step("ports", vip, filtered(seen, way, judged, "ingress", answer=False))
    if way.packet.protocol not in WITH_PORTS:
        return None  # it answers ping itself
    listener = _listener(seen, way, balancer)
    if listener is None:
        values = {"protocol": way.packet.name.upper(), "port": str(way.packet.dport)}
        way.stops(codes.VIP_NOT_LISTENED, BALANCERS, balancer, str(way.packet), **values)
        return None
    way.step(LISTENERS, listener, f"takes {listener['protocol']} {listener['protocol_port']}")
    _refuses(way, listener)
    pool = _pool(seen, way, listener)
    if pool is None:
        return None
    members = _members(seen, way, pool)
    if not members:
        return None
    proxied = _is_proxied(seen, balancer, listener, pool)
    proxy = _proxy(seen, way, balancer) if proxied else None
    if not proxied:
        members = [one for one in members if ip_address(one["address"]).version == way.packet.version]
    return Led(balancer, proxy, tuple(members)) if members and (proxy or not proxied) else None


def _listener(seen: Snapshot, way: Way, balancer: Row) -> Row | None:
    its = seen.all(LISTENERS, **{LOAD_BALANCER: balancer["id"]}, protocol_port=way.packet.dport, admin_state_up=True)
    return next((one for one in its if transport(one["protocol"]).lower() == way.packet.name), None)


def _refuses(way: Way, listener: Row) -> None:
    allowed = listener.get("allowed_cidrs") or ()
    if allowed and not any(ip_address(way.packet.src) in ip_network(one, strict=False) for one in allowed):
        values = {"address": str(ip_network(way.packet.src))}
        way.stops(codes.LISTENER_REFUSES, LISTENERS, listener, f"{way.packet.src}, not {', '.join(allowed)}", **values)


def _pool(seen: Snapshot, way: Way, listener: Row) -> Row | None:
    policies = any(seen.all(POLICIES, listener_id=listener["id"], admin_state_up=True))
    pool = seen.get(POOLS, listener.get("default_pool_id"))
    if policies:
        way.suppose(f"no L7 policy of listener {listener['id']} is true of what is asked for")
    if pool is None and not policies and listener["protocol"] != "PROMETHEUS":
        way.stops(known.LISTENER_NO_POOL, LISTENERS, listener)
    return pool


def _members(seen: Snapshot, way: Way, pool: Row) -> list[Row]:
    """That get connections: backups where no other does."""
    every = list(seen.all(MEMBERS, pool_id=pool["id"]))
    well = [one for one in every if gets_traffic(one)]
    if not well:
        for member in every[:_TOLD]:  # why, before what comes of it
            way.check(seen, MEMBERS, member)
    way.check(seen, POOLS, pool)
    down = sum(1 for one in every if any(found.code.blocks for found in found_of(seen, MEMBERS, one)))
    words = f"{len(well)} of {len(every)} members get connections" + (f", {down} are not well" if well and down else "")
    way.step(POOLS, pool, f"{words}: {pool['lb_algorithm']}" if well else words)
    return ([one for one in well if not one.get("backup")] or well)[:MOST]


def _is_proxied(seen: Snapshot, balancer: Row, listener: Row, pool: Row) -> bool:
    members = [_as(Member, one) for one in seen.all(MEMBERS, pool_id=pool["id"])]
    vips = [vip["ip_address"] for vip in balancer.get(VIP_ADDRESSES) or ()]
    return needs_proxy(_as(Listener, listener), _as(Pool, pool), members, vips)


def _as(type: type[T], row: Row) -> T:
    return msgspec.convert({name: value for name, value in row.items() if value is not None}, type)


def _proxy(seen: Snapshot, way: Way, balancer: Row) -> Row | None:
    """Where HAProxy serves; else where it should."""
    ports = list(seen.all("ports", **{LOAD_BALANCER: balancer["id"]}, device_owner=PROXY_OWNER))
    well = next((one for one in ports if one["status"] == "ACTIVE"), None)
    if well is None and ports:
        said = [(one[HOST] or "no host", one.get("status_detail") or "not up") for one in ports]
        host = next((one[HOST] for one in ports if one[HOST]), "HOST")
        why = ", ".join(": ".join(one) for one in said)
        way.stops(codes.NO_PROXY, BALANCERS, balancer, why, host=host)
    elif well is None:
        way.suppose(f"HAProxy serves load balancer {balancer['id']}")
    return well


def gives(way: Way, led: Led, member: Row) -> None:
    """The packet to this member."""
    its = led.balancer
    if led.proxy is not None:
        own = _own(led.proxy, member["address"])
        way.step("ports", led.proxy, f"HAProxy takes it, and connects to the member from {own}")
        way.translate(its, "src", own, way.packet.sport, kind=BALANCERS)
    way.step(MEMBERS, member, f"may get it at {member['address']} port {member['protocol_port']}")
    way.translate(its, "dst", member["address"], member["protocol_port"], kind=BALANCERS)


def _own(proxy: Row, address: str) -> str:
    """Of the member's IP version, where it has one."""
    own = [fixed["ip_address"] for fixed in proxy["fixed_ips"]]
    return next((one for one in own if (":" in one) == (":" in address)), own[0] if own else address)


def takes_back(seen: Snapshot, way: Way, nats: tuple[Nat, ...], *, by_proxy: bool = False) -> bool:
    """An answer of a member becomes one of the VIP; by_proxy: at HAProxy's own port."""
    for nat in nats:
        balancer = seen.get(BALANCERS, nat.router) if nat.kind == BALANCERS and nat.side == "dst" else None
        if balancer is None or nat.now != (way.packet.src, way.packet.sport):
            continue
        if any(one.kind == BALANCERS and one.side == "src" for one in nats) != by_proxy:
            continue
        if by_proxy:
            way.undo(balancer, "src", nats)
        way.undo(balancer, "dst", nats)
        way.step(BALANCERS, balancer, f"answers as {way.packet.src}")
        return True
    return False


def ends(seen: Snapshot, port: Row) -> Iterator[Row]:
    """The networks' subnets of the VIP, by which its balancer reaches members elsewhere."""
    return seen.many("subnets", {fixed["subnet_id"]: None for fixed in port["fixed_ips"]})
