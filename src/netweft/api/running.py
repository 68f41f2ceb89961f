"""Where blocking work is done: in turn with all other, see `store.turns` (decisions 0004 and 0271)."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from netweft.store import Store

P = ParamSpec("P")
T = TypeVar("T")
MANY = 8  # objects that are written at once: more is long work


class Run:
    """*_much: what may take long."""

    def __init__(self, store: Store) -> None:
        self._turns = store.turns

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._turns.read(partial(work, *args, **kwargs))

    async def read_much(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._turns.read(partial(work, *args, **kwargs), long=True)

    async def write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._turns.write(partial(work, *args, **kwargs))

    async def write_much(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._turns.write(partial(work, *args, **kwargs), long=True)
