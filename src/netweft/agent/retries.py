"""Another turn though nothing has happened: what could not be done is tried again, ever more slowly."""

import asyncio
from collections.abc import Callable

import structlog

from netweft.reconcile.retry import Backoff

log = structlog.get_logger(__name__)


class Retries:
    """problem: what stood in the way at the last turn; empty when nothing did.  wake: called when it is time."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.problem = ""
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None
        self._backoff = Backoff()

    def note(self, problem: str) -> None:
        """How a turn ended.  A new problem is logged."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if not problem:
            self._backoff.succeeded()
        else:
            loop = asyncio.get_running_loop()
            delay = self._backoff.failed(loop.time())
            if problem != self.problem:
                log.error("not applied", problem=problem, retry_in=delay)
            self._timer = loop.call_later(delay, self._wake)
        self.problem = problem
