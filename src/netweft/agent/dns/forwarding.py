"""Queries for names that are none of ours go to the name servers of the settings, one after the other."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Final

import dns.message

from netweft.agent.dns.answering import failed
from netweft.agent.dns.exchanging import by_tcp, by_udp

TIMEOUT: Final = 2.0  # seconds, of each
AT_ONCE, AT_ONCE_EACH = 256, 32  # queries under way, and of one port


class Forwarder:
    """servers: addresses, with a port where that is not 53: ADDRESS#PORT."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = [_address(one) for one in servers]
        self._asking: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._servers)

    async def ask(self, port_id: str, query: dns.message.Message, *, tcp: bool) -> bytes | None:
        """None: there is too much under way."""
        if self._asking[port_id] >= AT_ONCE_EACH or self._asking.total() >= AT_ONCE:
            return None
        self._asking[port_id] += 1
        try:
            return await self._ask(query, tcp=tcp)
        finally:
            self._asking[port_id] -= 1
            if not self._asking[port_id]:
                del self._asking[port_id]

    async def _ask(self, query: dns.message.Message, *, tcp: bool) -> bytes:
        wire = query.to_wire()
        asked = secrets.token_bytes(2) + wire[2:]  # nobody who forges answers knows the id
        ask = by_tcp if tcp else by_udp
        for address, port in self._servers:
            with contextlib.suppress(OSError, EOFError):  # a timeout is an OSError
                async with asyncio.timeout(TIMEOUT):
                    answer = await ask(asked, address, port)
                return wire[:2] + answer[2:]
        return failed(query)


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.partition("#")
    return address, int(port or 53)
