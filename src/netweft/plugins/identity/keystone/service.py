"""Validates tokens with the cloud's Keystone, once each, and forgets them when Keystone has revoked any.

Keystone lists what it revokes (`/OS-REVOKE/events`): looked at each REVOKE_SECONDS, anything new empties the cache.
Where it does not let us see that list, a validation is good for UNSEEN_SECONDS only.  Its client library blocks, so
it works in a few threads; a request with a token that is being validated waits for that answer.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import structlog
from keystoneauth1.exceptions import ClientException

from netweft.plugins import service_user
from netweft.plugins.identity import Context, IdentityUnavailable, Unauthorized
from netweft.plugins.identity.cache import TokenCache
from netweft.plugins.identity.embedded.tokens import hash_of
from netweft.plugins.identity.keystone.tokens import Body, context
from netweft.settings import ServerSettings

T = TypeVar("T")

SERVICE_ROLE = "service"
TIMEOUT_SECONDS = 10.0
REVOKE_SECONDS = 2.0
UNSEEN_SECONDS = 10.0
SLACK = timedelta(seconds=10)  # by which Keystone's clock may differ from ours
THREADS = 8
MAX_WAITING = 256
MAX_TOKEN = 8192  # a client chooses its length

log = structlog.get_logger(__name__)


class KeystoneIdentity:
    def __init__(self, settings: ServerSettings) -> None:
        """Raises SettingsError."""
        self._session = service_user.session(settings, timeout=TIMEOUT_SECONDS)
        self._where = {"endpoint_override": service_user.identity_url(settings)}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="netweft-keystone")
        self._cache = TokenCache(seconds=settings.keystone_cache_seconds)
        self._under_way: dict[tuple[str, bool], asyncio.Future[Context]] = {}
        self._seen: set[str] = set()

    async def authenticate(self, token: str, service_token: str = "") -> Context:
        """service_token: of a service that acts for the token's user: then an expired token is good, too."""
        if not _is_token(token) or (service_token and not _is_token(service_token)):
            raise Unauthorized
        trusted = bool(service_token) and SERVICE_ROLE in (await self._known(service_token, expired=False)).roles
        return await self._known(token, expired=trusted)

    async def run(self) -> None:
        """Forgets what Keystone revokes."""
        while True:
            try:
                events = await self._off_loop(self._revoked)
            except IdentityUnavailable:
                pass  # what is cached stays good for its time
            else:
                if events is None:
                    self._cache.limit(UNSEEN_SECONDS)
                elif events - self._seen:
                    self._cache.clear()
                self._seen = events or set()
            await asyncio.sleep(REVOKE_SECONDS)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _known(self, token: str, *, expired: bool) -> Context:
        hash = hash_of(token)
        if known := self._cache.get(hash, time.time()):
            return known
        key = hash, expired
        if key not in self._under_way:
            self._under_way[key] = asyncio.ensure_future(self._validate(token, hash, expired=expired))
            self._under_way[key].add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(self._under_way[key])

    def _over(self, key: tuple[str, bool], done: asyncio.Future[Context]) -> None:
        self._under_way.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may be left

    async def _validate(self, token: str, hash: str, *, expired: bool) -> Context:
        epoch, now = self._cache.epoch, time.time()
        found = await self._off_loop(lambda: self._ask(token, expired=expired))
        if found.expires_at <= now and not expired:
            raise Unauthorized
        self._cache.put(hash, found, now, epoch=epoch)
        return found

    async def _off_loop(self, work: Callable[[], T]) -> T:
        """Raises IdentityUnavailable."""
        if len(self._under_way) > MAX_WAITING:
            raise IdentityUnavailable("too many tokens are being validated")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except ClientException as error:
            log.warning("Keystone does not answer", problem=(str(error) or type(error).__name__).splitlines()[0])
            raise IdentityUnavailable("The identity service does not answer.") from error

    # -- in a thread

    def _ask(self, token: str, *, expired: bool) -> Context:
        """Raises Unauthorized, IdentityUnavailable, ClientException."""
        # without its header Keystone hides tokens with access rules from services that may not know of them
        headers = {"X-Subject-Token": token, "OpenStack-Identity-Access-Rules": "1.0"}
        path = f"/auth/tokens?nocatalog{'&allow_expired=1' if expired else ''}"
        response = self._get(path, headers)
        if response.status_code in (400, 404):
            raise Unauthorized
        if response.status_code != 200:
            raise IdentityUnavailable(f"The identity service answers {response.status_code}.")
        try:
            return context(msgspec.json.decode(response.content, type=Body).token)
        except msgspec.MsgspecError as error:
            raise IdentityUnavailable("The identity service's answer is not understood.") from error

    def _revoked(self) -> set[str] | None:
        """What Keystone has revoked lately; None: it does not say."""
        since = (datetime.now(UTC) - timedelta(seconds=TIMEOUT_SECONDS + 2 * REVOKE_SECONDS) - SLACK).isoformat()
        response = self._get(f"/OS-REVOKE/events?since={since.replace('+00:00', 'Z')}", {})
        if response.status_code != 200:
            return None
        return {msgspec.json.encode(event, order="sorted").decode() for event in response.json()["events"]}

    def _get(self, path: str, headers: dict[str, str]) -> Any:
        return self._session.get(path, headers=headers, raise_exc=False, **self._where)


def _is_token(text: str) -> bool:
    """Whether it can be one: it becomes a header of our own request."""
    return len(text) <= MAX_TOKEN and text.isascii() and text.isprintable() and " " not in text
