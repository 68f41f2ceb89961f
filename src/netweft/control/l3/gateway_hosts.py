"""On which hosts a router's gateway may be: an order of a few, of those that are wired to the external network.

The first has it, and its port is bound there; the others take over when it is gone, by themselves, and say so
(decision 0460).  Each router has its own order, by rendezvous hashing, so that hosts share the routers, and one host
more or less moves only what it gets or had.  Who has a gateway keeps it until it cannot do it any more.
"""

import hashlib
from collections.abc import Collection, Iterable

from netweft.control.l2 import hosts
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import attached
from netweft.control.l3.associations import KIND
from netweft.control.l3.owners import GATEWAY
from netweft.control.standard import bumped
from netweft.model.router import GATEWAY_HOSTS
from netweft.store import Claim, Object, Query, ReadTransaction, WriteTransaction

MOST = 3  # hosts in an order
# No row: who looks for a gateway's hosts shares it, who changes what hosts can do has it alone.  It is held before any
# row is, since either needs rows that the other has
PLACES = ("gateways' hosts", "")
_AGENT = "netweft-agent"  # the binary of agents that route
_ALL = "gateways"  # where all gateways' ports are claimed, by their ids


def scope(host: str) -> str:
    """Where gateways' ports are claimed, by their ids, in whose order this host is."""
    return f"gateway:{host}"


def order(port: Object) -> list[str]:
    """As it is."""
    return list(port.get(GATEWAY_HOSTS) or filter(None, [port[HOST]]))


def decided_by(_: ReadTransaction, router: Object) -> Iterable[tuple[str, str]]:
    """What is shared by whoever makes or changes this router, besides what it names."""
    return [PLACES] if router.get(attached.INFO) else []


def hold(tx: WriteTransaction, *, alone: bool) -> None:
    """alone: hosts come, go, or can do other than before."""
    tx.hold([] if alone else [PLACES], [PLACES] if alone else [])


def placed(tx: WriteTransaction, port: Object) -> Object:
    """The gateway's port, held, with the order that is best for it; on no host, if there is none."""
    return _Placing(tx).place(port)


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


def host_came(tx: WriteTransaction, host: str, *, news: bool) -> None:
    """What was nowhere, or is here in vain, is placed.  news: it can do other than before, or was gone, so that it may
    be among those who can take over."""
    there = tx.query("ports", Query({HOST: ["", host], "device_owner": [GATEWAY]}))
    ids = {port["id"] for port in there if not port[HOST] or port[hosts.VIF_TYPE] == hosts.FAILED}
    if news:
        ids |= tx.held(_ALL).keys()
    _place(tx, ids)


def host_went(tx: WriteTransaction, host: str) -> None:
    """Its gateways go on elsewhere, if there is somebody else; where they were they stay as they are, without us."""
    here = {port["id"] for port in tx.query("ports", Query({HOST: [host], "device_owner": [GATEWAY]}))}
    _place(tx, here | tx.held(scope(host)).keys(), without={host})


def taken_over(tx: WriteTransaction, host: str, port_id: str) -> None:
    """This host says that it has the gateway now: it saw those before it in the order gone."""
    hold(tx, alone=False)
    port = tx.lock("ports", port_id)
    if port is None or port["device_owner"] != GATEWAY or host not in order(port)[1:]:
        return
    _Placing(tx).put(port, [host, *(one for one in order(port) if one != host)])


def _place(tx: WriteTransaction, ids: Iterable[str], *, without: Collection[str] = ()) -> None:
    ports = tx.lock_many("ports", sorted(ids))
    placing = _Placing(tx, without)
    for port in ports.values():
        if not without or placing.best(port):
            placing.place(port)


class _Placing:
    """Within one transaction; agents and each network are looked up once."""

    def __init__(self, tx: WriteTransaction, without: Collection[str] = ()) -> None:
        self._tx = tx
        agents = tx.query("agents", Query({"binary": [_AGENT]}))
        self._agents = {one["host"]: one for one in agents if one["host"] not in without}
        self._able: dict[str, dict[str, bool]] = {}  # network -> host -> whether it is there

    def best(self, port: Object) -> list[str]:
        """Whoever has it first, whether it is heard of or not; then who is there, by their weights."""
        able = self._hosts(port["network_id"])
        there = [host for host, is_there in able.items() if is_there]
        ranked = sorted(there, key=lambda host: _weight(port["device_id"], host), reverse=True)
        now = order(port)
        first = next((host for host in now if able.get(host) or (host in able and host == now[0])), None)
        return ranked[:MOST] if first is None else [first, *(host for host in ranked if host != first)][:MOST]

    def _hosts(self, network_id: str) -> dict[str, bool]:
        if network_id not in self._able:
            found = self._tx.glance.get("networks", network_id)
            able = (host for host, one in self._agents.items() if found and hosts.can_wire(one, found))
            self._able[network_id] = {host: hosts.is_there(self._agents[host]) for host in able}
        return self._able[network_id]

    def place(self, port: Object) -> Object:
        return self.put(port, self.best(port))

    def put(self, port: Object, wanted: list[str]) -> Object:
        tx, id, host = self._tx, port["id"], next(iter(wanted), "")
        bound = self._bound(host, port["network_id"]) | {"status": _status(host), GATEWAY_HOSTS: wanted}
        if not host:
            bound["status_detail"] = "no host that is there is wired to the external network"
        if bound.items() <= port.items():
            return port
        before = set(port.get(GATEWAY_HOSTS) or ())
        tx.release("ports", id, [Claim(scope(one), id) for one in sorted(before - set(wanted))])
        tx.claim("ports", id, [Claim(scope(one), id) for one in sorted(set(wanted) - before)])
        if GATEWAY_HOSTS not in port:
            tx.claim("ports", id, [Claim(_ALL, id)])
        placed = tx.update("ports", id, bumped(port, bound))
        if bool(host) != bool(port[HOST]):
            _tell_floating_ips(tx, port["device_id"], host)
        return placed

    def _bound(self, host: str, network_id: str) -> Object:
        network = self._tx.glance.get("networks", network_id) if host else None
        return hosts.binding(host, self._agents.get(host), network) if network else hosts.UNBOUND


def _weight(router_id: str, host: str) -> bytes:
    return hashlib.blake2s(f"{router_id} {host}".encode()).digest()
