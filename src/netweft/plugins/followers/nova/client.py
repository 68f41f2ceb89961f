"""Nova's event API over HTTP: a session of Keystone's own client library, which logs in and finds the endpoint.

That library blocks, so it works in one thread of its own; one request at a time is what order asks for anyway.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from keystoneauth1.exceptions import ClientException
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from netweft.plugins.followers import Unreachable
from netweft.plugins.followers.nova.events import Event
from netweft.plugins.followers.nova.follower import Answer
from netweft.settings import ServerSettings, SettingsError

PATH = "/os-server-external-events"
TIMEOUT_SECONDS = 20.0
TAKEN = (400, 404, 422)  # answers to what was told; all else is Nova being away


class NovaClient:
    def __init__(self, settings: ServerSettings) -> None:
        """Raises SettingsError."""
        auth = v3.Password(
            settings.nova_auth_url or _own_identity(settings),
            username=settings.nova_username,
            password=_password(settings.nova_password_file),
            user_domain_name=settings.nova_user_domain,
            project_name=settings.nova_project,
            project_domain_name=settings.nova_project_domain,
        )
        self._session = Session(auth, user_agent="netweft", timeout=TIMEOUT_SECONDS)
        self._where: dict[str, Any] = (
            {"endpoint_override": settings.nova_url.rstrip("/")}
            if settings.nova_url
            else {
                "endpoint_filter": {
                    "service_type": "compute",
                    "interface": settings.nova_interface,
                    "region_name": settings.region,
                }
            }
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="netweft-nova")

    async def post(self, told: Sequence[Event]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._post, list(told))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _post(self, told: list[Event]) -> Answer:
        try:
            response = self._session.post(PATH, json={"events": told}, raise_exc=False, **self._where)
        except ClientException as error:  # of the login, the catalogue or the connection
            raise Unreachable(f"Nova: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from error
        if response.status_code >= 300 and response.status_code not in TAKEN:
            raise Unreachable(f"Nova answers {response.status_code} {response.reason}")
        return Answer(response.status_code, _codes(response))


def _codes(response: Any) -> tuple[int, ...]:
    try:
        return tuple(int(event["code"]) for event in response.json()["events"])
    except (ValueError, KeyError, TypeError):
        return ()


def _password(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise SettingsError(f"nova_password_file: {file}: {error.strerror}") from None


def _own_identity(settings: ServerSettings) -> str:
    """Of this server, as it reaches itself.  Raises SettingsError."""
    if settings.public_url:
        return f"{settings.public_url.rstrip('/')}/identity/v3"
    for address in settings.listen:
        host, colon, port = address.rpartition(":")
        if colon and not address.startswith("unix:"):
            here = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
            return f"http://{here}:{port}/identity/v3"
    raise SettingsError("nova_auth_url: needed, since this server listens on no address of its own")
