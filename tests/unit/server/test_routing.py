"""The route that is found by its segments is the one that is found by trying one after the other."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute

from netweft.api import app as networking_api
from netweft.api.lb import app as load_balancing_api
from netweft.control.l2.ports import Ports
from netweft.control.security.security_groups import SecurityGroups
from netweft.plugins.identity import Context, Unauthorized
from netweft.server.routing import Routes
from netweft.settings import ServerSettings
from netweft.store import Store


async def nobody(*_: Any) -> Context:
    raise Unauthorized


async def page(*_: Any) -> None:
    """Never called."""


@pytest.fixture
def routes(store: Store) -> list[BaseRoute]:
    """All of the two large APIs, and of each other kind one, before and behind them."""
    settings = ServerSettings()
    ports = Ports(settings, SecurityGroups())
    return [
        Route("/v2.0/{anything:path}/first", page),
        *networking_api.routes(store, nobody, settings),
        *load_balancing_api.routes(store, nobody, settings, ports),
        WebSocketRoute("/netweft/v1/feed", page),
        Route("/{single}", page),
        Mount("/dashboard", app=Starlette()),
        Route("/v2.0/ports/{id}", page, methods=["BREW"]),
    ]


def one_after_the_other(routes: Sequence[BaseRoute], scope: dict[str, Any]) -> tuple[Match, object]:
    found: list[tuple[Match, object]] = [(route.matches(scope)[0], route) for route in routes]
    full = [one for one in found if one[0] is Match.FULL]
    partial = [one for one in found if one[0] is Match.PARTIAL]
    return (full or partial or [(Match.NONE, None)])[0]


def paths(routes: Sequence[BaseRoute]) -> Iterator[str]:
    for route in routes:
        path = re.sub(r"\{[^}]*\}", "x", getattr(route, "path", ""))
        yield from (path, f"{path}/", f"{path}/first", path.upper())
    yield from ("", "/", "//", "/x", "/v2.0", "/v2.0/", "/v2.0//ports", "/dashboard/static/a.js", "/v2.0/first")


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_same_is_found(routes: list[BaseRoute], kind: str) -> None:
    all = Routes(routes)
    looked_at = 0
    for path in dict.fromkeys(paths(routes)):
        for method in ("GET", "BREW"):
            scope: dict[str, Any] = {"type": kind, "path": path, "root_path": "", "method": method, "headers": []}
            match, found = all.matches(scope)
            assert (match, found.get("route")) == one_after_the_other(routes, scope), (method, path)
            looked_at += match is not Match.NONE
    assert looked_at > (1000 if kind == "http" else 0)


def test_few_are_tried(routes: list[BaseRoute]) -> None:
    all = Routes(routes)
    assert len(all._by_key["v2.0", "ports"]) < len(routes) / 10
