"""Two real servers on one PostgreSQL, and two projects, each with a member who asks both at the same time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
from tests.api.process.conftest import Server

Answer = httpx.Response
_numbers = count()


def number() -> int:
    """Another one each time."""
    return next(_numbers)


class Somebody:
    """`await alice("POST", "/ports", {...})` asks the server whose turn it is; `at` names one."""

    def __init__(self, region: "Region", token: str, project: str) -> None:
        self._region = region
        self.token = token
        self._headers = {"X-Auth-Token": token}
        self._turn = 0
        self.project = project

    async def __call__(self, method: str, path: str, body: Any = None) -> Answer:
        self._turn += 1
        url = self._region.servers[self._turn % 2].url
        prefix = "" if path.startswith(("/identity", "/load-balancer")) else "/v2.0"
        answer = await self._region.http.request(method, f"{url}{prefix}{path}", json=body, headers=self._headers)
        assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    async def make(self, member: str, **values: Any) -> Any:
        special = {"policy": "/qos/policies", "rbac_policy": "/rbac-policies"}
        special["network_segment_range"] = "/network_segment_ranges"
        path = special.get(member, f"/{member.replace('_', '-')}s")
        answer = await self("POST", path, {member: values})
        assert answer.status_code == 201, answer.text
        return answer.json()[member]

    async def get(self, path: str) -> Any:
        """What is listed there; None when there is no such object."""
        answer = await self("GET", path)
        if answer.status_code == 404:
            return None
        return next(value for name, value in answer.json().items() if not name.endswith("_links"))

    async def network(self, cidr: str = "10.0.0.0/24") -> tuple[str, str]:
        """A network and its subnet."""
        network = await self.make("network")
        subnet = await self.make("subnet", network_id=network["id"], ip_version=4, cidr=cidr)
        return network["id"], subnet["id"]


class Known(NamedTuple):
    """Tokens, and the member's role in the paths of projects."""

    admin: str
    member: str
    role: str


_known: dict[str, Known] = {}  # by the first server's address


class Region:
    servers: list[Server]
    http: httpx.AsyncClient
    admin: Somebody
    red: Somebody
    blue: Somebody

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers

    async def __aenter__(self) -> "Region":
        self.http = httpx.AsyncClient(timeout=60)
        url = self.servers[0].url
        if url not in _known:
            self.admin = Somebody(self, self.servers[0].token(), "")
            _known[url] = await self._logged_in()
        self._who = _known[url]
        self.admin = Somebody(self, self._who.admin, "")
        self.red, self.blue = await self.newcomer(), await self.newcomer()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def newcomer(self) -> Somebody:
        """A member of a new project: somebody who has logged in before, since a password costs a moment, on purpose."""
        project = await self._project(self._who.role)
        by = {"methods": ["token"], "token": {"id": self._who.member}}
        return Somebody(self, await self._token({"identity": by, "scope": {"project": {"id": project}}}), project)

    async def stranger(self) -> tuple[Somebody, str]:
        """A member of a new project who is nobody else; and the user's id."""
        user, by, role = await self._user()
        project = await self._project(role)
        token = await self._token({"identity": by, "scope": {"project": {"id": project}}})
        return Somebody(self, token, project), user

    async def _logged_in(self) -> "Known":
        """What the admin makes for one test after the other is in a project whose quotas would be used up."""
        (own,) = (await self.admin("GET", "/identity/v3/projects?name=admin")).json()["projects"]
        unlimited = {"quota": dict.fromkeys(("network", "subnet", "router", "floatingip", "rbac_policy"), -1)}
        assert (await self.admin("PUT", f"/quotas/{own['id']}", unlimited)).status_code == 200
        _, by, role = await self._user()
        return Known(self.admin.token, await self._token({"identity": by}), role)

    async def _user(self) -> tuple[str, dict[str, Any], str]:
        """The id, how the user logs in, and the member's role in the paths of projects."""
        password = "correct horse"
        body = {"user": {"name": f"n{number()}", "password": password}}
        user = (await self.admin("POST", "/identity/v3/users", body)).json()["user"]["id"]
        role = (await self.admin("GET", "/identity/v3/roles?name=member")).json()["roles"][0]["id"]
        by = {"methods": ["password"], "password": {"user": {"id": user, "password": password}}}
        return user, by, f"users/{user}/roles/{role}"

    async def _project(self, role: str) -> str:
        body = {"project": {"name": f"p{number()}"}}
        project: str = (await self.admin("POST", "/identity/v3/projects", body)).json()["project"]["id"]
        assert (await self.admin("PUT", f"/identity/v3/projects/{project}/{role}")).status_code == 204
        return project

    async def _token(self, auth: dict[str, Any]) -> str:
        answer = await self.http.post(f"{self.servers[0].url}/identity/v3/auth/tokens", json={"auth": auth})
        assert answer.status_code == 201, answer.text
        return str(answer.headers["X-Subject-Token"])


async def together(*requests: Any) -> list[int]:
    """Their answers' codes."""
    return [answer.status_code for answer in await asyncio.gather(*requests)]


class Pair(NamedTuple):
    database_url: str
    servers: list[Server]


@contextmanager
def two_servers(cluster: Path, name: str, folder: Path) -> Iterator[Pair]:
    """On a database of this name."""
    with psycopg.connect(f"postgresql://postgres@/postgres?host={cluster}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    found = Pair(f"postgresql+psycopg://postgres@/{name}?host={cluster}", [])
    try:
        for own in (folder / "one", folder / "two"):
            own.mkdir()
            found.servers.append(Server(own))
            found.servers[-1].start("--database", found.database_url, "--state-dir", str(folder))
        for server in found.servers:
            server.folder = folder  # where admin-openrc is
        yield found
    finally:
        for server in found.servers:
            server.stop()


def deadlocks(url: str) -> int:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
        assert row
        return int(row[0])
