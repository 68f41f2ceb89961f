"""Asks hosts for an echo (ICMP, ICMPv6) from this one's network stack: whether any of them is reached at all."""

import asyncio
import os
import socket
import struct
from collections.abc import Collection
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from netweft.dataplane.packets.datagram import IpAddress, checksum

_ECHO: Final = {4: (socket.AF_INET, socket.IPPROTO_ICMP, 8, 0), 6: (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128, 129)}
_LONGEST: Final = 2048


async def anybody_answers(own: str, others: Collection[str], *, seconds: float, times: int = 3) -> bool:
    """own, others: of one IP version.  seconds: in all; each gets so many echo requests, evenly spread.  False where
    this process may not send them."""
    version = 6 if ":" in own else 4
    family, protocol, asked, answered = _ECHO[version]
    mark = os.urandom(8)
    with suppress(OSError, TimeoutError), socket.socket(family, socket.SOCK_RAW, protocol) as found:
        found.setblocking(False)
        found.bind((own, 0))
        asking = asyncio.create_task(_ask(found, others, _question(version, asked, mark), seconds / times, times))
        try:
            async with asyncio.timeout(seconds):
                return await _hears(found, {*map(_plain, others)}, bytes([answered]), mark)
        finally:
            asking.cancel()
    return False


async def _ask(found: socket.socket, others: Collection[str], question: bytes, pause: float, times: int) -> None:
    for _ in range(times):
        for other in others:
            with suppress(OSError):  # there may be no way to this one
                found.sendto(question, (other, 0))
        await asyncio.sleep(pause)


def _question(version: int, kind: int, mark: bytes) -> bytes:
    bare = struct.pack("!BBH", kind, 0, 0) + mark
    return struct.pack("!BBH", kind, 0, checksum(bare) if version == 4 else 0) + mark  # of ICMPv6 the kernel's


async def _hears(found: socket.socket, others: Collection[IpAddress], answered: bytes, mark: bytes) -> bool:
    """Returns once one of the addresses has answered; errors and others' answers come here as well, and strangers may
    send more of them than there is time for: the deadline holds for these, too."""
    loop = asyncio.get_running_loop()
    while True:
        packet, sender = await loop.sock_recvfrom(found, _LONGEST)
        has_header = found.family == socket.AF_INET and packet
        message = packet[(packet[0] & 15) * 4 :] if has_header else packet
        if message[:1] == answered and message[4:12] == mark and _plain(sender[0]) in others:
            return True
        await asyncio.sleep(0)


def _plain(address: str) -> IpAddress:
    """Without the interface that a link-local one is on."""
    return ip_address(address.partition("%")[0])
