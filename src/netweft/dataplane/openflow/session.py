"""The wire of an OpenFlow connection: frames, hello, echo, and which answer belongs to which request.

Owns the socket and the transaction ids.  What requests mean is client.py's business.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

from netweft.dataplane.openflow import messages
from netweft.dataplane.openflow.errors import ConnectionLost, ProtocolError, Rejected
from netweft.dataplane.openflow.messages import HEADER, Multipart, Type
from netweft.dataplane.openflow.reasons import reason

REPLY_SECONDS = 30.0
MAX_DUMP_BYTES = 512 * 2**20
_XID_LIMIT = 1 << 31
_ANSWERS = (Type.FEATURES_REPLY, Type.GET_CONFIG_REPLY, Type.BARRIER_REPLY, Type.BUNDLE_CONTROL)
NOBODY = 0  # as xid: nobody waits for an answer or an error


class Refusal(NamedTuple):
    """An error the switch sent for the request `xid`."""

    xid: int
    kind: int
    code: int


class _Reply:
    """What has come so far for one request."""

    def __init__(self) -> None:
        self.done: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, body: bytes, *, more: bool) -> None:
        self.parts.append(body)
        self.size += len(body)
        if self.size > MAX_DUMP_BYTES:
            raise ProtocolError(f"an answer of more than {MAX_DUMP_BYTES} bytes")
        if not more and not self.done.done():
            self.done.set_result(self.parts)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Session(asyncio.Protocol):
    """on_update: gets the body of each flow monitor message.  on_packet: that of each packet-in.

    refusals: errors for messages that nobody waits for (the parts of a bundle), in order of arrival."""

    def __init__(self) -> None:
        self.on_update: Callable[[bytes], None] | None = None
        self.on_packet: Callable[[bytes], None] | None = None
        self.refusals: list[Refusal] = []
        self.lost: asyncio.Future[ConnectionLost] = asyncio.get_running_loop().create_future()
        self._xids = itertools.count()
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._replies: dict[int, _Reply] = {}

    def next_xid(self) -> int:
        return 1 + next(self._xids) % _XID_LIMIT

    def send(self, data: bytes) -> None:
        if self.lost.done() or self._transport is None:
            raise self._gone()
        self._transport.write(data)

    async def request(self, data: bytes, xid: int, seconds: float = REPLY_SECONDS) -> list[bytes]:
        """Send, and wait for the bodies of the answer to `xid`.  Raises Rejected, ConnectionLost."""
        reply = self._replies[xid] = _Reply()
        try:
            self.send(data)
            async with asyncio.timeout(seconds):
                return await reply.done
        except TimeoutError:
            self.abort(ConnectionLost(f"no answer for {seconds:g} s"))
            raise self._gone() from None
        finally:
            del self._replies[xid]

    def abort(self, error: ConnectionLost) -> None:
        """Close, and let everybody who waits know why."""
        if self.lost.done():
            return
        self.lost.set_result(error)
        if self._transport is not None:
            self._transport.abort()
        for reply in self._replies.values():
            reply.fail(self._gone())

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is one without saying so
        self._transport.write(messages.message(Type.HELLO, NOBODY, messages.HELLO_VERSIONS))

    def connection_lost(self, exc: Exception | None) -> None:
        self.abort(ConnectionLost(f"the switch closed the connection{f': {exc}' if exc else ''}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            for kind, xid, body in self._frames():
                self._dispatch(kind, xid, body)
        except ProtocolError as error:
            self.abort(error)

    def _frames(self) -> Iterator[tuple[int, int, bytes]]:
        """The whole frames that are there.  One is hardly more than 64 KiB, and so is what we keep of the last."""
        data, start = bytes(self._buffer), 0
        while len(data) - start >= HEADER.size:
            version, kind, said, xid = HEADER.unpack_from(data, start)
            length = messages.length_of_packet_in(said, data, start) if kind == Type.PACKET_IN else said
            if length is None:
                break
            if length < HEADER.size:
                raise ProtocolError("a message is shorter than its header")
            if version != messages.VERSION and kind not in (Type.HELLO, Type.ERROR):
                raise ProtocolError(f"a message of OpenFlow version {version}")
            if len(data) - start < length:
                break
            body = data[start + HEADER.size : start + length]
            if kind == Type.HELLO and not messages.speaks_our_version(version, body):
                raise ProtocolError("the bridge does not speak OpenFlow 1.5")
            yield kind, xid, body
            start += length
        del self._buffer[:start]

    def _dispatch(self, kind: int, xid: int, body: bytes) -> None:
        reply = self._replies.get(xid)
        if kind == Type.ERROR:
            self._refused(xid, body, reply)
        elif kind == Type.ECHO_REQUEST:
            self.send(messages.message(Type.ECHO_REPLY, xid, body))
        elif kind == Type.MULTIPART_REPLY:
            self._multipart(body, reply)
        elif kind == Type.PACKET_IN and self.on_packet is not None:
            self.on_packet(body)
        elif kind in _ANSWERS and reply is not None:
            reply.add(body, more=False)

    def _refused(self, xid: int, body: bytes, reply: _Reply | None) -> None:
        refusal = Refusal(xid, *messages.decode_error(body))
        if reply is None:
            self.refusals += [refusal] if xid else []
        else:
            reply.fail(Rejected(refusal.kind, refusal.code, reason(refusal.kind, refusal.code)))

    def _multipart(self, body: bytes, reply: _Reply | None) -> None:
        kind, more, start = messages.multipart_head(body)
        if reply is not None:
            reply.add(body[start:], more=more)
        elif kind == Multipart.FLOW_MONITOR and self.on_update is not None:
            self.on_update(body[start:])

    def _gone(self) -> ConnectionLost:
        """A new exception each time: one raised twice would grow its traceback."""
        if not self.lost.done():
            return ConnectionLost("not connected")
        error = self.lost.result()
        return type(error)(str(error))
