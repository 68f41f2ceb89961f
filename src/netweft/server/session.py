"""A node's or a page's connection: uvicorn's WebSocket protocol with the limits that it lacks (decision 0270).

What comes in is parsed in turn, a little at a time, and not while the other does not read: a ping makes an answer.
"""

import time
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from netweft.server.connection_limits import NODES, PAGES, Crowd, key_of
from netweft.server.refusal import answer_to, malformed
from netweft.server.slow_clients import Linger, Stall
from netweft.store.turns import Turns
from netweft.wire.messages import FEED_PATH

HANDSHAKE_SECONDS = 10.0
SLICE = 1024  # bytes: some 170 of the smallest frames
PIECE_SECONDS = 0.001


class Session(WebSocketsSansIOProtocol):
    """Until its token was looked at, one of the crowd that gives way."""

    crowd: Crowd
    turns: Turns
    served = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._unread = b""
        self._at = 0
        self._due = False  # to be parsed when it is its turn
        self._stall = Stall()
        self._linger = Linger()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.client_key, self.asks_since = key_of(transport.get_extra_info("peername")), self.loop.time()
        self.crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.leave(self)
        self._unread = b""
        super().connection_lost(exc)

    # -- what comes in

    def data_received(self, data: bytes) -> None:
        self._unread = self._unread[self._at :] + data
        self._at = 0
        self.transport.pause_reading()
        self._go_on()

    async def receive(self) -> Any:
        message = await super().receive()
        self._go_on()
        return message

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin(self.loop.time(), self.transport.get_write_buffer_size())
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()
        self._go_on()

    @property
    def _held(self) -> bool:
        """The node does not read, or nobody has taken what it said last."""
        return bool(self._stall) or self.read_paused

    def _go_on(self) -> None:
        if self._held or self._at < len(self._unread):
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
        if not self._held and self._at < len(self._unread) and not self._due:
            self._due = True
            self.turns.soon((NODES, self.client_key), self._parse)

    def _parse(self) -> None:
        self._due = False
        end = time.perf_counter() + PIECE_SECONDS
        while self._at < len(self._unread) and not self._held and time.perf_counter() < end:
            part = self._unread[self._at : self._at + SLICE]
            self._at += SLICE
            super().data_received(part)
        self._go_on()

    def shutdown(self) -> None:
        """uvicorn's sends a second close frame where one was sent or answered already, which raises, and so ends the
        server with all others still connected."""
        if self.handshake_complete and self.conn.state is not OPEN:
            self.stop_keepalive()
            self.transport.close()
        else:
            super().shutdown()

    # -- one of the crowd

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.accept":
            self.crowd.admit(self, NODES if self.scope["path"] == FEED_PATH else PAGES)
        await super().send(message)

    def gives_way(self) -> bool:
        return True

    def leave(self) -> None:
        self.transport.abort()

    def look(self, now: float) -> None:
        if self.transport.is_closing():
            self._linger.begin(now)
            if self._linger.over(now):
                self.leave()
        elif not self.handshake_complete:
            if now - self.asks_since > HANDSHAKE_SECONDS:
                self.leave()
        elif self._stall.too_slow(now, self.transport.get_write_buffer_size()):
            self.crowd.tally.count("slow_reader")
            self.leave()

    def handle_parser_exception(self) -> None:
        if self.handshake_initiated:
            super().handle_parser_exception()
            return
        self.crowd.tally.count("malformed")
        self.transport.write(answer_to(malformed("This is not a request for WebSocket.")))
        self.transport.close()
