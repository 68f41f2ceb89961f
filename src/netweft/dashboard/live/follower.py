"""The follower of the change log that tells pages what changed, one in each server while pages are open.

Level-triggered as the nodes' feed: the doorbell only wakes it, and what it cannot tell one by one it tells as `look at
everything again`.  A step is for all pages; of those with the same roles in the same project only one is looked for.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

import structlog
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket

from netweft.api.stream.sight import Change, Seen, Sight
from netweft.control import rbac
from netweft.dashboard import PATH, cookie, guard
from netweft.dashboard.live.pace import Pace
from netweft.dashboard.live.page import CROWDED, OTHER, OVER, Page
from netweft.feed.background import beside
from netweft.plugins.identity import Authenticate, Context, IdentityUnavailable, Unauthorized
from netweft.plugins.identity.embedded.service import KINDS
from netweft.store import ChangesGone, ReadTransaction, Store
from netweft.store.doorbell import Bell
from netweft.store.turns import STRANGERS, asking

LIVE: Final = f"{PATH}/live"
PAGES, PAGES_OF_USER = 2000, 24
BATCH = 1000  # changes read at a time
FEW = 20  # callers' looks that take no time worth a thread
MANY = 2000  # more objects than these at once are not told one by one
APART_SECONDS = 0.005
TICK_SECONDS = 1.0  # for changes without a doorbell
SETTLE_SECONDS = 0.005
RETRY_SECONDS = 1.0
LOOK_SECONDS = 10.0  # at tokens, whatever was heard of them
HEARD_SECONDS = 0.1  # by then identity has heard, too, what another server revoked
DOUBTS_APART_SECONDS = 1.0

log = structlog.get_logger(__name__)


class _Key(NamedTuple):
    """What the rules ask of a caller."""

    project_id: str | None
    roles: frozenset[str]

    @classmethod
    def of(cls, context: Context) -> "_Key":
        return cls(context.project_id, context.roles)

    @property
    def context(self) -> Context:
        return Context(user_id="", user_name="", project_id=self.project_id, roles=self.roles)


_NOTHING = _Key(None, frozenset())


@dataclass(slots=True)
class _Step:
    """all: everything may have changed.  settling: there is more that could not be read yet."""

    revision: int
    told: dict[_Key, list[Change]] = field(default_factory=dict)
    everything: bool = False
    identity: bool = False
    settling: bool = False


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Live:
    def __init__(self, store: Store, policies: Mapping[str, Seen], authenticate: Authenticate, public_url: str) -> None:
        self._store = store
        self._policies = policies
        self._authenticate = authenticate
        self._public_url = public_url
        self._pages: dict[Page, _Key] = {}  # in the order in which they came
        self._sights: dict[_Key, Sight] = {}
        self._joining: list[Page] = []
        self._revision: int | None = None
        self._targets: dict[str, str] | None = None  # RBAC entry -> to whom it shares
        self._pace = Pace()
        self._bell: Bell | None = None
        self._wake = asyncio.Event()
        self._doubt = asyncio.Event()  # what tokens are worth may have changed

    def routes(self) -> list[BaseRoute]:
        return [WebSocketRoute(LIVE, self._endpoint)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with beside(self._follow(), self._look_at_tokens()):
            yield

    # -- pages

    async def _endpoint(self, websocket: WebSocket) -> None:
        asking.set((STRANGERS, websocket.client.host if websocket.client else "local"))
        token = cookie.token_of(websocket.headers.get("cookie", ""))
        try:
            context = await self._let_in(websocket, token)
        except _Refused as refused:
            answer = JSONResponse({"error": str(refused)}, status_code=refused.status)
            await websocket.send_denial_response(answer)
            return
        await self._pace.turn(context.user_id)
        page = Page(websocket, token, context)
        self._enter(page)
        try:
            await page.run()
        finally:
            self._leave(page)

    async def _let_in(self, websocket: WebSocket, token: str) -> Context:
        """Raises _Refused."""
        if text := guard.foreign(websocket.headers, self._public_url):
            raise _Refused(403, text)
        try:
            if not token:
                raise Unauthorized
            context = await self._authenticate(token)
        except Unauthorized:
            raise _Refused(401, "There is no session, or it is over.") from None
        except IdentityUnavailable as error:
            raise _Refused(503, str(error)) from None
        if context.is_wider or context.access_rules is not None:
            raise _Refused(403, "This token is not good for pages.")
        if len(self._pages) >= PAGES:
            raise _Refused(503, "There are too many pages open.")
        return context

    def _enter(self, page: Page) -> None:
        user = page.context.user_id
        same = [one for one in self._pages if one.context.user_id == user]
        if len(same) >= PAGES_OF_USER:
            same[0].end(CROWDED)
        self._pages[page] = _Key.of(page.context)
        self._joining.append(page)
        if self._bell:
            self._bell.ring()
        else:
            self._wake.set()

    def _leave(self, page: Page) -> None:
        key = self._pages.pop(page, None)
        if key is not None and key not in self._pages.values():
            self._sights.pop(key, None)

    # -- the loop

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            with self._store.doorbell.subscribe() as self._bell:
                await self._while_pages_are_open()
            self._bell = self._revision = self._targets = None
            self._sights.clear()

    async def _while_pages_are_open(self) -> None:
        patience, waits = TICK_SECONDS, 0
        while self._pages and self._bell:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._bell.wait(APART_SECONDS)
            waits = waits + 1 if await self._step() else 0
            patience = min(TICK_SECONDS, SETTLE_SECONDS * 2 ** min(waits, 10)) if waits else TICK_SECONDS

    async def _step(self) -> bool:
        """Whether there is more that could not be read yet."""
        joining, self._joining = self._joining, []
        keys = {self._pages[page] for page in joining if page in self._pages}
        opening = {key: Sight(key.context, self._policies) for key in keys - self._sights.keys()}
        known = dict(self._sights)
        long = bool(opening) or len(known) > FEW
        try:
            step = await self._store.turns.read(partial(self._read, known, opening), long=long)
        except Exception as error:  # whatever it is, pages are told again
            if not isinstance(error, ChangesGone):
                log.exception("the dashboard's feed cannot read the store")
                await asyncio.sleep(RETRY_SECONDS)
            self._start_over()
            return False
        self._sights |= opening
        self._revision = step.revision
        if step.identity:
            self._doubt.set()
        self._distribute(step, joining)
        return step.settling

    def _start_over(self) -> None:
        self._revision = self._targets = None
        self._sights.clear()
        self._joining = list(self._pages)
        if self._bell:
            self._bell.ring()

    def _distribute(self, step: _Step, joined: list[Page]) -> None:
        for page, key in self._pages.items():
            if step.everything or page in joined:
                page.tell_all(step.revision)
            elif changes := step.told.get(key):
                page.tell(step.revision, changes)

    def _read(self, known: Mapping[_Key, Sight], opening: Mapping[_Key, Sight]) -> _Step:
        with self._store.read() as tx:
            step = _Step(tx.revision() if self._revision is None else self._revision)
            touched = self._touched(tx, step)
            step.identity = not KINDS.isdisjoint(touched)
            step.everything = sum(map(len, touched.values())) > MANY
            for sight in [*opening.values(), *(known.values() if step.everything else ())]:
                sight.open(tx)
            if not step.everything:
                rows = {kind: tx.get_many(kind, ids) for kind, ids in touched.items() if kind in self._policies}
                to = self._shared_to(tx, touched.get(rbac.KIND, set()))
                step.told = {
                    key: sight.look(tx, touched, rows, shared=rbac.EVERYBODY in to or sight.project_id in to)
                    for key, sight in known.items()
                }
            step.settling = tx.is_settling()
        return step

    def _shared_to(self, tx: ReadTransaction, ids: set[str]) -> set[str]:
        """To whom something is shared that was not, or is not any more."""
        if self._targets is None:
            self._targets = {one["id"]: one["target_tenant"] for one in tx.query(rbac.KIND)}
            return {rbac.EVERYBODY} if ids else set()
        before = {self._targets.pop(id) for id in ids if id in self._targets}
        now = {id: row["target_tenant"] for id, row in tx.get_many(rbac.KIND, ids).items()}
        self._targets |= now
        return before | set(now.values())

    def _touched(self, tx: ReadTransaction, step: _Step) -> dict[str, set[str]]:
        touched: dict[str, set[str]] = {}
        full = True
        while full and (changes := tx.changes(step.revision, BATCH)):
            for change in changes:
                touched.setdefault(change.kind, set()).add(change.id)
            step.revision = changes[-1].revision
            full = len(changes) >= BATCH
        return touched

    # -- tokens

    async def _look_at_tokens(self) -> None:
        """Whoever has no session any more, or another project or role, is told so, and comes again if they may."""
        now, looked = asyncio.get_running_loop().time, float("-inf")
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._doubt.wait()
            await asyncio.sleep(max(HEARD_SECONDS, looked + DOUBTS_APART_SECONDS - now()))
            self._doubt.clear()
            looked = now()
            for token in {page.token for page in self._pages}:
                key = await self._worth(token)
                for page in [page for page in self._pages if page.token == token]:
                    if key is not None and key != self._pages[page]:
                        page.end(OTHER if key.roles else OVER)

    async def _worth(self, token: str) -> _Key | None:
        """None: it cannot be asked now."""
        try:
            return _Key.of(await self._authenticate(token))
        except Unauthorized:
            return _NOTHING
        except IdentityUnavailable:
            return None
