"""Domains, groups, projects in projects, the system, implied roles; and what there is not."""

from typing import Any

import pytest
from tests.api.identity.conftest import Alice, Caller

from netweft.plugins.identity.embedded import grants
from netweft.plugins.identity.embedded.service import EmbeddedIdentity

V3 = "/identity/v3"


async def ok(answer: Any, status: int = 204) -> Any:
    assert answer.status_code == status, answer.text
    return answer


async def log_in(caller: Caller, user: Any, scope: Any = None) -> Any:
    identity = {"methods": ["password"], "password": {"user": user | {"password": "x"}}}
    auth = {"identity": identity} | ({"scope": scope} if scope else {})
    return await caller("POST", f"{V3}/auth/tokens", {"auth": auth})


async def test_names_are_a_domains_own(admin: Caller, nobody: Caller, alice: Alice) -> None:
    north = await admin.create("domain", name="north")
    user = await admin.create("user", name="alice", password="x", domain_id=north)
    project = await admin.create("project", name="blue", domain_id=north)
    await ok(await admin("PUT", f"{V3}/projects/{project}/users/{user}/roles/{await admin.role('member')}"))
    scope = {"project": {"name": "blue", "domain": {"name": "north"}}}
    answer = await ok(await log_in(nobody, {"name": "alice", "domain": {"name": "north"}}, scope), 201)
    token = answer.json()["token"]
    assert (token["user"]["id"], token["project"]["id"]) == (user, project)
    assert token["project"]["domain"] == {"id": north, "name": "north"}
    assert (await log_in(nobody, {"name": "alice", "domain": {"id": "default"}})).status_code == 401
    found = await admin("GET", f"{V3}/users?name=alice&domain_id={north}")
    assert [one["id"] for one in found.json()["users"]] == [user]
    assert [one["id"] for one in (await alice.call("GET", f"{V3}/domains")).json()["domains"]] == ["default"]


async def test_a_disabled_domain_lets_nobody_in_and_then_goes_with_all_that_is_in_it(
    admin: Caller, nobody: Caller
) -> None:
    north = await admin.create("domain", name="north")
    user = await admin.create("user", name="bob", password="x", domain_id=north)
    project = await admin.create("project", name="p", domain_id=north)
    child = await admin.create("project", name="c", domain_id=north, parent_id=project)
    await admin.create("group", name="g", domain_id=north)
    await ok(await admin("PUT", f"{V3}/projects/{child}/users/{user}/roles/{await admin.role('member')}"))
    bob = {"id": user}
    token = (await ok(await log_in(nobody, bob, {"project": {"id": child}}), 201)).headers["X-Subject-Token"]
    assert (await admin("DELETE", f"{V3}/domains/{north}")).status_code == 403
    await ok(await admin("PATCH", f"{V3}/domains/{north}", {"domain": {"enabled": False}}), 200)
    assert (await log_in(nobody, bob)).status_code == 401
    assert (await nobody.with_token(token)("GET", "/v2.0/networks")).status_code == 401
    await ok(await admin("DELETE", f"{V3}/domains/{north}"))
    for path in (f"users/{user}", f"projects/{child}", f"projects/{project}", f"domains/{north}"):
        assert (await admin("GET", f"{V3}/{path}")).status_code == 404


async def test_projects_in_projects(admin: Caller) -> None:
    above = await admin.create("project", name="above")
    below = await admin.create("project", name="below", parent_id=above)
    found = (await admin("GET", f"{V3}/projects?parent_id={above}")).json()["projects"]
    assert [one["id"] for one in found] == [below]
    assert (await admin("DELETE", f"{V3}/projects/{above}")).status_code == 403
    moved = await admin("PATCH", f"{V3}/projects/{below}", {"project": {"parent_id": "default"}})
    assert moved.status_code == 400
    for depth in range(10):
        answer = await admin("POST", f"{V3}/projects", {"project": {"name": f"d{depth}", "parent_id": below}})
        if answer.status_code != 201:
            break
        below = answer.json()["project"]["id"]
    assert (answer.status_code, depth) == (403, 3)


async def test_a_group_brings_its_roles_to_its_members(admin: Caller, nobody: Caller) -> None:
    group, project = await admin.create("group", name="ops"), await admin.create("project", name="p")
    user = await admin.create("user", name="bob", password="x")
    roles = f"{V3}/projects/{project}/groups/{group}/roles/{await admin.role('member')}"
    await ok(await admin("PUT", roles))
    scope = {"project": {"id": project}}
    assert (await log_in(nobody, {"id": user}, scope)).status_code == 401
    member = f"{V3}/groups/{group}/users/{user}"
    assert (await admin("HEAD", member)).status_code == 404
    await ok(await admin("PUT", member))
    await ok(await admin("HEAD", member))
    answer = await ok(await log_in(nobody, {"id": user}, scope), 201)
    bob = nobody.with_token(answer.headers["X-Subject-Token"])
    assert {role["name"] for role in answer.json()["token"]["roles"]} == {"member", "reader"}
    assert [one["id"] for one in (await bob("GET", f"{V3}/users/{user}/groups")).json()["groups"]] == [group]
    assert [one["id"] for one in (await bob("GET", f"{V3}/auth/projects")).json()["projects"]] == [project]
    assert [one["id"] for one in (await admin("GET", f"{V3}/groups/{group}/users")).json()["users"]] == [user]
    effective = await admin("GET", f"{V3}/role_assignments?effective&user.id={user}&include_names")
    assert {one["role"]["name"] for one in effective.json()["role_assignments"]} == {"member", "reader"}
    of_group = (await admin("GET", f"{V3}/role_assignments?group.id={group}")).json()["role_assignments"]
    assert [one["scope"]["project"]["id"] for one in of_group] == [project]
    await ok(await admin("DELETE", member))
    assert (await bob("GET", "/v2.0/networks")).status_code == 401
    assert (await bob("PUT", member)).status_code == 401


async def test_a_token_for_the_system(admin: Caller, nobody: Caller) -> None:
    user = await admin.create("user", name="bob", password="x")
    scope = {"system": {"all": True}}
    assert (await log_in(nobody, {"id": user}, scope)).status_code == 401
    await ok(await admin("PUT", f"{V3}/system/users/{user}/roles/{await admin.role('admin')}"))
    answer = await ok(await log_in(nobody, {"id": user}, scope), 201)
    assert answer.json()["token"]["system"] == {"all": True}
    assert "project" not in answer.json()["token"]
    bob = nobody.with_token(answer.headers["X-Subject-Token"])
    assert (await bob("GET", f"{V3}/users")).status_code == 200
    assert (await bob("GET", "/v2.0/networks")).status_code == 403
    assert (await bob("GET", f"{V3}/auth/system")).json()["system"] == [{"all": True}]
    listed = (await admin("GET", f"{V3}/role_assignments?scope.system=all&user.id={user}")).json()["role_assignments"]
    assert [one["scope"] for one in listed] == [{"system": {"all": True}}]
    await ok(await admin("DELETE", f"{V3}/system/users/{user}/roles/{await admin.role('admin')}"))
    assert (await bob("GET", f"{V3}/users")).status_code == 401


async def test_implied_roles(admin: Caller, alice: Alice) -> None:
    auditor = await admin.create("role", name="auditor")
    member = await admin.role("member")
    rule = f"{V3}/roles/{member}/implies/{auditor}"
    shown = (await ok(await admin("PUT", rule), 201)).json()["role_inference"]
    assert (shown["prior_role"]["name"], shown["implies"]["name"]) == ("member", "auditor")
    await ok(await admin("GET", rule), 200)
    implied = (await admin("GET", f"{V3}/roles/{member}/implies")).json()["role_inference"]["implies"]
    assert {one["name"] for one in implied} == {"reader", "auditor"}
    assert (await admin("GET", f"{V3}/role_inferences")).status_code == 200
    token = await alice.call("GET", f"{V3}/auth/tokens", X_Subject_Token=alice.call.token)
    assert {role["name"] for role in token.json()["token"]["roles"]} == {"member", "reader", "auditor"}
    await ok(await admin("DELETE", rule))
    assert (await admin("GET", rule)).status_code == 404
    admins = await admin("PUT", f"{V3}/roles/{member}/implies/{await admin.role('admin')}")
    assert admins.status_code == 403
    assert (await alice.call("PUT", rule)).status_code == 403


async def test_a_circle_of_roles_ends(admin: Caller, alice: Alice) -> None:
    await ok(await admin("PUT", f"{V3}/roles/{await admin.role('reader')}/implies/{await admin.role('member')}"), 201)
    assert (await alice.call("GET", "/v2.0/networks")).status_code == 200


async def test_the_roles_of_every_cloud_are_there_at_first(admin: Caller) -> None:
    roles = (await admin("GET", f"{V3}/roles")).json()["roles"]
    assert {role["name"] for role in roles} == {"admin", "manager", "member", "reader", "service"}


async def test_tags_of_projects(admin: Caller) -> None:
    red = await admin.create("project", name="red", tags=["a", "b"])
    blue = await admin.create("project", name="blue2", tags=["b"])
    await ok(await admin("PUT", f"{V3}/projects/{blue}/tags/c"), 201)

    async def found(query: str) -> set[str]:
        return {one["id"] for one in (await admin("GET", f"{V3}/projects?{query}")).json()["projects"]} & {red, blue}

    assert await found("tags=b") == {red, blue}
    assert await found("tags=a,b") == {red}
    assert await found("tags-any=a,c") == {red, blue}
    assert await found("not-tags=a,b") == {blue}
    assert await found("not-tags-any=c") == {red}
    assert (await admin("GET", f"{V3}/projects/{blue}/tags")).json()["tags"] == ["b", "c"]
    await ok(await admin("DELETE", f"{V3}/projects/{blue}/tags/b"))
    assert (await admin("GET", f"{V3}/projects/{blue}/tags/b")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_there_are_no_trusts(admin: Caller, nobody: Caller, method: str) -> None:
    answer = await admin(method, f"{V3}/OS-TRUST/trusts", {"trust": {}})
    assert answer.status_code == {"GET": 200, "POST": 403}[method]
    if method == "POST":
        assert "application credential" in answer.json()["error"]["message"]
    user = await admin.create("user", name="bob", password="x")
    answer = await log_in(nobody, {"id": user}, {"OS-TRUST:trust": {"id": "t"}})
    assert (answer.status_code, "application credential" in answer.text) == (403, True)


async def test_implied_roles_are_there_in_the_transaction_that_made_them(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role may be gone by the time of another one."""
    prior, other = await admin.create("role", name="prior"), await admin.create("role", name="other")
    change = EmbeddedIdentity.change

    async def and_then_it_goes(self: EmbeddedIdentity, work: Any) -> Any:
        answer = await change(self, work)
        await change(self, lambda tx: grants.delete_role(tx, other))
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(EmbeddedIdentity, "change", and_then_it_goes)
        answer = await admin("PUT", f"{V3}/roles/{prior}/implies/{other}")
    assert (answer.status_code, answer.json()["role_inference"]["implies"]["name"]) == (201, "other")
    assert (await admin("GET", f"{V3}/roles/{prior}/implies/{other}")).status_code == 404
