"""Passwords and secrets: argon2id, off the event loop, a few at a time.

The parameters are one of OWASP's equivalents with little memory (7 MiB, 5 passes): what an attacker has to pay is the
same, and a server that is flooded with logins stays small.  See decision 0011.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from netweft.plugins.identity import IdentityUnavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

PASSES = 5
KIBIBYTES = 7 * 1024
THREADS = 2
MAX_WAITING = 128


class Passwords:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0

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
        """Without a hash it takes just as long, and is false: who asks doesn't learn which users there are."""
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            return self._hasher.verify(hash or self._nobodys, password) and hash is not None
        except (VerificationError, InvalidHashError):
            return False

    async def hash(self, password: str) -> str:
        return await self._off_loop(lambda: self.hash_now(password))

    async def verify(self, hash: str | None, password: str) -> bool:
        return await self._off_loop(lambda: self.verify_now(hash, password))

    async def _off_loop(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise IdentityUnavailable("too many logins at a time")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
