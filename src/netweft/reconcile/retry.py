"""When to try again: a back-off that grows.  No clock in here: callers pass the time."""

from msgspec import Struct


class Backoff(Struct):
    """Doubles from `first` to `limit` seconds with each failure in a row; a success starts over.

    steady: so many failures do not count: what comes back soon is met at once."""

    first: float = 0.1
    limit: float = 15.0
    steady: int = 0
    failures: int = 0
    due: float | None = None

    def failed(self, now: float) -> float:
        """Returns how many seconds to wait; `due` is when they are over."""
        delay = min(self.limit, self.first * 2.0 ** min(max(0, self.failures - self.steady), 30))
        self.failures += 1
        self.due = now + delay
        return delay

    def succeeded(self) -> None:
        self.failures = 0
        self.due = None
