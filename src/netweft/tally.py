"""What is refused is counted, and the log has one line every ten seconds, however much is refused."""

import asyncio
from collections import Counter

import structlog

SECONDS = 10.0

log = structlog.get_logger(__name__)


class Tally:
    """Used in the event loop only.  event: what the line is called.  totals: of all that was counted ever."""

    def __init__(self, event: str, seconds: float = SECONDS) -> None:
        self._event = event
        self._seconds = seconds
        self.totals: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def count(self, reason: str) -> None:
        """reason: a name, as the line has it.  The first one is told at once."""
        self.totals[reason] += 1
        self._counts[reason] += 1
        if self._timer is None:
            self._tell()

    def _tell(self) -> None:
        self._timer = None
        if not self._counts:
            return
        log.warning(self._event, **dict(sorted(self._counts.items())))
        self._counts.clear()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._tell)
