"""A query to a name server and its answer, forwarded as bytes: only the header is parsed.

A client may control the answer, too, with a name server of its own: parsing one of 64 KiB takes this process half a
second.
"""

import asyncio
from typing import Final

HEADER: Final = 12  # bytes
_IS_ANSWER, _CODE = 0x80, 0x0F
_WITHOUT_QUESTION: Final = (1, 2, 4, 5)  # FORMERR, SERVFAIL, NOTIMP, REFUSED: some servers leave it out


class NoAnswer(OSError):
    """What came is none to this query."""


def is_answer(query: bytes, said: bytes) -> bool:
    """query: with one question, at least."""
    if len(said) < HEADER or said[:2] != query[:2] or not said[2] & _IS_ANSWER:
        return False
    if said[4:6] == b"\0\0":
        return said[3] & _CODE in _WITHOUT_QUESTION
    asked = query[HEADER : _end_of_question(query)]
    return said[HEADER : HEADER + len(asked)].lower() == asked.lower()


def _end_of_question(query: bytes) -> int:
    at = HEADER
    while query[at]:
        at += 1 + query[at]
    return at + 5  # the root, type and class


async def by_udp(query: bytes, address: str, port: int) -> bytes:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    transport, exchange = await loop.create_datagram_endpoint(lambda: _Exchange(query), remote_addr=(address, port))
    try:
        transport.sendto(query)
        return await exchange.answer
    finally:
        transport.close()


class _Exchange(asyncio.DatagramProtocol):
    def __init__(self, query: bytes) -> None:
        self._query = query
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.answer.done() and is_answer(self._query, data):
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def by_tcp(query: bytes, address: str, port: int) -> bytes:
    """Raises OSError, EOFError."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        said = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.transport.abort()
    if not is_answer(query, said):
        raise NoAnswer("another question's")
    return said
