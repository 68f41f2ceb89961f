"""The one domain there is, to be read."""

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, json, listing
from netweft.plugins.identity.embedded.directory import DOMAIN
from netweft.plugins.identity.embedded.errors import NotFound
from netweft.store import Object


async def list_all(call: Call) -> Response:
    await call.caller()
    wanted = call.request.query_params
    shown = [_shown(call)] if wanted.get("name", DOMAIN["name"]) == DOMAIN["name"] else []
    return listing(call, "domains", shown, "domains")


async def show(call: Call) -> Response:
    await call.caller()
    if call.path("id") != DOMAIN["id"]:
        raise NotFound("domains", call.path("id"))
    return json({"domain": _shown(call)})


def _shown(call: Call) -> Object:
    return DOMAIN | {"links": {"self": call.url("domains", DOMAIN["id"])}}


OPERATIONS = [
    Operation("GET", f"{PREFIX}/domains", list_all),
    Operation("GET", f"{PREFIX}/domains/{{id}}", show),
]
