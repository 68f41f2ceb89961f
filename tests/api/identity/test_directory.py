"""Projects, users, roles, their assignments, and who may touch them."""

from typing import Any

import pytest
from tests.api.identity.conftest import BASE, Alice, Caller

V3 = "/identity/v3"
NEW: list[tuple[str, dict[str, Any]]] = [
    ("project", {"name": "red", "description": "a project"}),
    ("user", {"name": "bob", "password": "x", "email": "bob@example.org"}),
    ("role", {"name": "auditor"}),
]


@pytest.mark.parametrize(("kind", "attributes"), NEW)
async def test_the_life_of_an_object(admin: Caller, kind: str, attributes: dict[str, Any]) -> None:
    created = await admin("POST", f"{V3}/{kind}s", {kind: attributes})
    body = created.json()[kind]
    url = f"{V3}/{kind}s/{body['id']}"
    assert created.status_code == 201
    assert body["links"]["self"] == BASE + url
    assert {name: body[name] for name in attributes if name != "password"} == {
        name: value for name, value in attributes.items() if name != "password"
    }
    assert (await admin("GET", url)).json()[kind] == body
    renamed = await admin("PATCH", url, {kind: {"name": "other"}})
    assert renamed.json()[kind] == body | {"name": "other"}
    found = await admin("GET", f"{V3}/{kind}s?name=other")
    assert [each["id"] for each in found.json()[f"{kind}s"]] == [body["id"]]
    assert (await admin("GET", f"{V3}/{kind}s?name={attributes['name']}")).json()[f"{kind}s"] == []
    assert (await admin("DELETE", url)).status_code == 204
    assert [(await admin(method, url, {kind: {}})).status_code for method in ("GET", "PATCH", "DELETE")] == [404] * 3


@pytest.mark.parametrize(("kind", "attributes"), NEW)
async def test_names_are_unique(admin: Caller, kind: str, attributes: dict[str, Any]) -> None:
    await admin.create(kind, **attributes)
    other = await admin.create(kind, **attributes | {"name": "other"})
    assert (await admin("POST", f"{V3}/{kind}s", {kind: attributes})).status_code == 409
    clash = await admin("PATCH", f"{V3}/{kind}s/{other}", {kind: {"name": attributes["name"]}})
    assert (clash.status_code, clash.json()["error"]["title"]) == (409, "Conflict")
    assert (await admin("GET", f"{V3}/{kind}s/{other}")).json()[kind]["name"] == "other"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("projects", {"project": {}}),
        ("projects", {"project": {"name": ""}}),
        ("projects", {"project": {"name": 5}}),
        ("projects", {"name": "x"}),
        ("projects", []),
        ("projects", {"project": {"name": "x", "parent_id": "other"}}),
        ("users", {"user": {"name": "x", "enabled": "perhaps"}}),
        ("users", {"user": {"name": "x", "domain_id": "other"}}),
        ("roles", {"role": {"name": "x" * 256}}),
    ],
)
async def test_a_malformed_body_is_refused(admin: Caller, path: str, body: Any) -> None:
    before = (await admin("GET", f"{V3}/{path}")).json()
    answer = await admin("POST", f"{V3}/{path}", body)
    assert (answer.status_code, answer.json()["error"]["title"]) == (400, "Bad Request")
    assert (await admin("GET", f"{V3}/{path}")).json() == before


async def test_nothing_of_a_password_is_ever_shown(admin: Caller, alice: Alice) -> None:
    for answer in (await admin("GET", f"{V3}/users"), await admin("GET", f"{V3}/users/{alice.id}")):
        assert "argon2" not in answer.text
        assert "token_generation" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/projects", None),
        ("POST", "/projects", {"project": {"name": "x"}}),
        ("GET", "/users", None),
        ("PATCH", "/users/{id}", {"user": {"enabled": True}}),
        ("DELETE", "/users/{id}", None),
        ("POST", "/roles", {"role": {"name": "x"}}),
        ("PUT", "/projects/{project}/users/{id}/roles/admin", None),
        ("GET", "/role_assignments", None),
    ],
)
async def test_what_a_plain_user_may_not(
    nobody: Caller, alice: Alice, method: str, path: str, body: dict[str, Any] | None
) -> None:
    path = V3 + path.format(id=alice.id, project=alice.project_id)
    assert (await alice.call(method, path, body)).status_code == 403
    assert (await nobody(method, path, body)).status_code == 401


async def test_what_a_plain_user_may(alice: Alice) -> None:
    for path in (
        f"users/{alice.id}",
        f"projects/{alice.project_id}",
        "domains",
        f"role_assignments?user.id={alice.id}",
    ):
        assert (await alice.call("GET", f"{V3}/{path}")).status_code == 200
    projects = await alice.call("GET", f"{V3}/users/{alice.id}/projects")
    assert [project["id"] for project in projects.json()["projects"]] == [alice.project_id]


async def test_changing_ones_password_needs_the_old_one(nobody: Caller, alice: Alice) -> None:
    for original, status in (("wrong", 401), (alice.password, 204), (alice.password, 401)):
        body = {"user": {"password": "new", "original_password": original}}
        assert (await nobody("POST", f"{V3}/users/{alice.id}/password", body)).status_code == status
    assert (await nobody.login("alice", "new")).status_code == 201


async def test_role_assignments(admin: Caller, alice: Alice) -> None:
    member, reader = await admin.role("member"), await admin.role("reader")
    roles = f"{V3}/projects/{alice.project_id}/users/{alice.id}/roles"
    assert [(await admin("HEAD", f"{roles}/{role}")).status_code for role in (member, reader)] == [204, 404]
    assert [(await admin("PUT", f"{roles}/{reader}")).status_code for _ in range(2)] == [204, 204]
    assert {role["name"] for role in (await admin("GET", roles)).json()["roles"]} == {"member", "reader"}
    listed = await admin("GET", f"{V3}/role_assignments?user.id={alice.id}&include_names")
    scope = {"project": {"id": alice.project_id, "name": "blue", "domain": {"id": "default", "name": "Default"}}}
    assert [entry["scope"] for entry in listed.json()["role_assignments"]] == [scope, scope]
    assert [(await admin("DELETE", f"{roles}/{member}")).status_code for _ in range(2)] == [204, 404]
    left = await admin("GET", f"{V3}/role_assignments?scope.project.id={alice.project_id}")
    assert [entry["role"]["id"] for entry in left.json()["role_assignments"]] == [reader]
    assert (await admin("PUT", f"{roles}/nothing")).status_code == 404
    assert (await admin("PUT", f"{V3}/domains/other/users/{alice.id}/roles/{reader}")).status_code == 404


async def test_implied_roles_are_listed_as_effective(admin: Caller, alice: Alice) -> None:
    listed = await admin("GET", f"{V3}/role_assignments?user.id={alice.id}&effective&include_names")
    assert {entry["role"]["name"] for entry in listed.json()["role_assignments"]} == {"member", "reader"}


async def test_what_depends_on_an_object_goes_with_it(admin: Caller, alice: Alice) -> None:
    await alice.call(
        "POST", f"{V3}/users/{alice.id}/application_credentials", {"application_credential": {"name": "ci"}}
    )
    assert (await admin("DELETE", f"{V3}/users/{alice.id}")).status_code == 204
    left = (await admin("GET", f"{V3}/role_assignments")).json()["role_assignments"]
    assert alice.id not in {entry["user"]["id"] for entry in left}


async def test_the_domain(admin: Caller) -> None:
    assert [domain["id"] for domain in (await admin("GET", f"{V3}/domains")).json()["domains"]] == ["default"]
    assert (await admin("GET", f"{V3}/domains?name=other")).json()["domains"] == []
    assert (await admin("GET", f"{V3}/domains/default")).json()["domain"]["name"] == "Default"
    assert (await admin("GET", f"{V3}/domains/other")).status_code == 404


async def test_services_and_endpoints_are_those_of_the_catalogue(admin: Caller, alice: Alice) -> None:
    catalog = (await admin("GET", f"{V3}/auth/catalog")).json()["catalog"]
    services = (await admin("GET", f"{V3}/services")).json()["services"]
    endpoints = (await admin("GET", f"{V3}/endpoints")).json()["endpoints"]
    assert [service["id"] for service in services] == [service["id"] for service in catalog]
    assert [e["url"] for e in endpoints] == [e["url"] for service in catalog for e in service["endpoints"]]
    assert {endpoint["service_id"] for endpoint in endpoints} == {service["id"] for service in services}
    regions = (await alice.call("GET", f"{V3}/regions")).json()["regions"]
    assert {region["id"] for region in regions} == {endpoint["region_id"] for endpoint in endpoints}
    assert (await alice.call("GET", f"{V3}/endpoints")).status_code == 403


async def test_a_list_comes_in_pages(admin: Caller) -> None:
    for number in range(3):
        await admin.create("role", name=f"page{number}")
    everything = [role["id"] for role in (await admin("GET", "/identity/v3/roles")).json()["roles"]]
    seen: list[str] = []
    path = "/identity/v3/roles?limit=2"
    while path:
        answer = (await admin("GET", path)).json()
        assert len(answer["roles"]) <= 2
        seen += [role["id"] for role in answer["roles"]]
        path = answer["links"]["next"]
    assert seen == everything


@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1e3"])
async def test_a_limit_is_a_positive_number(admin: Caller, limit: str) -> None:
    answer = await admin("GET", f"/identity/v3/roles?limit={limit}")
    assert answer.status_code == 400
    assert "limit" in answer.json()["error"]["message"]
