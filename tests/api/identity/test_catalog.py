"""Services, endpoints and regions that others register: how a Nova, a Glance, a Placement come into the catalogue."""

from typing import Any

import pytest
from tests.api.identity.conftest import Alice, Caller

V3 = "/identity/v3"


async def registered(admin: Caller, url: str = "http://nova.test/v2.1/%(project_id)s") -> dict[str, str]:
    service = await admin.create("service", type="compute", name="nova")
    endpoint = await admin.create("endpoint", service_id=service, interface="public", region_id="RegionOne", url=url)
    return {"service": service, "endpoint": endpoint}


async def catalog(caller: Caller) -> dict[str, list[str]]:
    answer = await caller("GET", f"{V3}/auth/catalog")
    return {one["type"]: [end["url"] for end in one["endpoints"]] for one in answer.json()["catalog"]}


async def test_a_registered_service_is_in_everybodys_catalogue(admin: Caller, alice: Alice) -> None:
    ids = await registered(admin)
    assert (await catalog(alice.call))["compute"] == [f"http://nova.test/v2.1/{alice.project_id}"]
    shown = (await admin("GET", f"{V3}/endpoints/{ids['endpoint']}")).json()["endpoint"]
    assert (shown["region"], shown["region_id"], shown["url"]) == (
        "RegionOne", "RegionOne", "http://nova.test/v2.1/%(project_id)s"
    )  # fmt: skip
    unscoped = await admin.as_user("alice", alice.password, "unscoped")
    assert "compute" not in await catalog(unscoped)
    await admin("PATCH", f"{V3}/services/{ids['service']}", {"service": {"enabled": False}})
    assert "compute" not in await catalog(alice.call)
    assert (await admin("DELETE", f"{V3}/services/{ids['service']}")).status_code == 204
    assert (await admin("GET", f"{V3}/endpoints/{ids['endpoint']}")).status_code == 404


async def test_lists_are_filtered(admin: Caller) -> None:
    ids = await registered(admin)
    await admin.create("region", id="RegionTwo")
    await admin.create("endpoint", service_id=ids["service"], interface="internal", region="RegionTwo", url="http://i")

    async def found(query: str) -> list[str]:
        kind = query.partition("?")[0]
        return [one["id"] for one in (await admin("GET", f"{V3}/{query}")).json()[kind]]

    assert await found("services?type=compute") == [ids["service"]]
    assert await found("services?name=nova") == [ids["service"]]
    assert await found("services?type=nothing") == []
    assert await found(f"endpoints?service_id={ids['service']}&interface=public") == [ids["endpoint"]]
    assert len(await found(f"endpoints?service_id={ids['service']}")) == 2
    assert len(await found(f"endpoints?service_id={ids['service']}&region=RegionTwo")) == 1
    assert await found("regions?parent_region_id=RegionOne") == []
    assert set(await found("regions")) == {"RegionOne", "RegionTwo"}


async def test_another_network_service_takes_the_place_of_ours(admin: Caller) -> None:
    service = await admin.create("service", type="network")
    await admin.create("endpoint", service_id=service, interface="public", region_id="RegionOne", url="http://n.test")
    assert (await catalog(admin))["network"] == ["http://n.test"]


async def test_ours_cannot_be_changed(admin: Caller) -> None:
    service = (await admin("GET", f"{V3}/services?type=network")).json()["services"][0]["id"]
    endpoint = (await admin("GET", f"{V3}/endpoints?service_id={service}")).json()["endpoints"][0]["id"]
    for kind, id in (("service", service), ("endpoint", endpoint)):
        assert (await admin("PATCH", f"{V3}/{kind}s/{id}", {kind: {}})).status_code == 403
        assert (await admin("DELETE", f"{V3}/{kind}s/{id}")).status_code == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("service", {}),
        ("service", {"type": ""}),
        ("endpoint", {"service_id": "nothing", "interface": "public", "url": "http://x", "region_id": "RegionOne"}),
        ("endpoint", {"service_id": "{service}", "interface": "secret", "url": "http://x"}),
        ("endpoint", {"service_id": "{service}", "interface": "public", "url": "nothing"}),
        ("endpoint", {"service_id": "{service}", "interface": "public", "url": "http://x", "region_id": "nowhere"}),
        ("region", {"id": "r", "parent_region_id": "nowhere"}),
        ("region", {"id": "x" * 256}),
    ],
)
async def test_bad_input_is_refused(admin: Caller, kind: str, body: dict[str, Any]) -> None:
    service = (await registered(admin))["service"]
    wanted = {name: value.format(service=service) for name, value in body.items()}
    answer = await admin("POST", f"{V3}/{kind}s", {kind: wanted})
    assert (answer.status_code, answer.json()["error"]["title"]) == (400, "Bad Request"), answer.text


async def test_regions(admin: Caller, alice: Alice) -> None:
    assert (await admin("PUT", f"{V3}/regions/north", {"region": {"description": "cold"}})).status_code == 201
    await admin.create("region", id="village", parent_region_id="north")
    assert (await admin("POST", f"{V3}/regions", {"region": {"id": "north"}})).status_code == 409
    assert (await admin("DELETE", f"{V3}/regions/north")).status_code == 403
    assert (await alice.call("GET", f"{V3}/regions/north")).json()["region"]["description"] == "cold"
    assert (await admin("DELETE", f"{V3}/regions/village")).status_code == 204
    assert (await admin("DELETE", f"{V3}/regions/north")).status_code == 204


@pytest.mark.parametrize("kind", ["services", "endpoints", "regions"])
async def test_only_admins_register(nobody: Caller, alice: Alice, kind: str) -> None:
    for caller, status in ((nobody, 401), (alice.call, 403)):
        for method, path in (("POST", kind), ("PATCH", f"{kind}/x"), ("DELETE", f"{kind}/x")):
            assert (await caller(method, f"{V3}/{path}", {kind[:-1]: {}})).status_code == status, (method, path)
