"""The server's API for our own commands: logs in with the same OS_* variables as the `openstack` client.

Only what those commands need: password, application credential or token, and one request at a time.
"""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

import httpx

from netweft.cli.errors import CommandError

TIMEOUT_SECONDS = 30.0
LOGIN_SECONDS = 10.0  # who waits longer for that asks a server that hangs


class NoServer(CommandError):
    """None answers, or it is not said where one is."""


class Login(NamedTuple):
    """auth_url: with or without /v3 at its end.  body: what to post for a token; None when there is one already."""

    auth_url: str
    body: dict[str, Any] | None
    token: str = ""


def login_from(environ: Mapping[str, str]) -> Login:
    """Raises CommandError when a variable is missing."""

    def need(name: str) -> str:
        if not environ.get(name):
            kind = NoServer if name == "OS_AUTH_URL" else CommandError
            raise kind(f"{name} is not set: source the server's admin-openrc first")
        return environ[name]

    url = need("OS_AUTH_URL").rstrip("/")
    url = url if url.endswith("/v3") else f"{url}/v3"
    if environ.get("OS_TOKEN"):
        return Login(url, None, environ["OS_TOKEN"])
    if environ.get("OS_APPLICATION_CREDENTIAL_ID"):
        part = {"id": environ["OS_APPLICATION_CREDENTIAL_ID"], "secret": need("OS_APPLICATION_CREDENTIAL_SECRET")}
        return Login(url, {"auth": {"identity": _identity("application_credential", part)}})
    user = _named(environ, "OS_USER_ID", "OS_USERNAME", "OS_USER_DOMAIN") | {"password": need("OS_PASSWORD")}
    scope = {"project": _named(environ, "OS_PROJECT_ID", "OS_PROJECT_NAME", "OS_PROJECT_DOMAIN")}
    return Login(url, {"auth": {"identity": _identity("password", {"user": user}), "scope": scope}})


class Client:
    """`with Client.from_environment() as client: client.call("GET", "/netweft/v1/nodes")`"""

    def __init__(self, login: Login, transport: httpx.BaseTransport | None = None) -> None:
        self._login = login
        self._transport = transport
        self._clients: dict[bool, httpx.Client] = {}  # by whether it is https: all authorities' certificates take 50 ms
        self._token = login.token
        # beside a Keystone of its own the catalogue tells where we are; a bare token comes without one
        self._root = login.auth_url.removesuffix("/v3").removesuffix("/identity")

    @classmethod
    def from_environment(cls) -> "Client":
        return cls(login_from(os.environ))

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for http in self._clients.values():
            http.close()

    def call(self, method: str, path: str, body: Any = None, seconds: float = 0.0) -> Any:
        """The answer's JSON, or None.  `path` is from the server's root.  seconds: that the server waits for something.
        Raises CommandError."""
        if not self._token:
            self._log_in()
        answer = self._send(method, self._root + path, body, {"X-Auth-Token": self._token}, TIMEOUT_SECONDS + seconds)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise CommandError(f"{answer.request.url} does not answer as Netweft does") from None

    def _log_in(self) -> None:
        answer = self._send("POST", f"{self._login.auth_url}/auth/tokens", self._login.body, {}, LOGIN_SECONDS)
        try:
            catalog = answer.json()["token"].get("catalog", ())
            urls = [end["url"] for one in catalog if one["type"] == "network" for end in _public(one)]
            self._root = (urls or [self._root])[0].rstrip("/")
            self._token = answer.headers["X-Subject-Token"]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise CommandError(f"{self._login.auth_url} (OS_AUTH_URL) does not answer as Keystone does") from None

    def _http(self, url: str) -> httpx.Client:
        encrypted = not url.startswith("http://")
        if encrypted not in self._clients:
            self._clients[encrypted] = httpx.Client(
                transport=self._transport, timeout=TIMEOUT_SECONDS, verify=encrypted
            )
        return self._clients[encrypted]

    def _send(self, method: str, url: str, body: Any, headers: dict[str, str], seconds: float) -> httpx.Response:
        try:
            answer = self._http(url).request(method, url, json=body, headers=headers, timeout=seconds)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoServer(f"{method} {url}: {error}") from error
        if answer.is_error:
            raise CommandError(_reason(answer))
        return answer


def _identity(method: str, part: dict[str, Any]) -> dict[str, Any]:
    return {"methods": [method], method: part}


def _public(service: dict[str, Any]) -> list[dict[str, Any]]:
    return [end for end in service["endpoints"] if end["interface"] == "public"]


def _named(environ: Mapping[str, str], id: str, name: str, domain: str) -> dict[str, Any]:
    """A user or project by its id, or by its name and domain."""
    if environ.get(id):
        return {"id": environ[id]}
    if not environ.get(name):
        raise CommandError(f"{name} is not set: source the server's admin-openrc first")
    if environ.get(f"{domain}_ID"):
        return {"name": environ[name], "domain": {"id": environ[f"{domain}_ID"]}}
    return {"name": environ[name], "domain": {"name": environ.get(f"{domain}_NAME", "Default")}}


def _reason(answer: httpx.Response) -> str:
    """What the server said, in either API's words."""
    try:
        body = answer.json()
        return str((body.get("error") or body["NeutronError"])["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.reason_phrase}"
