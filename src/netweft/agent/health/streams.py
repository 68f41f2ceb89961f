"""Probes over TCP: TCP, TLS-HELLO, HTTP and HTTPS."""

import asyncio
import contextlib
import re
import socket
import ssl
from functools import cache
from typing import Final

from netweft.agent.health.ground import OURS, CannotAsk, Ground
from netweft.agent.health.outcomes import Heard, failed
from netweft.services.health.watched import Watched

HEAD_BYTES: Final = 4096  # of an answer: a status line is shorter
PIECE: Final = 2048
_STATUS: Final = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})(?:[ \r\n]|$)")
_HANDSHAKE, _SERVER_HELLO, _RECORD_HEADER = 22, 2, 5


class _Closed(Exception):
    pass


async def connect(ground: Ground, watched: Watched, port: int) -> Heard:
    try:
        (await _connected(ground, watched, port)).close()
    except ConnectionError as error:
        return failed(error)
    return Heard(well=True)


async def http(ground: Ground, watched: Watched, port: int) -> Heard:
    loop = asyncio.get_running_loop()
    try:
        with await _connected(ground, watched, port) as found:
            await loop.sock_sendall(found, _request(watched))
            head = b""
            while b"\n" not in head and len(head) < HEAD_BYTES:
                piece = await loop.sock_recv(found, PIECE)
                if not piece:
                    break
                head += piece
    except ConnectionError as error:
        return failed(error)
    return _judged(watched, head)


async def https(ground: Ground, watched: Watched, port: int) -> Heard:
    """Whoever it says that it is: Octavia does not ask for a certificate that is right."""
    try:
        with await _connected(ground, watched, port) as found:
            tls = _Tls(found, watched.check.domain)
            await tls.handshake()
            await tls.send(_request(watched))
            head = b""
            while b"\n" not in head and len(head) < HEAD_BYTES:
                piece = await tls.receive()
                if not piece:
                    break
                head += piece
    except _Closed:
        return Heard(well=False, why="it closes the connection")
    except ssl.SSLError as error:
        return Heard(well=False, why=f"TLS: {error.reason or 'no handshake'}")
    except ConnectionError as error:
        return failed(error)
    return _judged(watched, head)


async def hello(ground: Ground, watched: Watched, port: int) -> Heard:
    """It answers TLS's first message with its own, whatever would come after."""
    loop = asyncio.get_running_loop()
    try:
        with await _connected(ground, watched, port) as found:
            tls = _Tls(found, watched.check.domain)
            await loop.sock_sendall(found, tls.first())
            said = b""
            while len(said) <= _RECORD_HEADER:
                piece = await loop.sock_recv(found, PIECE)
                if not piece:
                    return Heard(well=False, why="it closes the connection")
                said += piece
    except ConnectionError as error:
        return failed(error)
    well = said[0] == _HANDSHAKE and said[_RECORD_HEADER] == _SERVER_HELLO
    return Heard(well, "" if well else "it does not speak TLS")


async def _connected(ground: Ground, watched: Watched, port: int) -> socket.socket:
    """Raises ConnectionError, CannotAsk."""
    found = ground.open(watched.version, socket.SOCK_STREAM, port=port)
    try:
        await asyncio.get_running_loop().sock_connect(found, ground.far(watched.version, watched.to, watched.port))
    except BaseException as error:
        found.close()
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            if error.errno in OURS:
                raise CannotAsk(str(error)) from None
            raise ConnectionError(error.errno, error.strerror) from None
        raise
    return found


def _request(watched: Watched) -> bytes:
    check = watched.check
    lines = [f"{_word(check.method)} {_word(check.path)} HTTP/{check.version}"]
    if check.domain or check.version == "1.1":
        lines.append(f"Host: {_word(check.domain)}")
    if check.version == "1.1":
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("ascii", "replace")


def _word(text: str) -> str:
    """One, whatever the API may have let pass."""
    return "".join(letter for letter in text if letter > " " and letter != "\x7f")


def _judged(watched: Watched, head: bytes) -> Heard:
    line = head.partition(b"\n")[0]
    found = _STATUS.match(line)
    if found is None:
        return Heard(well=False, why="it closes the connection" if not head else "its answer is not HTTP")
    status = int(found[1])
    well = any(first <= status <= last for first, last in watched.check.codes)
    return Heard(well, "" if well else f"HTTP status {status}")


@cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class _Tls:
    """TLS on a socket of asyncio's: no transport, whose buffers a member could fill."""

    def __init__(self, connected: socket.socket, domain: str) -> None:
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._tls = _context().wrap_bio(self._in, self._out, server_hostname=domain or None)
        except ValueError:  # no name that TLS could ask for
            self._tls = _context().wrap_bio(self._in, self._out)

    def first(self) -> bytes:
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    async def handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._more()
            else:
                await self._flush()
                return

    async def send(self, data: bytes) -> None:
        self._tls.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        while True:
            try:
                return self._tls.read(PIECE)
            except ssl.SSLWantReadError:
                await self._more()
            except ssl.SSLZeroReturnError:
                return b""

    async def _more(self) -> None:
        await self._flush()
        piece = await self._loop.sock_recv(self._socket, PIECE)
        if not piece:
            raise _Closed
        self._in.write(piece)

    async def _flush(self) -> None:
        waiting = self._out.read()
        if waiting:
            await self._loop.sock_sendall(self._socket, waiting)
