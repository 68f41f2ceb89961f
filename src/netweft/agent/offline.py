"""What can be said of this node's ports while its agent does not run: out of its last view on the disk, the rows of
Open vSwitch, and what vswitchd does with a packet.  The agent's eyes without its hands: nothing is written or kept.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import msgspec

from netweft import logs
from netweft.agent import facts
from netweft.agent.loop import Agent
from netweft.agent.queries.local import Packet, Told, explained, followed
from netweft.agent.queries.trace_input import NotHere
from netweft.dataplane.ovsdb.rows import MARK
from netweft.settings import AgentSettings

PATIENCE: Final = 3.0  # seconds that Open vSwitch's database may take


def look(settings: AgentSettings, question: str | Packet) -> Told:
    """At a port by its name, or at what becomes of a packet.  Raises NotHere."""
    logs.configure("error")
    return asyncio.run(_look(msgspec.structs.replace(settings, node=facts.node_name(settings)), question))


async def _look(settings: AgentSettings, question: str | Packet) -> Told:
    agent = Agent(settings)
    agent.load_state()
    reading = asyncio.create_task(agent.ovs.run())
    try:
        await _opened(agent)
        _observe(agent)
        if isinstance(question, Packet):
            return await followed(agent, question, wants=False)
        return await explained(agent, question, wants=False)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading


async def _opened(agent: Agent) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            there = (Path(agent.settings.ovs_run_dir) / "db.sock").exists()
            while there and agent.ovs.view is None:
                await asyncio.sleep(0.02)
            if there:
                return
    raise NotHere("neither the agent nor Open vSwitch's database answers on this node")


def _observe(agent: Agent) -> None:
    """As far as ports need it: no side that would send anything."""
    view = agent.ovs.view
    assert view is not None
    host, plugged = facts.host_facts(agent.settings, view.datapath_type()), agent.ovs.take_plugged()
    rows = view.ports(agent.settings.integration_bridge).values()
    links = [row for row in rows if MARK in dict(row.external_ids)]
    agent.desired.start(host, facts.local_vlans(agent.settings), filter(None, plugged.values()), links)
    agent.desired.observe(plugged, agent.uplinks.observe(view, host))
    agent.desired.refresh()
