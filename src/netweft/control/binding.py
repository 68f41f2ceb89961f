"""What nodes say: that they are there, and which ports are plugged in and wired.

A port is bound to a host by whoever made it (Nova), or else by being plugged in: the node that reports it claims it.
A claim is loose: once the port is unplugged, another node may claim it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from netweft.control import hosts
from netweft.control.standard import born, bumped, now
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.store import Claim, Object, Query, WriteTransaction

HOST = "binding:host_id"


def node_connected(tx: WriteTransaction, node: str, facts: NodeFacts) -> None:
    """A session of this node began, or its facts changed.  Ports that waited for it are bound."""
    agent = hosts.agent_of(tx, node)
    said = {"agent_type": facts.agent_type, "binary": facts.binary, "configurations": _configurations(facts)}
    seen = {"heartbeat_timestamp": _timestamp(), "status_detail": ""}
    if agent is None:
        agent = _new_agent(node) | said | seen | {"started_at": seen["heartbeat_timestamp"]}
        tx.insert("agents", agent, claims=[Claim(hosts.HOST_SCOPE, node)])
    elif not said.items() <= agent.items():
        agent = tx.update("agents", agent["id"], said | seen | {"updated_at": now()})
    else:
        agent = tx.touch("agents", agent["id"], seen)
    binding = hosts.binding(node, agent)
    waiting = [port["id"] for port in tx.query("ports", Query({HOST: [node]})) if not binding.items() <= port.items()]
    bound = [port | bumped(port, binding) for port in tx.lock_many("ports", waiting).values() if port[HOST] == node]
    tx.update_many("ports", bound)


def node_seen(tx: WriteTransaction, node: str) -> None:
    """A sign of life.  No news to anybody."""
    agent = hosts.agent_of(tx, node)
    if agent is not None:
        tx.touch("agents", agent["id"], {"heartbeat_timestamp": _timestamp()})


def node_gone(tx: WriteTransaction, node: str, seconds: float = 0.0) -> None:
    """Its session ended so long ago, and no other server has heard of it since.

    Its ports stay as they are: what is wired stays wired without us.
    """
    agent = hosts.agent_of(tx, node)
    if agent is not None and hosts.seconds_silent(agent) >= seconds:
        tx.touch("agents", agent["id"], {"status_detail": f"disconnected since {now()}"})


def report_ports(tx: WriteTransaction, node: str, statuses: Sequence[PortStatus], complete: bool) -> dict[str, str]:
    """port id -> why the node cannot have it.  Writes what changed, and nothing when nothing did.

    complete: `statuses` are all ports plugged in there; the others that are bound to the node are down.
    """
    binding = hosts.binding(node, hosts.agent_of(tx, node))
    reported = {status.port_id: status for status in statuses}
    ports = tx.lock_many("ports", reported)
    denied = dict.fromkeys(reported.keys() - ports.keys(), "there is no such port")
    changed = []
    for id, port in ports.items():
        status = reported[id]
        changes = _claimed(port, binding) if _may_have(port, node, status) else None
        if changes is None:
            reason = f"plugged in on {node}, but bound to {port[HOST]}"
            denied[id] = reason
            changes = {"status_detail": reason}
        else:
            changes |= _shown(status)
        if not changes.items() <= port.items():
            changed.append(port | bumped(port, changes))
    if complete:
        changed.extend(_unplugged(tx, node, reported))
    tx.update_many("ports", changed)
    return denied


def _may_have(port: Object, node: str, status: PortStatus) -> bool:
    return port[HOST] in ("", node) or (is_free(port) and status.state is not PortState.DOWN)


def is_free(port: Object) -> bool:
    """Whoever has it plugged in may claim it."""
    return not port[HOST] or (bool(port.get(hosts.CLAIMED)) and port["status"] == "DOWN")


def _claimed(port: Object, binding: Object) -> Object:
    return {} if port[HOST] == binding[HOST] else binding | {hosts.CLAIMED: True}


def _shown(status: PortStatus) -> Object:
    """As Neutron says it, with the sentence for a person that Neutron lacks."""
    return {"status": "ACTIVE" if status.state is PortState.UP else "DOWN", "status_detail": status.detail}


def _unplugged(tx: WriteTransaction, node: str, plugged: Iterable[str]) -> list[Object]:
    bound = tx.query("ports", Query({HOST: [node], "status": ["ACTIVE"]}))
    gone = {port["id"] for port in bound}.difference(plugged)
    down: Object = {"status": "DOWN", "status_detail": ""}
    return [port | bumped(port, down) for port in tx.lock_many("ports", gone).values() if port[HOST] == node]


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
    """What Neutron has no attribute for."""
    said: Object = msgspec.to_builtins(facts)
    return {name: value for name, value in said.items() if name not in ("agent_type", "binary")}


def _timestamp() -> str:
    """As agents' times look in Neutron."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
