"""Access rules: stored, shown, and enforced on both APIs; a credential for one GET cannot POST."""

from typing import Any

import pytest
from tests.api.identity.conftest import Alice, Caller

from .test_application_credentials import V3, login, make

LIST = {"service": "network", "method": "GET", "path": "/v2.0/networks"}


async def token_of(nobody: Caller, made: dict[str, Any]) -> Caller:
    answer = await login(nobody, {"id": made["id"], "secret": made["secret"]})
    assert answer.status_code == 201, answer.text
    return nobody.with_token(answer.headers["X-Subject-Token"])


async def test_what_is_allowed_is_and_nothing_else(nobody: Caller, alice: Alice) -> None:
    ci = await token_of(nobody, await make(alice, access_rules=[LIST]))
    assert (await ci("GET", "/v2.0/networks")).status_code == 200
    assert (await ci("GET", "/v2.0/networks?name=x")).status_code == 200
    body = {"network": {"name": "x"}}
    for method, path in (
        ("POST", "/v2.0/networks"),
        ("HEAD", "/v2.0/networks"),
        ("GET", "/v2.0/networks/1"),
        ("GET", "/v2.0/ports"),
        ("GET", "/netweft/v1/nodes"),
        ("GET", f"{V3}/users/{alice.id}"),
        ("DELETE", f"{V3}/auth/tokens"),
        ("POST", f"{V3}/users/{alice.id}/application_credentials"),
    ):
        answer = await ci(method, path, body if method == "POST" else None)
        assert answer.status_code == 401, (method, path)
    assert (await alice.call("GET", "/v2.0/networks")).json() == {"networks": []}


async def test_the_identity_api_goes_by_them_too(nobody: Caller, alice: Alice) -> None:
    rule = {"service": "identity", "method": "GET", "path": "/v3/users/{id}/access_rules"}
    ci = await token_of(nobody, await make(alice, access_rules=[rule]))
    assert (await ci("GET", f"{V3}/users/{alice.id}/access_rules")).status_code == 200
    assert (await ci("GET", f"{V3}/users/{alice.id}/projects")).status_code == 401
    assert (await ci("GET", "/v2.0/networks")).status_code == 401


async def test_a_token_is_shown_to_who_knows_of_access_rules(nobody: Caller, alice: Alice) -> None:
    made = await make(alice, access_rules=[LIST])
    ci = await token_of(nobody, made)
    asked = {"X_Subject_Token": ci.token}
    assert (await ci("GET", f"{V3}/auth/tokens", **asked)).status_code == 404
    answer = await ci("GET", f"{V3}/auth/tokens", **asked, OpenStack_Identity_Access_Rules="1.0")
    (rule,) = answer.json()["token"]["application_credential"]["access_rules"]
    assert rule.items() >= LIST.items()
    assert rule["id"] == made["access_rules"][0]["id"]


async def test_rules_are_a_users_own_and_there_once(nobody: Caller, admin: Caller, alice: Alice) -> None:
    first = await make(alice, access_rules=[LIST, LIST | {"method": "POST"}])
    second = await make(alice, name="two", access_rules=[LIST, {"id": first["access_rules"][1]["id"]}])
    assert second["access_rules"] == first["access_rules"]
    path = f"{V3}/users/{alice.id}/access_rules"
    (rule,) = (await alice.call("GET", f"{path}?method=GET")).json()["access_rules"]
    assert rule.items() >= LIST.items()
    assert (await alice.call("GET", f"{path}/{rule['id']}")).json()["access_rule"] == rule
    assert len((await admin("GET", path)).json()["access_rules"]) == 2

    assert (await alice.call("DELETE", f"{path}/{rule['id']}")).status_code == 403  # in use
    for made in (first, second):
        await alice.call("DELETE", f"{V3}/users/{alice.id}/application_credentials/{made['id']}")
    assert (await alice.call("DELETE", f"{path}/{rule['id']}")).status_code == 204
    assert (await alice.call("GET", f"{path}/{rule['id']}")).status_code == 404

    bob = await admin.create("user", name="bob", password="b")
    other = await nobody.as_user("bob", "b")
    (left,) = (await admin("GET", path)).json()["access_rules"]
    for method in ("GET", "DELETE"):
        assert (await other(method, f"{path}/{left['id']}")).status_code == 403
        assert (await other(method, f"{V3}/users/{bob}/access_rules/{left['id']}")).status_code == 404
    assert (await other("GET", path)).status_code == 403
    assert (await admin("DELETE", f"{V3}/users/{alice.id}")).status_code == 204  # with all that is hers


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"id": "nosuch"},
        LIST | {"method": "FETCH"},
        LIST | {"path": "v2.0"},
        LIST | {"path": "/" + "x" * 225},
        LIST | {"service": ""},
        LIST | {"service": "net work"},
        LIST | {"colour": "red"},
        {"service": "network", "path": "/"},
        "GET",
    ],
)
async def test_what_is_no_rule(alice: Alice, rule: Any) -> None:
    body = {"application_credential": {"name": "ci", "access_rules": [rule]}}
    answer = await alice.call("POST", f"{V3}/users/{alice.id}/application_credentials", body)
    assert answer.status_code == 400


async def test_without_rules_and_with_none(nobody: Caller, alice: Alice) -> None:
    free, none = await make(alice), await make(alice, name="none", access_rules=[])
    assert "access_rules" not in free
    assert none["access_rules"] == []
    assert (await (await token_of(nobody, free))("GET", "/v2.0/networks")).status_code == 200
    assert (await (await token_of(nobody, none))("GET", "/v2.0/networks")).status_code == 401


async def test_one_that_may_make_others_makes_none_that_is_good_for_more(nobody: Caller, alice: Alice) -> None:
    path = f"/v3/users/{alice.id}/application_credentials"
    own = {"service": "identity", "method": "POST", "path": path}
    ci = await token_of(nobody, await make(alice, unrestricted=True, access_rules=[own, LIST]))

    async def ask(name: str, **values: Any) -> int:
        return (await ci("POST", f"/identity{path}", {"application_credential": {"name": name} | values})).status_code

    assert await ask("free") == 403
    assert await ask("more", access_rules=[LIST | {"method": "POST"}]) == 403
    assert await ask("less", access_rules=[LIST]) == 201


async def test_a_service_that_acts_for_the_user_is_not_held_up(nobody: Caller, admin: Caller, alice: Alice) -> None:
    """As Nova plugs in a VM's port, for a user whose credential is for Nova alone."""
    user = await admin.create("user", name="nova", password="n")
    project = await admin.create("project", name="service")
    scope = {"project": {"id": project}}
    for role in ("member", "service"):
        await admin("PUT", f"{V3}/projects/{project}/users/{user}/roles/{await admin.role(role)}")
    nova = await nobody.as_user("nova", "n", scope)
    ci = await token_of(nobody, await make(alice, access_rules=[LIST | {"service": "compute"}]))
    assert (await ci("GET", "/v2.0/networks", X_Service_Token=nova.token)).status_code == 200
    assert (await ci("GET", "/v2.0/networks", X_Service_Token="nonsense")).status_code == 401
    assert (await ci("GET", "/v2.0/networks", X_Service_Token=alice.call.token)).status_code == 401
