"""The whole application, in this process, on a database of its own; and a client that speaks for somebody."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from netweft.plugins.identity.embedded import passwords
from netweft.server.app import create_app
from netweft.settings import ServerSettings
from netweft.store import Store

BASE = "http://netweft.test:9696"


class Caller:
    """Sends JSON with a token, if there is one."""

    def __init__(self, http: httpx.AsyncClient, token: str = "") -> None:
        self.http = http
        self.token = token

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=body, headers={"X-Auth-Token": self.token} | names)

    def with_token(self, token: str) -> "Caller":
        return Caller(self.http, token)

    async def login(self, user: str, password: str, scope: Any = None) -> httpx.Response:
        part = {"user": {"name": user, "domain": {"id": "default"}, "password": password}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": part}}
        if scope is not None:
            auth["scope"] = scope
        return await self("POST", "/identity/v3/auth/tokens", {"auth": auth})

    async def as_user(self, user: str, password: str, scope: Any = None) -> "Caller":
        answer = await self.login(user, password, scope)
        assert answer.status_code == 201, answer.text
        return self.with_token(answer.headers["X-Subject-Token"])

    async def create(self, kind: str, **attributes: Any) -> str:
        """The new object's id."""
        answer = await self("POST", f"/identity/v3/{kind}s", {kind: attributes})
        assert answer.status_code == 201, answer.text
        return str(answer.json()[kind]["id"])

    async def role(self, name: str) -> str:
        answer = await self("GET", f"/identity/v3/roles?name={name}")
        return str(answer.json()["roles"][0]["id"])


def settings_for(folder: Path) -> ServerSettings:
    return ServerSettings(database=f"sqlite:///{folder}/netweft.db", state_dir=str(folder))


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Each test logs in several times; what it costs an attacker is not what they are about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PASSES", 1)
        patch.setattr(passwords, "KIBIBYTES", 8)
        yield


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server that was started once."""
    folder = tmp_path_factory.mktemp("first")
    store = Store.open(settings_for(folder).database)
    create_app(settings_for(folder), store)
    store.close()
    return folder


@pytest.fixture
def folder(first_start: Path, tmp_path: Path) -> Path:
    return shutil.copytree(first_start, tmp_path / "state")


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    store = Store.open(settings_for(folder).database)
    yield store
    store.close()


@pytest.fixture
async def nobody(store: Store, folder: Path) -> AsyncIterator[Caller]:
    app = create_app(settings_for(folder), store)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
    async with app.router.lifespan_context(app), http:
        yield Caller(http)


@pytest.fixture
def password(folder: Path) -> str:
    lines = (folder / "admin-openrc").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("export OS_PASSWORD="))


@pytest.fixture
async def admin(nobody: Caller, password: str) -> Caller:
    return await nobody.as_user("admin", password, {"project": {"name": "admin", "domain": {"id": "default"}}})


class Alice:
    """A plain user, member of the project `blue`."""

    password = "correct horse"
    scope: dict[str, Any]

    def __init__(self, id: str, project_id: str, call: Caller) -> None:
        self.id, self.project_id, self.call = id, project_id, call
        self.scope = {"project": {"id": project_id}}


@pytest.fixture
async def alice(admin: Caller) -> Alice:
    project = await admin.create("project", name="blue")
    user = await admin.create("user", name="alice", password=Alice.password)
    answer = await admin("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{await admin.role('member')}")
    assert answer.status_code == 204
    return Alice(user, project, await admin.as_user("alice", Alice.password, {"project": {"id": project}}))
