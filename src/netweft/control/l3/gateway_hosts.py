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
    for port in tx.lock_many("ports", sorted(ids)).values():
        placed(tx, port, without=without)


def _best(tx: WriteTransaction, port: Object, without: Collection[str]) -> str:
    return next(iter(able(tx, port, without)), "")


def _weight(router_id: str, host: str) -> bytes:
    return hashlib.blake2s(f"{router_id} {host}".encode()).digest()
