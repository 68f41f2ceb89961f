"""Members that are no port of ours: hosts outside, on a provider network, bare metal.

No node has them, so that none asks them how they are by itself.  Who runs HAProxy for their balancer is in the VIP's
network and does (decision 0585).
"""

from collections.abc import Collection, Iterable

from netweft.control.l2.hosts import HOST
from netweft.control.lb.vocabulary import BALANCERS, MEMBERS, MONITORS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.model.proxy import PROXY_OWNER
from netweft.store import Object, Query, ReadTransaction


def asked_at(member: Object) -> str:
    return str(member.get("monitor_address") or member["address"])


def of(tx: ReadTransaction, members: Collection[Object]) -> list[Object]:
    """Those whose address no port has in the member's subnet, in the VIP's network or in the balancer's project."""
    balancers = tx.get_many(BALANCERS, {row[LOAD_BALANCER] for row in members})
    having = _having(tx, members, balancers.values())
    return [
        row
        for row in members
        if (balancer := balancers.get(row[LOAD_BALANCER]))
        and not any(_is_it(row, balancer, port) for port in having.get(asked_at(row), ()))
    ]


def _having(tx: ReadTransaction, members: Iterable[Object], balancers: Collection[Object]) -> dict[str, list[Object]]:
    """Ports by address."""
    at = sorted({asked_at(row) for row in members})
    subnets = tx.get_many("subnets", {row["subnet_id"] for row in members if row.get("subnet_id")}).values()
    networks = {one["network_id"] for one in subnets} | {one["vip_network_id"] for one in balancers}
    found: dict[str, Object] = {}
    for name, values in (("network_id", networks), ("project_id", {one["project_id"] for one in balancers})):
        wanted = Query({"fixed_ips.ip_address": at, name: sorted(values)})
        found |= {port["id"]: port for port in tx.query("ports", wanted)} if at and values else {}
    having: dict[str, list[Object]] = {}
    for port in found.values():
        for fixed in port["fixed_ips"]:
            having.setdefault(fixed["ip_address"], []).append(port)
    return having


def _is_it(member: Object, balancer: Object, port: Object) -> bool:
    subnets = {fixed["subnet_id"] for fixed in port["fixed_ips"]}
    here = port["network_id"] == balancer["vip_network_id"] or port["project_id"] == balancer["project_id"]
    return here or member.get("subnet_id") in subnets


def are_asked(tx: ReadTransaction, balancer_id: str) -> bool:
    """Whether a pool with a monitor has any."""
    monitors = tx.query(MONITORS, Query({LOAD_BALANCER: [balancer_id]}))
    pools = {one["pool_id"] for one in monitors}
    members = tx.query(MEMBERS, Query({LOAD_BALANCER: [balancer_id]})) if pools else []
    return bool(of(tx, [row for row in members if row["pool_id"] in pools]))


def asked_by(tx: ReadTransaction, node: str, members: Collection[Object]) -> set[str]:
    """Ids of those whose balancer has an instance of HAProxy on this node."""
    ids = sorted({row[LOAD_BALANCER] for row in members})
    where = Query({LOAD_BALANCER: ids, "device_owner": [PROXY_OWNER], HOST: [node]})
    balancers = {port[LOAD_BALANCER] for port in tx.query("ports", where)} if ids else set()
    own = [row for row in members if row[LOAD_BALANCER] in balancers]
    return {row["id"] for row in of(tx, own)} if own else set()
