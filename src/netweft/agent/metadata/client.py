"""Connections to one server that are kept and used again: a POST at a time on each, by h11.

A general client (httpx) takes longer for a question than all the rest of its way.
"""

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

import h11

IDLE: Final = 32  # connections kept


class NoAnswer(Exception):
    """The server is not there, or says what is no answer."""


class Client:
    """server: http(s)://HOST:PORT or unix:/PATH.  Made in the event loop; connects when it has to."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._socket = server.removeprefix("unix:") if server.startswith("unix:") else ""
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._base = "" if self._socket else parts.path.rstrip("/")
        self._named = parts.netloc or "server"
        self._idle: list[_Connection] = []

    async def post(self, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        """Status and body.  Where one that was kept is gone, another is made.  Raises NoAnswer, OSError."""
        while self._idle:
            kept = self._idle.pop()
            try:
                return await self._ask(kept, path, token, body)
            except (NoAnswer, OSError):
                kept.close()
        return await self._ask(await self._connect(), path, token, body)

    async def _connect(self) -> "_Connection":
        if self._socket:
            return _Connection(*await asyncio.open_unix_connection(self._socket))
        return _Connection(*await asyncio.open_connection(self._host, self._port, ssl=self._tls))

    async def _ask(self, connection: "_Connection", path: str, token: str, body: bytes) -> tuple[int, bytes]:
        headers = [
            ("host", self._named),
            ("authorization", f"Bearer {token}"),
            ("content-type", "application/msgpack"),
            ("content-length", str(len(body))),
        ]
        request = h11.Request(method="POST", target=f"{self._base}{path}", headers=headers)
        done = False
        try:
            found = await connection.ask(request, body)
            done = True
        except h11.ProtocolError as error:
            raise NoAnswer(str(error)) from None
        finally:
            if done and connection.again() and len(self._idle) < IDLE:
                self._idle.append(connection)
            else:
                connection.close()
        return found

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT)

    async def ask(self, request: h11.Request, body: bytes) -> tuple[int, bytes]:
        parts = [self._http.send(event) for event in (request, h11.Data(data=body), h11.EndOfMessage())]
        self._writer.write(b"".join(part for part in parts if part))
        status, heard = 0, bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                heard += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, bytes(heard)
            elif isinstance(event, h11.ConnectionClosed):
                raise NoAnswer("the server closes the connection")

    def again(self) -> bool:
        """Whether it can be used once more."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return not self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()
