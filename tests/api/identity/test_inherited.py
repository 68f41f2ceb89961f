"""Roles that are given above and hold in the projects below: OS-INHERIT, as Keystone has it."""

from typing import Any

import pytest
from tests.api.identity.conftest import Caller
from tests.api.identity.test_domains import V3, log_in, ok

TO = "scope.OS-INHERIT:inherited_to=projects"


class World:
    """north: above - middle - below, and beside it; bob has a role where a test says."""

    def __init__(self, admin: Caller) -> None:
        self.admin = admin

    async def build(self) -> "World":
        create = self.admin.create
        self.north = await create("domain", name="north")
        self.above = await create("project", name="above", domain_id=self.north)
        self.middle = await create("project", name="middle", domain_id=self.north, parent_id=self.above)
        self.below = await create("project", name="below", domain_id=self.north, parent_id=self.middle)
        self.beside = await create("project", name="beside", domain_id=self.north)
        self.bob = await create("user", name="bob", password="x", domain_id=self.north)
        self.member, self.reader = await self.admin.role("member"), await self.admin.role("reader")
        return self

    def path(self, target: str, actor: str = "", role: str = "") -> str:
        place = f"{V3}/OS-INHERIT/{target}/{actor or f'users/{self.bob}'}/roles"
        return f"{place}/{role or self.member}/inherited_to_projects"

    async def lets_in(self, nobody: Caller) -> set[str]:
        found = set()
        for name in ("above", "middle", "below", "beside"):
            answer = await log_in(nobody, {"id": self.bob}, {"project": {"id": getattr(self, name)}})
            if answer.status_code == 201:
                roles = {role["name"] for role in answer.json()["token"]["roles"]}
                assert roles == {"member", "reader"}
                found.add(name)
            else:
                assert answer.status_code == 401
        return found

    async def listed(self, query: str) -> list[Any]:
        found: list[Any] = (await self.admin("GET", f"{V3}/role_assignments?user.id={self.bob}&{query}")).json()[
            "role_assignments"
        ]
        return found


@pytest.fixture
async def world(admin: Caller) -> World:
    return await World(admin).build()


async def test_it_holds_below_and_not_where_it_was_given(world: World, nobody: Caller) -> None:
    admin, path = world.admin, world.path(f"projects/{world.above}")
    assert (await admin("GET", path)).status_code == 404
    await ok(await admin("PUT", path))
    assert await world.lets_in(nobody) == {"middle", "below"}
    for method in ("GET", "HEAD"):
        await ok(await admin(method, path))
    roles = f"{V3}/projects/{world.above}/users/{world.bob}/roles"
    assert (await admin("GET", f"{roles}/{world.member}")).status_code == 404, "it is no role there"
    assert (await admin("GET", roles)).json()["roles"] == []
    listed = f"{V3}/OS-INHERIT/projects/{world.above}/users/{world.bob}/roles/inherited_to_projects"
    assert [one["id"] for one in (await admin("GET", listed)).json()["roles"]] == [world.member]
    await ok(await admin("DELETE", path))
    assert (await admin("DELETE", path)).status_code == 404
    assert await world.lets_in(nobody) == set()


async def test_of_a_domain_in_all_its_projects_new_ones_too(world: World, nobody: Caller) -> None:
    await ok(await world.admin("PUT", world.path(f"domains/{world.north}")))
    assert await world.lets_in(nobody) == {"above", "middle", "below", "beside"}
    assert (await log_in(nobody, {"id": world.bob}, {"domain": {"id": world.north}})).status_code == 401
    world.beside = await world.admin.create("project", name="new", domain_id=world.north)
    answer = await ok(await log_in(nobody, {"id": world.bob}, {"project": {"id": world.beside}}), 201)
    bob = nobody.with_token(answer.headers["X-Subject-Token"])
    names = {one["name"] for one in (await bob("GET", f"{V3}/auth/projects")).json()["projects"]}
    assert names == {"above", "middle", "below", "beside", "new"}
    assert (await bob("GET", f"{V3}/auth/domains")).json()["domains"] == []
    foreign = await world.admin.create("project", name="foreign")
    assert (await log_in(nobody, {"id": world.bob}, {"project": {"id": foreign}})).status_code == 401


async def test_a_groups_and_a_token_that_is_out(world: World, nobody: Caller) -> None:
    """Taken away, the role is gone from tokens that are out already."""
    group = await world.admin.create("group", name="g", domain_id=world.north)
    await ok(await world.admin("PUT", f"{V3}/groups/{group}/users/{world.bob}"))
    path = world.path(f"projects/{world.above}", f"groups/{group}")
    await ok(await world.admin("PUT", path))
    scope = {"project": {"id": world.below}}
    token = (await ok(await log_in(nobody, {"id": world.bob}, scope), 201)).headers["X-Subject-Token"]
    bob = nobody.with_token(token)
    assert (await bob("GET", "/v2.0/networks")).status_code == 200
    await ok(await world.admin("DELETE", path))
    assert (await bob("GET", "/v2.0/networks")).status_code in (401, 403)


async def test_lists(world: World) -> None:
    given = world.path(f"projects/{world.above}")
    await ok(await world.admin("PUT", given))
    await ok(await world.admin("PUT", f"{V3}/projects/{world.beside}/users/{world.bob}/roles/{world.reader}"))
    (inherited,) = await world.listed(TO)
    assert inherited["scope"] == {"project": {"id": world.above}, "OS-INHERIT:inherited_to": "projects"}
    assert inherited["links"]["assignment"].endswith(given)
    assert len(await world.listed("")) == 2
    effective = await world.listed(f"effective&role.id={world.member}")
    assert {one["scope"]["project"]["id"] for one in effective} == {world.middle, world.below}
    assert {one["links"]["assignment"] for one in effective} == {inherited["links"]["assignment"]}
    assert len(await world.listed(f"effective&scope.project.id={world.below}")) == 2  # member, and reader by it
    assert await world.listed(f"scope.project.id={world.middle}") == []
    assert len(await world.listed(f"scope.project.id={world.above}&include_subtree=true&effective")) == 4
    assert (await world.admin("GET", f"{V3}/role_assignments?include_subtree=true")).status_code == 400


async def test_who_may_and_what_there_is(world: World, nobody: Caller, admin: Caller) -> None:
    scope = {"project": {"id": world.below}}
    await ok(await admin("PUT", world.path(f"projects/{world.above}")))
    bob = nobody.with_token((await log_in(nobody, {"id": world.bob}, scope)).headers["X-Subject-Token"])
    for method in ("PUT", "GET", "DELETE"):
        role = await admin.role("admin")
        assert (await bob(method, world.path(f"domains/{world.north}", role=role))).status_code == 403
    for target in (f"projects/{world.north}", "projects/nosuch", "system/all", "users/x"):
        assert (await admin("PUT", world.path(target))).status_code == 404
    assert (await admin("PUT", world.path(f"projects/{world.above}", "users/nosuch"))).status_code == 404
    await ok(await admin("DELETE", f"{V3}/users/{world.bob}"))
    found = (await admin("GET", f"{V3}/role_assignments?{TO}")).json()["role_assignments"]
    assert found == []


@pytest.mark.parametrize("path", ["credentials", "users/{}/credentials/OS-EC2"])
async def test_there_are_no_credentials_but_application_credentials(world: World, admin: Caller, path: str) -> None:
    url = f"{V3}/{path.format(world.bob)}"
    assert (await admin("GET", url)).json()["credentials"] == []
    answer = await admin("POST", url, {"credential": {"type": "ec2"}})
    assert (answer.status_code, "application credential" in answer.text) == (403, True)
    assert (await admin("GET", f"{url}/x")).status_code == 404
