"""Who has tried too often to log in.  An attempt costs a token of a bucket, and gets it back when it was right.

A pair is an address and who it claims to be.  Until a pair has once been right its attempts are made one at a time, and
count for the address and for whoever is claimed too.  A pair that was right lately has only its own bucket, so nobody
is locked out by what others try elsewhere, or from the same proxy.  Whether there is such a user plays no part in it.
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
    users: int = 0  # attempts under way, of a pair
    trusted_until: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


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
    async def attempt(self, address: str, claimed: str) -> AsyncIterator[Attempt]:
        """The block sets `right`.  Raises TooManyAttempts."""
        name = f"{address} {claimed}"
        pair = self._trusted.find(name) or self._pairs.get(name, self._clock())
        if pair.users >= QUEUED:
            raise TooManyAttempts(1)
        pair.users += 1
        try:
            if pair.trusted_until > self._clock():
                async with self._counted(pair, name, []) as attempt:
                    yield attempt
                return
            async with pair.turn:  # the one before may have been right
                trusted = pair.trusted_until > self._clock()
                others = [] if trusted else [(self._addresses, address), (self._claims, claimed)]
                async with self._counted(pair, name, others) as attempt:
                    yield attempt
        finally:
            pair.users -= 1

    @asynccontextmanager
    async def _counted(self, pair: _Bucket, name: str, others: list[tuple[_Buckets, str]]) -> AsyncIterator[Attempt]:
        now = self._clock()
        self._pairs.fill(pair, now)
        self._refuse(self._pairs.wait(pair))
        spent = [(buckets, buckets.get(key, now)) for buckets, key in others]
        self._refuse(max((buckets.wait(bucket) for buckets, bucket in spent), default=0))
        for _, bucket in spent:
            bucket.tokens -= 1
        attempt = Attempt()
        try:
            yield attempt
        except IdentityUnavailable:
            attempt.looked_at = False
            raise
        finally:
            if attempt.right or not attempt.looked_at:
                for _, bucket in spent:
                    bucket.tokens += 1
            else:
                pair.tokens -= 1
        if attempt.right:
            pair.trusted_until = self._clock() + TRUSTED_SECONDS
            self._trusted.keep(name, pair)

    def _refuse(self, seconds: float) -> None:
        if seconds > 0:
            raise TooManyAttempts(math.ceil(seconds))
