"""One connection of a VM's: HTTP by h11, with a most for everything that it may cost.

A request has to be there within HEAD_SECONDS, whole; what is said has to be taken within TAKE_SECONDS.  One request
at a time: the next is not read before the last was answered.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import h11

from netweft.wire.metadata import MOST_ASKED, MOST_TARGET, Said

HEAD_SECONDS: Final = 5.0
TAKE_SECONDS: Final = 20.0
HEAD_BYTES: Final = 16 * 1024
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT"})

Answer = Callable[[str, str, bytes], Awaitable[Said]]


class House(Protocol):
    """What a connection belongs to."""

    def enter(self, connection: "Connection", ends: tuple[Any, Any]) -> Answer | None:
        """ends: the VM's address and ours.  None: it is not let in."""

    def left(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    def __init__(self, house: House) -> None:
        self._house = house
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._head: h11.Request | None = None
        self._body = bytearray()

    # -- of the transport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        ends = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._answer = self._house.enter(self, ends)
        if self._answer is None:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=0)
        self._within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        if self._work:
            self._work.cancel()
        self._house.left(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._go_on()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint, "This is not a request.")

    def eof_received(self) -> bool:
        """A client may close its half and still get the answer."""
        return self._work is not None

    def resume_writing(self) -> None:
        """All of what was said is taken."""
        self._next()

    def leave(self) -> None:
        if self._transport:
            self._transport.abort()

    # -- of HTTP

    def _go_on(self) -> None:
        """Until a request is whole, or more has to come."""
        while self._work is None:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._head, self._body = event, bytearray()
                if sum(len(name) + len(value) for name, value in event.headers) > HEAD_BYTES:
                    return self._refuse(431, "The headers are too long.")
                if len(event.target) > MOST_TARGET:
                    return self._refuse(414, "The path is too long.")
                if event.method.decode() not in METHODS:
                    return self._refuse(405, "GET, HEAD, POST or PUT.")
                if self._http.they_are_waiting_for_100_continue:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MOST_ASKED:
                    return self._refuse(413, "The body is too long.")
            elif isinstance(event, h11.EndOfMessage) and self._head:
                self._within(None)
                self._pause()
                self._work = asyncio.create_task(self._reply(self._head))
            elif event is h11.NEED_DATA or event is h11.PAUSED:
                return None
            else:
                return self._close()
        return None

    async def _reply(self, head: h11.Request) -> None:
        assert self._answer is not None
        said = await self._answer(head.method.decode(), head.target.decode("ascii"), bytes(self._body))
        self._say(said, bare=head.method == b"HEAD")

    def _say(self, said: Said, *, bare: bool = False) -> None:
        headers = [("content-type", said.content_type), ("content-length", str(len(said.body)))]
        if self._http.their_state is h11.ERROR or self._http.our_state is h11.MUST_CLOSE:
            headers.append(("connection", "close"))
        self._within(TAKE_SECONDS)
        self._send(h11.Response(status_code=said.status, headers=headers))
        if not bare:
            self._send(h11.Data(data=said.body))
        self._send(h11.EndOfMessage())
        if self._transport and not self._transport.get_write_buffer_size():
            self._next()

    def _next(self) -> None:
        """All requests are answered, and the answers sent."""
        if self._http.our_state is h11.MUST_CLOSE or self._http.their_state is h11.MUST_CLOSE:
            return self._close()
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return None
        self._http.start_next_cycle()
        self._work = self._head = None
        self._within(HEAD_SECONDS)
        if self._transport:
            self._transport.resume_reading()
        try:
            return self._go_on()
        except h11.RemoteProtocolError as error:
            return self._refuse(error.error_status_hint, "This is not a request.")

    def _refuse(self, status: int, why: str) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return self.leave()
        self._pause()
        body = f"{why}\n".encode()
        closing = [("content-type", "text/plain"), ("content-length", str(len(body))), ("connection", "close")]
        self._within(TAKE_SECONDS)
        self._send(h11.Response(status_code=status, headers=closing))
        self._send(h11.Data(data=body))
        self._send(h11.EndOfMessage())
        return self._close()

    def _send(self, event: Any) -> None:
        data = self._http.send(event)
        if self._transport and data and not self._transport.is_closing():
            self._transport.write(data)

    def _pause(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def _close(self) -> None:
        if self._transport:
            self._transport.close()

    def _within(self, seconds: float | None) -> None:
        """None: as long as the answer takes, which has a most of its own."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.leave) if seconds else None
