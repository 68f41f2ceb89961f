"""Queries for names that are none of ours go to the name servers of the settings, one after the other."""

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message

from netweft.agent.dns.answering import failed

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
        id, query.id = query.id, secrets.randbelow(1 << 16)  # nobody who forges answers knows it
        try:
            for address, port in self._servers:
                try:
                    ask = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
                    answer = await ask(query, address, timeout=TIMEOUT, port=port)
                except (dns.exception.DNSException, OSError, EOFError):
                    continue
                answer.id = id
                return answer.to_wire()
        finally:
            query.id = id
        return failed(query)


def _address(text: str) -> tuple[str, int]:
    address, _, port = text.partition("#")
    return address, int(port or 53)
