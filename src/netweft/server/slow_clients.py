"""Whether a client reads what it is sent: at least STALL_BYTES in STALL_SECONDS, once more waits than TCP takes; and
how long one that is to go may take to read why."""

STALL_SECONDS = 30.0
STALL_BYTES = 30 * 1024
LINGER_SECONDS = 2.0


class Stall:
    def __init__(self) -> None:
        self._seen: tuple[float, int] | None = None

    def __bool__(self) -> bool:
        """Whether something waits for the client to read."""
        return self._seen is not None

    def begin(self, now: float, waiting: int) -> None:
        """waiting: bytes."""
        self._seen = now, waiting

    def end(self) -> None:
        self._seen = None

    def too_slow(self, now: float, waiting: int) -> bool:
        if self._seen is None or now - self._seen[0] <= STALL_SECONDS:
            return False
        too_slow = self._seen[1] - waiting < STALL_BYTES
        self._seen = now, waiting
        return too_slow


class Linger:
    def __init__(self) -> None:
        self._since: float | None = None

    def __bool__(self) -> bool:
        """Whether it is to go."""
        return self._since is not None

    def begin(self, now: float) -> None:
        if self._since is None:
            self._since = now

    def over(self, now: float) -> bool:
        return self._since is not None and now - self._since > LINGER_SECONDS
