"""Going to a server as an agent would: does it answer, what time is it there, does it take the token?"""

import asyncio
import time
from email.utils import parsedate_to_datetime

import httpx
from websockets.exceptions import InvalidStatus, WebSocketException

from netweft.agent.sync import connection, in_words
from netweft.doctor.facts import Asked

ANSWER_SECONDS = 5.0
_UNAUTHORIZED = 401


def ask(server: str, token: str) -> Asked:
    """Nothing is subscribed to: the session is closed as soon as it is open.  Blocks."""
    try:
        behind = _behind(server)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Asked(str(error) or type(error).__name__)
    return asyncio.run(_session(server, token, behind)) if token else Asked(behind=behind)


def _behind(server: str) -> float | None:
    unix = server.startswith("unix:")
    transport = httpx.HTTPTransport(uds=server.removeprefix("unix:")) if unix else httpx.HTTPTransport()
    with httpx.Client(transport=transport, timeout=ANSWER_SECONDS) as client:
        said = client.get("http://localhost/" if unix else f"{server.rstrip('/')}/").headers.get("date")
    try:
        return parsedate_to_datetime(said).timestamp() - time.time() if said else None
    except ValueError:
        return None


async def _session(server: str, token: str, behind: float | None) -> Asked:
    try:
        async with connection(server, token):
            return Asked(behind=behind)
    except InvalidStatus as error:
        if error.response.status_code == _UNAUTHORIZED:
            return Asked(token_refused=True, behind=behind)
        return Asked(in_words(error), behind=behind)
    except (OSError, WebSocketException) as error:
        return Asked(in_words(error), behind=behind)
