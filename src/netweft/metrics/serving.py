"""`/metrics` on sockets of its own: there everybody may read it, and nothing else.

    async with served(bind(settings.metrics_listen), SERVER, read): ...

read: called each time somebody asks, in the event loop, so that it sees no half of a change.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from netweft.metrics.page import render
from netweft.metrics.values import Metric, Reading

Read: TypeAlias = Callable[[], Awaitable[Iterable[Reading]]]
CONNECTIONS: Final = 16
SECONDS: Final = 8.0  # Prometheus gives up after 10

log = structlog.get_logger(__name__)


@asynccontextmanager
async def served(sockets: Sequence[socket.socket], metrics: Sequence[Metric], read: Read) -> AsyncIterator[None]:
    """For as long as the block; without sockets nothing happens.  Closes them."""
    if not sockets:
        yield
        return
    server = _Beside(_config(metrics, read))
    task = asyncio.create_task(server.serve(sockets=list(sockets)))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait((task,))


class _Beside(uvicorn.Server):
    """Signals are the process's, not this one's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(metrics: Sequence[Metric], read: Read) -> uvicorn.Config:
    return uvicorn.Config(
        _app(metrics, read),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,
    )


def _app(metrics: Sequence[Metric], read: Read) -> Starlette:
    async def page(request: Request) -> Response:
        try:
            async with asyncio.timeout(SECONDS):
                readings = await read()
            content, kind = render(metrics, readings, request.headers.get("accept", ""))
        except Exception:
            log.exception("metrics not read")
            return PlainTextResponse("The metrics could not be read; the log says why.\n", 500)
        return Response(content, media_type=None, headers={"content-type": kind})

    return Starlette(routes=[Route("/metrics", page)])
