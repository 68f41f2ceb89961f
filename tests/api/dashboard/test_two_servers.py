"""Two servers behind a load balancer, on one PostgreSQL: a session is good at both, and so is what pages hear."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from tests.api.dashboard.conftest import Browser
from tests.api.dashboard.test_live import opened

from netweft.dashboard.live.page import OVER
from netweft.server.app import create_app
from netweft.settings import ServerSettings
from netweft.store import Store

pytestmark = pytest.mark.postgres


@pytest.fixture
async def servers(postgres_url: str, tmp_path: Path) -> AsyncIterator[list[Browser]]:
    """A browser at each."""
    async with AsyncExitStack() as stack:
        browsers = []
        for _ in range(2):
            settings = ServerSettings(database=postgres_url, state_dir=str(tmp_path))
            store = Store.open(postgres_url)
            stack.callback(store.close)
            app = create_app(settings, store)
            await stack.enter_async_context(app.router.lifespan_context(app))
            browsers.append(Browser(httpx.ASGITransport(app)))
        yield browsers


async def test_a_session_is_good_at_any_server(servers: list[Browser], tmp_path: Path) -> None:
    first, second = servers
    lines = (tmp_path / "admin-openrc").read_text().splitlines()
    password = next(line.partition("=")[2] for line in lines if line.startswith("export OS_PASSWORD="))
    assert (await first.log_in("admin", password)).status_code == 201
    second.http.cookies = first.http.cookies
    assert (await second("GET", "session")).json()["user"]["name"] == "admin"
    async with opened(second) as socket:
        made = await first("POST", "api/v2.0/networks", {"network": {"name": "at the first"}})
        id = made.json()["network"]["id"]
        await socket.until(lambda one: ("networks", id, False) in one.changes)
        assert (await second("GET", f"api/v2.0/networks/{id}")).status_code == 200
        await first("DELETE", "session")
        await socket.until(lambda one: one.closed == OVER)
    assert (await second("GET", "api/v2.0/networks")).status_code == 401
