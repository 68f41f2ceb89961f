"""A metric as it is described, and as it is read."""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from typing import Literal, NamedTuple, TypeAlias


class Timings:
    """How long something took, each time: counted by upper bounds, in seconds."""

    __slots__ = ("_counts", "bounds", "seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.seconds = 0.0  # all together
        self._counts = [0] * (len(bounds) + 1)

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus has them: each counts those below, too."""
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))


Value: TypeAlias = float | Timings


class Reading(NamedTuple):
    """labels: values, in the order of the metric's."""

    metric: "Metric"
    value: Value
    labels: tuple[str, ...]


class Metric(NamedTuple):
    """about: what it means, one sentence.  bounds: of a histogram."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    about: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    def at(self, value: Value, *labels: str) -> Reading:
        return Reading(self, value, labels)

    def each(self, values: Iterable[tuple[str, float]]) -> list[Reading]:
        """By its one label."""
        return [self.at(value, label) for label, value in values]

    @property
    def series(self) -> tuple[str, ...]:
        """Their names in Prometheus."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)
