"""Nova over HTTP, as somebody whose word is not taken: what it answers is bounded in size, and what is no server in
it is left out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, field

if TYPE_CHECKING:
    from httpx import AsyncClient

LISTED: Final = 500  # servers in one list; Nova's own limit is 1,000
MOST_BYTES: Final = 4 * 1024 * 1024
_WORD = re.compile(r"[A-Za-z_-]{1,32}")
_TEXT: Final = 255


class Silent(Exception):
    """Nova does not answer, or not as Nova does.  Its text is for the user: nothing of the answer is in it."""


class Refused(Exception):
    """Nova does not let this user see it."""


class Server(Struct, frozen=True):
    """status: Nova's word (ACTIVE, SHUTOFF, ...).  task: what it is about just now.  host: shown to admins only."""

    id: str
    name: str
    status: str
    task: str = ""
    host: str = ""


class _Told(Struct, frozen=True):
    """As far as it is looked at."""

    id: Any = ""
    name: Any = ""
    status: Any = ""
    task: Any = field(default="", name="OS-EXT-STS:task_state")
    host: Any = field(default="", name="OS-EXT-SRV-ATTR:host")


class _List(Struct, frozen=True):
    servers: list[msgspec.Raw]


class _One(Struct, frozen=True):
    server: msgspec.Raw


class Nova:
    """Raises Silent, Refused.  Whoever asks bounds the time."""

    def __init__(self) -> None:
        self._client: AsyncClient | None = None  # its library is large: only where there is a Nova

    async def one(self, url: str, token: str, id: str) -> Server | None:
        body = await self._get(f"{url}/servers/{id}", token)
        return None if body is None else _server(_read(body, _One).server)

    async def all(self, url: str, token: str, *, of_all_projects: bool) -> tuple[Sequence[Server], bool]:
        """The newest of those that the user sees, and whether they are all."""
        more = "&all_tenants=1" if of_all_projects else ""
        body = await self._get(f"{url}/servers/detail?limit={LISTED}{more}", token)
        told = [] if body is None else _read(body, _List).servers
        servers = (_server(one) for one in told[:LISTED])
        return [one for one in servers if one is not None], len(told) < LISTED

    async def ready(self) -> None:
        """Before the first question: what that takes is no time of Nova's."""
        if self._client is None:
            made = await asyncio.to_thread(_client)
            self._client = self._client or made

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _get(self, url: str, token: str) -> bytes | None:
        """None: there is no such thing.  Not packed: what is small on the wire may be large here."""
        import httpx

        assert self._client is not None, "it is ready before it is asked"
        headers = {"x-auth-token": token, "accept": "application/json", "accept-encoding": "identity"}
        try:
            async with self._client.stream("GET", url, headers=headers) as answer:
                if answer.status_code in (401, 403):
                    raise Refused
                if answer.status_code == 404:
                    return None
                if answer.status_code != 200:
                    raise Silent(f"Nova answers {answer.status_code}.")
                return await _bounded(answer.aiter_raw)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise Silent("Nova does not answer.") from None


def _client() -> AsyncClient:
    import httpx

    return httpx.AsyncClient(timeout=None, follow_redirects=False, trust_env=False)


async def _bounded(chunks: Callable[[], Any]) -> bytes:
    content = bytearray()
    async for chunk in chunks():
        content += chunk
        if len(content) > MOST_BYTES:
            raise Silent("Nova's answer is too large.")
    return bytes(content)


def _read(body: bytes, type: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Silent("Nova's answer is not understood.") from None


def _server(raw: msgspec.Raw) -> Server | None:
    """None where it is none: what is not text, or not a word, is left out."""
    try:
        told = msgspec.json.decode(raw, type=_Told)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if not isinstance(told.id, str):
        return None
    return Server(told.id.lower(), _text(told.name), _word(told.status), _word(told.task), _text(told.host))


def _text(value: Any) -> str:
    return value[:_TEXT] if isinstance(value, str) else ""


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""
