"""What a page is told of changes, over the whole application: to whom, when, and until when."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from tests.api.dashboard.conftest import Browser
from tests.api.identity.conftest import Alice, Caller

from netweft.api.stream.sight import Sight
from netweft.dashboard.live import follower
from netweft.dashboard.live.page import CROWDED, OTHER, OVER

PATIENCE = 10.0


class Socket:
    """A page's WebSocket: what it was told, or how it was refused."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.status = 101
        self.closed: int | None = None
        self._came = asyncio.Queue[Any]()
        self._came.put_nowait({"type": "websocket.connect"})
        self._news = asyncio.Event()

    async def receive(self) -> Any:
        return await self._came.get()

    async def send(self, message: Any) -> None:
        match message["type"]:
            case "websocket.send":
                self.said.append(json.loads(message["text"]))
            case "websocket.close":
                self.closed = message["code"]
            case "websocket.http.response.start":
                self.status = message["status"]
        self._news.set()

    async def until(self, done: Callable[["Socket"], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not done(self):
                self._news.clear()
                await self._news.wait()

    @property
    def changes(self) -> list[tuple[str, str, bool]]:
        return [tuple(one) for said in self.said for one in said.get("changes", ())]

    def leave(self) -> None:
        self._came.put_nowait({"type": "websocket.disconnect", "code": 1001})


@asynccontextmanager
async def opened(browser: Browser, **headers: str) -> AsyncIterator[Socket]:
    transport = browser.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    given = {
        "host": "netweft.test:9696",
        "origin": browser.origin,
        "cookie": f"netweft-session={browser.token}",
    } | headers
    socket = Socket()
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/dashboard/live",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value],
        "extensions": {"websocket.http.response": {}},
        "subprotocols": [],
        "client": ("127.0.0.1", 1),
    }
    app: Any = transport.app
    task = asyncio.create_task(app(scope, socket.receive, socket.send))
    try:
        await socket.until(lambda one: bool(one.said) or one.status != 101)
        yield socket
    finally:
        socket.leave()
        await asyncio.wait([task], timeout=PATIENCE)
        with suppress(asyncio.CancelledError):
            task.cancel()
            await task


async def test_a_page_gets_at_once_what_is_its_own(alices: Browser, admin: Caller) -> None:
    async with opened(alices) as socket:
        assert socket.said[0].keys() == {"revision", "reload"}
        made = await alices("POST", "api/v2.0/networks", {"network": {"name": "mine"}})
        answered = time.monotonic()
        id = made.json()["network"]["id"]
        await socket.until(lambda one: ("networks", id, False) in one.changes)
        assert time.monotonic() - answered < 5
        assert socket.said[-1]["revision"] > socket.said[0]["revision"]
        await alices("DELETE", f"api/v2.0/networks/{id}")
        await socket.until(lambda one: ("networks", id, True) in one.changes)


async def test_nobody_hears_of_what_they_cannot_see(alices: Browser, admin: Caller, alice: Alice) -> None:
    async with opened(alices) as socket:
        network = (await admin("POST", "/v2.0/networks", {"network": {"name": "theirs"}})).json()["network"]["id"]
        await admin("PUT", f"/v2.0/networks/{network}", {"network": {"name": "other"}})
        other = (await admin("POST", "/v2.0/networks", {"network": {}})).json()["network"]["id"]
        await admin("DELETE", f"/v2.0/networks/{other}")
        # shared, it is there for them; and then not any more
        share = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
        shared = await admin(
            "POST", "/v2.0/rbac-policies", {"rbac_policy": share | {"target_tenant": alice.project_id}}
        )
        await socket.until(lambda one: ("networks", network, False) in one.changes)
        await admin("DELETE", f"/v2.0/rbac-policies/{shared.json()['rbac_policy']['id']}")
        await socket.until(lambda one: ("networks", network, True) in one.changes)
        mine = (await alices("POST", "api/v2.0/networks", {"network": {}})).json()["network"]["id"]
        await socket.until(lambda one: ("networks", mine, False) in one.changes)
        assert {id for kind, id, _ in socket.changes if kind == "networks"} == {network, mine}
        assert other not in str(socket.said)


async def test_load_balancers_are_shown_to_who_may_see_them(alices: Browser, admin: Caller) -> None:
    """Also those below: by the policy of their own API."""
    network = (await admin("POST", "/v2.0/networks", {"network": {"shared": True}})).json()["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"}
    vip = (await admin("POST", "/v2.0/subnets", {"subnet": subnet})).json()["subnet"]["id"]
    wanted = {"vip_subnet_id": vip, "listeners": [{"protocol": "TCP", "protocol_port": 80}]}
    path, body = "load-balancer/v2/lbaas/loadbalancers", {"loadbalancer": wanted}
    async with opened(alices) as socket:
        theirs = (await admin("POST", f"/{path}", body)).json()["loadbalancer"]
        made = (await alices("POST", f"api/{path}", body)).json()["loadbalancer"]
        await socket.until(lambda one: ("listeners", made["listeners"][0]["id"], False) in one.changes)
        async with asyncio.timeout(PATIENCE):  # until it is in place nothing of it is changed
            while (await alices("DELETE", f"api/{path}/{made['id']}?cascade=true")).status_code == 409:
                await asyncio.sleep(0.02)
        await socket.until(lambda one: ("loadbalancers", made["id"], True) in one.changes)
        assert theirs["id"] not in str(socket.said) and theirs["listeners"][0]["id"] not in str(socket.said)


async def test_an_admins_page_hears_of_all_projects(
    browser: Browser, password: str, admin: Caller, alice: Alice
) -> None:
    await browser.log_in("admin", password)
    async with opened(browser) as socket:
        made = (await alice.call("POST", "/v2.0/networks", {"network": {}})).json()["network"]["id"]
        await socket.until(lambda one: ("networks", made, False) in one.changes)
        await alice.call("DELETE", f"/v2.0/networks/{made}")
        await socket.until(lambda one: ("networks", made, True) in one.changes)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"cookie": ""}, 401),
        ({"cookie": "netweft-session=guessed"}, 401),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": ""}, 403),
    ],
)
async def test_another_sites_page_and_who_has_no_session_hear_nothing(
    alices: Browser, headers: dict[str, str], status: int
) -> None:
    async with opened(alices, **headers) as socket:
        assert socket.status == status and not socket.said


async def test_a_token_that_is_good_for_some_requests_only_is_not_good_for_pages(
    alices: Browser, alice: Alice, admin: Caller
) -> None:
    rules = [{"service": "network", "method": "GET", "path": "/v2.0/networks"}]
    wanted = {"name": "narrow", "access_rules": rules}
    path = f"/identity/v3/users/{alice.id}/application_credentials"
    made = (await alice.call("POST", path, {"application_credential": wanted})).json()["application_credential"]
    proof = {
        "methods": ["application_credential"],
        "application_credential": {"id": made["id"], "secret": made["secret"]},
    }
    token = (await alice.call("POST", "/identity/v3/auth/tokens", {"auth": {"identity": proof}})).headers[
        "x-subject-token"
    ]
    async with opened(alices, cookie=f"netweft-session={token}") as socket:
        assert socket.status == 403 and not socket.said


async def test_a_page_ends_with_its_session(alices: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(alices) as socket:
        await alices("DELETE", "session")
        await socket.until(lambda one: one.closed == OVER)


async def test_who_is_no_member_any_more_hears_nothing_more(alices: Browser, alice: Alice, admin: Caller) -> None:
    async with opened(alices) as socket:
        role = f"/identity/v3/projects/{alice.project_id}/users/{alice.id}/roles"
        await admin("PUT", f"{role}/{await admin.role('reader')}")
        await admin("DELETE", f"{role}/{await admin.role('member')}")
        await socket.until(lambda one: one.closed in (OTHER, OVER))


async def test_the_oldest_of_too_many_pages_of_one_user_gives_way(
    alices: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PAGES_OF_USER", 1)
    async with opened(alices) as first, opened(alices) as second:
        await first.until(lambda one: one.closed == CROWDED)
        assert second.closed is None


async def test_what_is_too_much_to_be_sent_one_by_one(alices: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "MANY", 1)
    async with opened(alices) as socket:
        await alices("POST", "api/v2.0/networks", {"networks": [{}, {}, {}]})
        await socket.until(lambda one: any("reload" in said for said in one.said[1:]))


async def test_after_a_fault_all_look_again(alices: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.01)
    async with opened(alices) as socket:
        with monkeypatch.context() as broken:
            broken.setattr(Sight, "look", None)
            await alices("POST", "api/v2.0/networks", {"network": {}})
            await asyncio.sleep(0.1)
        await socket.until(lambda one: len(one.said) > 1 and "reload" in one.said[-1])
