"""VMs beside their ports: what Nova tells this user, whatever Nova says, and nobody else's."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.api.dashboard.conftest import Browser
from tests.api.dashboard.nova import Nova, server
from tests.api.identity.conftest import Alice, Caller

from netweft.dashboard.compute import servers
from netweft.dashboard.compute.nova import LISTED


@pytest.fixture
async def nova(admin: Caller, alice: Alice) -> AsyncIterator[Nova]:
    """In the catalogue.  It takes the tokens that it is told of."""
    nova = Nova()
    service = await admin.create("service", type="compute", name="nova")
    await admin.create("endpoint", service_id=service, interface="public", region_id="RegionOne", url=nova.url)
    yield nova
    nova.close()


@pytest.fixture
def shes(nova: Nova, alices: Browser, alice: Alice) -> Browser:
    nova.known[alices.token] = (alice.project_id, False)
    return alices


async def told(browser: Browser, *ids: str) -> Any:
    answer = await browser("GET", "servers?" + "&".join(f"id={id}" for id in ids))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_servers_name_and_state(shes: Browser, nova: Nova, alice: Alice) -> None:
    id = nova.add(alice.project_id, "web")
    found = await told(shes, id)
    assert found == {"nova": True, "servers": [{"id": id, "name": "web", "status": "ACTIVE", "task": "", "host": ""}],
                     "unseen": ""}  # fmt: skip
    assert nova.asked == [(f"/v2.1/servers/{id}", shes.token)], "with her own token"
    assert await told(shes, id.upper()) == found and len(nova.asked) == 1, "it is kept for a moment"


async def test_many_are_requested_at_once(shes: Browser, nova: Nova, alice: Alice) -> None:
    ids = [nova.add(alice.project_id, f"web{at}") for at in range(20)]
    theirs, none = nova.add("another project", "theirs"), str(uuid.uuid4())
    found = await told(shes, *ids, theirs, none)
    assert [one["name"] for one in found["servers"]] == [f"web{at}" for at in range(20)]
    assert [path for path, _ in nova.asked] == [f"/v2.1/servers/detail?limit={LISTED}"]
    assert "theirs" not in str(found)


async def test_an_admin_sees_all_and_their_hosts(browser: Browser, nova: Nova, password: str) -> None:
    await browser.log_in("admin", password, project="admin")
    nova.known[browser.token] = ("admin", True)
    ids = [nova.add(f"project {at}", f"vm{at}") for at in range(6)]
    found = await told(browser, *ids)
    assert {one["host"] for one in found["servers"]} == {"hv-of-nova"} and len(found["servers"]) == 6
    nova.known[browser.token] = ("project 0", False)
    other = [nova.add("project 0", f"more{at}") for at in range(5)]
    found = await told(browser, *other)
    assert len(found["servers"]) == 5 and found["unseen"] == "", "an admin here, and none to Nova"


async def test_a_list_that_is_cut_is_made_up_for(
    shes: Browser, nova: Nova, alice: Alice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netweft.dashboard.compute.nova.LISTED", 2)
    ids = [nova.add(alice.project_id, f"web{at}") for at in range(6)]
    assert len((await told(shes, *ids))["servers"]) == 6
    assert len(nova.asked) == 5


async def test_nothing_of_others(shes: Browser, nova: Nova, alice: Alice, admin: Caller, nobody: Caller) -> None:
    """Nor what an admin was told a moment ago."""
    id = nova.add("another project", "theirs")
    other = Browser(nobody.http._transport)
    project = await admin.create("project", name="theirs")
    user = await admin.create("user", name="bob", password="password of bob")
    await admin("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{await admin.role('member')}")
    await other.log_in("bob", "password of bob")
    nova.known[other.token] = ("another project", False)
    assert (await told(other, id))["servers"][0]["name"] == "theirs"
    assert (await told(shes, id))["servers"] == []
    await other("DELETE", "session")
    assert (await other("GET", f"servers?id={id}")).status_code == 401


BROKEN = {
    "html": "not understood",
    "large": "too large",
    "packed": "not understood",
    "redirect": "302",
    "fault": "500",
}


@pytest.mark.parametrize("says", BROKEN)
async def test_a_broken_nova(shes: Browser, nova: Nova, says: str) -> None:
    nova.says = says
    ids = [str(uuid.uuid4()) for _ in range(6)]
    found = await told(shes, *ids)
    assert found["servers"] == [] and BROKEN[says] in found["unseen"], found
    asked = len(nova.asked)
    assert (await told(shes, ids[0]))["unseen"] == found["unseen"]
    assert len(nova.asked) == asked == 1, "it is let alone for a while"


async def test_a_nova_that_hangs(shes: Browser, nova: Nova, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "SECONDS", 0.2)
    nova.says = "hang"
    assert "in time" in (await told(shes, str(uuid.uuid4())))["unseen"]
    nova.http.ended.set()


async def test_a_nova_that_is_not_there(shes: Browser, nova: Nova) -> None:
    nova.close()
    assert (await told(shes, str(uuid.uuid4())))["unseen"] == "Nova does not answer."


LIES: list[Any] = [
    [],
    {"servers": {}},
    {"servers": [None, 1, "x", [], {}, {"id": 3}, {"id": {"a": 1}, "name": "x"}]},
    {"servers": [server("p", "not asked for")]},
    {"server": server("p", "not asked for")},
    {"servers": "[" * 3},
]


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
@pytest.mark.parametrize("many", [1, 6])
async def test_a_nova_that_lies(shes: Browser, nova: Nova, lie: Any, many: int) -> None:
    nova.says = lambda path: (200, lie)
    assert (await told(shes, *(str(uuid.uuid4()) for _ in range(many))))["servers"] == []


async def test_what_is_no_word_is_left_out(shes: Browser, nova: Nova, alice: Alice) -> None:
    wrong = {"status": "<b>ACTIVE</b>", "OS-EXT-STS:task_state": {"a": 1}, "OS-EXT-SRV-ATTR:host": 7}
    id = nova.add(alice.project_id, "<script>" + "x" * 1000, **wrong)
    (found,) = (await told(shes, id))["servers"]
    assert found == {"id": id, "name": ("<script>" + "x" * 1000)[:255], "status": "", "task": "", "host": ""}


@pytest.mark.parametrize("query", ["", "?id=", "?id=../../os-services", "?name=web", "?id=" + "a" * 36,
                                   "?" + "&".join(f"id={uuid.UUID(int=at)}" for at in range(101))])  # fmt: skip
async def test_what_is_no_server_is_refused(shes: Browser, nova: Nova, query: str) -> None:
    assert (await shes("GET", f"servers{query}")).status_code == 400
    assert nova.asked == []


async def test_only_the_page_may_request_it(shes: Browser, nova: Nova, alice: Alice, nobody: Caller) -> None:
    path = f"servers?id={nova.add(alice.project_id, 'web')}"
    shes.origin = "https://evil.example"
    assert (await shes("GET", path)).status_code == 403
    own: dict[str, str] = {"cookie": f"netweft-session={shes.token}"}
    plain: httpx.Response = await shes.http.get(f"/dashboard/{path}", headers=own)
    assert plain.status_code == 403
    assert (await Browser(nobody.http._transport)("GET", path)).status_code == 401
    assert nova.asked == []


async def test_without_a_nova(alices: Browser) -> None:
    assert await told(alices, str(uuid.uuid4())) == {"nova": False, "servers": [], "unseen": ""}
