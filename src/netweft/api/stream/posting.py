"""Bodies posted to one URL by a client that is kept, one request at a time.

Loaded only where there are webhooks: httpx is large."""

import asyncio
import os
import ssl
from collections.abc import Mapping
from typing import Final

import httpx
from anyio import to_thread

ANSWER_SECONDS: Final = 10.0  # for all of an answer
LARGEST: Final = 64 << 10  # bytes of an answer that are read to keep the connection; nobody looks at them


class Posting:
    """Redirects are not followed: a redirected POST would become a GET, and may lead anywhere.  Proxies of the
    environment are not used."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: httpx.AsyncClient | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> str:
        """Why it was not taken; empty: it was."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._posted(await self._connected(), body, headers)
        except TimeoutError:
            return f"no answer within {ANSWER_SECONDS:g} s"
        except (httpx.HTTPError, OSError, ValueError) as error:
            return words(error)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _connected(self) -> httpx.AsyncClient:
        """The machine's authorities, as for whatever else runs on it; to load them takes a while."""
        if self._client is None:
            secured = self._url.startswith("https:")
            trusted = await to_thread.run_sync(ssl.create_default_context) if secured else False
            self._client = httpx.AsyncClient(timeout=None, follow_redirects=False, trust_env=False, verify=trusted)
        return self._client

    async def _posted(self, client: httpx.AsyncClient, body: bytes, headers: Mapping[str, str]) -> str:
        async with client.stream("POST", self._url, content=body, headers=headers) as answer:
            read = 0
            async for part in answer.aiter_raw():
                if (read := read + len(part)) > LARGEST:
                    break  # which ends the connection
            return "" if answer.is_success else f"it answers {answer.status_code}"


def words(error: BaseException) -> str:
    """Of what was first: httpx says `All connection attempts failed` of whatever it was."""
    causes = [error]
    while (before := causes[-1].__cause__ or causes[-1].__context__) is not None:
        if isinstance(before, BaseExceptionGroup):
            before = before.exceptions[-1]
        causes.append(before)
    first = next((one for one in reversed(causes) if isinstance(one, OSError) and str(one)), error)
    said = os.strerror(first.errno) if isinstance(first, ConnectionError) and first.errno else str(first)
    return f"{type(first).__name__}: {said}" if said else type(first).__name__
