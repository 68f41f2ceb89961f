"""What nodes have found out about members, and what follows from it for pools and balancers, in one transaction.

A node is heard of a member whose port is bound to it, and of no other: what it says of others' is left out, in silence,
as it may have lost them just now.  Written is what changes, and nothing when nothing does.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from netweft.control.ipam import addresses
from netweft.control.ipam.subnets import scope
from netweft.control.l2.hosts import HOST
from netweft.control.standard import now
from netweft.model.health import MemberHealth
from netweft.model.load_balancer import DEGRADED, DRAINING, ERROR, LOAD_BALANCER, OFFLINE, ONLINE
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

BALANCERS, POOLS, MEMBERS = "loadbalancers", "pools", "members"
STATUS: Final = "operating_status"
WHY: Final = "netweft:status_detail"  # kept on a member, not shown: what its monitor has last said of it


def report(tx: WriteTransaction, node: str, health: Sequence[MemberHealth]) -> int:
    """Returns how many were news."""
    told = {one.member_id: one for one in health}
    found = tx.glance.get_many(MEMBERS, told)
    news = {id: row for id, row in found.items() if _is_news(row, told[id])}
    here = of_node(tx, node, news.values())
    return _say(tx, {id: told[id] for id in news if id in here}, news)


def node_gone(tx: WriteTransaction, node: str) -> None:
    """Nobody watches its members: they get no traffic until somebody does.  Those without a monitor stay."""
    ports = tx.query("ports", Query({HOST: [node]}))
    at = sorted({fixed["ip_address"] for port in ports for fixed in port["fixed_ips"]})
    asked = ({"address": at}, {"monitor_address": at}) if at else ()
    rows = {row["id"]: row for filters in asked for row in tx.query(MEMBERS, Query(filters))}
    watched = {id: row for id, row in rows.items() if row.get(STATUS) in (ONLINE, DRAINING)}
    here = of_node(tx, node, watched.values(), ports)
    why = f"node {node} is gone"
    _say(tx, {id: MemberHealth(member_id=id, status="ERROR", why=why) for id in watched if id in here}, watched)


def of_node(
    tx: ReadTransaction, node: str, members: Collection[Object], ports: Sequence[Object] | None = None
) -> set[str]:
    """The ids of those that a port on this node has the address of.  ports: that are bound to it, if known."""
    holders = _holders(tx, members)
    bound = tx.get_many("ports", set(holders.values()))
    here = {id for id, port_id in holders.items() if bound[port_id][HOST] == node}
    others = [row for row in members if row["id"] not in holders]
    if not others:
        return here
    return here | _by_address(tx, others, tx.query("ports", Query({HOST: [node]})) if ports is None else ports)


def _holders(tx: ReadTransaction, members: Iterable[Object]) -> dict[str, str]:
    """member -> port, of those that say in which subnet they are."""
    by_subnet: dict[str, dict[str, list[str]]] = {}
    for row in members:
        if row.get("subnet_id"):
            values = by_subnet.setdefault(row["subnet_id"], {})
            values.setdefault(str(addresses.number(asked_at(row))), []).append(row["id"])
    return {
        id: port_id
        for subnet, values in by_subnet.items()
        for value, (_, port_id) in tx.holders(scope(subnet), values).items()
        for id in values[value]
    }


def _by_address(tx: ReadTransaction, members: Collection[Object], ports: Iterable[Object]) -> set[str]:
    """Of the others: a port in the VIP's network, or one of the same project.  Other tenants may have that address."""
    balancers = tx.get_many(BALANCERS, {row[LOAD_BALANCER] for row in members})
    having: dict[str, list[Object]] = {}
    for port in ports:
        for fixed in port["fixed_ips"]:
            having.setdefault(fixed["ip_address"], []).append(port)
    return {
        row["id"]
        for row in members
        if (balancer := balancers.get(row[LOAD_BALANCER]))
        for port in having.get(asked_at(row), ())
        if port["network_id"] == balancer["vip_network_id"] or port["project_id"] == balancer["project_id"]
    }


def asked_at(member: Object) -> str:
    return str(member.get("monitor_address") or member["address"])


def _is_news(row: Object, told: MemberHealth) -> bool:
    """One that is drained is well for its monitor."""
    known = ONLINE if row.get(STATUS) == DRAINING else row.get(STATUS)
    return known != told.status or told.why != (row.get(WHY) or "")


def _say(tx: WriteTransaction, told: Mapping[str, MemberHealth], rows: Mapping[str, Object]) -> int:
    balancers = {rows[id][LOAD_BALANCER] for id in told}
    if not balancers:
        return 0
    tx.hold((), [(BALANCERS, id) for id in sorted(balancers)])
    members = tx.lock_many(MEMBERS, told)
    changed = [row | _said(row, told[id]) for id, row in members.items() if _is_news(row, told[id])]
    tx.update_many(MEMBERS, changed)
    roll_up(tx, sorted({row["pool_id"] for row in changed}))
    return len(changed)


def _said(row: Object, told: MemberHealth) -> Object:
    is_drained = told.status == ONLINE and row.get("weight") == 0
    return {STATUS: DRAINING if is_drained else told.status, WHY: told.why, "updated_at": now()}


def roll_up(tx: WriteTransaction, pool_ids: Sequence[str]) -> None:
    """What members make of these pools, and those of their balancers, which are held."""
    pools = tx.lock_many(POOLS, pool_ids)
    members = tx.query(MEMBERS, Query({"pool_id": sorted(pools)})) if pools else []
    changed = []
    for id, pool in pools.items():
        status = of_pool(pool, [row for row in members if row["pool_id"] == id])
        if status != pool.get(STATUS):
            changed.append(pool | {STATUS: status, "updated_at": now()})
    tx.update_many(POOLS, changed)
    balancers = tx.lock_many(BALANCERS, {pool[LOAD_BALANCER] for pool in changed})
    all_pools = tx.query(POOLS, Query({LOAD_BALANCER: sorted(balancers)})) if balancers else []
    news = []
    for id, balancer in balancers.items():
        status = of_balancer(balancer, [pool for pool in all_pools if pool[LOAD_BALANCER] == id])
        if status != balancer.get(STATUS):
            news.append(balancer | {STATUS: status, "updated_at": now()})
    tx.update_many(BALANCERS, news)


def of_pool(pool: Object, members: Iterable[Object]) -> str:
    """As Octavia has it: ERROR when no member is left, DEGRADED when one is missing."""
    if not pool.get("admin_state_up", True):
        return OFFLINE
    said = [row.get(STATUS) for row in members if row.get("admin_state_up", True)]
    if said and all(status == ERROR for status in said):
        return ERROR
    return DEGRADED if ERROR in said else ONLINE


def of_balancer(balancer: Object, pools: Iterable[Object]) -> str:
    if not balancer.get("admin_state_up", True):
        return OFFLINE
    said = [pool.get(STATUS) for pool in pools]
    if ERROR in said:
        return ERROR
    return DEGRADED if DEGRADED in said else ONLINE
