"""Webhooks: what the feed over HTTP tells, posted to a URL: in order, and again until it is taken (decision 0666).

    POST URL   {"events": [...]}   X-Netweft-Signature: sha256=HEX   (HMAC of the body, by the secret)

Events are those of the feed (`reading`), of all kinds, as an administrator sees them.  The next request is made once
the last one was answered with 2xx.  One server of many does it; its place is in the database, so that another goes on.
"""

import asyncio
import hashlib
import hmac
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import structlog
from anyio import CapacityLimiter, to_thread

from netweft.api.encoding import encode
from netweft.api.stream.reading import Event, Reading, Told
from netweft.feed import lease
from netweft.feed.beside import beside
from netweft.plugins.identity import Context
from netweft.reconcile.retry import Backoff
from netweft.settings import ServerSettings, SettingsError
from netweft.store import Store

T = TypeVar("T")
ANSWER_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 5.0  # at the lease
TICK_SECONDS: Final = 1.0  # for what no bell tells
FIRST_SECONDS, LIMIT_SECONDS = 0.5, 60.0  # between two tries
PLACE: Final = "place"
_ADMIN: Final = Context(
    user_id="webhook", user_name="webhook", roles=frozenset({"admin", "manager", "member", "reader"})
)

log = structlog.get_logger(__name__)


class Webhooks:
    """By the settings.  kinds: what is told of."""

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
        self._thread, self._posting = CapacityLimiter(2), CapacityLimiter(1)
        self._retry = Backoff(first=FIRST_SECONDS, limit=LIMIT_SECONDS)

    async def run(self) -> None:
        """Until cancelled."""
        await self._lease.whenever_held(self._in_thread, self._follow, LOOK_SECONDS)

    async def _follow(self) -> None:
        """Until another server has the lease: raises NotHeld."""
        reading = Reading(self._store, self._kinds, _ADMIN, await self._in_thread(self._begin))
        with self._store.doorbell.subscribe() as bell:
            while True:
                if events := await self._in_thread(reading.more):
                    await self._tell(events)
                elif not reading.soon:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(TICK_SECONDS):
                            await bell.wait()

    async def _tell(self, events: Sequence[Event]) -> None:
        body = encode({"events": events})
        while why := await to_thread.run_sync(self._post, body, limiter=self._posting):
            log.warning("a webhook does not take what is told", webhook=self.name, problem=why)
            await self._in_thread(self._keep, None, why)
            await asyncio.sleep(self._retry.failed(time.monotonic()))
        was_failing = self._retry.failures > 0
        self._retry.succeeded()
        place = next((event[PLACE] for event in reversed(events) if event["event"] == PLACE), None)
        if place or was_failing:
            await self._in_thread(self._keep, place, "")

    def _post(self, body: bytes) -> str:
        """Why it was not taken; empty: it was.  Blocks."""
        headers = {"Content-Type": "application/json", "User-Agent": "netweft"}
        if self._secret:
            headers["X-Netweft-Signature"] = f"sha256={hmac.new(self._secret, body, 'sha256').hexdigest()}"
        request = urllib.request.Request(self._url, body, headers, method="POST")
        try:
            with _OPENER.open(request, timeout=ANSWER_SECONDS) as answer:
                return "" if 200 <= answer.status < 300 else f"it answers {answer.status}"
        except (OSError, HTTPException, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    # -- in a thread, one transaction each

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await to_thread.run_sync(lambda: work(*arguments), limiter=self._thread)

    def _begin(self) -> str:
        """The place up to which all was taken; empty: nothing was."""
        with self._store.read() as tx:
            return str(tx.followers.made(self.name).get(PLACE, ""))

    def _keep(self, place: str | None, problem: str) -> None:
        with self._store.write() as tx:
            tx.followers.move(self.name, self._lease.me, None, problem)
            if place:
                tx.followers.make(self.name, {PLACE: place})


class _Stays(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET, and may lead anywhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stays())


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
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
