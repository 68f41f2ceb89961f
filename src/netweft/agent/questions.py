"""What the running agent answers on its local unix socket: one line in (the question), one JSON object out.

plan   what would change now          {"text": ..., }  empty when all is in sync
show   what this node has             {"text": ...}
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from netweft.agent.loop import Agent


class SocketInUse(Exception):
    """Another agent answers there."""


def listen(path: Path) -> socket.socket:
    """Raises SocketInUse, OSError."""
    probe = socket.socket(socket.AF_UNIX)
    with probe, contextlib.suppress(OSError):
        probe.connect(str(path))
        raise SocketInUse(f"an agent is running already, it answers on {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


async def serve(agent: Agent, listener: socket.socket) -> asyncio.Server:
    answers: Mapping[str, Callable[[], Awaitable[str]]] = {"plan": lambda: _plan(agent), "show": lambda: _show(agent)}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = (await reader.readline()).decode(errors="replace").strip()
            known = answers.get(question)
            reply = {"text": await known()} if known else {"error": f"unknown question: {question}"}
            writer.write(msgspec.json.encode(reply) + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # whoever asked is gone, or it was no line
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer, sock=listener)


async def _plan(agent: Agent) -> str:
    return str(await agent.plan())


async def _show(agent: Agent) -> str:
    desired, link = agent.desired, agent.feed.link
    lines = [
        f"node {agent.settings.node}",
        f"server {link.server or '-'} {'up' if link.up else f'down: {link.problem}'}",
        f"view revision {desired.view.revision}{'' if desired.complete else ' (incomplete)'}",
        *(f"problem {agent.problem}" for _ in [0] if agent.problem),
        *(f"bridge {role} {'connected' if side.connected else 'away'}" for role, side in agent.bridges.items()),
        *(f"network {network_id} vlan {vlan}" for network_id, vlan in sorted(desired.vlans.items())),
        *(_port_line(agent, port_id) for port_id in sorted(desired.vifs)),
    ]
    return "\n".join(lines)


def _port_line(agent: Agent, port_id: str) -> str:
    vif, status = agent.desired.vifs[port_id], agent.desired.statuses.get(port_id)
    detail = agent.denied.get(port_id) if port_id not in agent.desired.view.ports else status and status.detail
    state = status.state.value if status else "waiting"
    return f"port {port_id} {vif.name} ofport {vif.ofport} {state}{f': {detail}' if detail else ''}"
