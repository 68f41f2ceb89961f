"""Whose turn it is at the database, for all that is asked of a server while it runs.

    asking.set(("PROJECT", "USER"))                     # in whose name: by whoever knows
    await store.turns.read(work); await store.turns.write(work, long=True)

Work is a plain blocking function.  SQLite: short work is done in the event loop, one piece between two looks at the
sockets; long work (a list, a bulk) in a thread, so that short reads go on meanwhile.  One writes at a time, in turn,
and nobody waits for the lock of the file.  PostgreSQL: everything in threads.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from netweft.store.shares import Names, Shares

T = TypeVar("T")
THREADS = 16  # for a database on the other side of a socket
asking: ContextVar[Names] = ContextVar("asking", default=("server",))


class _Piece(NamedTuple):
    names: Names
    work: Callable[[], Any]
    answer: asyncio.Future[Any]
    long: bool


class Turns:
    """Used in one event loop at a time."""

    def __init__(self, *, embedded: bool) -> None:
        self._embedded = embedded
        self._threads = ThreadPoolExecutor(2 if embedded else THREADS, thread_name_prefix="netweft-db")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begin(None)

    def _begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._reads: Shares[_Piece] = Shares()
        self._writes: Shares[_Piece] = Shares()
        self._lists: Shares[_Piece] = Shares()  # long reads, or with PostgreSQL everything
        self._writing = False  # in a thread
        self._busy = 0  # threads that read
        self._stepping = False  # a step is to come in this turn of the loop
        self._wrote_last = False

    async def read(self, work: Callable[[], T], *, long: bool = False) -> T:
        self._look_at_loop()
        if not self._embedded or long:
            return await self._wait(self._lists, work, long=True)
        if self._free():
            return self._at_once(work)
        return await self._wait(self._reads, work)

    async def write(self, work: Callable[[], T], *, long: bool = False) -> T:
        self._look_at_loop()
        if not self._embedded:
            return await self._wait(self._lists, work, long=True)
        if not long and not self._writing and self._free():
            return self._at_once(work)
        return await self._wait(self._writes, work, long=long)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _free(self) -> bool:
        """Whether nobody is before us, and nothing was done since the loop last looked at its sockets."""
        return not self._stepping and not self._reads and not self._writes

    def _look_at_loop(self) -> None:
        if (loop := asyncio.get_running_loop()) is not self._loop:
            self._begin(loop)

    def _at_once(self, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        try:
            self._step_later()
            return work()
        finally:
            self._charge(asking.get(), started)

    async def _wait(self, shares: Shares[_Piece], work: Callable[[], T], *, long: bool = False) -> T:
        assert self._loop is not None
        piece = _Piece(asking.get(), work, self._loop.create_future(), long)
        shares.push(piece.names, piece)
        self._step_later()
        answer: T = await piece.answer
        return answer

    def _step_later(self) -> None:
        if not self._stepping:
            self._stepping = True
            assert self._loop is not None
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        """One piece here, and as many threads as are free."""
        self._stepping = False
        most = 1 if self._embedded else THREADS
        while self._lists and self._busy < most:
            self._busy += 1
            self._in_thread(self._lists.pop(), self._read_done)
        writes = bool(self._writes) and not self._writing
        if writes and not (self._wrote_last and self._reads):
            self._wrote_last = True
            piece = self._writes.pop()
            if piece.long:
                self._writing = True
                self._in_thread(piece, self._write_done)
            else:
                self._here(piece)
        elif self._reads:
            self._wrote_last = False
            self._here(self._reads.pop())
        if self._reads or (self._writes and not self._writing):
            self._step_later()

    def _here(self, piece: _Piece) -> None:
        self._step_later()  # so that the next one waits for its turn
        if piece.answer.cancelled():
            return
        started = time.perf_counter()
        try:
            piece.answer.set_result(piece.work())
        except Exception as error:
            piece.answer.set_exception(error)
        self._charge(piece.names, started)

    def _in_thread(self, piece: _Piece, done: Callable[[], None]) -> None:
        loop, started = self._loop, time.perf_counter()
        assert loop is not None
        if piece.answer.cancelled():
            done()
            return
        running = loop.run_in_executor(self._threads, piece.work)

        def finished(result: asyncio.Future[Any]) -> None:
            if loop is not self._loop:
                return
            self._charge(piece.names, started)
            done()
            if not piece.answer.cancelled() and not result.cancelled():
                error = result.exception()
                piece.answer.set_exception(error) if error else piece.answer.set_result(result.result())
            self._step_later()

        running.add_done_callback(finished)

    def _read_done(self) -> None:
        self._busy -= 1

    def _write_done(self) -> None:
        self._writing = False

    def _charge(self, names: Names, started: float) -> None:
        """In each queue: who writes much waits at reading too."""
        seconds = time.perf_counter() - started
        for shares in (self._reads, self._writes, self._lists):
            shares.charge(names, seconds)
