"""What nodes say: that they are there, and which ports are plugged in and wired.

A port is bound to a host by whoever made it (Nova), or else by being plugged in: the node that reports it claims it.
A claim is loose: once the port is unplugged, another node may claim it.  Only what is plugged in after the port was
unbound claims it (decision 0241).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from netweft.control.l2 import hosts, moving, placing
from netweft.control.l2.hosts import FAILED, HOST, VIF_TYPE
from netweft.control.l2.trunks import PART_OF
from netweft.control.l3 import gateway_hosts, wire_hosts
from netweft.control.l3.owners import OWNERS
from netweft.control.lb import proxies
from netweft.control.standard import born, bumped, now
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.model.status import PLUGGED, PLUGGINGS
from netweft.store import Busy, Claim, Object, Query, WriteTransaction

_MOVE_NOTHING = ("floating_ips", "neighbours", "crowded", "metadata")
MOST_PLUGGINGS = 4  # that are remembered of a port: reports come in the order in which they were made


def node_connected(tx: WriteTransaction, node: str, facts: NodeFacts) -> None:
    """A session of this node began, or its facts changed: what it can wire is bound, what it cannot says why."""
    said: Object = {"agent_type": facts.agent_type, "binary": facts.binary, "configurations": _configurations(facts)}
    said[hosts.TUNNEL_END] = hosts.tunnel_end(facts.tunnel_ip)
    seen = {"heartbeat_timestamp": _timestamp(), "status_detail": "; ".join(facts.problems)}
    news = _is_news(hosts.agent_of(tx.glance, node), said)
    gateway_hosts.hold(tx, alone=news)
    agent = hosts.lock_agent_of(tx, node)
    if _is_news(agent, said) != news:
        raise Busy(f"{node} reports to another server")
    said["configurations"] = _with_neighbours(said["configurations"], agent)
    if agent is None:
        agent = _new_agent(node) | said | seen | {"started_at": seen["heartbeat_timestamp"]}
        tx.insert("agents", agent, claims=[Claim(hosts.HOST_SCOPE, node)])
    elif not said.items() <= agent.items():
        agent = tx.update("agents", agent["id"], said | seen | {"updated_at": now()})
    else:
        agent = tx.touch("agents", agent["id"], seen)
    bind_again(tx, node)
    gateway_hosts.host_came(tx, node, news=news)
    proxies.host_came(tx, node)
    wire_hosts.host_came(tx, node)


def _is_news(agent: Object | None, said: Object) -> bool:
    """Whether the node can have other gateways than was known."""
    return agent is None or not hosts.is_there(agent) or not _able(said).items() <= _able(agent).items()


def _able(said: Object) -> Object:
    """Without where it has floating IPs of its VMs, which goes with each carrier, its neighbours, and who is crowded:
    they move no gateway."""
    return said | {"configurations": (said.get("configurations") or {}) | dict.fromkeys(_MOVE_NOTHING)}


def node_seen(tx: WriteTransaction, node: str) -> None:
    """A sign of life.  No news to anybody."""
    agent = hosts.lock_agent_of(tx, node)
    if agent is not None:
        tx.touch("agents", agent["id"], {"heartbeat_timestamp": _timestamp()})


def node_gone(tx: WriteTransaction, node: str, seconds: float = 0.0) -> None:
    """Its session ended so long ago, and it has reported to no other server since.

    Its ports stay as they are: what is wired stays wired without us; but gateways go where somebody else can do it.
    """
    gateway_hosts.hold(tx, alone=True)
    agent = hosts.lock_agent_of(tx, node)
    if agent is not None and hosts.seconds_silent(agent) >= seconds:
        tx.touch("agents", agent["id"], {"status_detail": f"{hosts.GONE} {now()}"})
        gateway_hosts.host_went(tx, node)
        proxies.host_went(tx, node)
        wire_hosts.host_went(tx, node)


def report_ports(tx: WriteTransaction, node: str, statuses: Sequence[PortStatus], complete: bool) -> dict[str, str]:
    """port id -> why the node cannot have it.  Writes what changed, and nothing when nothing did.

    complete: `statuses` are all ports plugged in there; the others that are bound to the node are down.
    """
    reported = {status.port_id: status for status in statuses}
    if complete:
        reported = {id: PortStatus(id, PortState.DOWN) for id in expected(tx, node)} | reported
    ports = tx.lock_many("ports", reported)
    left = _still_plugged(tx, node, reported, ports)
    plugged = {id for id, status in reported.items() if status.state is not PortState.DOWN}
    denied = dict.fromkeys(plugged - ports.keys(), "there is no such port")
    binder = hosts.Binder(tx)
    binder.prepare(port for port in ports.values() if _is_unsettled(port, node))
    changed, claimed = [], []
    for id, port in ports.items():
        here = port[HOST] == node or placing.ahead_on(port, node) is not None
        if not here and (id not in plugged or id in left):
            denied |= {id: _UNBOUND} if id in plugged else {}
            continue
        changes = _reported(binder, port, node, reported[id])
        if changes is None:
            denied[id] = f"plugged in on {node}, but {_where(port)}"
            changes = {"status_detail": denied[id]}
        else:
            changes |= _heard(reported[id], port)
            if changes.get("status") == "ACTIVE" != port["status"]:
                changes |= {PLUGGED: port.get(PLUGGED, 0) + 1}
        if not changes.items() <= port.items():
            changed.append(port | bumped(port, changes))
            if port[HOST] != changed[-1][HOST]:
                claimed.append(changed[-1])
    tx.update_many("ports", changed)
    placing.follow(tx, claimed)
    return denied


def _still_plugged(
    tx: WriteTransaction, node: str, reported: Mapping[str, PortStatus], ports: Mapping[str, Object]
) -> set[str]:
    """Ports that were taken from the node while they were plugged in there, and are so still, as far as is known."""
    scope = placing.left_scope(node)
    left = {id for _, id in tx.held(scope).values()}
    for id in sorted(left & reported.keys()):
        if reported[id].state is PortState.DOWN or _is_new_plugging(reported[id], ports.get(id, {})):
            tx.release("ports", id, [Claim(scope, id)])
            left.discard(id)
    return left


def _is_new_plugging(status: PortStatus, port: Object) -> bool:
    """One that was reported before the port was unbound is reported again now and then, and is what was unbound."""
    return status.anew and status.plugging not in port.get(PLUGGINGS, ())


def _heard(status: PortStatus, port: Object) -> Object:
    heard: list[str] = port.get(PLUGGINGS, [])
    new = status.plugging and status.plugging not in heard
    return {PLUGGINGS: [*heard, status.plugging][-MOST_PLUGGINGS:]} if new else {}


_UNBOUND = "it was unbound while it was plugged in here: bind it, or plug it in again"


def is_free(port: Object) -> bool:
    """Whoever has it plugged in may claim it; a sub-port is where its trunk is, a router's interface everywhere."""
    if port.get(PART_OF) or (port.get("device_owner") in OWNERS and port.get("device_id")):
        return False
    return not port[HOST] or (bool(port.get(hosts.CLAIMED)) and port["status"] == "DOWN")


def _where(port: Object) -> str:
    if port[HOST]:
        return f"bound to {port[HOST]}"
    return (
        "a sub-port of a trunk that is bound nowhere"
        if port.get(PART_OF)
        else f"the {port['device_owner']} of a device"
    )


def _reported(binder: hosts.Binder, port: Object, node: str, status: PortStatus) -> Object | None:
    """What a report changes; None when the node cannot have the port."""
    if port[HOST] == node:
        bound = binder.bind(node, port) if port[VIF_TYPE] == FAILED else {}
        return bound | _shown(status, port | bound)
    if any(binding[HOST] == node for binding in placing.ahead(port)):
        return _with_ahead(port, node, _shown(status, {}))
    if is_free(port):
        bound = binder.bind(node, port)
        return bound | {hosts.CLAIMED: True} | moving.goes(port, node) | _shown(status, bound)
    return None


def _is_unsettled(port: Object, node: str) -> bool:
    return bool(port[HOST] != node or port[VIF_TYPE] == FAILED)


def _shown(status: PortStatus, bound: Object) -> Object:
    """As Neutron says it, with the sentence for a person that Neutron lacks: the node's, else why it is not bound."""
    failed = bound.get(VIF_TYPE) == FAILED
    detail = status.detail or (bound["status_detail"] if failed else "")
    return {"status": "ACTIVE" if status.state is PortState.UP and not failed else "DOWN", "status_detail": detail}


def _with_ahead(port: Object, node: str, changes: Object) -> Object:
    """The port with another inactive binding on this node; nothing when it is the same."""
    others = [binding | changes if binding[HOST] == node else binding for binding in placing.ahead(port)]
    return {placing.AHEAD: others}


def expected(tx: WriteTransaction, node: str) -> set[str]:
    """Ports that are down, or not plugged in any more, unless the node says something else."""
    active = tx.query("ports", Query({HOST: [node], "status": ["ACTIVE"]}))
    ahead = {id for kind, id in tx.held(placing.scope(node)).values() if kind == "ports"}
    left = {id for _, id in tx.held(placing.left_scope(node)).values()}
    here = (port for port in active if port["device_owner"] not in OWNERS and not hosts.is_bare_metal(port))
    return {port["id"] for port in here} | ahead | left


def bind_again(tx: WriteTransaction, node: str) -> None:
    """All ports here, and those that are wired ahead: as the node is now."""
    binder = hosts.Binder(tx)
    ids = {port["id"] for port in tx.query("ports", Query({HOST: [node]}))}
    ids |= {id for kind, id in tx.held(placing.scope(node)).values() if kind == "ports"}
    found = tx.glance.get_many("ports", ids)
    binder.prepare(found.values())
    other = [id for id, port in found.items() if not _rebound(binder, port, node).items() <= port.items()]
    ports = tx.lock_many("ports", other).values()
    tx.update_many("ports", [port | bumped(port, _rebound(binder, port, node)) for port in ports])


def _rebound(binder: hosts.Binder, port: Object, node: str) -> Object:
    """What is other now; what the node itself says of a port that is bound stays."""
    now = placing.active(port) if port[HOST] == node else placing.ahead_on(port, node)
    if now is None:
        return {}
    bound = binder.bind(node, port)
    if FAILED not in (now[VIF_TYPE], bound[VIF_TYPE]):
        bound = {name: value for name, value in bound.items() if name != "status_detail"}
    return bound if port[HOST] == node else _with_ahead(port, node, bound)


def _new_agent(node: str) -> Object:
    return born(
        {
            "host": node,
            "topic": "N/A",
            "admin_state_up": True,
            "description": None,
        }
    )


def _configurations(facts: NodeFacts) -> Object:
    """What Neutron has no attribute for; also what is as it would be unsaid, for those who read it know no defaults."""
    names = [name for name in facts.__struct_fields__ if name not in ("agent_type", "binary", "problems")]
    said: Object = msgspec.json.decode(msgspec.json.encode({name: getattr(facts, name) for name in names}))
    return said


def _with_neighbours(now: Object, agent: Object | None) -> Object:
    """A node that starts has learned nothing yet: what a NIC was plugged into stays until something else is learned."""
    before = ((agent or {}).get("configurations") or {}).get("neighbours") or []
    found = {one["interface"]: one for one in (*before, *now["neighbours"])}
    return now | {"neighbours": [found[interface] for interface in sorted(found)]}


def _timestamp() -> str:
    """As agents' times look in Neutron."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
