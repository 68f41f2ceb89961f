"""What stands around every request: its turn, its id, the limit of its body, and the answer when all else fails.

Plain ASGI, since it is on the path of each request.  Nothing here knows a resource.
"""

import time
import uuid
from collections.abc import Callable
from typing import TypeAlias

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from netweft.server.connection_limits import key_of
from netweft.server.faults import IDENTITY_PATH, fault_body
from netweft.server.queue_keys import Known
from netweft.server.requests import NOWHERE
from netweft.spans.arriving import arrived, outside
from netweft.store import Unavailable
from netweft.store.changelog import request
from netweft.store.turns import STRANGERS, Turns, asking

IDENTITY_BODY_BYTES = 112 * 1024  # as Keystone: what is sent there is read before it is known who sends it

UNAVAILABLE = "The database is unavailable. Whether a change that was asked for was made is not known. Try again."

Record: TypeAlias = Callable[[Scope, int, float], None]  # what was requested, its status, the seconds it took

log = structlog.get_logger()


class RequestFrame:
    """The id is in `request.state.request_id`, in the answer's header, with each line of the log that is about the
    request, in the change log, and with the nodes that what it changed is sent to."""

    def __init__(self, app: ASGIApp, max_body_bytes: int, turns: Turns, record: Record | None = None) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self._turns = turns
        self._record = record
        self._known = Known()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            _outside_of_requests()
            await self.app(scope, receive, send)
            return
        token = next((value for name, value in scope["headers"] if name == b"x-auth-token"), b"")
        client = key_of(scope.get("client"))
        asking.set(self._known.names(token, client))
        started = time.perf_counter()
        span = arrived(scope["method"], scope["headers"])
        request_id = f"req-{uuid.uuid4()}"
        request.set(request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await self._turns.begin()
        asking.set((STRANGERS, client))  # until the token was looked at
        status = await self._serve(scope, receive, send, request_id)
        if span:
            span.answered(_route(scope), status, request_id)
        if self._record:
            self._record(scope, status, time.perf_counter() - started)
        self._known.learn(token, asking.get())

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> int:
        """The answer's status; 0: there was nobody to answer."""
        scope.setdefault("state", {})["request_id"] = request_id
        header = (b"x-openstack-request-id", request_id.encode())
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], header]
            await send(message)

        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            await self._answer(scope, send_marked, 400, "NUL characters are not allowed.")
            return status
        most = self.max_body_bytes
        if scope["path"].startswith(IDENTITY_PATH):
            most = min(most, IDENTITY_BODY_BYTES)
        length = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if length is None:
            receive = _counted(receive, most)
        elif int(length) > most:
            await self._answer(scope, send_marked, 413, _too_large(most))
            return status
        try:
            await self.app(scope, self._in_turn(receive), send_marked)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Unavailable as error:
            log.error("database unavailable", method=scope["method"], path=scope["path"], why=str(error))
            if status:
                raise
            await self._answer(scope, send_marked, 503, UNAVAILABLE)
        except Exception as error:
            log.exception("request failed", method=scope["method"], path=scope["path"])
            if status:
                raise
            text = f"An unexpected error prevented the server from fulfilling your request ({type(error).__name__})."
            await self._answer(scope, send_marked, 500, text)
        return status

    def _in_turn(self, receive: Receive) -> Receive:
        """When all of a body is there, what is done with it is a piece of its own; it may be long."""

        async def received() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                await self._turns.begin()
            return message

        return received

    async def _answer(self, scope: Scope, send: Send, status: int, text: str) -> None:
        content = msgspec.json.encode(fault_body(scope["path"], status, text))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _outside_of_requests() -> None:
    """A connection that is accepted while a request is served may be so in its context."""
    request.set(None)
    structlog.contextvars.clear_contextvars()
    outside()


def _route(scope: Scope) -> str:
    """The path's template, without anybody's ids."""
    return str(getattr(scope.get("route"), "path", NOWHERE))


def _too_large(most: int) -> str:
    return f"The request body is larger than {most} bytes."


def _counted(receive: Receive, most: int) -> Receive:
    """For a body of unknown length.  Where it is announced, the HTTP parser holds the client to it."""
    left = most

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, _too_large(most))
        return message

    return counted
