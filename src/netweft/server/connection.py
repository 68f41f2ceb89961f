"""One client's connection: uvicorn's protocols with the limits that they lack (decision 0270).

httptools hands on a header when all of it is there; what is still coming is counted in bytes as they are read.
"""

from enum import Enum
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from netweft.server.connection_limits import Crowd, key_of
from netweft.server.refusal import Refusal, answer_to, malformed, too_long
from netweft.server.slow_clients import Linger, Stall

LINE_BYTES = 16 * 1024  # method, path and query
HEAD_BYTES = 64 * 1024  # all headers together, or trailers
HEADERS = 100
PIPELINED = 16
HEAD_SECONDS = 10.0  # from the first byte of a request to the last of its head
BODY_SECONDS = 60.0
IDLE_SECONDS = 75.0
LINGER_BYTES = 2**20
UPGRADE_LINE_BYTES = 8 * 1024  # what `websockets` takes


class Phase(Enum):
    """What the client sends: nothing yet, the head, the body, or all of it is there."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    SENT = 3


class Connection(HttpToolsProtocol):
    crowd: Crowd

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.client_key = ""
        self.asks_since = self.loop.time()
        self._phase = Phase.IDLE
        self._working: RequestResponseCycle | None = None  # `cycle` is the last that came in, and may wait for it
        self._refusal: Refusal | None = None  # raised in the parser, which wraps it
        self._linger = Linger()  # refused or closed
        self._discarded = 0
        self._bare = 0  # bytes in a row without any of a body
        self._head = 0
        self._stall = Stall()

    # -- of the transport

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.client_key = key_of(transport.get_extra_info("peername"))
        if not self.crowd.enter(self):
            self._refuse(Refusal(503, "no_room", "The server has no room for another connection. Try again."))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.leave(self)
        self._cut()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._linger:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        self._bare += len(data)
        try:
            self.parser.feed_data(data)
            if self._bare > HEAD_BYTES:
                raise too_long("headers", HEAD_BYTES)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or malformed())
        except Refusal as refusal:
            self._refuse(refusal)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin(self.loop.time(), self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()

    # -- of the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase, self.asks_since = Phase.HEAD, self.loop.time()
        self._bare = self._head = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > LINE_BYTES:
            self._raise(Refusal(414, "line_too_long", f"The request line is longer than {LINE_BYTES} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers too."""
        self._head += len(name) + len(value)
        if self._head > HEAD_BYTES:
            self._raise(too_long("headers", HEAD_BYTES))
        if len(self.headers) >= HEADERS:
            self._raise(Refusal(431, "too_many_headers", f"There are more than {HEADERS} headers."))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._phase, self.asks_since = Phase.BODY, self.loop.time()
        if self.parser.should_upgrade():  # raised when the parser is done with the head, see _upgrade
            self.scope["method"] = self.parser.get_method().decode("ascii")
            return
        if len(self.pipeline) >= PIPELINED:
            self._raise(Refusal(503, "pipelined", "There are too many requests without an answer."))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._bare = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._bare = 0
        self._phase = Phase.SENT
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self._rest()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._working = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._phase is Phase.HEAD:
            self.asks_since = self.loop.time()
        self._rest()

    def _rest(self) -> None:
        if self._phase is Phase.SENT and self.cycle.response_complete and not self.pipeline:
            self._phase, self.asks_since = Phase.IDLE, self.loop.time()

    def _raise(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise refusal

    # -- upgrades

    def _upgrade(self, rest: bytes) -> None:
        """To WebSocket.  What asks for any other is a plain request, as RFC 9110 (7.8) lets us answer it."""
        if self.scope["method"] == "CONNECT":
            self._refuse(Refusal(405, "malformed", "This server is no proxy."))
        elif self._should_upgrade():
            self._to_websocket()
        else:
            lines = [b"%b %b HTTP/1.1" % (self.scope["method"].encode(), self.url)]
            lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _to_websocket(self) -> None:
        body = any(n == b"transfer-encoding" or (n == b"content-length" and int(v) > 0) for n, v in self.headers)
        if self.scope["method"] != "GET" or body:
            self._refuse(malformed("A request that asks for WebSocket is a GET without a body."))
        elif max(len(self.url), *(len(n) + len(v) for n, v in self.headers)) > UPGRADE_LINE_BYTES - 32:
            self._refuse(too_long("line", UPGRADE_LINE_BYTES))
        elif self.cycle is not None and not self.cycle.response_complete:
            self._refuse(malformed())
        else:
            self.crowd.leave(self)
            self.handle_websocket_upgrade()

    # -- ends

    @property
    def served(self) -> bool:
        return self.cycle is not None

    def gives_way(self) -> bool:
        return self.flow.write_paused or (self._phase is not Phase.SENT and not self._earlier())

    def _earlier(self) -> bool:
        """Whether an earlier request than the one that comes in is being worked on."""
        return self.cycle is not None and not self.cycle.response_complete and self.cycle.scope is not self.scope

    def leave(self) -> None:
        self._cut()
        self.transport.abort()

    def look(self, now: float) -> None:
        if self.transport.is_closing():
            self._linger.begin(now)
        if self._linger:
            if self._linger.over(now):
                self.transport.abort()
        elif self._stall:
            if self._stall.too_slow(now, self.transport.get_write_buffer_size()):
                self.crowd.tally.count("slow_reader")
                self.leave()
        elif not self._earlier():
            self._look_at_sender(now - self.asks_since)

    def _look_at_sender(self, seconds: float) -> None:
        if self._phase is Phase.HEAD and seconds > HEAD_SECONDS:
            self._refuse(Refusal(408, "slow_head", f"The headers did not come within {HEAD_SECONDS:.0f} s."))
        elif self._phase is Phase.BODY and seconds > BODY_SECONDS:
            self._refuse(Refusal(408, "slow_body", f"The body did not come within {BODY_SECONDS:.0f} s."))
        elif self._phase is Phase.IDLE and seconds > (IDLE_SECONDS if self.cycle else HEAD_SECONDS):
            self._linger.begin(self.loop.time())
            self.transport.close()

    def _refuse(self, refusal: Refusal) -> None:
        """Said to the client, unless it waits for another answer or has this one; then nothing more is read."""
        self.crowd.tally.count(refusal.reason)
        self._linger.begin(self.loop.time())
        answered = self._phase is Phase.BODY and self.cycle.response_complete
        self._phase = Phase.IDLE
        if self._cut() and not answered:
            self.transport.write(answer_to(refusal))
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _cut(self) -> bool:
        """The request under way learns that its client is gone.  Whether the client can be answered instead."""
        cycle, waiting = self._working, bool(self.pipeline)
        self.pipeline.clear()
        if cycle is None or cycle.response_complete:
            return True
        cycle.disconnected = True
        cycle.message_event.set()
        self.flow.resume_writing()
        return not waiting and not cycle.response_started and cycle.scope is self.scope
