"""A plan: what will be done, in which order, as a value that can be printed and compared.

Nothing is decided any more when a plan is carried out.  Creating follows the dependencies, deleting goes the other way
round; which kind depends on which is one tuple, given by the caller.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

Verb = Literal["create", "update", "delete"]
MARKS: dict[Verb, str] = {"create": "+", "update": "~", "delete": "-"}


class Step(Struct, frozen=True):
    """One thing to do.  was, now: the values before and after, None where there is none."""

    kind: str
    key: Hashable
    was: Any = None
    now: Any = None

    @property
    def verb(self) -> Verb:
        if self.now is None:
            return "delete"
        return "create" if self.was is None else "update"

    def __str__(self) -> str:
        value = self.was if self.now is None else self.now
        return f"{MARKS[self.verb]} {self.kind} {value}"


class Plan(Struct, frozen=True):
    steps: tuple[Step, ...] = ()

    @classmethod
    def of(cls, steps: Iterable[Step], order: Sequence[str]) -> "Plan":
        """order: the kinds, each after what it needs."""
        rank = {kind: n for n, kind in enumerate(order)}

        def place(step: Step) -> tuple[bool, int, str]:
            gone = step.now is None
            return (gone, -rank[step.kind] if gone else rank[step.kind], str(step.key))

        return cls(tuple(sorted(steps, key=place)))

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))
