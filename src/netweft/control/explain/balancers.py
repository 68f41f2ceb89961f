"""Checks of load balancers, their listeners, pools and members."""

from collections.abc import Iterator

from netweft.control.explain import codes
from netweft.control.explain.snapshot import Row, Snapshot, Told
from netweft.control.lb.external_members import asked_at
from netweft.control.lb.health import STATUS
from netweft.control.lb.vocabulary import ACTIVE, BALANCERS, LISTENERS, MEMBERS, MONITORS, POLICIES, POOLS, PROMETHEUS
from netweft.model.load_balancer import HEALTHY, LOAD_BALANCER, OFFLINE, VIP_OWNER


def no_listener(seen: Snapshot, balancer: Row) -> Iterator[Told]:
    if not any(one["admin_state_up"] for one in _below(seen, LISTENERS, balancer)):
        yield Told(codes.BALANCER_NO_LISTENER)


def pending(seen: Snapshot, balancer: Row) -> Iterator[Told]:
    if balancer["provisioning_status"] != ACTIVE:
        yield Told(codes.BALANCER_PENDING)


def no_pool(seen: Snapshot, listener: Row) -> Iterator[Told]:
    """Nor an L7 policy that may lead elsewhere."""
    leads = listener.get("default_pool_id") or listener["protocol"] == PROMETHEUS
    if not leads and not any(seen.all(POLICIES, listener_id=listener["id"], admin_state_up=True)):
        yield Told(codes.LISTENER_NO_POOL)


def no_member(seen: Snapshot, pool: Row) -> Iterator[Told]:
    if not any(_members(seen, pool)):
        yield Told(codes.POOL_NO_MEMBER)


def no_member_well(seen: Snapshot, pool: Row) -> Iterator[Told]:
    members = list(_members(seen, pool))
    if members and not any(gets_traffic(one) for one in members):
        yield Told(codes.POOL_ALL_DOWN)


def unused(seen: Snapshot, pool: Row) -> Iterator[Told]:
    by_listeners = any(seen.all(LISTENERS, default_pool_id=pool["id"]))
    if not by_listeners and not any(seen.all(POLICIES, redirect_pool_id=pool["id"])):
        yield Told(codes.POOL_UNUSED)


def member_admin_down(seen: Snapshot, member: Row) -> Iterator[Told]:
    if not member["admin_state_up"]:
        yield Told(codes.MEMBER_ADMIN_DOWN, values={"pool": member["pool_id"]})


def is_a_vip(seen: Snapshot, member: Row) -> Iterator[Told]:
    port = port_of(seen, member)
    if port is not None and port.get("device_owner") == VIP_OWNER:
        yield Told(codes.MEMBER_IS_A_VIP, values={"pool": member["pool_id"]}, about=(("ports", port["id"]),))


def drained(seen: Snapshot, member: Row) -> Iterator[Told]:
    if member["weight"] == 0:
        yield Told(codes.MEMBER_DRAINED, values={"pool": member["pool_id"]})


def not_answered(seen: Snapshot, member: Row) -> Iterator[Told]:
    port = port_of(seen, member)
    if is_watched(seen, member) and member[STATUS] == OFFLINE and port:
        yield Told(codes.MEMBER_NOT_ASKED, values={"port": port["id"]})


def nobodys(seen: Snapshot, member: Row) -> Iterator[Told]:
    if is_watched(seen, member) and member[STATUS] == OFFLINE and not port_of(seen, member):
        yield Told(codes.MEMBER_NO_PORT, values={"address": asked_at(dict(member))})


def is_watched(seen: Snapshot, member: Row) -> bool:
    monitors = seen.all(MONITORS, pool_id=member["pool_id"])
    return bool(member["admin_state_up"]) and any(one["admin_state_up"] for one in monitors)


def port_of(seen: Snapshot, member: Row) -> Row | None:
    """That has the address which is asked: in the member's subnet, or in the VIP's network, where it says none."""
    balancer = seen.get(BALANCERS, member[LOAD_BALANCER])
    network = balancer["vip_network_id"] if balancer else None
    at, subnet = asked_at(dict(member)), member.get("subnet_id")
    for port in seen.rows.get("ports", {}).values():
        for fixed in port["fixed_ips"]:
            if fixed["ip_address"] == at and (fixed["subnet_id"] == subnet or port["network_id"] == network):
                return port
    return None


def gets_traffic(member: Row) -> bool:
    return bool(member["admin_state_up"] and member["weight"] and member[STATUS] in HEALTHY)


def _members(seen: Snapshot, pool: Row) -> Iterator[Row]:
    return seen.all(MEMBERS, pool_id=pool["id"])


def _below(seen: Snapshot, kind: str, balancer: Row) -> Iterator[Row]:
    return seen.all(kind, **{LOAD_BALANCER: balancer["id"]})


def pools_of(seen: Snapshot, balancer: Row) -> list[Row]:
    """To which its listeners lead."""
    leading = {one.get("default_pool_id") for one in _below(seen, LISTENERS, balancer) if one["admin_state_up"]}
    return [pool for pool in _below(seen, POOLS, balancer) if pool["id"] in leading]
