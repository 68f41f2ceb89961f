"""Logging in: what one gets, where it may be scoped to, and when it is over."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.api.identity.conftest import BASE, Alice, Caller

TOKENS = "/identity/v3/auth/tokens"
V3 = "/identity/v3"
_OTHERS = (("load-balancer", "/load-balancer"), ("key-manager", "/key-manager"))


async def test_version_discovery(nobody: Caller) -> None:
    root, v3 = await nobody("GET", "/identity"), await nobody("GET", f"{V3}/")
    assert root.status_code == 300
    assert root.json()["versions"]["values"] == [v3.json()["version"]]
    assert v3.json()["version"]["links"] == [{"rel": "self", "href": f"{BASE}/identity/v3/"}]


async def test_a_scoped_token_has_all_that_clients_need(nobody: Caller, password: str) -> None:
    answer = await nobody.login("admin", password, {"project": {"name": "admin", "domain": {"name": "Default"}}})
    token = answer.json()["token"]
    assert answer.status_code == 201
    assert token["methods"] == ["password"]
    assert token["project"]["name"] == token["user"]["name"] == "admin"
    assert token["user"]["domain"] == token["project"]["domain"] == {"id": "default", "name": "Default"}
    assert [role["name"] for role in token["roles"]] == ["admin", "manager", "member", "reader"]
    lifetime = datetime.fromisoformat(token["expires_at"]) - datetime.fromisoformat(token["issued_at"])
    assert lifetime.total_seconds() == pytest.approx(12 * 3600, abs=2)
    assert len(token["audit_ids"]) == 1
    urls = {
        (service["type"], endpoint["interface"]): endpoint["url"]
        for service in token["catalog"]
        for endpoint in service["endpoints"]
    }
    assert urls == {
        (kind, i): BASE + path
        for kind, path in (("identity", "/identity"), ("network", ""), *_OTHERS)
        for i in ("public", "internal", "admin")
    }


async def test_wrong_password_and_unknown_user_get_the_same_answer(nobody: Caller, alice: Alice) -> None:
    answers = [await nobody.login("alice", "wrong"), await nobody.login("nobody", "wrong")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["error"]["title"] == "Unauthorized"
    assert answers[0].headers["WWW-Authenticate"] == f'Keystone uri="{BASE}/identity"'


@pytest.mark.parametrize(
    "scope",
    [
        {"project": {"id": "nowhere"}},
        {"project": {"name": "admin", "domain": {"id": "default"}}},  # she has no role there
        {"project": {"name": "blue", "domain": {"name": "other"}}},
        {"domain": {"id": "default"}},
        {"domain": {"name": "other"}},
    ],
)
async def test_where_one_has_no_role_one_gets_no_token(nobody: Caller, alice: Alice, scope: Any) -> None:
    assert (await nobody.login("alice", alice.password, scope)).status_code == 401


async def test_unscoped_default_project_and_domain(nobody: Caller, alice: Alice, admin: Caller, password: str) -> None:
    plain = (await nobody.login("alice", alice.password)).json()["token"]
    assert "project" not in plain
    assert "catalog" not in plain
    await admin("PATCH", f"{V3}/users/{alice.id}", {"user": {"default_project_id": alice.project_id}})
    by_default = (await nobody.login("alice", alice.password)).json()["token"]
    assert by_default["project"]["id"] == alice.project_id
    assert "project" not in (await nobody.login("alice", alice.password, "unscoped")).json()["token"]
    domain = (await nobody.login("admin", password, {"domain": {"name": "Default"}})).json()["token"]
    assert domain["domain"] == {"id": "default", "name": "Default"}


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        ({}, 400),
        ({"identity": {"methods": ["password"]}}, 400),
        ({"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "password": "x"}}}}, 400),
        ({"identity": {"methods": ["password"], "password": {"user": {"id": 5, "password": "x"}}}}, 400),
        ({"identity": {"methods": ["magic"], "magic": {}}}, 401),
        ({"identity": {"methods": []}}, 401),
        ({"identity": {"methods": ["token"], "token": {"id": "x"}}}, 401),
    ],
)
async def test_a_malformed_login_is_refused(nobody: Caller, auth: Any, status: int) -> None:
    answer = await nobody("POST", TOKENS, {"auth": auth})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)


async def test_a_body_that_is_no_json(nobody: Caller) -> None:
    answer = await nobody.http.post(TOKENS, content=b"\xff{")
    assert answer.status_code == 400


async def test_rescoping_keeps_the_end_and_the_parent(nobody: Caller, alice: Alice) -> None:
    first = await alice.call("GET", TOKENS, X_Subject_Token=alice.call.token)
    proof = {"methods": ["token"], "token": {"id": alice.call.token}}
    answer = await nobody("POST", TOKENS, {"auth": {"identity": proof, "scope": "unscoped"}})
    before, after = first.json()["token"], answer.json()["token"]
    assert after["expires_at"] == before["expires_at"]
    assert after["methods"] == ["password", "token"]
    assert after["audit_ids"][1:] == before["audit_ids"]
    assert "project" not in after


async def test_showing_a_token(nobody: Caller, alice: Alice, admin: Caller) -> None:
    shown = await admin("GET", TOKENS, X_Subject_Token=alice.call.token)
    assert shown.json()["token"]["user"]["name"] == "alice"
    assert shown.headers["X-Subject-Token"] == alice.call.token
    assert (await admin("HEAD", TOKENS, X_Subject_Token=alice.call.token)).status_code == 200
    assert (await admin("GET", TOKENS, X_Subject_Token="none")).status_code == 404
    assert (await alice.call("GET", TOKENS, X_Subject_Token=admin.token)).status_code == 403
    assert (await nobody("GET", TOKENS, X_Subject_Token=admin.token)).status_code == 401
    assert "catalog" not in (await admin("GET", f"{TOKENS}?nocatalog", X_Subject_Token=admin.token)).json()["token"]


async def test_a_service_of_the_cloud_validates_tokens_and_revokes_none(
    nobody: Caller, alice: Alice, admin: Caller
) -> None:
    """As keystonemiddleware does for Barbican and others; Keystone's policy, by role."""
    project = await admin.create("project", name="services", domain_id="default")
    user = await admin.create("user", name="barbican", password="p", domain_id="default")
    path = f"{V3}/projects/{project}/users/{user}/roles/{await admin.role('service')}"
    assert (await admin("PUT", path)).status_code == 204
    service = await nobody.as_user("barbican", "p", {"project": {"id": project}})
    shown = await service("GET", TOKENS, X_Subject_Token=alice.call.token)
    assert (shown.status_code, shown.json()["token"]["user"]["name"]) == (200, "alice")
    assert (await service("DELETE", TOKENS, X_Subject_Token=alice.call.token)).status_code == 403


async def test_what_one_may_do_with_ones_token(alice: Alice) -> None:
    projects = await alice.call("GET", f"{V3}/auth/projects")
    assert [project["name"] for project in projects.json()["projects"]] == ["blue"]
    assert (await alice.call("GET", f"{V3}/auth/domains")).json()["domains"] == []
    types = [service["type"] for service in (await alice.call("GET", f"{V3}/auth/catalog")).json()["catalog"]]
    assert types == ["identity", "network", "load-balancer", "key-manager"]


Step = Callable[[Caller, Alice], Awaitable[object]]


async def _remove_role(admin: Caller, alice: Alice) -> None:
    role = await admin.role("member")
    await admin("DELETE", f"{V3}/projects/{alice.project_id}/users/{alice.id}/roles/{role}")


async def _delete_role(admin: Caller, alice: Alice) -> None:
    await admin("DELETE", f"{V3}/roles/{await admin.role('member')}")


async def _change_own_password(admin: Caller, alice: Alice) -> None:
    change = {"user": {"password": "new", "original_password": alice.password}}
    answer = await alice.call.with_token("")("POST", f"{V3}/users/{alice.id}/password", change)
    assert answer.status_code == 204


ENDS: dict[str, Step] = {
    "revoked by herself": lambda admin, alice: alice.call("DELETE", TOKENS, X_Subject_Token=alice.call.token),
    "revoked by an admin": lambda admin, alice: admin("DELETE", TOKENS, X_Subject_Token=alice.call.token),
    "own password changed": _change_own_password,
    "password set": lambda a, alice: a("PATCH", f"{V3}/users/{alice.id}", {"user": {"password": "new"}}),
    "user disabled": lambda a, alice: a("PATCH", f"{V3}/users/{alice.id}", {"user": {"enabled": False}}),
    "user deleted": lambda a, alice: a("DELETE", f"{V3}/users/{alice.id}"),
    "project disabled": lambda a, alice: a(
        "PATCH", f"{V3}/projects/{alice.project_id}", {"project": {"enabled": False}}
    ),
    "project deleted": lambda a, alice: a("DELETE", f"{V3}/projects/{alice.project_id}"),
    "role taken": _remove_role,
    "role deleted": _delete_role,
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_token_is_over_at_once(admin: Caller, alice: Alice, end: str) -> None:
    assert (await alice.call("GET", f"{V3}/auth/catalog")).status_code == 200
    await ENDS[end](admin, alice)
    assert (await alice.call("GET", f"{V3}/auth/catalog")).status_code == 401


async def test_enabling_a_user_again_does_not_bring_old_tokens_back(admin: Caller, alice: Alice) -> None:
    for enabled in (False, True):
        await admin("PATCH", f"{V3}/users/{alice.id}", {"user": {"enabled": enabled}})
    assert (await alice.call("GET", f"{V3}/auth/catalog")).status_code == 401
    await admin.as_user("alice", alice.password, alice.scope)


async def test_neither_tokens_nor_passwords_are_in_the_database(admin: Caller, alice: Alice, folder: Path) -> None:
    stored = _database(folder)
    assert b"alice" in stored
    assert alice.call.token.encode() not in stored
    assert alice.password.encode() not in stored


def _database(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("netweft.db*"))


async def test_a_refused_login_is_logged_without_what_was_shown(nobody: Caller) -> None:
    with capture_logs() as logs:
        await nobody.login("admin", "guessed-it")
    (refused,) = [entry for entry in logs if entry["event"] == "login refused"]
    assert refused["who"] == "user admin"
    assert refused["client"]
    assert "guessed-it" not in str(logs)
