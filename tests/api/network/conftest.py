"""The Networking API over a real store, in this process; tokens are names of people."""

import asyncio
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from netweft.api.app import routes
from netweft.plugins.identity import Context, Unauthorized
from netweft.server.faults import fault
from netweft.server.frame import RequestFrame
from netweft.settings import ServerSettings
from netweft.store import Object, Store


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
    # httpx looks for it with each request, in every folder of Python's path; what is None here is not there
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]
    yield
    _runner().close()


class Client:
    """Calls an application in this process, one request after the other."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, url: str, **values: Any) -> httpx.Response:
        return _runner().run(self._request(method, url, **values))

    async def _request(self, method: str, url: str, **values: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://netweft.test") as client:
            return await client.request(method, url, **values)


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
            routes=routes(store, authenticate, settings),
            middleware=[Middleware(RequestFrame, max_body_bytes=settings.max_body_bytes, turns=store.turns)],
            exception_handlers={HTTPException: fault},
        )
        return Api(app)

    return make


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api()
