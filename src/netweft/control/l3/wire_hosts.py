"""Which host answers physical hosts for a router's interface on a provider network: one, as on any wire.

Among those that are wired to the network, by rendezvous hashing over interface and host.  It stays until its host is
gone or cannot do it any more.  VMs are answered on their own hosts, whichever it is (decision 0433).
"""

import hashlib
from collections.abc import Collection

from netweft.control.l2 import hosts
from netweft.control.l2.segments import PHYSICAL
from netweft.control.standard import bumped
from netweft.model.router import ANSWERS_ON
from netweft.store import Claim, Object, Query, WriteTransaction

_AGENT = "netweft-agent"  # the binary of agents that route


def scope(host: str) -> str:
    """In which interfaces are claimed that this host answers for; for the empty name, that none does."""
    return f"answers_on {host}"


def added(tx: WriteTransaction, port: Object) -> Object:
    """A router's interface, which may have been one before.  The host that is chosen does not go meanwhile."""
    if port.get(ANSWERS_ON) is not None:
        return port
    gone: set[str] = set()
    while host := _best(tx, port, gone):
        agent = hosts.agent_of(tx, host)
        if agent is not None and hosts.is_there(agent):
            break
        gone.add(host)
    return _placed(tx, port, gone)


def _placed(tx: WriteTransaction, port: Object, without: Collection[str] = ()) -> Object:
    """As it is where its network has no wire."""
    host = _best(tx, port, without)
    if host is None or host == port.get(ANSWERS_ON):
        return port
    claim(tx, port, host)
    return tx.update("ports", port["id"], bumped(port, {ANSWERS_ON: host}))


def claim(tx: WriteTransaction, port: Object, host: str) -> None:
    """So that it is found by the host.  port: as it was."""
    before = port.get(ANSWERS_ON)
    if before is not None:
        tx.release("ports", port["id"], [Claim(scope(before), port["id"])])
    tx.claim("ports", port["id"], [Claim(scope(host), port["id"])])


def host_came(tx: WriteTransaction, host: str) -> None:
    """Or can do other than before: what nobody answers for is placed, and what it cannot any more."""
    agent = hosts.agent_of(tx, host)
    mine = tx.lock_many("ports", sorted(tx.held(scope(host))))
    networks = tx.glance.get_many("networks", {port["network_id"] for port in mine.values()})
    lost = [id for id, port in mine.items() if not agent or not hosts.can_wire(agent, networks[port["network_id"]])]
    for port in tx.lock_many("ports", sorted([*tx.held(scope("")), *lost])).values():
        if port.get(ANSWERS_ON) in ("", host):
            _placed(tx, port)


def host_went(tx: WriteTransaction, host: str) -> None:
    """Somebody else answers, if there is somebody; where it was it stays as it is, without us."""
    for port in tx.lock_many("ports", sorted(tx.held(scope(host)))).values():
        if port.get(ANSWERS_ON) == host and _best(tx, port, {host}):
            _placed(tx, port, {host})


def _best(tx: WriteTransaction, port: Object, without: Collection[str]) -> str | None:
    """None: its network has no wire; empty: nobody is wired to it."""
    network = tx.glance.get("networks", port["network_id"])
    if network is None or not any(segment[PHYSICAL] for segment in network.get("segments") or [network]):
        return None
    agents = tx.query("agents", Query({"binary": [_AGENT]}))
    able = (one["host"] for one in agents if hosts.is_there(one) and hosts.can_wire(one, network))
    others = (host for host in able if host not in without)
    return max(others, key=lambda host: _weight(port["id"], host), default="")


def _weight(port_id: str, host: str) -> bytes:
    return hashlib.blake2s(f"{port_id} {host}".encode()).digest()
