"""On which hosts a router's gateway may be: an order of a few, of those that are wired to the external network.

The first has it, and its port is bound there; the others take over when it is gone, by themselves, and say so
(decision 0460).  Each router has its own order, by rendezvous hashing, so that hosts share the routers, and one host
more or less moves only what it gets or had.  Who has a gateway keeps it until it cannot do it any more.
"""

import hashlib
from collections.abc import Collection, Iterable

from netweft.control.l2 import hosts
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import attached, eligible
from netweft.control.l3.associations import KIND
from netweft.control.l3.owners import GATEWAY
from netweft.control.standard import bumped
from netweft.model.router import EXTRA, GATEWAY_HOSTS, GATEWAY_PORT
from netweft.store import Claim, Object, Query, ReadTransaction, WriteTransaction

MOST = 3  # hosts in an order
# No row: who looks for a gateway's hosts shares it, who changes what hosts can do has it alone.  It is held before any
# row is, since either needs rows that the other has
PLACES = ("gateways' hosts", "")
_AGENTS = ("netweft-agent", "ovn-controller")  # the binaries of agents that route
_ALL = "gateways"  # where all gateways' ports are claimed, by their ids


def scope(host: str) -> str:
    """Where gateways' ports are claimed, by their ids, in whose order this host is."""
    return f"gateway:{host}"


def order(port: Object) -> list[str]:
    """As it is."""
    return list(port.get(GATEWAY_HOSTS) or filter(None, [port[HOST]]))


def decided_by(_: ReadTransaction, router: Object) -> Iterable[tuple[str, str]]:
    """What is shared by whoever makes or changes this router, besides what it names."""
    return [PLACES] if any(router.get(name) for name in (attached.INFO, EXTRA, attached.GATEWAYS)) else []


def hold(tx: WriteTransaction, *, alone: bool) -> None:
    """alone: hosts come, go, or can do other than before."""
    tx.hold([] if alone else [PLACES], [PLACES] if alone else [])


def placed(tx: WriteTransaction, port: Object) -> Object:
    """The gateway's port, new, with the order that is best for it; on no host, if there is none.  Of a router that has
    one already it is placed with it (`together`)."""
    (placed,) = _Placing(tx).place([port])
    return placed


def moved(tx: WriteTransaction, router: Object, host: str) -> bool:
    """The router's gateways, held, with this host first; False: it cannot have them."""
    placing, ports = _Placing(tx), _held(tx, router)
    if not ports or not all(placing.able(port).get(host) for port in ports):
        return False
    placing.put(ports, [host, *(one for one in placing.best(ports) if one != host)][:MOST])
    return True


def moved_away(tx: WriteTransaction, router: Object, host: str) -> None:
    """The router's gateways, without this host; on none, if there is no other."""
    _Placing(tx, {host}).place(_held(tx, router))


def _held(tx: WriteTransaction, router: Object) -> list[Object]:
    found = tx.lock_many("ports", attached.gateway_ports(router))
    return [found[id] for id in attached.gateway_ports(router) if id in found]


def floating_status(tx: ReadTransaction, router_id: str) -> str:
    """Of a floating IP that is associated with a port by this router."""
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
    """This host says that it has the gateway now, which is the router's first: it saw those before it in the order
    gone.  Others go with it."""
    hold(tx, alone=False)
    for first, *others in _by_router(tx, {port_id}):
        its = order(first)
        if first["id"] == port_id and first["device_owner"] == GATEWAY and host in its[1:]:
            _Placing(tx).put([first, *others], [host, *(one for one in its if one != host)])


def _place(tx: WriteTransaction, ids: Iterable[str], *, without: Collection[str] = ()) -> None:
    placing = _Placing(tx, without)
    for ports in _by_router(tx, set(ids)):
        if not without or placing.best(ports):
            placing.place(ports)


def _by_router(tx: WriteTransaction, ids: set[str]) -> list[list[Object]]:
    """These ports and their routers' other gateways, held, the first of each router first: one goes where it goes."""
    routers = {port["device_id"] for port in tx.glance.get_many("ports", ids).values()}
    first, more = set[str](), set[str]()
    for one in tx.glance.get_many(attached.KIND, routers).values():
        first.add(one.get(GATEWAY_PORT) or "")
        more.update(one.get(EXTRA) or ())
    found: dict[str, list[Object]] = {}
    for id, port in tx.lock_many("ports", sorted(ids | more | (first - {""} if more else set()))).items():
        there = found.setdefault(port["device_id"], [])
        there.insert(0 if id in first else len(there), port)
    return list(found.values())


def together(tx: WriteTransaction, router: Object) -> None:
    """A router's gateways, after one has come or gone: all are where the first is."""
    ids = attached.gateway_ports(router)
    if len(ids) > 1:
        _Placing(tx).place(_held(tx, router))


class _Placing:
    """Within one transaction; agents and each network are looked up once.  ports: a router's gateways, held, the first
    one first."""

    def __init__(self, tx: WriteTransaction, without: Collection[str] = ()) -> None:
        self._tx = tx
        agents = tx.query("agents", Query({"binary": _AGENTS}))
        self._agents = {one["host"]: one for one in agents if one["host"] not in without}
        self._able: dict[str, dict[str, bool]] = {}  # network -> host -> whether it is there

    def best(self, ports: list[Object]) -> list[str]:
        """Whoever has them first, whether it reports or not, unless it is switched off and there is another one, or
        there is one that is wired to more of them; then who is there, by that and by their weights."""
        router_id, able, now = ports[0]["device_id"], self.able(ports[0]), order(ports[0])
        of_all = {host: sum(host in self._hosts(port["network_id"]) for port in ports) for host in able}
        there = [host for host, is_there in able.items() if is_there]
        ranked = sorted(there, key=lambda host: (of_all[host], _weight(router_id, host)), reverse=True)
        stays = [host for host in now[:1] if host in able and (self._agents[host]["admin_state_up"] or not ranked)]
        most = of_all[ranked[0]] if ranked else 0
        first = next((host for host in now if (able.get(host) or host in stays) and of_all[host] >= most), None)
        return ranked[:MOST] if first is None else [first, *(host for host in ranked if host != first)][:MOST]

    def able(self, port: Object) -> dict[str, bool]:
        """Hosts that can have this gateway, and whether they are there for it."""
        found = self._hosts(port["network_id"])
        zones = eligible.in_its_zones(self._tx.glance, port["device_id"], (self._agents[host] for host in found))
        return {host: is_there for host, is_there in found.items() if host in zones}

    def _hosts(self, network_id: str) -> dict[str, bool]:
        if network_id not in self._able:
            found = self._tx.glance.get("networks", network_id)
            able = (host for host, one in self._agents.items() if found and hosts.can_wire(one, found))
            self._able[network_id] = {host: _is_there(self._agents[host]) for host in able}
        return self._able[network_id]

    def place(self, ports: list[Object]) -> list[Object]:
        return self.put(ports, self.best(ports))

    def put(self, ports: list[Object], wanted: list[str]) -> list[Object]:
        """In this order; what its first host is not wired to is nowhere."""
        return [self._put(port, self._its(port, wanted)) for port in ports]

    def _its(self, port: Object, wanted: list[str]) -> list[str]:
        able = [host for host in wanted if host in self._hosts(port["network_id"])]
        return able if able[:1] == wanted[:1] else []

    def _put(self, port: Object, wanted: list[str]) -> Object:
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


def _is_there(agent: Object) -> bool:
    return hosts.is_there(agent) and bool(agent["admin_state_up"])


def _weight(router_id: str, host: str) -> bytes:
    return hashlib.blake2s(f"{router_id} {host}".encode()).digest()
