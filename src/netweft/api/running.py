"""Where blocking work is done: measured, and decided once per store (decision 0004)."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, Protocol, TypeVar

import anyio.to_thread

from netweft.store import Store

P = ParamSpec("P")
T = TypeVar("T")
_THREADS = 16


class Run(Protocol):
    def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]: ...


def runner(store: Store) -> Run:
    return _at_once if store.embedded else _Threads()


async def _at_once(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In the event loop: an SQLite transaction is shorter than handing it to a thread and back."""
    return work(*args, **kwargs)


class _Threads:
    """For a database on the other side of a socket."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._limiter is None:  # it belongs to the event loop that runs now
            self._limiter = anyio.CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self._limiter)
