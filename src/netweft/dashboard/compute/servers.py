"""What Nova says of some servers, to one user: asked together, kept for a moment, and there in time or not at all.

What is kept is a token's: nobody is told what Nova told somebody else.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from msgspec import Struct, to_builtins

from netweft.dashboard.compute.catalog import PATH, nova_in
from netweft.dashboard.compute.nova import Nova, Refused, Server, Silent
from netweft.dashboard.login import Ask, Asked
from netweft.plugins.identity.embedded.tokens import hash_of
from netweft.settings import ServerSettings

MOST: Final = 100  # servers of a question: a page of a list
SECONDS: Final = 2.0  # that an answer may take
KEPT_SECONDS: Final = 10.0  # what Nova said, and that it says nothing
WHERE_SECONDS: Final = 60.0  # where Nova is
USERS: Final = 500  # tokens of which something is kept
AT_ONCE: Final = 32  # requests to Nova, of all users; of one user a list or FEW of them
FEW: Final = 4  # servers that are requested one by one; more are looked for in a list
SINGLE: Final = 20  # of those that a list had no room for


class Told(Struct, frozen=True):
    """nova: whether there is one.  unseen: why something is missing; empty: nothing is."""

    nova: bool
    servers: list[Any] = []
    unseen: str = ""


class _User:
    """servers: id -> until when, and what it is; None: none that the user sees.  asking: one question at a time.
    away: until when Nova is not asked for this user, and why; a tenant whose list is too long is alone with that."""

    def __init__(self) -> None:
        self.where: tuple[float, str] = (0.0, "")
        self.away: tuple[float, str] = (0.0, "")
        self.servers: dict[str, tuple[float, Server | None]] = {}
        self.asking = asyncio.Lock()


class Servers:
    def __init__(self, settings: ServerSettings, nova: Nova | None = None, now: Callable[[], float] = time.monotonic):
        self._settings, self._nova, self._now = settings, nova or Nova(), now
        self._users: OrderedDict[str, _User] = OrderedDict()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.close = self._nova.close

    async def told(self, ask: Ask, token: str, ids: Collection[str], *, of_all_projects: bool) -> Told:
        """ask: how identity is asked.  of_all_projects: the user is an admin; Nova has the last word on that."""
        user = self._user(token)
        unseen = ""
        url = await self._where(ask, user, token)
        if not url:
            return Told(nova=False)
        await self._nova.ready()
        try:
            async with asyncio.timeout(SECONDS), user.asking:
                missing = self._missing(user, ids)
                if missing and user.away[0] > self._now():
                    unseen = user.away[1]
                elif missing:
                    await self._fetch(user, url, token, missing, of_all_projects=of_all_projects)
        except TimeoutError:
            unseen = "Nova does not answer in time."
        except Silent as silent:
            unseen = str(silent)
        except Refused:
            unseen = "Nova does not let you see servers."
        if unseen and user.away[0] <= self._now():
            user.away = (self._now() + KEPT_SECONDS, unseen)
        known = (user.servers.get(id, (0.0, None))[1] for id in ids)
        return Told(nova=True, servers=[to_builtins(one) for one in known if one is not None], unseen=unseen)

    def _user(self, token: str) -> _User:
        key = hash_of(token)
        user = self._users.setdefault(key, _User())
        self._users.move_to_end(key)
        while len(self._users) > USERS:
            self._users.popitem(last=False)
        return user

    async def _where(self, ask: Ask, user: _User, token: str) -> str:
        if self._settings.nova_url:
            user.where = (float("inf"), self._settings.nova_url.rstrip("/"))
        if user.where[0] <= self._now():
            headers = {"x-auth-token": token, "user-agent": "netweft"}
            found = nova_in(await ask(Asked("GET", PATH, headers, None)), self._settings)
            user.where = (self._now() + WHERE_SECONDS, found)
        return user.where[1]

    def _missing(self, user: _User, ids: Iterable[str]) -> list[str]:
        now = self._now()
        user.servers = {id: kept for id, kept in user.servers.items() if kept[0] > now}
        return [id for id in dict.fromkeys(ids) if id not in user.servers]

    async def _fetch(self, user: _User, url: str, token: str, ids: list[str], *, of_all_projects: bool) -> None:
        rest = ids
        if len(ids) > FEW:
            rest = await self._listed(user, url, token, ids, of_all_projects=of_all_projects)
        for at in range(0, len(rest[:SINGLE]), FEW):
            few = rest[:SINGLE][at : at + FEW]
            said = await asyncio.gather(*(self._single(user, url, token, id) for id in few), return_exceptions=True)
            for one in said:
                if one is not None:
                    raise one

    async def _listed(self, user: _User, url: str, token: str, ids: list[str], *, of_all_projects: bool) -> list[str]:
        """What is not known by that."""
        try:
            async with self._turns:
                servers, are_all = await self._nova.all(url, token, of_all_projects=of_all_projects)
        except Refused:
            if of_all_projects:
                return ids  # an admin here, and none there
            raise
        found = {one.id: one for one in servers}
        until = self._now() + KEPT_SECONDS
        known = ids if are_all else [id for id in ids if id in found]
        user.servers |= {id: (until, found.get(id)) for id in known}
        return [] if are_all else [id for id in ids if id not in found]

    async def _single(self, user: _User, url: str, token: str, id: str) -> None:
        async with self._turns:
            found = await self._nova.one(url, token, id)
        its = found if found is not None and found.id == id else None  # another's answer is nobody's
        user.servers[id] = (self._now() + KEPT_SECONDS, its)
