"""Validated tokens in memory, so that a request costs a dictionary look-up.

Anything that may change what a token is worth clears the cache; nothing is removed one by one.  A validation that was
under way meanwhile is not kept: it names the epoch that it began in.  Safe for threads.
"""

import threading

from netweft.plugins.identity import Context

SIZE = 8192
SECONDS = 10.0


class TokenCache:
    """seconds: after so long a token is validated again, whatever happened to the news of its revocation."""

    def __init__(self, size: int = SIZE, seconds: float = SECONDS) -> None:
        self._size = size
        self._seconds = seconds
        self._entries: dict[str, tuple[Context, float]] = {}
        self._lock = threading.Lock()
        self.epoch = 0

    def get(self, hash: str, now: float) -> Context | None:
        entry = self._entries.get(hash)
        return entry[0] if entry is not None and now < entry[1] else None

    def put(self, hash: str, context: Context, now: float, *, epoch: int) -> None:
        with self._lock:
            if epoch != self.epoch:
                return
            self._entries.pop(hash, None)
            if len(self._entries) >= self._size:
                del self._entries[next(iter(self._entries))]  # the oldest validation
            self._entries[hash] = context, min(now + self._seconds, context.expires_at)

    def limit(self, seconds: float) -> None:
        """From now on no validation is kept for longer."""
        self._seconds = min(self._seconds, seconds)

    def clear(self) -> None:
        with self._lock:
            self.epoch += 1
            self._entries.clear()
