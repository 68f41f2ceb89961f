"""The Octavia API beside the Networking API, over a real store, in this process."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from tests.api.network.conftest import PEOPLE, Api, _somebody, authenticate

from netweft.api.app import routes
from netweft.api.lb import app as load_balancing
from netweft.api.lb.looking import NO_KEYS, Keys
from netweft.control.l2.ports import Ports
from netweft.control.security.security_groups import SecurityGroups
from netweft.server.faults import fault
from netweft.server.middleware import RequestFrame
from netweft.server.routing import Routes
from netweft.settings import ServerSettings
from netweft.store import Object, Store

CODES = {"POST": 201, "PUT": 200, "GET": 200, "DELETE": 204}


class Lb:
    """`lb("alice", "GET", "/loadbalancers")`; paths start behind /load-balancer/v2/lbaas.  net: the Networking API."""

    def __init__(self, app: Starlette) -> None:
        self.net = Api(app)

    def __call__(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        url = f"/load-balancer/v2/lbaas{path}"
        return self.net.client.request(method, url, json=body, headers={"X-Auth-Token": who})

    def make(self, path: str, who: str = "alice", **values: Any) -> Any:
        """One, which must work.  path: of its collection."""
        return self.ok(self(who, "POST", path, {member_of(path): values}), 201)

    def put(self, path: str, who: str = "alice", **values: Any) -> Any:
        return self.ok(self(who, "PUT", path, {member_of(path.rpartition("/")[0]): values}), 200)

    def get(self, path: str, who: str = "alice") -> Any:
        return self.ok(self(who, "GET", path), 200)

    def delete(self, path: str, who: str = "alice") -> None:
        answer = self(who, "DELETE", path)
        assert answer.status_code == 204, answer.text

    def ok(self, answer: httpx.Response, code: int) -> Any:
        assert answer.status_code == code, answer.text
        found = answer.json()
        return next(iter(found.values()))

    def network(self, who: str = "alice", cidr: str = "10.0.0.0/24") -> Object:
        """A subnet of a network of its own."""
        network = self.net.make(who, "network")
        version = 6 if ":" in cidr else 4
        return self.net.make(who, "subnet", network_id=network["id"], ip_version=version, cidr=cidr)

    def balancer(self, who: str = "alice", **values: Any) -> Any:
        """On a network of its own, unless told otherwise."""
        if not any(name.startswith("vip_") and name.endswith("_id") for name in values):
            values["vip_subnet_id"] = self.network(who)["id"]
        return self.make("/loadbalancers", who, **values)


def member_of(path: str) -> str:
    name = path.rpartition("/")[2]
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def refused(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()
    assert error.keys() == {"faultcode", "faultstring", "debuginfo"}
    return answer.status_code, error["faultstring"]


def application(
    store: Store, keys: Keys = NO_KEYS, settle: Callable[[str], None] | None = None, **values: Any
) -> Starlette:
    settings = ServerSettings(**values)
    ports = Ports(settings, SecurityGroups())
    return Starlette(
        routes=[
            Routes(
                (
                    *routes(store, authenticate, settings),
                    *load_balancing.routes(store, authenticate, settings, ports, settle, keys=keys),
                )
            )
        ],
        middleware=[Middleware(RequestFrame, max_body_bytes=settings.max_body_bytes, turns=store.turns)],
        exception_handlers={HTTPException: fault},
    )


@pytest.fixture
def lb(store: Store, monkeypatch: pytest.MonkeyPatch) -> Lb:
    own = {
        "olga": _somebody("olga", "red", "load-balancer_observer"),
        "max": _somebody("max", "red", "load-balancer_member"),
        "gus": _somebody("gus", "watchers", "load-balancer_global_observer"),
        "lisa": _somebody("lisa", "operators", "load-balancer_admin"),
        "quinn": _somebody("quinn", "operators", "load-balancer_quota_admin"),
    }
    for name, context in own.items():
        monkeypatch.setitem(PEOPLE, name, context)
    return Lb(application(store))
