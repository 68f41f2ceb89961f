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
REMEMBERED = 4096  # names of one level that have nothing waiting
DEBT = 0.5  # seconds that one may have had before others came
_OWN = ""  # a project's own work, beside that of its users


class _Line(Generic[T]):
    """due: the virtual time at which it is its turn.  Has items, or names within it (`inner`), never both."""

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
        self._kept = 0  # names at the last look for some to forget

    def __len__(self) -> int:
        return self._count

    def push(self, names: Names, item: T) -> None:
        line = self._lines.get(names[0])
        if line is None:
            self._forget()
            line = self._lines[names[0]] = _Line()
        inner = self._within(line, names)
        if inner is None:
            line.items.append(item)
        else:
            inner.push(names[1:] or (_OWN,), item)
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
        item = line.items.popleft() if line.inner is None else line.inner.pop()
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
            if line.inner is not None:
                line.inner.charge(names[1:] or (_OWN,), seconds)

    def _enqueue(self, name: str, line: _Line[T]) -> None:
        line.queued = True
        self._pushed += 1
        heappush(self._queue, (line.due, self._pushed, name))

    def _within(self, line: _Line[T], names: Names) -> "Shares[T] | None":
        """From the first deeper name on, what has none is one among those that have."""
        if line.inner is None and len(names) > 1:
            line.inner = Shares()
            for item in line.items:
                line.inner.push((_OWN,), item)
            line.items.clear()
        return line.inner

    def _forget(self) -> None:
        if len(self._lines) > max(REMEMBERED, 2 * self._kept):
            self._lines = {name: line for name, line in self._lines.items() if line.queued}
            self._kept = len(self._lines)
