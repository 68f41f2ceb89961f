"""On which host a router's gateway is: among those that are wired to the external network, by rendezvous hashing.

Each router has its own order of hosts, so that they share the routers, and one host more or less moves only what it
gets or had.  A gateway stays where it is until its host is gone, or cannot do it any more (decision 0410).
"""

import hashlib
from collections.abc import Collection, Iterable

from netweft.control.l2 import hosts
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import attached, eligible
from netweft.control.l3.associations import KIND
from netweft.control.l3.owners import GATEWAY
from netweft.control.standard import bumped
from netweft.model.router import EXTRA, GATEWAY_PORT
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

_AGENT = "netweft-agent"  # the binary of agents that route


def placed(tx: WriteTransaction, port: Object, *, without: Collection[str] = ()) -> Object:
    """The gateway's port, held, on the host that is best for it; on none, if there is none."""
    return put(tx, port, _best(tx, port, without))


def able(tx: WriteTransaction, port: Object, without: Collection[str] = ()) -> list[str]:
    """The hosts that may have this gateway, the best one first."""
    network = tx.glance.get("networks", port["network_id"])
    agents = tx.query("agents", Query({"binary": [_AGENT]}))
    there = [one for one in agents if network and hosts.is_there(one) and hosts.can_wire(one, network)]
    found = {one["host"] for one in eligible.for_router(tx.glance, port["device_id"], there)}
    return sorted(found.difference(without), key=lambda host: _weight(port["device_id"], host), reverse=True)


def put(tx: WriteTransaction, port: Object, host: str) -> Object:
    """On this host; on none, if it is empty."""
    bound = hosts.Binder(tx).bind(host, port) | {"status": "ACTIVE" if host else "DOWN"}
    if not host:
        bound["status_detail"] = "no host that is there is wired to the external network"
    if bound.items() <= port.items():
        return port
    placed = tx.update("ports", port["id"], bumped(port, bound))
    if bool(host) != bool(port[HOST]):
        _tell_floating_ips(tx, port["device_id"], host)
    return placed


def floating_status(tx: ReadTransaction, router_id: str) -> str:
    """Of a floating IP that leads to a port by this router."""
    return _status(any(port[HOST] for port in attached.gateways(tx, router_id)))


def _status(there: object) -> str:
    return "ACTIVE" if there else "DOWN"


def _tell_floating_ips(tx: WriteTransaction, router_id: str, host: str) -> None:
    ids = {referrer.id for referrer in tx.referrers("routers", router_id, source_kind=KIND)}
    for one in tx.lock_many(KIND, sorted(ids)).values():
        if one["router_id"] and one["status"] != _status(host):
            tx.update(KIND, one["id"], bumped(one, {"status": _status(host)}))


def host_came(tx: WriteTransaction, host: str) -> None:
    """Or can do other than before: what was nowhere, or is here in vain, is placed."""
    there = tx.query("ports", Query({HOST: ["", host], "device_owner": [GATEWAY]}))
    _place(tx, (port["id"] for port in there if not port[HOST] or port[hosts.VIF_TYPE] == hosts.FAILED))


def host_went(tx: WriteTransaction, host: str) -> None:
    """Its gateways go on elsewhere, if there is somebody else; where they were they stay as they are, without us."""
    there = tx.query("ports", Query({HOST: [host], "device_owner": [GATEWAY]}))
    others = {port["id"]: _best(tx, port, {host}) for port in there}
    _place(tx, (id for id, other in others.items() if other), without={host})


def _place(tx: WriteTransaction, ids: Iterable[str], *, without: Collection[str] = ()) -> None:
    for port in tx.lock_many("ports", sorted(_with_others(tx, set(ids)))).values():
        placed(tx, port, without=without)


def _with_others(tx: WriteTransaction, ids: set[str]) -> set[str]:
    """With the other gateways of routers that have several: one goes where the others go."""
    routers = {port["device_id"] for port in tx.glance.get_many("ports", ids).values()}
    several = (one for one in tx.glance.get_many(attached.KIND, routers).values() if one.get(EXTRA))
    return ids | {id for one in several for id in attached.gateway_ports(one)}


def together(tx: WriteTransaction, router: Object) -> None:
    """A router's gateways, after one has come or gone: all are where the first is."""
    ids = attached.gateway_ports(router)
    if len(ids) > 1:
        _place(tx, ids)


def _best(tx: WriteTransaction, port: Object, without: Collection[str]) -> str:
    """Where the router's first gateway can be, and as many of its others as there can; "" if that is no place for this
    one."""
    router_id, first, networks = port["device_id"], port, {}
    router = tx.glance.get(attached.KIND, router_id) or {}
    for one in [port, *tx.glance.get_many("ports", attached.gateway_ports(router)).values()]:
        first = one if one["id"] == router.get(GATEWAY_PORT) else first
        networks[one["id"]] = tx.glance.get("networks", one["network_id"])
    agents = [one for one in tx.query("agents", Query({"binary": [_AGENT]})) if hosts.is_there(one)]
    wired: dict[str, set[str]] = {}
    for agent in eligible.for_router(tx.glance, router_id, agents):
        if agent["host"] not in without:
            wired[agent["host"]] = {id for id, found in networks.items() if found and hosts.can_wire(agent, found)}
    there = [host for host, ids in wired.items() if first["id"] in ids]
    host = max(there, key=lambda host: (len(wired[host]), host == first[HOST], _weight(router_id, host)), default="")
    return host if port["id"] in wired.get(host, ()) else ""


def _weight(router_id: str, host: str) -> bytes:
    return hashlib.blake2s(f"{router_id} {host}".encode()).digest()
