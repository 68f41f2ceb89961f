"""Webhooks: what the feed over HTTP tells, posted to a URL: in order, and again until it is taken (decision 0666).

    POST URL   {"epoch": 3, "events": [...]}   X-Netweft-Signature: sha256=HEX   (HMAC of the body, by the secret)

Events are those of the feed (`reading`), of all kinds, as an administrator sees them.  The next request is made once
the last one was answered with 2xx.  One server of many does it; its place is in the database, so that another goes on,
with the next epoch: by that a receiver knows what comes late, from a server that had stood still (decision 0656).
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import structlog
from anyio import CapacityLimiter, to_thread

from netweft.api.encoding import encode
from netweft.api.stream.reading import Event, Reading, Told
from netweft.feed import lease
from netweft.feed.background import beside
from netweft.plugins.identity import Context
from netweft.reconcile.retry import Backoff
from netweft.settings import ServerSettings, SettingsError
from netweft.store import NotHeld, Store

if TYPE_CHECKING:
    from netweft.api.stream.posting import Posting

T = TypeVar("T")
LOOK_SECONDS: Final = 5.0  # at the lease
TICK_SECONDS: Final = 1.0  # for changes without a doorbell
FIRST_SECONDS, LIMIT_SECONDS = 0.5, 60.0  # between two tries
PLACE, EPOCH = "place", "epoch"
_ADMIN: Final = Context(
    user_id="webhook", user_name="webhook", roles=frozenset({"admin", "manager", "member", "reader"})
)

log = structlog.get_logger(__name__)


class Webhooks:
    """By the settings.  kinds: what is sent."""

    def __init__(self, settings: ServerSettings, store: Store, kinds: Mapping[str, Told]) -> None:
        """Raises SettingsError."""
        secret = _secret(settings)
        self._runs = [Run(store, kinds, _checked(url), secret) for url in dict.fromkeys(settings.webhooks)]

    @property
    def names(self) -> list[str]:
        return [run.name for run in self._runs]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with beside(*(run.run() for run in self._runs)):
            yield


class Run:
    """One URL in one server."""

    def __init__(self, store: Store, kinds: Mapping[str, Told], url: str, secret: bytes) -> None:
        digest = hashlib.blake2s(url.encode(), digest_size=4).hexdigest()
        self.name = f"webhook-{urlsplit(url).hostname}-{digest}"
        self._store, self._kinds, self._url, self._secret = store, kinds, url, secret
        self._lease = lease.Lease(store, self.name)
        self._thread = CapacityLimiter(2)
        self._retry = Backoff(first=FIRST_SECONDS, limit=LIMIT_SECONDS)
        self._epoch = 0

    async def run(self) -> None:
        """Until cancelled."""
        from netweft.api.stream.posting import Posting  # its library is large, and few have webhooks

        posting = Posting(self._url)
        try:
            await self._lease.whenever_held(self._in_thread, lambda: self._follow(posting), LOOK_SECONDS)
        finally:
            await posting.close()

    async def _follow(self, posting: "Posting") -> None:
        """Until another server has the lease: raises NotHeld."""
        reading = Reading(self._store, self._kinds, _ADMIN, await self._in_thread(self._begin))
        with self._store.doorbell.subscribe() as bell:
            while True:
                if events := await self._in_thread(reading.more):
                    await self._tell(posting, events)
                elif not reading.soon:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(TICK_SECONDS):
                            await bell.wait()

    async def _tell(self, posting: "Posting", events: Sequence[Event]) -> None:
        body = encode({EPOCH: self._epoch, "events": events})
        headers = self._headers(body)
        while why := await posting.post(body, headers):
            log.warning("a webhook does not take what is told", webhook=self.name, problem=why)
            await self._in_thread(self._keep, None, why)
            await asyncio.sleep(self._retry.failed(time.monotonic()))
        was_failing = self._retry.failures > 0
        self._retry.succeeded()
        place = next((event[PLACE] for event in reversed(events) if event["event"] == PLACE), None)
        if place or was_failing:
            await self._in_thread(self._keep, place, "")

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "netweft"}
        if self._secret:
            headers["X-Netweft-Signature"] = f"sha256={hmac.new(self._secret, body, 'sha256').hexdigest()}"
        return headers

    # -- in a thread, one transaction each

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await to_thread.run_sync(lambda: work(*arguments), limiter=self._thread)

    def _begin(self) -> str:
        """The place up to which all was taken; empty: nothing was.  From here on it is this server's epoch."""
        with self._store.write() as tx:
            known, made = tx.followers.get(self.name), tx.followers.made(self.name)
            tx.followers.move(self.name, self._lease.me, None, known.problem if known else "")
            self._epoch = int(made.get(EPOCH, 0)) + 1
            tx.followers.make(self.name, {EPOCH: self._epoch})
            return str(made.get(PLACE, ""))

    def _keep(self, place: str | None, problem: str) -> None:
        """Raises NotHeld, and where another server had the lease meanwhile."""
        with self._store.write() as tx:
            tx.followers.move(self.name, self._lease.me, None, problem)
            if tx.followers.made(self.name, [EPOCH]) != {EPOCH: self._epoch}:
                raise NotHeld(self.name)
            if place:
                tx.followers.make(self.name, {PLACE: place})


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise SettingsError("webhooks: expected http://HOST/PATH or https://HOST/PATH")
    return url


def _secret(settings: ServerSettings) -> bytes:
    if not settings.webhook_secret_file:
        return b""
    try:
        found = Path(settings.webhook_secret_file).read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"webhook_secret_file: {error}") from None
    if not found:
        raise SettingsError("webhook_secret_file: it is empty")
    return found
