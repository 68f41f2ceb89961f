"""What our agent says of this node on request, as text for a person."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netweft.agent.loop import Agent


def describe(agent: "Agent") -> str:
    return "\n".join(_lines(agent))


def _lines(agent: "Agent") -> Iterator[str]:
    desired, link = agent.desired, agent.feed.link
    yield f"node {agent.settings.node}"
    yield f"server {link.server or '-'} {'up' if link.up else f'down: {link.problem}'}"
    yield f"view revision {desired.view.revision}{_but(agent)}"
    yield "all is in place" if agent.all_in_place() else "not all is in place"
    for problem in filter(None, (agent.retries.problem, agent.links.problem)):
        yield f"problem {problem}"
    for role, side in agent.bridges.items():
        yield f"bridge {role} {'at rest' if side.at_rest else 'connected' if side.connected else 'away'}"
    for network_id, vlan in sorted(desired.vlans.items()):
        yield f"network {network_id} vlan {vlan}"
    for port_id in sorted(desired.vifs):
        yield _port_line(agent, port_id)


def _but(agent: "Agent") -> str:
    faults = {"incomplete": not agent.desired.complete, "not on the disk yet": not agent.state.on_disk}
    named = ", ".join(name for name, holds in faults.items() if holds)
    return f" ({named})" if named else ""


def _port_line(agent: "Agent", port_id: str) -> str:
    vif, status = agent.desired.vifs[port_id], agent.desired.statuses.get(port_id)
    detail = agent.denials.reasons.get(port_id) if port_id not in agent.desired.view.ports else status and status.detail
    state = status.state.value if status else "waiting"
    return f"port {port_id} {vif.name} ofport {vif.ofport} {state}{f': {detail}' if detail else ''}"
