"""Who has tried too often to log in.  An attempt takes a token of each of its buckets when it begins, and gives them
back when it was right: however many there are at once, no more are wrong than a bucket has tokens.

A pair is an address and who it claims to be.  Attempts count for the pair, for the address and for whoever is claimed.
A pair that was right lately, with the same software (User-Agent), has only a bucket of its own, so nobody is locked out
by what others try elsewhere, or from the same proxy.  Whether there is such a user plays no part in it.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from netweft.plugins.identity import IdentityUnavailable
from netweft.plugins.identity.embedded.errors import TooManyAttempts

SIZE = 16_384  # of each table
QUEUED = 256  # attempts of one pair that wait
TRUSTED_SECONDS = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Rate:
    burst: float
    per_second: float


PAIR = Rate(5, 1 / 10)
ADDRESS = Rate(300, 5)
CLAIMED = Rate(100, 1)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    waiting: int = 0  # attempts that have no token yet
    running: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # who has it is the next to get a token
    trusted_until: float = 0.0


class _Buckets:
    """The ones that were used least lately are forgotten first; by then they are full, or somebody spends more than
    all rates together allow."""

    def __init__(self, rate: Rate, size: int) -> None:
        self._rate, self._size = rate, size
        self._kept: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str, now: float) -> _Bucket:
        bucket = self.find(key) or _Bucket(self._rate.burst, now)
        self.keep(key, bucket)
        self.fill(bucket, now)
        return bucket

    def find(self, key: str) -> _Bucket | None:
        return self._kept.get(key)

    def keep(self, key: str, bucket: _Bucket) -> None:
        self._kept[key] = bucket
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def fill(self, bucket: _Bucket, now: float) -> None:
        bucket.tokens = min(self._rate.burst, bucket.tokens + (now - bucket.at) * self._rate.per_second)
        bucket.at = now

    def wait(self, bucket: _Bucket) -> float:
        """Seconds until there is a token."""
        return max(0.0, (1 - bucket.tokens) / self._rate.per_second)


class Attempt:
    right = False
    looked_at = True


class Attempts:
    """Of one server; another has its own."""

    def __init__(self, size: int = SIZE, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pairs = _Buckets(PAIR, size)
        self._trusted = _Buckets(PAIR, size)  # apart, where those that were never right cannot push them out
        self._addresses = _Buckets(ADDRESS, size)
        self._claims = _Buckets(CLAIMED, size)

    @asynccontextmanager
    async def attempt(self, address: str, claimed: str, software: str = "") -> AsyncIterator[Attempt]:
        """The block sets `right`.  Raises TooManyAttempts."""
        trusted = f"{address} {claimed} {software}"
        pair = self._trusted.find(trusted)
        others: list[tuple[_Buckets, str]] = []
        if pair is None or pair.trusted_until <= self._clock():
            pair = self._pairs.get(f"{address} {claimed}", self._clock())
            others = [(self._addresses, address), (self._claims, claimed)]
        await self._take(pair)
        spent = [pair]
        attempt = Attempt()
        try:
            spent += self._take_of(others)
            yield attempt
        except (IdentityUnavailable, TooManyAttempts):
            attempt.looked_at = False
            raise
        finally:
            pair.running -= 1
            pair.ended.set()
            if attempt.right or not attempt.looked_at:
                for bucket in spent:
                    bucket.tokens += 1
        if attempt.right:
            self._trust(trusted)

    async def _take(self, pair: _Bucket) -> None:
        """One that is under way may give its token back: waited for, each in turn.  Raises TooManyAttempts."""
        if pair.waiting >= QUEUED:
            raise TooManyAttempts(1)
        pair.waiting += 1
        try:
            async with pair.turn:
                self._pairs.fill(pair, self._clock())
                while pair.tokens < 1 and pair.running:
                    pair.ended.clear()
                    await pair.ended.wait()
                    self._pairs.fill(pair, self._clock())
                _refuse(self._pairs.wait(pair))
                pair.tokens -= 1
                pair.running += 1
        finally:
            pair.waiting -= 1

    def _take_of(self, others: list[tuple[_Buckets, str]]) -> list[_Bucket]:
        """Of each, or of none.  Raises TooManyAttempts."""
        now = self._clock()
        found = [(buckets, buckets.get(key, now)) for buckets, key in others]
        _refuse(max((buckets.wait(bucket) for buckets, bucket in found), default=0))
        for _, bucket in found:
            bucket.tokens -= 1
        return [bucket for _, bucket in found]

    def _trust(self, name: str) -> None:
        now = self._clock()
        bucket = self._trusted.get(name, now)
        bucket.trusted_until = now + TRUSTED_SECONDS


def _refuse(seconds: float) -> None:
    if seconds > 0:
        raise TooManyAttempts(math.ceil(seconds))
