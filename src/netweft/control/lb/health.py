"""What nodes have found out about members.  What follows from it for pools and balancers is worked out (`shown`).

A node is heard of a member whose port is bound to it, and of one that is no port of ours where it runs HAProxy for the
balancer; of no other: what it says of others' is left out, in silence, as it may have lost them just now.  Written is
what changes, and nothing when nothing does.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from netweft.control.ipam import addresses
from netweft.control.ipam.subnets import scope
from netweft.control.l2.hosts import HOST, agent_of, is_there
from netweft.control.lb import external_members
from netweft.control.lb.external_members import asked_at
from netweft.control.lb.vocabulary import BALANCERS, MEMBERS
from netweft.model.health import MemberHealth
from netweft.model.load_balancer import LOAD_BALANCER, ONLINE
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

STATUS: Final = "operating_status"
GONE: Final = "its node is gone"  # which one, is not for users
WHY: Final = "netweft:status_detail"  # kept on a member, not shown: what its monitor has last said of it


def report(tx: WriteTransaction, node: str, health: Sequence[MemberHealth]) -> int:
    """Returns how many were news."""
    told = {one.member_id: one for one in health}
    found = tx.glance.get_many(MEMBERS, told)
    news = {id: row for id, row in found.items() if _is_news(row, told[id])}
    here = of_node(tx.glance, node, news.values())
    here |= external_members.asked_by(tx.glance, node, [row for id, row in news.items() if id not in here])
    return _say(tx, {id: told[id] for id in news if id in here}, news)


def node_gone(tx: WriteTransaction, node: str) -> None:
    """Nobody watches its members: they get no traffic until somebody does.  Those without a monitor stay."""
    agent = agent_of(tx.glance, node)
    if agent is None or is_there(agent):
        return
    ports = tx.query("ports", Query({HOST: [node]}))
    at = sorted({fixed["ip_address"] for port in ports for fixed in port["fixed_ips"]})
    asked = ({"address": at}, {"monitor_address": at}) if at else ()
    rows = {row["id"]: row for filters in asked for row in tx.query(MEMBERS, Query(filters))}
    watched = {id: row for id, row in rows.items() if row.get(STATUS) == ONLINE}
    here = of_node(tx.glance, node, watched.values(), ports)
    _say(tx, {id: MemberHealth(member_id=id, status="ERROR", why=GONE) for id in watched if id in here}, watched)


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


def _is_news(row: Object, told: MemberHealth) -> bool:
    return row.get(STATUS) != told.status or told.why != (row.get(WHY) or "")


def _say(tx: WriteTransaction, told: Mapping[str, MemberHealth], rows: Mapping[str, Object]) -> int:
    balancers = {rows[id][LOAD_BALANCER] for id in told}
    if not balancers:
        return 0
    tx.hold((), [(BALANCERS, id) for id in sorted(balancers)])
    members = tx.lock_many(MEMBERS, told)
    news = [(row, told[id]) for id, row in members.items() if _is_news(row, told[id])]
    changed = [row | {STATUS: one.status, WHY: one.why} for row, one in news]
    tx.update_many(MEMBERS, changed)
    return len(changed)
