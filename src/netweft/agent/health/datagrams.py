"""Probes without a connection: PING, UDP-CONNECT and SCTP.

UDP has no answer of its own: a member is up unless its host sends port unreachable, as in Octavia.  SCTP's INIT is
built by hand (RFC 9260), so that neither side keeps state, and no kernel has to support it.
"""

import asyncio
import random
import socket
import struct
from contextlib import ExitStack
from typing import Final

from netweft.agent.health.crc32c import crc32c
from netweft.agent.health.ground import OURS, CannotAsk, Ground
from netweft.agent.health.outcomes import Heard
from netweft.dataplane.packets.datagram import checksum
from netweft.services.health.watched import Watched

QUIET_SECONDS: Final = 1.0  # nobody has said within it that nothing listens
SAID: Final = b"Health check"
_ICMP, _ICMPV6, _UDP, _SCTP = 1, 58, 17, 132
_ECHO: Final = {4: (_ICMP, 8, 0), 6: (_ICMPV6, 128, 129)}  # protocol, type of request, type of reply
_UNREACHABLE: Final = {4: (_ICMP, 3), 6: (_ICMPV6, 1)}
_PACKET: Final = 2048
_INIT, _INIT_ACK, _ABORT = 1, 2, 6


async def ping(ground: Ground, watched: Watched, port: int) -> Heard:
    protocol, asked, answered = _ECHO[watched.version]
    with _opened(ground, watched, socket.SOCK_RAW, protocol) as found:
        mark = struct.pack("!HH", port, random.randrange(1 << 16))
        bare = struct.pack("!BBH", asked, 0, 0) + mark + SAID
        total = checksum(bare) if watched.version == 4 else 0  # of ICMPv6 the kernel's
        await _send(found, struct.pack("!BBH", asked, 0, total) + mark + SAID)
        while True:
            message = await _receive(found, watched.version)
            if message[:1] == bytes([answered]) and message[4:8] == mark:
                return Heard(well=True)


async def connect(ground: Ground, watched: Watched, port: int) -> Heard:
    """Shorter than the timeout: a member that is up sends nothing."""
    with ExitStack() as open_:
        errors = open_.enter_context(_opened(ground, watched, socket.SOCK_RAW, _UNREACHABLE[watched.version][0]))
        found = open_.enter_context(_opened(ground, watched, socket.SOCK_DGRAM, 0, port))
        await _send(found, SAID)
        loop = asyncio.get_running_loop()
        answer = asyncio.ensure_future(loop.sock_recv(found, _PACKET))
        refusal = asyncio.ensure_future(_refused(errors, watched, _UDP, port))
        seconds = min(QUIET_SECONDS, watched.check.timeout * 0.9)
        try:
            done, _ = await asyncio.wait((answer, refusal), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            said_no = refusal in done or (answer in done and isinstance(answer.exception(), ConnectionError))
        finally:
            for one in (answer, refusal):
                one.cancel()
            await asyncio.gather(answer, refusal, return_exceptions=True)
    return Heard(not said_no, "nothing listens there" if said_no else "")


async def sctp(ground: Ground, watched: Watched, port: int) -> Heard:
    with ExitStack() as open_:
        errors = open_.enter_context(_opened(ground, watched, socket.SOCK_RAW, _UNREACHABLE[watched.version][0]))
        found = open_.enter_context(_opened(ground, watched, socket.SOCK_RAW, _SCTP))
        await _send(found, _sctp_init(port, watched.port))
        answer = asyncio.ensure_future(_sctp_answer(found, watched, port))
        refusal = asyncio.ensure_future(_refused(errors, watched, _SCTP, port))
        try:
            done, _ = await asyncio.wait((answer, refusal), return_when=asyncio.FIRST_COMPLETED)
            well = answer in done and answer.result() == _INIT_ACK
        finally:
            for one in (answer, refusal):
                one.cancel()
            await asyncio.gather(answer, refusal, return_exceptions=True)
    return Heard(well, "" if well else "nothing listens there")


def _sctp_init(source: int, target: int) -> bytes:
    tag = random.randrange(1, 1 << 32)
    chunk = struct.pack("!BBHIIHHI", _INIT, 0, 20, tag, 0xFFFF, 1, 1, random.randrange(1 << 32))
    head = struct.pack("!HHI", source, target, 0)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


async def _sctp_answer(found: socket.socket, watched: Watched, port: int) -> int:
    while True:
        packet = await _receive(found, watched.version)
        if packet[:4] == struct.pack("!HH", watched.port, port) and packet[12:13] in (b"\x02", b"\x06"):
            return packet[12]


async def _refused(errors: socket.socket, watched: Watched, protocol: int, port: int) -> None:
    """Returns once it is said of this question."""
    _, kind = _UNREACHABLE[watched.version]
    ports = struct.pack("!HH", port, watched.port)
    while True:
        message = await _receive(errors, watched.version)
        inner = message[8:]
        if message[:1] != bytes([kind]) or not inner:
            continue
        start, inside = ((inner[0] & 15) * 4, inner[9:10]) if watched.version == 4 else (40, inner[6:7])
        if inside == bytes([protocol]) and inner[start : start + 4] == ports:
            return


def _opened(ground: Ground, watched: Watched, kind: int, protocol: int, port: int = 0) -> socket.socket:
    """It receives from nobody else."""
    found = ground.open(watched.version, kind, protocol, port)
    try:
        found.connect(ground.far(watched.version, watched.to, watched.port if kind == socket.SOCK_DGRAM else 0))
    except OSError as error:
        found.close()
        raise CannotAsk(str(error)) from None
    return found


async def _send(found: socket.socket, packet: bytes) -> None:
    try:
        await asyncio.get_running_loop().sock_sendall(found, packet)
    except OSError as error:
        if error.errno in OURS:
            raise CannotAsk(str(error)) from None
        raise


async def _receive(found: socket.socket, version: int) -> bytes:
    """Without the header that IPv4's raw sockets show."""
    packet = await asyncio.get_running_loop().sock_recv(found, _PACKET)
    return packet[(packet[0] & 15) * 4 :] if version == 4 and packet else packet
