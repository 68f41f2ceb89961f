"""The whole application with its own identity, and a browser that keeps its cookies."""

from typing import Any

import httpx
import pytest
from tests.api.identity.conftest import (
    BASE,
    Alice,
    Caller,
    _cheap_passwords,
    admin,
    alice,
    first_start,
    folder,
    nobody,
    password,
    store,
)

from netweft.dashboard.guard import HEADER

__all__ = ["_cheap_passwords", "admin", "alice", "first_start", "folder", "nobody", "password", "store"]


class Browser:
    """What the page in it sends."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.http = httpx.AsyncClient(transport=transport, base_url=BASE)
        self.origin = BASE

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        own = {HEADER: "1", "origin": self.origin, "user-agent": "Browser/1"}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, f"/dashboard/{path}", json=body, headers=own | given)

    async def log_in(self, user: str, password: str, **more: str) -> httpx.Response:
        return await self("POST", "session", {"user": user, "password": password} | more)

    @property
    def token(self) -> str:
        return self.http.cookies.get("netweft-session") or ""


@pytest.fixture
def browser(nobody: Caller) -> Browser:
    return Browser(nobody.http._transport)


@pytest.fixture
async def alices(browser: Browser, alice: Alice) -> Browser:
    answer = await browser.log_in("alice", alice.password)
    assert answer.status_code == 201, answer.text
    return browser
