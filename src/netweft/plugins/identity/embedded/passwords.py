"""Passwords and secrets: argon2id, off the event loop, a few at a time.

The parameters are one of OWASP's equivalents with little memory (7 MiB, 5 passes): what an attacker has to pay is the
same, and a server that is flooded with logins stays small.  See decision 0011.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from netweft.plugins.identity import IdentityUnavailable
from netweft.plugins.identity.embedded.attempts import Attempt, Attempts
from netweft.plugins.identity.embedded.errors import TooManyAttempts
from netweft.store.fair_queue import Shares
from netweft.store.turns import STRANGERS, asking

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

PASSES = 5
KIBIBYTES = 7 * 1024
THREADS = 2
MAX_WAITING = 1024
REFUSED_SECONDS = 1.0  # until one attempt too many gets its 429


class Passwords:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting: Shares[asyncio.Future[None]] = Shares()
        self._busy = 0
        self._attempts = Attempts()

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher  # some 20 ms, which only the first login needs to wait for

        return PasswordHasher(time_cost=PASSES, memory_cost=KIBIBYTES, parallelism=1)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(os.urandom(16))

    def hash_now(self, password: str) -> str:
        return self._hasher.hash(password)

    def verify_now(self, hash: str | None, password: str) -> bool:
        """Without a hash it takes just as long, and is false: clients can't learn which users there are."""
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(hash or self._nobodys, password) and hash is not None
        except (VerificationError, InvalidHashError):
            return False

    async def hash(self, password: str) -> str:
        return await self._off_loop(lambda: self.hash_now(password))

    async def verify(self, hash: str | None, password: str) -> bool:
        return await self._off_loop(lambda: self.verify_now(hash, password))

    @asynccontextmanager
    async def attempt(self, claimed: str, software: str = "") -> AsyncIterator[Attempt]:
        """Of the client that asks, to be who it claims.  software: of the client, as it says.  The block sets `right`.
        Raises TooManyAttempts, after a delay: a client that retries at once would keep others at its address
        waiting."""
        client, claimed = asking.get()[-1], _digest(claimed)
        asking.set((STRANGERS, client, claimed))
        try:
            async with self._attempts.attempt(client, claimed, _digest(software)) as attempt:
                yield attempt
        except TooManyAttempts:
            await asyncio.sleep(REFUSED_SECONDS * random.uniform(0.5, 1.5))  # not all at once
            raise

    async def _off_loop(self, work: Callable[[], T]) -> T:
        """A thread at a time for each client that waits, however many it has waiting."""
        await self._turn()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._next()

    async def _turn(self) -> None:
        if self._busy < THREADS:
            self._busy += 1
            return
        if len(self._waiting) >= MAX_WAITING:
            raise IdentityUnavailable("too many logins at a time")
        turn = asyncio.get_running_loop().create_future()
        self._waiting.push(asking.get(), turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()  # it was given to us, and we are gone
            raise

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                return
        self._busy -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _digest(text: str) -> str:
    """As long whatever somebody sends."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
