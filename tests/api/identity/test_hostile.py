"""Bodies that nobody means well with: refused, never a fault of ours."""

import pytest
from tests.api.identity.conftest import Caller

BODIES = [
    b"",
    b"null",
    b"[]",
    b'{"user": null}',
    b'{"user": {"name": "\\ud800"}}',
    b'{"user": {"name": "\\u0000"}}',
    b'{"user": {"name": "x", "password": "\\ud800"}}',
    b'{"user": {"name": "x", "default_project_id": "\\u0000"}}',
    b'{"user": {"name": "\xff"}}',
    b'{"user": ' + b"[" * 100_000,
    b'{"user": {"name": 1e999}}',
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:40]))
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/users"), ("POST", "/auth/tokens"), ("POST", "/users/x/password")]
)
async def test_a_hostile_body(admin: Caller, method: str, path: str, body: bytes) -> None:
    answer = await admin.http.request(
        method, f"/identity/v3{path}", content=body, headers={"X-Auth-Token": admin.token}
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["code"] == answer.status_code


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\xff" * 43, "x" * 100_000, "' OR 1=1 --"])
async def test_a_hostile_token(nobody: Caller, token: str) -> None:
    headers = [(b"x-auth-token", token.encode("latin-1"))]
    assert (await nobody.http.get("/identity/v3/auth/catalog", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "path", ["/users/%00", "/users/%ff", "/users?name=%00", "/projects/x%2Fy", "/users?enabled=%00"]
)
async def test_a_hostile_path(admin: Caller, path: str) -> None:
    assert (await admin("GET", f"/identity/v3{path}")).status_code in (200, 400, 404)
