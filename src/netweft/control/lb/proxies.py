"""Where HAProxy runs for a balancer that flows alone can't serve, or that has members to ask that no node has: two
ports of its own in the VIP's network, or as many as its flavor says, each on another host.

Hosts are chosen by rendezvous hashing among those that have HAProxy, can wire the network and are in the zone that the
balancer's availability zone names, so that they share the balancers. A port stays where it is while its host can have
it; a host that is gone gives its ports to others, address and all. A port for which there is no host waits for one.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from netweft.control import locks, zones
from netweft.control.errors import Refused
from netweft.control.l2 import hosts
from netweft.control.l2.hosts import HOST
from netweft.control.l3.owners import new_port
from netweft.control.lb import external_members, offers
from netweft.control.lb.tree import Tree
from netweft.control.lb.vocabulary import BALANCERS, LISTENERS, MEMBERS, POOLS
from netweft.control.standard import UseCases, bumped
from netweft.model import Listener, Member, Pool
from netweft.model.load_balancer import LOAD_BALANCER, VIP_ADDRESSES
from netweft.model.proxy import BUILD, PROXY_OWNER, needs_proxy
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

_AGENT: Final = "netweft-agent"
T = TypeVar("T", Listener, Pool, Member)


class NotPlaced(Exception):
    """There is no place for HAProxy's ports in the VIP's network.  The balancer is no less for that."""


class Proxies:
    """ports: as they are for us, not for those who ask for ports."""

    def __init__(self, ports: UseCases) -> None:
        self._ports = ports

    def place(self, tx: WriteTransaction, id: str) -> None:
        """As many as the balancer needs, after it has changed."""
        balancer = locks.to_change(tx, BALANCERS, id, {})
        if balancer is None:
            return
        there = _of(tx, id)
        if _needed(tx, balancer):
            self._fill(tx, balancer, there)
        else:
            self._delete(tx, there)

    def place_new(self, tx: WriteTransaction, tree: Tree) -> None:
        """In the transaction that makes the balancer; raises NotPlaced."""
        if not (tree.rows(LISTENERS) or tree.rows(MEMBERS)) or not _needed(tx, tree.balancer):
            return
        try:
            self._fill(tx, tree.balancer, [])
        except Refused as problem:
            raise NotPlaced from problem

    def _fill(self, tx: WriteTransaction, balancer: Object, there: Sequence[Object]) -> None:
        id = balancer["id"]
        vips = balancer[VIP_ADDRESSES]
        missing = offers.haproxy_nodes(balancer) - len(there)
        wanted = new_port(
            PROXY_OWNER,
            id,
            balancer["network_id"],
            project_id="",
            fixed_ips=[{"subnet_id": one} for one in dict.fromkeys(vip["subnet_id"] for vip in vips)],
            port_security_enabled=False,
            status=BUILD,
        )
        made = self._ports.create(tx, [dict(wanted) for _ in range(missing)]) if missing > 0 else []
        surplus = max(-missing, 0)  # of an older server, where the flavor asks for fewer
        self._delete(tx, there[:surplus])
        _spread(tx, [*there[surplus:], *made])

    def move(self, tx: WriteTransaction, id: str) -> None:
        """Each of them to a node that has none, as far as there are any."""
        held = list(tx.lock_many("ports", sorted(port["id"] for port in _of(tx, id))).values())
        _spread(tx, held, {port[HOST] for port in held})

    def take_back(self, tx: WriteTransaction, id: str) -> None:
        """Before the balancer goes."""
        self._delete(tx, _of(tx, id))

    def _delete(self, tx: WriteTransaction, ports: Iterable[Object]) -> None:
        for port in tx.lock_many("ports", sorted(port["id"] for port in ports)).values():
            self._ports.delete(tx, port)


def is_due(tx: ReadTransaction, id: str) -> bool:
    """Whether `place` would change anything."""
    balancer = tx.get(BALANCERS, id)
    if balancer is None:
        return False
    there = _of(tx, id)
    return len(there) != offers.haproxy_nodes(balancer) if _needed(tx, balancer) else bool(there)


def are_due(tx: ReadTransaction, id: str) -> bool:
    """Whether one that has a host is not up yet."""
    return any(port[HOST] and port["status"] != "ACTIVE" for port in _of(tx, id))


def give_up(tx: WriteTransaction, id: str) -> None:
    """Those that should serve by now, and do not, get nothing until they do."""
    for port in _of(tx, id):
        if port["status"] == BUILD:
            tx.update("ports", port["id"], bumped(port, {"status": "DOWN"}))


def without_flows(tx: ReadTransaction, id: str) -> list[str]:
    """Ids of those that flows lead to once they are up, and not before."""
    return [port["id"] for port in _of(tx, id) if port["status"] not in ("ACTIVE", BUILD)]


def host_came(tx: WriteTransaction, host: str) -> None:
    """It may have what waits for a host, and what is on a host that cannot have it."""
    waiting = tx.query("ports", Query({"device_owner": [PROXY_OWNER], HOST: [""]}))
    _settle(tx, waiting)


def host_went(tx: WriteTransaction, host: str) -> None:
    """Its ports go to others that can have them; where there is none they stay: what runs there goes on without us."""
    _settle(tx, tx.query("ports", Query({"device_owner": [PROXY_OWNER], HOST: [host]})), without={host})


def _settle(tx: WriteTransaction, ports: Sequence[Object], without: Collection[str] = ()) -> None:
    for id in sorted({port["device_id"] for port in ports}):
        found = [port["id"] for port in _of(tx, id)]
        held = tx.lock_many("ports", sorted(found))
        _spread(tx, [held[one] for one in found if one in held], without)


def _needed(tx: ReadTransaction, balancer: Object) -> bool:
    id = balancer["id"]
    pools = {pool.id: pool for pool in _told(tx, POOLS, id, Pool)}
    members = _told(tx, MEMBERS, id, Member)
    vips = [vip["ip_address"] for vip in balancer[VIP_ADDRESSES]]
    for listener in _told(tx, LISTENERS, id, Listener):
        pool = pools.get(listener.default_pool_id or "")
        if needs_proxy(listener, pool, [one for one in members if pool and one.pool_id == pool.id], vips):
            return True
    return external_members.are_asked(tx, id) and any(map(_can, _agents(tx)))


def _told(tx: ReadTransaction, kind: str, id: str, type: type[T]) -> list[T]:
    rows = tx.query(kind, Query({LOAD_BALANCER: [id]}))
    return [msgspec.convert({name: value for name, value in row.items() if value is not None}, type) for row in rows]


def _of(tx: ReadTransaction, id: str) -> list[Object]:
    """In an order that stays."""
    return tx.query("ports", Query({LOAD_BALANCER: [id], "device_owner": [PROXY_OWNER]}, sort=[("id", False)]))


def _spread(tx: WriteTransaction, ports: Sequence[Object], without: Collection[str] = ()) -> None:
    """One balancer's, held."""
    if not ports:
        return
    network: Any = tx.glance.get("networks", ports[0]["network_id"])
    agents = {one["host"]: one for one in _agents(tx) if one["host"] not in without}
    zone = offers.haproxy_zone(tx.glance.get(BALANCERS, ports[0]["device_id"]) or {})
    able = [
        host
        for host, agent in agents.items()
        if _can(agent) and hosts.can_wire(agent, network) and zone in (None, zones.zone_of(agent))
    ]
    taken = {port[HOST] for port in ports if port[HOST] in able}
    free = sorted(set(able) - taken, key=lambda host: _weight(ports[0]["device_id"], host), reverse=True)
    for port in ports:
        if port[HOST] in able:
            continue
        if not free and port[HOST]:
            continue
        host = free.pop(0) if free else ""
        bound = hosts.binding(host, agents[host], network) if host else hosts.UNBOUND
        if not host:
            bound = bound | {
                "status_detail": "no other host has HAProxy and can wire the network"
                + (f" in zone {zone}" if zone else "")
            }
        if not bound.items() <= port.items():
            tx.update("ports", port["id"], bumped(port, bound))


def _agents(tx: ReadTransaction) -> list[Object]:
    return tx.query("agents", Query({"binary": [_AGENT]}))


def _can(agent: Object) -> bool:
    has_it = bool((agent.get("configurations") or {}).get("proxies"))
    return has_it and hosts.is_there(agent) and bool(agent["admin_state_up"])


def _weight(id: str, host: str) -> bytes:
    return hashlib.blake2s(f"{id} {host}".encode()).digest()
