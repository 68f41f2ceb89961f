"""New connections, from sockets that listen.

All that wait are accepted at once, whatever else the loop has to do, and each is opened when it is its client's turn:
one client that connects again and again does not keep another waiting.  Where no more descriptors can be had, nothing
is accepted for a moment, and those who are connected are served.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import uvicorn

from netweft.server.connection import Connection
from netweft.server.connection_limits import Crowd, key_of
from netweft.server.session import Session
from netweft.store.turns import STRANGERS, Turns

BATCH = 64  # between two looks at the other sockets
PAUSE_SECONDS = 0.1
_NONE_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def protocols(crowd: Crowd, turns: Turns) -> tuple[type[Connection], type[Session]]:
    """For uvicorn, which makes one for each connection."""
    return (
        type("CrowdConnection", (Connection,), {"crowd": crowd}),
        type("CrowdSession", (Session,), {"crowd": crowd, "turns": turns}),
    )


class Acceptor:
    """Of one socket."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], crowd: Crowd, turns: Turns):
        self._listener = listener
        self._protocol = protocol
        self._crowd = crowd
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, set[socket.socket]] = {}
        self._opening: set[asyncio.Task[Any]] = set()
        self._closed = False
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._listener)
        for client in chain(*self._waiting.values()):
            client.close()

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                client, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NONE_LEFT:
                    self._crowd.tally.count("no_descriptors")
                    self._loop.remove_reader(self._listener)
                    self._loop.call_later(PAUSE_SECONDS, self._listen)
                    return
                continue  # that one was gone again
            self._queue(client, key_of(peer))

    def _queue(self, client: socket.socket, key: str) -> None:
        waiting = self._waiting.setdefault(key, set())
        if len(waiting) >= self._crowd.most_waiting:
            self._crowd.tally.count("connections_of_client")
            client.close()
            return
        waiting.add(client)
        client.setblocking(False)
        self._turns.soon((STRANGERS, key), partial(self._open, client, key))

    def _open(self, client: socket.socket, key: str) -> None:
        self._waiting[key].discard(client)
        if not self._waiting[key]:
            del self._waiting[key]
        if self._closed:
            return
        task = self._loop.create_task(self._connect(client))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, client: socket.socket) -> None:
        with suppress(OSError):  # it is gone again
            await self._loop.connect_accepted_socket(self._protocol, client)


class Server(uvicorn.Server):
    """uvicorn's, but for who accepts."""

    def __init__(self, config: uvicorn.Config, crowd: Crowd, turns: Turns) -> None:
        super().__init__(config)
        self._crowd = crowd
        self._turns = turns
        self._acceptors: list[Acceptor] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        self._acceptors = [Acceptor(each, self._protocol, self._crowd, self._turns) for each in sockets or []]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
