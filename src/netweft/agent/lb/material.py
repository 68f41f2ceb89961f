"""Certificates and keys of the balancers that this node serves: requested from a server once, then kept in root's
files.

What a reference stands for does not change, so what is in the folder already is not requested again: HAProxy starts
also while no server answers.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from netweft.agent.sync import NoSession, node_token
from netweft.dataplane.haproxy.values import Material
from netweft.settings import AgentSettings
from netweft.wire.material import MOST, PATH, Ask, Said, Wanted
from netweft.wire.messages import BadMessage
from netweft.wire.posted import decode, encode

_SECONDS: Final = 10.0


class NoMaterial(Exception):
    """The message is a sentence for a person; no secret is in it."""


class MaterialSource:
    """first: the server to ask first; empty for any."""

    def __init__(self, settings: AgentSettings, first: Callable[[], str]) -> None:
        self._settings, self._first = settings, first

    async def fetch(self, balancer_id: str, wanted: Iterable[Material], folder: Path) -> dict[str, bytes]:
        """Contents by file.  Raises NoMaterial."""
        found, missing = {}, []
        for one in wanted:
            try:
                found[one.file] = (folder / one.file).read_bytes()
            except OSError:
                missing.append(one)
        for start in range(0, len(missing), MOST):
            part = missing[start : start + MOST]
            said = await self._ask(
                Ask(balancer_id=balancer_id, wanted=tuple(Wanted(one.ref, one.kind) for one in part))
            )
            if said.problem or len(said.content) != len(part):
                raise NoMaterial(said.problem or "the server says too little")
            found |= {one.file: content for one, content in zip(part, said.content, strict=True)}
        return found

    async def _ask(self, question: Ask) -> Said:
        from netweft.agent.metadata.client import (  # few nodes ask, and its library takes long to import
            Client,
            NoAnswer,
        )

        first, problem = self._first(), ""
        for server in sorted(self._settings.server, key=lambda one: one != first):
            client = Client(server)
            try:
                async with asyncio.timeout(_SECONDS):
                    status, body = await client.post(PATH, node_token(self._settings), encode(question))
                if status == 200:
                    return decode(Said, body)
                problem = f"{server} answers {status}"
            except (NoAnswer, BadMessage, OSError, ValueError, NoSession, TimeoutError) as error:
                problem = str(error) or type(error).__name__
            finally:
                client.close()
        raise NoMaterial(f"no server gives certificates: {problem}")
