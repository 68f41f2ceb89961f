"""Which number stands for which router in registers, and so in packets that are handed up."""

from collections.abc import Iterator
from typing import Final

from netweft.model import Object, Router
from netweft.reconcile.memo import Fact
from netweft.services.numbers import Numbers


class RouterNumbers:
    """Facts: ("number", router) -> its number on this node."""

    of: Final = (Router,)

    def __init__(self) -> None:
        self._numbers = Numbers()
        self._of: dict[str, int] = {}
        self._at: dict[int, str] = {}

    def at(self, number: int) -> str | None:
        """The router with this number."""
        return self._at.get(number)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        for router, step in ((after, 1), (before, -1)):
            if isinstance(router, Router):
                changed = self._numbers.use(router.id, step)
                for id in changed:  # all of them first: one may get what another one has had
                    self._at.pop(self._of.pop(id, 0), None)
                for id, number in changed.items():
                    if number is not None:
                        self._of[id], self._at[number] = number, id
                    yield ("number", id), number
