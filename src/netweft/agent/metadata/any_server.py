"""POSTs to the server: to one after the other, until one answers."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import Struct

from netweft.agent.metadata.client import Client, NoAnswer
from netweft.agent.sync import NoSession, node_token
from netweft.settings import AgentSettings
from netweft.wire.messages import BadMessage
from netweft.wire.posted import decode, encode

TIMEOUT_SECONDS: Final = 10.0

T = TypeVar("T", bound=Struct)


class AnyServer:
    """first: the server to ask first; empty for any."""

    def __init__(self, settings: AgentSettings, first: Callable[[], str]) -> None:
        self._settings, self._first = settings, first
        self._clients: dict[str, Client] = {}

    async def post(self, path: str, question: Struct, kind: type[T]) -> T:
        """Raises NoAnswer: what the last one said."""
        first, problem = self._first(), ""
        for server in sorted(self._settings.server, key=lambda one: one != first):
            try:
                return await self._ask(server, path, question, kind)
            except (NoAnswer, BadMessage, OSError, ValueError, NoSession) as error:
                problem = str(error) or type(error).__name__
        raise NoAnswer(problem)

    async def _ask(self, server: str, path: str, question: Struct, kind: type[T]) -> T:
        if server not in self._clients:
            self._clients[server] = Client(server)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            token = node_token(self._settings)
            status, body = await self._clients[server].post(path, token, encode(question))
        if status != 200:
            raise NoAnswer(f"{server} answers {status}")
        return decode(kind, body)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
