"""Nova's event API over HTTP.  The session blocks, so it works in one thread of its own; one request at a time is what
the order needs anyway.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from keystoneauth1.exceptions import ClientException

from netweft.plugins import service_user
from netweft.plugins.followers import Unreachable
from netweft.plugins.followers.nova.events import Event
from netweft.plugins.followers.nova.follower import Answer
from netweft.settings import ServerSettings

PATH = "/os-server-external-events"
TIMEOUT_SECONDS = 20.0
TAKEN = (400, 404, 422, 500)  # answers to an event; all else is Nova being away


class NovaClient:
    def __init__(self, settings: ServerSettings) -> None:
        """Raises SettingsError."""
        self._session = service_user.session(settings, timeout=TIMEOUT_SECONDS)
        named = {"service_type": "compute", "interface": settings.nova_interface, "region_name": settings.region}
        self._where: dict[str, Any] = {"endpoint_filter": named}
        if settings.nova_url:
            self._where = {"endpoint_override": settings.nova_url.rstrip("/")}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="netweft-nova")

    async def post(self, told: Sequence[Event]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._post, list(told))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _post(self, told: list[Event]) -> Answer:
        try:
            response = self._session.post(PATH, json={"events": told}, raise_exc=False, **self._where)
        except ClientException as error:  # of the login, the catalogue or the connection
            raise Unreachable(f"Nova: {(str(error) or type(error).__name__).splitlines()[0]}") from error
        if response.status_code >= 300 and response.status_code not in TAKEN:
            raise Unreachable(f"Nova answers {response.status_code} {response.reason}")
        return Answer(response.status_code, _codes(response))


def _codes(response: Any) -> tuple[int, ...]:
    try:
        return tuple(int(event["code"]) for event in response.json()["events"])
    except (ValueError, KeyError, TypeError):
        return ()
