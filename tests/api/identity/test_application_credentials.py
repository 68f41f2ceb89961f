"""Application credentials: what they may do is what was given to them, and no more than their user still may."""

from typing import Any

import httpx
import pytest
from tests.api.identity.conftest import Alice, Caller

V3 = "/identity/v3"


async def make(alice: Alice, **attributes: Any) -> dict[str, Any]:
    body = {"application_credential": {"name": "ci"} | attributes}
    answer = await alice.call("POST", f"{V3}/users/{alice.id}/application_credentials", body)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()["application_credential"]
    return created


async def login(nobody: Caller, part: dict[str, Any], scope: Any = None) -> httpx.Response:
    auth: dict[str, Any] = {"identity": {"methods": ["application_credential"], "application_credential": part}}
    return await nobody("POST", f"{V3}/auth/tokens", {"auth": auth if scope is None else auth | {"scope": scope}})


async def test_logging_in_by_id_or_by_name(nobody: Caller, alice: Alice) -> None:
    made = await make(alice)
    by_name = {"name": "ci", "user": {"name": "alice", "domain": {"id": "default"}}, "secret": made["secret"]}
    for part in ({"id": made["id"], "secret": made["secret"]}, by_name):
        answer = await login(nobody, part)
        token = answer.json()["token"]
        assert answer.status_code == 201
        assert (token["user"]["id"], token["project"]["id"]) == (alice.id, alice.project_id)
        assert [role["name"] for role in token["roles"]] == ["member", "reader"]
        assert token["application_credential"] == {"id": made["id"], "name": "ci", "restricted": True}


async def test_wrong_secret_unknown_id_or_another_scope(nobody: Caller, alice: Alice) -> None:
    made = await make(alice, secret="own words")
    good = {"id": made["id"], "secret": "own words"}
    answers = [
        await login(nobody, good | {"secret": "other"}),
        await login(nobody, good | {"id": "other"}),
        await login(nobody, good, {"project": {"id": alice.project_id}}),
    ]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert answers[0].json() == answers[1].json()


async def test_fewer_roles_than_the_user(nobody: Caller, alice: Alice, admin: Caller) -> None:
    made = await make(alice, roles=[{"name": "reader"}])
    token = (await login(nobody, {"id": made["id"], "secret": made["secret"]})).json()["token"]
    assert [role["name"] for role in token["roles"]] == ["reader"]
    body = {"application_credential": {"name": "more", "roles": [{"name": "admin"}]}}
    answer = await alice.call("POST", f"{V3}/users/{alice.id}/application_credentials", body)
    assert answer.status_code == 400


@pytest.mark.parametrize("end", ["deleted", "user disabled", "role taken"])
async def test_it_ends_with_what_it_stands_on(nobody: Caller, alice: Alice, admin: Caller, end: str) -> None:
    made = await make(alice)
    part = {"id": made["id"], "secret": made["secret"]}
    token = nobody.with_token((await login(nobody, part)).headers["X-Subject-Token"])
    assert (await token("GET", f"{V3}/auth/catalog")).status_code == 200
    if end == "deleted":
        await alice.call("DELETE", f"{V3}/users/{alice.id}/application_credentials/{made['id']}")
    elif end == "user disabled":
        await admin("PATCH", f"{V3}/users/{alice.id}", {"user": {"enabled": False}})
    else:
        role = await admin.role("member")
        await admin("DELETE", f"{V3}/projects/{alice.project_id}/users/{alice.id}/roles/{role}")
    assert (await token("GET", f"{V3}/auth/catalog")).status_code == 401
    assert (await login(nobody, part)).status_code == 401


async def test_it_cannot_make_others_nor_leave_its_project(nobody: Caller, alice: Alice) -> None:
    made = await make(alice)
    token = nobody.with_token(
        (await login(nobody, {"id": made["id"], "secret": made["secret"]})).headers["X-Subject-Token"]
    )
    mine = f"{V3}/users/{alice.id}/application_credentials"
    assert (await token("POST", mine, {"application_credential": {"name": "x"}})).status_code == 403
    assert (await token("DELETE", f"{mine}/{made['id']}")).status_code == 403
    proof = {"methods": ["token"], "token": {"id": token.token}}
    assert (await nobody("POST", f"{V3}/auth/tokens", {"auth": {"identity": proof}})).status_code == 401


async def test_showing_them(alice: Alice, admin: Caller) -> None:
    made = await make(alice, description="for the pipeline", expires_at="2999-01-01T00:00:00")
    mine = f"{V3}/users/{alice.id}/application_credentials"
    shown = (await alice.call("GET", f"{mine}/{made['id']}")).json()["application_credential"]
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert shown["expires_at"] == "2999-01-01T00:00:00.000000"
    assert (await alice.call("GET", mine)).json()["application_credentials"] == [shown]
    assert (await alice.call("GET", f"{mine}?name=other")).json()["application_credentials"] == []
    other = (await admin("GET", f"{V3}/users?name=admin")).json()["users"][0]["id"]
    assert (await alice.call("GET", f"{V3}/users/{other}/application_credentials")).status_code == 403
    assert (await admin("GET", f"{V3}/users/{other}/application_credentials/{made['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("attributes", "status"),
    [({"name": "ci"}, 409), ({}, 400), ({"name": "x", "expires_at": "2001-01-01T00:00:00"}, 400)],
)
async def test_what_cannot_be_made(alice: Alice, attributes: dict[str, Any], status: int) -> None:
    await make(alice)
    answer = await alice.call(
        "POST", f"{V3}/users/{alice.id}/application_credentials", {"application_credential": attributes}
    )
    assert answer.status_code == status
