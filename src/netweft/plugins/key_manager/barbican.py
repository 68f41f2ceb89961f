"""The cloud's Barbican.  Who names a secret has to be allowed to read it, and lets this server's user read it, too.

So Octavia does it: what is named is read with the token of who names it, and the access list of each secret gets our
user with that token.  Later, when a node needs it, our user reads it.  References are looked up at the Barbican that we
were given, wherever they say that they lead: no token goes anywhere else.  The client library blocks: in threads.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from keystoneauth1.exceptions import ClientException, HttpError
from keystoneauth1.token_endpoint import Token

from netweft.plugins import service_user
from netweft.plugins.key_manager import KeyManagerUnavailable
from netweft.settings import ServerSettings

TIMEOUT_SECONDS: Final = 10.0
THREADS: Final = 8
MOST_BYTES: Final = 1 << 20  # of an answer; Barbican itself takes 20,000 of a payload
MOST_SECRETS: Final = 20  # in one container: of a certificate there are four
_REF: Final = re.compile(r"/v1/(secrets|containers)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?$")
_NOT_THERE: Final = (400, 403, 404, 406)


class Barbican:
    """Constructing it does no I/O but to read the password.  Raises SettingsError."""

    def __init__(self, settings: ServerSettings) -> None:
        self._session = service_user.session(settings, timeout=TIMEOUT_SECONDS)
        self._url = settings.barbican_url.rstrip("/").removesuffix("/v1") + "/v1"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="netweft-barbican")

    async def contents(self, project_id: str, refs: Collection[str], token: str) -> Mapping[str, Mapping[str, bytes]]:
        loop = asyncio.get_running_loop()
        asked = {ref: loop.run_in_executor(self._threads, self._content, ref, token) for ref in refs}
        try:
            found = {ref: await future for ref, future in asked.items()}
        except ClientException as problem:
            raise KeyManagerUnavailable(str(problem)) from None
        finally:
            for future in asked.values():
                future.cancel()
        return {ref: content for ref, content in found.items() if content is not None}

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _content(self, ref: str, token: str) -> dict[str, bytes] | None:
        path = _path(ref)
        if path is None:
            return None
        try:
            if path.startswith("secrets/"):
                return {"": self._payload(path, token)}
            container = self._ask("GET", path, token).json()
            paths = {one.get("name") or "": _path(one["secret_ref"]) for one in container["secret_refs"]}
            if len(paths) > MOST_SECRETS or not all(paths.values()):
                return None
            found = {name: self._payload(str(each), token) for name, each in paths.items()}
            self._share(path, token)
        except HttpError as problem:
            if problem.http_status in _NOT_THERE:
                return None
            raise
        except (ValueError, KeyError, TypeError):  # of a JSON body
            return None
        return found

    def _payload(self, path: str, token: str) -> bytes:
        found: bytes = self._ask("GET", f"{path}/payload", token, Accept="*/*").content
        self._share(path, token)
        return found

    def _share(self, path: str, token: str) -> None:
        """With our own user, if somebody else was allowed to read it."""
        if not token:
            return
        ours = self._session.get_user_id()
        read: Mapping[str, Any] = self._ask("GET", f"{path}/acl", token).json().get("read", {})
        users = read.get("users") or []
        if ours not in users:
            access = read.get("project-access", True)
            body = {"read": {"users": [*users, ours], "project-access": access}}
            self._ask("PUT", f"{path}/acl", token, json=body)

    def _ask(self, method: str, path: str, token: str, json: Any = None, **headers: str) -> Any:
        url = f"{self._url}/{path}"
        auth = Token(self._url, token) if token else None
        return self._session.request(url, method, auth=auth, json=json, headers=headers, redirect=False)


def _path(ref: str) -> str | None:
    found = _REF.search(ref)
    return f"{found[1]}/{found[2]}" if found else None
