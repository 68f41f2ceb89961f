"""`GET /v2.0/netweft/feed`: what changed, as lines of JSON, for as long as the caller reads them (decision 0623).

kinds: of which collections, `ports,networks`; else all.  place: as the last answer named it, to go on from there.
wait: seconds; the answer ends when all is told, or after so long without anything to tell.  Else it does not end.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from netweft.api import querystring
from netweft.api.attributes import Resource
from netweft.api.encoding import encode, whole_number
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.stream.policies import told
from netweft.api.stream.reading import Event, Reading, Told
from netweft.plugins.identity import Authenticate, Context, IdentityUnavailable, Unauthorized
from netweft.store import Store
from netweft.store.doorbell import Bell

PATH: Final = "/v2.0/netweft/feed"
STREAMS, STREAMS_OF_USER = 100, 8
LONGEST_SECONDS: Final = 300
APART_SECONDS: Final = 0.02  # between two looks at the log
SOON_SECONDS: Final = 0.005
TICK_SECONDS: Final = 1.0  # for changes without a doorbell
ALIVE_SECONDS: Final = 20.0  # a line at least so often: proxies cut what is silent
LOOK_SECONDS: Final = 10.0  # at the token

log = structlog.get_logger(__name__)


class Open:
    """A stream.  ended: why, once it is to end."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.ended = ""


class Feed:
    def __init__(self, resources: Sequence[Resource], store: Store, authenticate: Authenticate) -> None:
        self._kinds = told(resources, store)
        self._store, self._authenticate = store, authenticate
        self._open: list[Open] = []  # in the order in which they came

    def routes(self, gate: Gate) -> list[BaseRoute]:
        return [Route(PATH, gate(self.stream), methods=["GET"])]

    async def stream(self, request: Request, context: Context) -> Response:
        given = dict(querystring.parse(request.url.query))
        if unknown := given.keys() - {"kinds", "place", "wait"}:
            raise HTTPBadRequest(f"{sorted(unknown)} is invalid attribute for filtering")
        reading = Reading(self._store, chosen(self._kinds, given.get("kinds")), context, given.get("place", ""))
        wait = _seconds(given["wait"]) if "wait" in given else None
        token = request.headers["x-auth-token"]
        lines = self._lines(reading, context, token, wait)
        return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})

    async def _lines(self, reading: Reading, context: Context, token: str, wait: int | None) -> AsyncIterator[bytes]:
        mine = self._enter(context.user_id)
        clock = asyncio.get_running_loop().time
        began = said = looked = clock()
        try:
            with self._store.doorbell.subscribe() as bell:
                while not mine.ended:
                    for event in await self._store.turns.read(reading.more, long=reading.is_underway):
                        said = clock()
                        yield _line(event)  # waits for who does not read
                    now = clock()
                    if not reading.is_underway and wait is not None and (said > began or now >= began + wait):
                        if said == began:
                            yield _line(reading.at)
                        return
                    if not reading.is_underway and now >= said + ALIVE_SECONDS:
                        said = now
                        yield _line(reading.at)
                    if reading.doubt or now >= looked + LOOK_SECONDS:
                        reading.doubt, looked = False, now
                        mine.ended = mine.ended or await self._no_longer(token, context)
                    if not reading.is_underway:
                        left = TICK_SECONDS if wait is None else min(TICK_SECONDS, began + wait - now)
                        await _until_rung(bell, SOON_SECONDS if reading.soon else left)
            yield _line({"event": "end", "reason": mine.ended})
        finally:
            self._open.remove(mine)

    def _enter(self, user_id: str) -> Open:
        """The oldest gives way, of the user's own first: a client that lost its connection comes again."""
        of_user = [one for one in self._open if one.user_id == user_id and not one.ended]
        if len(of_user) >= STREAMS_OF_USER:
            of_user[0].ended = f"This user has opened more than {STREAMS_OF_USER} streams."
        elif len(self._open) >= STREAMS:
            self._open[0].ended = "This server has too many streams."
        mine = Open(user_id)
        self._open.append(mine)
        return mine

    async def _no_longer(self, token: str, context: Context) -> str:
        """Why the token is not good for this stream any more; empty: it is."""
        try:
            now = await self._authenticate(token)
        except Unauthorized:
            return "The token is not valid any more."
        except IdentityUnavailable:
            return ""
        same = (now.project_id, now.roles) == (context.project_id, context.roles)
        return "" if same else "The token's project or roles are others now."


def chosen(kinds: Mapping[str, Told], text: str | None) -> dict[str, Told]:
    """Raises HTTPBadRequest."""
    if text is None:
        return dict(kinds)
    names = [name.strip().replace("-", "_") for name in text.split(",")]
    for name in names:
        if name not in kinds:
            raise HTTPBadRequest(f"Invalid input for kinds. Reason: '{name}' is not one of {', '.join(sorted(kinds))}.")
    return {name: kinds[name] for name in dict.fromkeys(names)}


def _seconds(text: str) -> int:
    found = whole_number(text)
    if found is None or not 0 <= found <= LONGEST_SECONDS:
        raise HTTPBadRequest(f"Invalid input for wait. Reason: '{text}' is not a number from 0 to {LONGEST_SECONDS}.")
    return found


def _line(event: Event | dict[str, Any]) -> bytes:
    return encode(event) + b"\n"


async def _until_rung(bell: Bell, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0.0)):
            await bell.wait(APART_SECONDS)
