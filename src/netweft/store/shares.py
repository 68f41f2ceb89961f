"""Waiting work by whose it is, and who is next: whoever has had the least time (start-time fair queueing).

Whose it is has levels, such as (project, user): a project's share is one, however many users ask in its name, and
within it each user has the same.  Nothing is held back while nobody else waits, and hardly any of it is held against
one later.
"""

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Names: TypeAlias = Sequence[str]
REMEMBERED = 4096  # names that have nothing waiting
DEBT = 0.5  # seconds that one may have had before others came


class _Line(Generic[T]):
    """due: the virtual time at which it is its turn."""

    __slots__ = ("due", "inner", "items", "queued")

    def __init__(self) -> None:
        self.due = 0.0
        self.items: deque[T] = deque()
        self.inner: Shares[T] | None = None
        self.queued = False


class Shares(Generic[T]):
    def __init__(self) -> None:
        self._lines: dict[str, _Line[T]] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._count = 0
        self._pushed = 0
        self._now = 0.0  # virtual: when the last one was due

    def __len__(self) -> int:
        return self._count

    def push(self, names: Names, item: T) -> None:
        line = self._lines.get(names[0])
        if line is None:
            self._forget()
            line = self._lines[names[0]] = _Line()
        if len(names) == 1:
            line.items.append(item)
        else:
            if line.inner is None:
                line.inner = Shares()
            line.inner.push(names[1:], item)
        self._count += 1
        if not line.queued:
            line.due = max(line.due, self._now)
            self._enqueue(names[0], line)

    def pop(self) -> T:
        """Raises IndexError when nothing waits."""
        while True:
            due, _, name = heappop(self._queue)
            line = self._lines[name]
            if due >= line.due:
                break
            self._enqueue(name, line)  # it was charged for something meanwhile
        line.queued = False
        self._now = line.due
        self._count -= 1
        if line.items or line.inner is None:
            item = line.items.popleft()
        else:
            item = line.inner.pop()
        if line.items or line.inner:
            self._enqueue(name, line)
        return item

    def charge(self, names: Names, seconds: float) -> None:
        """What the work took."""
        line = self._lines.get(names[0])
        if line is not None:
            line.due = max(line.due, self._now) + seconds
            if not self._count:
                self._now = max(self._now, line.due - DEBT)
            if line.inner is not None and len(names) > 1:
                line.inner.charge(names[1:], seconds)

    def _enqueue(self, name: str, line: _Line[T]) -> None:
        line.queued = True
        self._pushed += 1
        heappush(self._queue, (line.due, self._pushed, name))

    def _forget(self) -> None:
        if len(self._lines) > REMEMBERED:
            self._lines = {name: line for name, line in self._lines.items() if line.queued}
