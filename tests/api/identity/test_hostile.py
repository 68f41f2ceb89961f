"""Bodies that nobody means well with: refused, never a fault of ours."""

from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.api.identity.conftest import Alice, Caller
from tests.examples import examples

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


NODES = [b"[" * 100_000, b'{"node": ' * 50_000, b'{"node": {"name": "\\u0000"}}', b"\xff"]


@pytest.mark.parametrize("body", NODES, ids=range(4))
async def test_a_hostile_node(admin: Caller, body: bytes) -> None:
    answer = await admin.http.post("/netweft/v1/nodes", content=body, headers={"X-Auth-Token": admin.token})
    assert answer.status_code == 400, answer.text


EDGES = [datetime.min, datetime.max, datetime(1970, 1, 1), datetime(2038, 1, 19, 3, 14, 8), datetime(9999, 12, 31)]
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.builds(datetime.replace, st.datetimes() | st.sampled_from(EDGES), tzinfo=st.none() | ZONES))
@example(at=datetime.fromisoformat("9999-12-31T23:59:59-14:00"))
@example(at=datetime.fromisoformat("0001-01-01T00:00:00+14:00"))
async def test_an_end_at_any_time(alice: Alice, at: datetime) -> None:
    """Taken or refused; and what is there can be listed after it."""
    path = f"/identity/v3/users/{alice.id}/application_credentials"
    body = {"application_credential": {"name": str(uuid4()), "expires_at": at.isoformat()}}
    made = await alice.call("POST", path, body)
    assert made.status_code in (201, 400), made.text
    assert (await alice.call("GET", path)).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\xff" * 43, "x" * 100_000, "' OR 1=1 --"])
async def test_a_hostile_token(nobody: Caller, token: str) -> None:
    headers = [(b"x-auth-token", token.encode("latin-1"))]
    assert (await nobody.http.get("/identity/v3/auth/catalog", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "path", ["/users/%00", "/users/%ff", "/users?name=%00", "/projects/x%2Fy", "/users?enabled=%00"]
)
async def test_a_hostile_path(admin: Caller, path: str) -> None:
    assert (await admin("GET", f"/identity/v3{path}")).status_code in (200, 400, 404)
