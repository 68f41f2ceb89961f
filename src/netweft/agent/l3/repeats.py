"""What is to be said at a time: several times, since once may get lost."""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T", bound=tuple[str, ...] | str)


class Due(Generic[T]):
    def __init__(self) -> None:
        self._heap: list[tuple[float, T]] = []

    def add(self, what: T, times: Iterable[float]) -> None:
        for at in times:
            heappush(self._heap, (at, what))

    def take(self, now: float) -> list[T]:
        """Each once."""
        due: dict[T, None] = {}
        while self._heap and self._heap[0][0] <= now:
            due[heappop(self._heap)[1]] = None
        return list(due)
