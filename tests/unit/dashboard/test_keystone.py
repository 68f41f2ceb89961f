"""With the cloud's Keystone: an admin is told where users are made; nothing of identity is behind the page's API."""

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from netweft.dashboard.compute.asked import Compute
from netweft.dashboard.guard import HEADER
from netweft.dashboard.login import Answer, Asked
from netweft.dashboard.session import Sessions
from netweft.plugins.identity import Context
from netweft.settings import ServerSettings

KEYSTONE = "http://keystone.test:5000"


async def nobody(token: str, service_token: str = "") -> Context:
    return Context(user_id="u", user_name="ann")


def page(role: str) -> httpx.AsyncClient:
    async def ask(asked: Asked) -> Answer:
        token = {"user": {"id": "u", "name": "ann"}, "expires_at": "", "roles": [{"name": role}], "project": None}
        return Answer(200, {}, msgspec.json.encode({"token": token, "projects": []}))

    compute = Compute(ServerSettings(), nobody)
    app = Sessions(Starlette(), lambda app: ask, compute, "", keystone=KEYSTONE)
    headers = {HEADER: "1", "cookie": "netweft-session=t"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://netweft.test", headers=headers)


@pytest.mark.parametrize(("role", "told"), [("admin", KEYSTONE), ("member", "")])
async def test_where_users_are_made_is_shown_to_admins(role: str, told: str) -> None:
    async with page(role) as http:
        answer = await http.get("/dashboard/session")
        assert (answer.status_code, answer.json()["keystone"]) == (200, told)
        assert (await http.get("/dashboard/api/identity/v3/users")).status_code == 404
