"""The Networking API over a real store, in this process; tokens are names of people."""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import Message

from netweft.api.app import routes
from netweft.plugins.identity import Context, Unauthorized
from netweft.server.faults import fault
from netweft.server.middleware import RequestFrame
from netweft.server.routing import Routes
from netweft.settings import ServerSettings
from netweft.store import Object, Store

HOST = "netweft.test"
_IN_URLS = "%/:@!$&'()*+,;=?[]-._~|"


def _somebody(name: str, project: str, *roles: str) -> Context:
    return Context(user_id=name, user_name=name, project_id=project, roles=frozenset(roles))


BLUE = "b10eb10e-0000-4000-8000-000000000000"  # a project id as Keystone's are: what is shared with it is checked
YELLOW = "7e110e11-0000-4000-8000-000000000000"
PEOPLE = {
    "admin": _somebody("admin", "admins", "admin", "manager", "member", "reader"),
    "ann": _somebody("ann", "red", "manager", "member", "reader"),
    "alice": _somebody("alice", "red", "member", "reader"),
    "adam": _somebody("adam", "red", "reader"),
    "alf": _somebody("alf", "red", "spare-time"),
    "bob": _somebody("bob", BLUE, "member", "reader"),
    "nick": _somebody("nick", "green", "member", "reader"),
    "nora": _somebody("nora", "green", "manager", "member", "reader"),
    "ned": _somebody("ned", "green", "reader"),
    "carol": _somebody("carol", YELLOW, "member", "reader"),
    "nova": _somebody("nova", "services", "service"),
}


async def authenticate(token: str) -> Context:
    if token not in PEOPLE:
        raise Unauthorized
    return PEOPLE[token]


@functools.cache
def _runner() -> asyncio.Runner:
    """One event loop for all requests: to make one takes longer than many of them."""
    return asyncio.Runner()


@pytest.fixture(scope="session", autouse=True)
def _end_of_runner() -> Iterator[None]:
    yield
    _runner().close()


class Client:
    """Calls an application in this process, one request after the other; httpx would take longer than it does."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(
        self, method: str, url: str, *, json: Any = None, content: bytes = b"", headers: Mapping[str, Any] = {}
    ) -> httpx.Response:
        own = {"host": HOST, "accept": "*/*", "user-agent": "tests"}
        if json is not None:
            content, own["content-type"] = msgspec.json.encode(json), "application/json"
        if content or method in ("POST", "PUT", "PATCH"):
            own["content-length"] = str(len(content))
        path, _, query = url.removeprefix(f"http://{HOST}").partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": quote(path, safe=_IN_URLS).encode(),
            "query_string": quote(query, safe=_IN_URLS).encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), _bytes(value)) for name, value in (own | dict(headers)).items()],
            "client": ("127.0.0.1", 123),
            "server": (HOST, None),
        }
        return _runner().run(self._request(scope, content))

    async def _request(self, scope: dict[str, Any], content: bytes) -> httpx.Response:
        said: list[Message] = []
        coming: list[Message] = [{"type": "http.request", "body": content}]

        async def receive() -> Message:
            if not coming:  # there is no more, and who asks waits
                await asyncio.sleep(0)
                return {"type": "http.disconnect"}
            return coming.pop()

        async def send(message: Message) -> None:
            said.append(message)

        with suppress(Exception):  # after an answer that says so
            await self._app(scope, receive, send)
        start, *rest = said
        body = b"".join(message.get("body", b"") for message in rest)
        return httpx.Response(start["status"], headers=start["headers"], content=body)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


class Api:
    """`api("alice", "GET", "/networks")`; paths start behind /v2.0."""

    def __init__(self, app: Starlette) -> None:
        self.client = Client(app)

    def __call__(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"/v2.0{path}", json=body, headers={"X-Auth-Token": who} | names)

    def make(self, who: str, member: str, **values: Any) -> Object:
        """One object, which must work."""
        return self.make_many(who, member, [values])[0]

    def make_many(self, who: str, member: str, values: list[Object]) -> list[Object]:
        answer = self(who, "POST", f"/{member.replace('_', '-')}s", {f"{member}s": values})
        assert answer.status_code == 201, answer.text
        made: list[Object] = answer.json()[f"{member}s"]
        return made

    def network(self, who: str = "alice", cidr: str = "", **values: Any) -> Object:
        network = self.make(who, "network", **values)
        if cidr:
            self.make(who, "subnet", network_id=network["id"], ip_version=4, cidr=cidr)
        return network

    def get(self, who: str, path: str) -> Any:
        answer = self(who, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def names(self, who: str, path: str) -> list[str]:
        (found,) = (value for name, value in self.get(who, path).items() if not name.endswith("_links"))
        return [one["name"] for one in found]


def refused(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["NeutronError"]
    assert error.keys() == {"type", "message", "detail"}
    return answer.status_code, error["type"]


MakeApi = Callable[..., Api]


@pytest.fixture
def make_api(store: Store) -> MakeApi:
    def make(**values: Any) -> Api:
        settings = ServerSettings(**values)
        app = Starlette(
            routes=[Routes(routes(store, authenticate, settings))],
            middleware=[Middleware(RequestFrame, max_body_bytes=settings.max_body_bytes, turns=store.turns)],
            exception_handlers={HTTPException: fault},
        )
        return Api(app)

    return make


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api()
