"""What the agent would change now, on request; it changes nothing."""

import asyncio
from typing import TYPE_CHECKING

from netweft.agent.plugin import NotKnown
from netweft.reconcile.plan import Plan

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

# each after what it needs
ORDER = (
    "veth",
    "bridge",
    "port",
    "number",
    "address",
    "tag",
    "meter",
    "fragments",
    "flow",
    "shaping",
    "haproxy",
    "stt",
)


async def planned(agent: "Agent") -> Plan:
    """Raises NotKnown."""
    await asyncio.gather(*(side.look() for side in agent.bridges.needed))
    away = [f"bridge {side.role}" for side in agent.bridges.needed if not side.connected]
    if not agent.ovs.connection or away:
        raise NotKnown(f"not connected: {', '.join(away) if agent.ovs.connection else 'ovsdb-server'}")
    if not agent.desired.complete:
        raise NotKnown("no view yet of what this node should have")
    steps = [
        *agent.links.plan(),
        *agent.shaping.plan(),
        *agent.proxies.plan(),
        *agent.stt.plan(),
        *agent.ovs.plan(delete=True),
        *(step for bridge in agent.bridges.values() for step in bridge.plan(delete=True)),
    ]
    return Plan.of(steps, ORDER)
