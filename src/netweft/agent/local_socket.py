"""What the running agent answers on its local unix socket: one line in (the query), one JSON object out.

plan   what would change now          {"text": ..., }  empty when all is in sync
show   what this node has             {"text": ...}
explain NAME, trace PACKET            {"told": ...}  of a port here, as `asked/here` has them
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from netweft.agent.plugin import Explains, L2Agent, NotKnown


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


async def serve(agent: L2Agent, listener: socket.socket) -> asyncio.Server:
    answers: Mapping[str, Callable[[str], Awaitable[dict[str, Any]]]] = {
        "plan": lambda _: _plan(agent),
        "show": lambda _: _show(agent),
        "explain": lambda name: _explain(agent, name),
        "trace": lambda packet: _trace(agent, packet),
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = (await reader.readline()).decode(errors="replace").strip()
            word, _, rest = question.partition(" ")
            known = answers.get(word)
            try:
                reply = await known(rest) if known else {"error": f"unknown question: {word}"}
            except NotKnown as problem:
                reply = {"error": str(problem)}
            writer.write(msgspec.json.encode(reply) + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the client is gone, or it was no line
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer, sock=listener)


async def _plan(agent: L2Agent) -> dict[str, Any]:
    return {"text": str(await agent.plan())}


async def _show(agent: L2Agent) -> dict[str, Any]:
    return {"text": agent.show()}


async def _explain(agent: L2Agent, name: str) -> dict[str, Any]:
    return {"told": msgspec.Raw(await _explaining(agent).explain(name))}


async def _trace(agent: L2Agent, packet: str) -> dict[str, Any]:
    return {"told": msgspec.Raw(await _explaining(agent).trace(packet.encode()))}


def _explaining(agent: L2Agent) -> Explains:
    if not isinstance(agent, Explains):
        raise NotKnown("this L2 agent says nothing of single ports")
    return agent
