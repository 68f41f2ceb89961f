"""What nodes have counted: of which objects a node may say something, and the sums that are shown.

A node is heard about what is translated, or passes, on it: floating IPs of its VMs, whatever belongs to a router whose
gateway it has, and rules of firewalls of its ports and of routers that it routes for.  What it says of others' is left
out, in silence: it may have lost them just now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from netweft.control.fwaas import counted as firewalls
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import gateway_agents
from netweft.control.l3.associations import LEADING
from netweft.control.l3.owners import GATEWAY
from netweft.model.counting import ACTIVE, COUNTED_KINDS, OF_LISTENERS, Counted
from netweft.model.metering import METERED, SHARED
from netweft.store import Counts, Object, Query, ReadTransaction, Told, WriteTransaction

LABELS: Final = "metering_labels"
# what is counted of balancers -> the kind of its rows
BALANCED: Final[Mapping[str, str]] = {"listeners": "listeners", "pools": "pools", **OF_LISTENERS}
FLOATING: Final = "floatingips"
# of what belongs to a router, the attribute that says to which
_ROUTER: Final[Mapping[str, str]] = {"routers": "id", FLOATING: "router_id", "port_forwardings": "device_id"}


def report(tx: WriteTransaction, node: str, counted: Sequence[Counted]) -> int:
    """Returns how many were taken.  What only a newer agent counts is left out."""
    kinds = (COUNTED_KINDS | OF_LISTENERS.keys()) & {one.kind for one in counted}
    heard_of = {kind: _heard_of(tx.glance, node, kind, counted) for kind in kinds}
    heard = [one for one in counted if one.id in heard_of.get(one.kind, ())]
    tx.counters.tell(node, (told(one) for one in heard if one.kind != ACTIVE))
    tx.counters.set(node, (told(one) for one in heard if one.kind == ACTIVE))
    return len(heard)


def sums(tx: ReadTransaction, kind: str, ids: Collection[str]) -> dict[str, Counts]:
    """Of all of these."""
    return {id: Counts() for id in ids} | tx.counters.sums(kind, ids)


def told(one: Counted) -> Told:
    counts = Counts(one.packets_in, one.bytes_in, one.packets_out, one.bytes_out)
    return Told(one.kind, one.id, one.life, counts)


def _heard_of(tx: ReadTransaction, node: str, kind: str, counted: Iterable[Counted]) -> set[str]:
    rows = tx.get_many(BALANCED.get(kind, kind), {one.id for one in counted if one.kind == kind})
    if kind in BALANCED:  # who may have clients of it counts: nodes that are sent it (`feed.session`)
        return set(rows)
    if kind == LABELS:
        projects = _projects_of(tx, node)
        return {id for id, row in rows.items() if row[METERED] in projects}
    if kind == firewalls.RULES:
        return firewalls.rules_on(tx, node, rows)
    routers = {id: row[_ROUTER[kind]] for id, row in rows.items() if row.get(_ROUTER[kind])}
    gateways = tx.query("ports", Query({"device_id": sorted(set(routers.values())), "device_owner": [GATEWAY]}))
    here = {port["device_id"] for port in gateways if node in gateway_agents.hosts_of(port)}
    return {id for id, router in routers.items() if router in here} | _of_vms(tx, node, kind, rows)


def _of_vms(tx: ReadTransaction, node: str, kind: str, rows: Mapping[str, Object]) -> set[str]:
    ports = {id: port for id, row in rows.items() if kind == FLOATING and (port := row.get("port_id"))}
    here = {id for id, port in tx.get_many("ports", set(ports.values())).items() if port[HOST] == node}
    return {id for id, port in ports.items() if port in here}


def _projects_of(tx: ReadTransaction, node: str) -> set[str]:
    """Whose labels are asked on the node."""
    ids = {*gateway_agents.routers_with(tx, node), *_routers_by_floating_ips(tx, node)}
    routers = tx.get_many("routers", ids).values()
    return {SHARED, *(router["project_id"] for router in routers)} if routers else set()


def _routers_by_floating_ips(tx: ReadTransaction, node: str) -> set[str]:
    """By which VMs there have floating IPs."""
    ports = tx.query("ports", Query({HOST: [node]}))
    leading = tx.get_many(FLOATING, {id for port in ports for id in port.get(LEADING) or ()})
    return {row["router_id"] for row in leading.values() if row["router_id"]}
