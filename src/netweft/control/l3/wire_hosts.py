"""Which hosts answer physical hosts for a router's interface on a provider network, or for a load balancer's VIP: one,
as on any wire, and who takes over when it is gone.  Likewise hosts behind a VTEP (`behind_switches`).

An order of a few, of those that are wired to the network, by rendezvous hashing over interface and host.  The first
answers; the nodes see for themselves when it is gone (decision 0460), and say so.  It stays until its host is gone or
cannot do it any more.  VMs are answered on their own hosts, whichever it is (decision 0433).
"""

import hashlib
from collections.abc import Collection

from netweft.control.l2 import hosts
from netweft.control.l2.segments import PHYSICAL
from netweft.control.l3.gateway_hosts import MOST
from netweft.control.standard import bumped
from netweft.model.node import OUR_AGENT
from netweft.model.router import ANSWERS_HOSTS, ANSWERS_ON
from netweft.store import Claim, Object, Query, WriteTransaction

BEHIND = "netweft:behind"  # kept on an interface: the VTEPs behind which hosts of its network are


def scope(host: str) -> str:
    """In which interfaces are claimed in whose order this host is; for the empty name, those with room for more."""
    return f"answers_on {host}"


def has_wire(network: Object) -> bool:
    return any(segment[PHYSICAL] for segment in network.get("segments") or [network])


def order(port: Object) -> list[str]:
    """As it is."""
    return list(port.get(ANSWERS_HOSTS) or filter(None, [port.get(ANSWERS_ON)]))


def added(tx: WriteTransaction, port: Object) -> Object:
    """A router's interface or a VIP, which may have been one before.  The host that is chosen does not go meanwhile."""
    if port.get(ANSWERS_ON) is not None:
        return port
    gone: set[str] = set()
    while best := _best(tx, port, gone):
        agent = hosts.agent_of(tx, best[0])
        if agent is not None and hosts.is_there(agent):
            break
        gone.add(best[0])
    return _placed(tx, port, gone)


def removed(tx: WriteTransaction, port: Object) -> Object:
    """It is none any more, and stays as a port."""
    id = port["id"]
    tx.release("ports", id, [Claim(scope(one), id) for one in sorted(scopes(port))])
    if port.get(ANSWERS_ON) is None:
        return port
    return tx.update("ports", id, {ANSWERS_ON: None, ANSWERS_HOSTS: None})


def _placed(tx: WriteTransaction, port: Object, without: Collection[str] = ()) -> Object:
    """As it is where its network has no wire.  Who answers goes on, if it can."""
    best = _best(tx, port, without)
    return port if best is None else _put(tx, port, best)


def _put(tx: WriteTransaction, port: Object, wanted: list[str]) -> Object:
    if port.get(ANSWERS_ON) is not None and wanted == port.get(ANSWERS_HOSTS):
        return port
    before, after = scopes(port), {*wanted, *([""] if len(wanted) < MOST else [])}
    id = port["id"]
    tx.release("ports", id, [Claim(scope(one), id) for one in sorted(before - after)])
    tx.claim("ports", id, [Claim(scope(one), id) for one in sorted(after - before)])
    host = next(iter(wanted), "")
    return tx.update("ports", id, bumped(port, {ANSWERS_ON: host, ANSWERS_HOSTS: wanted}))


def scopes(port: Object) -> set[str]:
    """In which it is claimed: by a server of before in that of the one that answers, or of nobody."""
    if port.get(ANSWERS_ON) is None:
        return set()
    if ANSWERS_HOSTS not in port:
        return {port[ANSWERS_ON]}
    return {*order(port), *([""] if len(order(port)) < MOST else [])}


def host_came(tx: WriteTransaction, host: str) -> None:
    """Or can do other than before: what has room for it is placed, and what it cannot any more."""
    agent = hosts.agent_of(tx, host)
    mine = tx.lock_many("ports", sorted(tx.held(scope(host))))
    networks = tx.glance.get_many("networks", {port["network_id"] for port in mine.values()})
    lost = [id for id, port in mine.items() if not agent or not hosts.can_wire(agent, networks[port["network_id"]])]
    short = [id for id, port in mine.items() if len(order(port)) < MOST]
    for port in tx.lock_many("ports", sorted({*tx.held(scope("")), *lost, *short})).values():
        if port.get(ANSWERS_ON) is not None:
            _placed(tx, port)


def host_went(tx: WriteTransaction, host: str) -> None:
    """Somebody else answers, if there is somebody; where it was it stays as it is, without us."""
    for port in tx.lock_many("ports", sorted(tx.held(scope(host)))).values():
        if host in order(port) and _best(tx, port, {host}):
            _placed(tx, port, {host})


def taken_over(tx: WriteTransaction, host: str, port_id: str) -> None:
    """This host says that it answers now: it saw those before it in the order gone."""
    for port in tx.lock_many("ports", [port_id] if port_id in tx.held(scope(host)) else []).values():
        if host in order(port)[1:]:
            _put(tx, port, [host, *(one for one in order(port) if one != host)])


def _best(tx: WriteTransaction, port: Object, without: Collection[str]) -> list[str] | None:
    """None: its network has no wire, nor a VTEP; empty: nobody is wired to it.  First who answers, alive or not."""
    network = tx.glance.get("networks", port["network_id"])
    if network is None or not (has_wire(network) or port.get(BEHIND)):
        return None
    agents = [one for one in tx.query("agents", Query({"binary": [OUR_AGENT]})) if hosts.can_wire(one, network)]
    there = [one["host"] for one in agents if hosts.is_there(one) and one["host"] not in without]
    ranked = sorted(there, key=lambda host: _weight(port["id"], host), reverse=True)
    able = {one["host"] for one in agents} - set(without)
    first = next((host for host in order(port)[:1] if host in able), None)
    return [*([first] if first else []), *(host for host in ranked if host != first)][:MOST]


def _weight(port_id: str, host: str) -> bytes:
    return hashlib.blake2s(f"{port_id} {host}".encode()).digest()
