"""Logging in by the page, and what the cookie is good for."""

from typing import Any

import pytest
from tests.api.dashboard.conftest import Browser
from tests.api.identity.conftest import Alice, Caller

from netweft.dashboard.guard import HEADER


def said(answer: Any) -> str:
    return str(answer.json()["NeutronError"]["message"])


async def test_a_login_shows_all_but_the_token(browser: Browser, alice: Alice) -> None:
    answer = await browser.log_in("alice", alice.password)
    assert answer.status_code == 201
    assert answer.json()["user"] == {"id": alice.id, "name": "alice"}
    assert answer.json()["project"] == {"id": alice.project_id, "name": "blue"}
    assert browser.token and browser.token not in answer.text
    assert "x-subject-token" not in answer.headers
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/dashboard;" in cookie
    again = await browser("GET", "session")
    assert again.json() == answer.json() and "set-cookie" not in again.headers


async def test_the_cookie_goes_by_tls_only_where_the_browser_came_by_it(browser: Browser, alice: Alice) -> None:
    plain = await browser.log_in("alice", alice.password)
    browser.origin = browser.origin.replace("http:", "https:")
    secure = await browser.log_in("alice", alice.password)
    assert "Secure" not in plain.headers["set-cookie"] and "Secure" in secure.headers["set-cookie"]


@pytest.mark.parametrize("user", ["alice", "nobody at all"])
async def test_a_wrong_password_says_no_more_than_that(browser: Browser, alice: Alice, user: str) -> None:
    answer = await browser.log_in(user, "wrong")
    assert answer.status_code == 401 and "not right" in said(answer)
    assert not browser.token and "set-cookie" not in answer.headers


async def test_who_guesses_is_held_back_as_by_the_identity_itself(browser: Browser, alice: Alice) -> None:
    answers = [await browser.log_in("alice", "wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await browser.log_in("alice", alice.password)).status_code == 429


async def test_the_api_behind_is_the_api(alices: Browser, alice: Alice, admin: Caller) -> None:
    made = await alices("POST", "api/v2.0/networks", {"network": {"name": "mine"}})
    assert made.status_code == 201 and made.json()["network"]["project_id"] == alice.project_id
    assert made.headers["cache-control"] == "no-store"
    foreign = (await admin("POST", "/v2.0/networks", {"network": {"name": "theirs"}})).json()["network"]["id"]
    listed = (await alices("GET", "api/v2.0/networks?fields=name")).json()
    assert listed == {"networks": [{"name": "mine"}]}
    for method in ("GET", "PUT", "DELETE"):
        body = {"network": {"name": "stolen"}} if method == "PUT" else None
        assert (await alices(method, f"api/v2.0/networks/{foreign}", body)).status_code == 404
    refused = await alices("POST", "api/v2.0/networks", {"network": {"shared": True}})
    assert refused.status_code == 403 and refused.json()["NeutronError"]["type"] == "PolicyNotAuthorized"


async def test_a_token_of_somebody_else_is_not_taken_from_a_header(alices: Browser, admin: Caller) -> None:
    foreign = (await admin("POST", "/v2.0/networks", {"network": {}})).json()["network"]["id"]
    for header in ("x_auth_token", "x_service_token"):
        assert (await alices("GET", f"api/v2.0/networks/{foreign}", **{header: admin.token})).status_code == 404
    alices.http.cookies.clear()
    assert (await alices("GET", "api/v2.0/networks", x_auth_token=admin.token)).status_code == 401


async def test_the_cookie_is_nothing_to_the_api_itself(alices: Browser) -> None:
    """So that no other site's page can use it there."""
    answer = await alices.http.get("/v2.0/networks", headers={"cookie": f"netweft-session={alices.token}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "api/identity/v3/auth/tokens",
        "api/identity/v3/users/x/application_credentials",
        "api/identity/v3/users/x/password",
        "api/identity/v3/users/%2e%2e/auth/tokens",
        "api/identity/v3/credentials",
        "api/identity/v3/groups",
        "api/healthz",
        "api/dashboard/session",
        "api//v2.0",
        "api/load-balancer/v2",
        "api/load-balancer/v2/octavia/amphorae",
        "api/key-manager/v1/secrets/x",
        "api/key-manager/v1/secrets/x/payload",
        "api/key-manager/v1/secrets/x/acl",
        "api/key-manager/v1/secrets/",
        "api/key-manager/v1/orders",
        "api/netweft/v1/nodes",
    ],
)
async def test_nothing_else_is_behind(alices: Browser, path: str) -> None:
    """Above all nothing that hands a token or a secret to a script."""
    for method in ("GET", "POST"):
        assert (await alices(method, path)).status_code == 404


async def test_a_certificate_is_stored_and_never_shown(alices: Browser) -> None:
    """The page learns which there are, of its own project; of one that is there, too, not what is in it."""
    wanted = {"name": "www", "secret_type": "opaque", "payload": "its key", "payload_content_type": "text/plain"}
    made = await alices("POST", "api/key-manager/v1/secrets", wanted)
    assert made.status_code == 201
    one = "api/key-manager/v1/secrets/" + made.json()["secret_ref"].rsplit("/", 1)[1]
    listed = await alices("GET", "api/key-manager/v1/secrets?limit=100")
    assert [secret["name"] for secret in listed.json()["secrets"]] == ["www"] and "its key" not in listed.text
    for path in (one, f"{one}/payload"):
        assert (await alices("GET", path, accept="text/plain")).status_code == 404
    assert (await alices("PUT", one)).status_code == 404
    assert (await alices("DELETE", one)).status_code == 204
    assert (await alices("GET", "api/key-manager/v1/secrets")).json()["secrets"] == []


async def test_users_and_projects_are_an_admins(
    browser: Browser, alices: Browser, alice: Alice, admin: Caller, password: str, nobody: Caller
) -> None:
    role = await admin.role("member")
    grant = f"api/identity/v3/projects/{alice.project_id}/users/{alice.id}/roles/{role}"
    asked = [
        ("GET", "api/identity/v3/users", None),
        ("GET", "api/identity/v3/projects", None),
        ("GET", f"api/identity/v3/role_assignments?scope.project.id={alice.project_id}", None),
        ("POST", "api/identity/v3/users", {"user": {"name": "made"}}),
        ("POST", "api/identity/v3/projects", {"project": {"name": "made"}}),
        ("PATCH", f"api/identity/v3/users/{alice.id}", {"user": {"enabled": False}}),
        ("DELETE", f"api/identity/v3/projects/{alice.project_id}", None),
        ("PUT", grant, None),
        ("DELETE", grant, None),
    ]
    for method, path, body in asked:
        assert (await alices(method, path, body)).status_code == 403, (method, path)
    assert alices is browser
    admins = Browser(nobody.http._transport)
    assert (await admins.log_in("admin", password, project="admin")).json()["keystone"] == ""
    for method, path, body in asked:
        admins.origin = "http://evil.example"
        assert (await admins(method, path, body)).status_code == 403, (method, path)
        admins.origin = alices.origin
    made = await admins("POST", "api/identity/v3/users", {"user": {"name": "made", "password": "her password"}})
    assert made.status_code == 201 and "her password" not in made.text and "hash" not in made.text
    assert (await admins("PUT", grant)).status_code == 204


@pytest.mark.parametrize("headers", [{HEADER: None}, {"origin": "http://evil.example"}, {"origin": None}])
async def test_another_sites_page_changes_nothing(
    alices: Browser, headers: dict[str, str | None], admin: Caller, alice: Alice
) -> None:
    own: dict[str, str | None] = {HEADER: "1", "origin": alices.origin}
    given = {name: value for name, value in (own | headers).items() if value is not None}
    asked = [
        ("POST", "api/v2.0/networks", {"network": {"name": "forged"}}),
        ("POST", "session", {"user": "alice", "password": alice.password}),
        ("PUT", "session", {"project_id": alice.project_id}),
        ("DELETE", "session", None),
    ]
    for method, path, body in asked:
        answer = await alices.http.request(method, f"/dashboard/{path}", json=body, headers=given)
        assert answer.status_code == 403, (method, path)
        assert "set-cookie" not in answer.headers
    assert (await admin("GET", "/v2.0/networks")).json() == {"networks": []}
    assert (await alices("GET", "session")).status_code == 200


async def test_who_logs_out_has_no_token_any_more(alices: Browser, nobody: Caller) -> None:
    token = alices.token
    answer = await alices("DELETE", "session")
    assert answer.status_code == 204 and not alices.token
    assert (await nobody.with_token(token)("GET", "/v2.0/networks")).status_code == 401
    assert (await alices("GET", "session")).status_code == 401
    assert (await alices("DELETE", "session")).status_code == 204


async def test_a_session_begins_with_a_token_that_nobody_had(alices: Browser, alice: Alice, nobody: Caller) -> None:
    before = alices.token
    await alices.log_in("alice", alice.password)
    assert alices.token != before
    assert (await nobody.with_token(before)("GET", "/v2.0/networks")).status_code == 401


async def test_the_project_is_changed_to_one_that_is_the_users(alices: Browser, alice: Alice, admin: Caller) -> None:
    green = await admin.create("project", name="green")
    before = alices.token
    assert (await alices("PUT", "session", {"project_id": green})).status_code == 401
    assert alices.token == before and (await alices("GET", "session")).status_code == 200
    member = await admin.role("member")
    await admin("PUT", f"/identity/v3/projects/{green}/users/{alice.id}/roles/{member}")
    answer = await alices("PUT", "session", {"project_id": green})
    assert answer.status_code == 201 and answer.json()["project"]["name"] == "green"
    assert [one["name"] for one in answer.json()["projects"]] == ["blue", "green"]
    assert alices.token != before


async def test_who_has_no_project_is_let_in_and_sees_nothing(browser: Browser, admin: Caller) -> None:
    await admin.create("user", name="ned", password="ned's own")
    answer = await browser.log_in("ned", "ned's own")
    assert answer.status_code == 201 and answer.json()["project"] is None and answer.json()["projects"] == []
    assert (await browser("GET", "api/v2.0/networks")).json() == {"networks": []}


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"[]", 400), (b'{"user": "a"}', 400), (b'{"user": 1, "password": "x"}', 400), (b"{" * 20_000, 400),
     (b'{"user": "alice", "password": "x", "scope": {"system": {"all": true}}}', 400)],
)  # fmt: skip
async def test_what_is_no_login_is_refused_in_words(browser: Browser, content: bytes, status: int) -> None:
    headers = {HEADER: "1", "origin": browser.origin}
    answer = await browser.http.post("/dashboard/session", content=content, headers=headers)
    assert answer.status_code == status and said(answer)


async def test_the_page_is_for_everybody(browser: Browser) -> None:
    answer = await browser.http.get("/dashboard")
    assert (answer.status_code, answer.headers["location"]) == (307, "dashboard/")
    page = await browser.http.get("/dashboard/")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["content-encoding"] == "gzip"
    plain = await browser.http.get("/dashboard/", headers={"accept-encoding": "identity"})
    assert plain.content == page.content and "content-encoding" not in plain.headers
    for path in ("..%2f..%2fetc/passwd", "app.js", "__init__.py", "LICENSES.txt", "//evil.example"):
        assert (await browser.http.get(f"/dashboard/{path}")).status_code == 404


async def test_names_of_all_are_for_who_may_list_them(browser: Browser, password: str, alice: Alice) -> None:
    assert (await browser("GET", "names/projects")).status_code == 401
    await browser.log_in("alice", alice.password)
    assert (await browser("GET", "names/users")).status_code == 403
    await browser.log_in("admin", password)
    projects = (await browser("GET", "names/projects")).json()["projects"]
    assert {"id": alice.project_id, "name": "blue"} in projects and all(
        one.keys() == {"id", "name"} for one in projects
    )
    assert {"id": alice.id, "name": "alice"} in (await browser("GET", "names/users")).json()["users"]
    assert (await browser("GET", "names/tokens")).status_code == 404
