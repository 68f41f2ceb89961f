"""Fair turns in the event loop and at the database, for all requests to a running server.

    asking.set(("PROJECT", "USER", "CLIENT"))           # in whose name: by whoever knows
    await store.turns.begin()                           # what follows, until it waits, is one piece of work
    await store.turns.read(work); await store.turns.write(work, long=True)

Between two looks at the sockets the loop does one piece of work, and the one that has waited longest by its share is
next: a client with many or long requests comes later.

Work is a plain blocking function.  SQLite: short work is done in the event loop, as a piece or as part of one; long
work (a list, a bulk) in a thread, so that short reads go on meanwhile.  One writes at a time, in turn, and nobody waits
for the lock of the file.  PostgreSQL: everything in threads.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, NamedTuple, TypeVar

from netweft.store.fair_queue import Names, Shares

T = TypeVar("T")
THREADS = 16  # for a database on the other side of a socket
STRANGERS = "strangers"  # all that come without a token have one share, and in it each client has the same
asking: ContextVar[Names] = ContextVar("asking", default=("server",))


class _Piece(NamedTuple):
    """answer: None where nobody waits for one."""

    names: Names
    work: Callable[[], Any]
    answer: asyncio.Future[Any] | None
    long: bool

    @property
    def given_up(self) -> bool:
        return self.answer is not None and self.answer.cancelled()


class _Floor(NamedTuple):
    """The task whose turn it is, until it waits for something."""

    task: asyncio.Task[Any] | None
    names: Names
    since: float


class Turns:
    """Used in one event loop at a time."""

    def __init__(self, *, embedded: bool) -> None:
        self._embedded = embedded
        self._threads = ThreadPoolExecutor(2 if embedded else THREADS, thread_name_prefix="netweft-db")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begin(None)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._short: Shares[_Piece] = Shares()
        self._writes: Shares[_Piece] = Shares()
        self._lists: Shares[_Piece] = Shares()  # long reads, or with PostgreSQL everything
        self._writing = False  # in a thread
        self._busy = 0  # threads that read
        self._stepping = False  # a step is to come in this turn of the loop
        self._wrote_last = False
        self._floor: _Floor | None = None

    async def begin(self) -> None:
        """Wait for the turn of this task.  Nothing happens when it has that already."""
        self._look_at_loop()
        if self._has_floor():
            return
        if self._free():
            self._step_later()
        else:
            await self._wait(self._short, _nothing)
        self._floor = _Floor(asyncio.current_task(), asking.get(), time.perf_counter())

    def soon(self, names: Names, work: Callable[[], object]) -> None:
        """Do it in the loop when it is their turn."""
        self._look_at_loop()
        self._short.push(names, _Piece(names, work, None, long=False))
        self._step_later()

    async def read(self, work: Callable[[], T], *, long: bool = False) -> T:
        self._look_at_loop()
        if not self._embedded or long:
            return await self._wait(self._lists, _in_its_name(work), long=True)
        if self._has_floor() or self._free():
            return self._at_once(work)
        return await self._wait(self._short, _in_its_name(work))

    async def write(self, work: Callable[[], T], *, long: bool = False) -> T:
        self._look_at_loop()
        if not self._embedded:
            return await self._wait(self._lists, _in_its_name(work), long=True)
        if not long and not self._writing and not self._writes and (self._has_floor() or self._free()):
            return self._at_once(work)
        return await self._wait(self._writes, _in_its_name(work), long=long)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def waiting(self) -> dict[str, int]:
        """How much work, by the queue that it is in."""
        return {"short": len(self._short), "writes": len(self._writes), "lists": len(self._lists)}

    def _free(self) -> bool:
        """Whether nobody is before us, and nothing was done since the loop last looked at its sockets."""
        return not self._stepping and not self._short and not self._writes

    def _has_floor(self) -> bool:
        return self._floor is not None and self._floor.task is asyncio.current_task()

    def _look_at_loop(self) -> None:
        if (loop := asyncio.get_running_loop()) is not self._loop:
            self._begin(loop)

    def _at_once(self, work: Callable[[], T]) -> T:
        if self._has_floor():
            return work()
        started = time.perf_counter()
        try:
            self._step_later()
            return work()
        finally:
            self._charge(asking.get(), started)

    async def _wait(self, shares: Shares[_Piece], work: Callable[[], T], *, long: bool = False) -> T:
        assert self._loop is not None
        answer: asyncio.Future[T] = self._loop.create_future()
        names = asking.get()
        shares.push(names, _Piece(names, work, answer, long))
        self._step_later()
        return await answer

    def _step_later(self) -> None:
        if not self._stepping:
            self._stepping = True
            assert self._loop is not None
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        """One piece here, and as many threads as are free."""
        self._stepping = False
        if self._floor is not None:
            self._charge(self._floor.names, self._floor.since)
            self._floor = None
        most = 1 if self._embedded else THREADS
        while self._lists and self._busy < most:
            self._busy += 1
            self._in_thread(self._lists.pop(), self._read_done)
        writes = bool(self._writes) and not self._writing
        if writes and not (self._wrote_last and self._short):
            self._wrote_last = True
            piece = self._writes.pop()
            if piece.long:
                self._writing = True
                self._in_thread(piece, self._write_done)
            else:
                self._here(piece)
        elif self._short:
            self._wrote_last = False
            self._here(self._short.pop())
        if self._short or (self._writes and not self._writing):
            self._step_later()

    def _here(self, piece: _Piece) -> None:
        started = time.perf_counter()
        try:
            if not piece.given_up:
                self._do(piece)
        finally:
            self._charge(piece.names, started)
            self._step_later()  # after whoever begins now was woken, so that this ends its turn

    def _do(self, piece: _Piece) -> None:
        if piece.answer is None:
            piece.work()
            return
        try:
            piece.answer.set_result(piece.work())
        except Exception as error:
            piece.answer.set_exception(error)

    def _in_thread(self, piece: _Piece, done: Callable[[], None]) -> None:
        loop, started = self._loop, time.perf_counter()
        answer = piece.answer
        assert loop is not None and answer is not None
        if piece.given_up:
            done()
            return
        running = loop.run_in_executor(self._threads, piece.work)

        def finished(result: asyncio.Future[Any]) -> None:
            if loop is not self._loop:
                return
            self._charge(piece.names, started)
            done()
            if not answer.cancelled() and not result.cancelled():
                error = result.exception()
                answer.set_exception(error) if error else answer.set_result(result.result())
            self._step_later()

        running.add_done_callback(finished)

    def _read_done(self) -> None:
        self._busy -= 1

    def _write_done(self) -> None:
        self._writing = False

    def _charge(self, names: Names, started: float) -> None:
        """In each queue: who writes much waits at reading too."""
        seconds = time.perf_counter() - started
        for shares in (self._short, self._writes, self._lists):
            shares.charge(names, seconds)


def _in_its_name(work: Callable[[], T]) -> Callable[[], T]:
    """Whoever does it later, or in a thread, does it for the same (`changelog.actor`), and in the same span."""
    return partial(copy_context().run, work)


def _nothing() -> None:
    """A beginning: the work is what the task does then."""
