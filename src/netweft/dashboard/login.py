"""What a session asks of identity: to log in, to change the project, who it is, to log out.  All by Keystone's API, so
that it is the same with our own identity and with the cloud's (decision 0523)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")
TOKENS = "/v3/auth/tokens?nocatalog"
PROJECTS = "/v3/auth/projects"
_WORDS = {
    401: "That user name, password, domain or project is not right.",
    429: "That were too many attempts. Wait a little.",
}


class Asked(NamedTuple):
    """path: behind the address of the identity service.  client: the browser's address.  claims: who it says it is,
    where that is to be proven."""

    method: str
    path: str
    headers: Mapping[str, str]
    client: Any
    body: bytes = b""
    claims: str = ""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


Ask: TypeAlias = Callable[[Asked], Awaitable[Answer]]


class NotLoggedIn(Exception):
    """status, text and retry_after: as the browser is told."""

    def __init__(self, status: int, text: str, retry_after: str = "") -> None:
        super().__init__(text)
        self.status, self.retry_after = status, retry_after


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    """project: by name, in the same domain; empty: the user's default, or any."""

    user: str
    password: str
    domain: str = "Default"
    project: str = ""


class Named(Struct, frozen=True):
    id: str
    name: str


class Role(Struct, frozen=True):
    name: str


class Said(Struct, frozen=True):
    """What Keystone says of a token, as far as it is requested."""

    user: Named
    expires_at: str
    project: Named | None = None
    roles: tuple[Role, ...] = ()


class _Token(Struct, frozen=True):
    token: Said


class _Projects(Struct, frozen=True):
    projects: list[Named]


class Session(NamedTuple):
    token: str
    said: Said


class Identity:
    """client, software: of the browser.  chained: who revokes a token revokes those that were made of it, too."""

    def __init__(self, ask: Ask, client: Any, software: str, *, chained: bool) -> None:
        self._ask, self._client, self._software = ask, client, {"user-agent": software}
        self._chained = chained

    async def log_in(self, login: Login) -> Session:
        """Raises NotLoggedIn, as all of these."""
        domain = {"name": login.domain}
        user = {"name": login.user, "domain": domain, "password": login.password}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if login.project:
            auth["scope"] = {"project": {"name": login.project, "domain": domain}}
        session = await self._new(auth, f"{login.user} of {login.domain}")
        if session.said.project:
            return session
        projects = await self.projects(session.token)
        return await self.change_project(session.token, projects[0].id) if projects else session

    async def change_project(self, token: str, project_id: str) -> Session:
        """The token before is worth nothing any more, where that can be had."""
        identity = {"methods": ["token"], "token": {"id": token}}
        session = await self._new({"identity": identity, "scope": {"project": {"id": project_id}}})
        if not self._chained:
            await self.log_out(token)
        return session

    async def who(self, token: str) -> Said:
        return _read(await self._about("GET", TOKENS, token), _Token).token

    async def projects(self, token: str) -> list[Named]:
        """Where one may go, by name."""
        found = _read(await self._about("GET", PROJECTS, token), _Projects).projects
        return sorted(found, key=lambda one: one.name)

    async def names(self, token: str, kind: str) -> list[Named]:
        """Of all projects or users, as far as identity lets the caller list them."""
        found = _read(await self._about("GET", f"/v3/{kind}", token), dict[str, Any])
        return msgspec.convert(found.get(kind, []), list[Named])

    async def log_out(self, token: str) -> None:
        await self._about("DELETE", TOKENS.partition("?")[0], token)

    async def _new(self, auth: dict[str, Any], claims: str = "") -> Session:
        content = msgspec.json.encode({"auth": auth})
        headers = {"content-type": "application/json", "content-length": str(len(content)), **self._software}
        answer = await self._ask(Asked("POST", TOKENS, headers, self._client, content, claims))
        return Session(answer.headers.get("x-subject-token", ""), _read(answer, _Token).token)

    async def _about(self, method: str, path: str, token: str) -> Answer:
        """One's own token."""
        headers = {"x-auth-token": token, "x-subject-token": token, **self._software}
        return await self._ask(Asked(method, path, headers, self._client))


def _read(answer: Answer, type: type[T]) -> T:
    """Raises NotLoggedIn."""
    if answer.status >= 300:
        text = _WORDS.get(answer.status, f"The identity service answers {answer.status}.")
        raise NotLoggedIn(answer.status, text, answer.headers.get("retry-after", ""))
    try:
        return msgspec.json.decode(answer.body, type=type)
    except msgspec.MsgspecError:
        raise NotLoggedIn(503, "The identity service's answer is not understood.") from None
