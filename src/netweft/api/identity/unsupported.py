"""What Keystone has and this identity has not: lists are empty, and whoever wants one reads why there is none."""

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, listing
from netweft.plugins.identity.embedded.errors import Forbidden, NotFound

TRUSTS = "There are no trusts here: an application credential does what a trust did."


async def list_trusts(call: Call) -> Response:
    await call.caller()
    return listing(call, "trusts", [], "OS-TRUST", "trusts")


async def refuse_trust(call: Call) -> Response:
    await call.caller()
    raise Forbidden(TRUSTS)


async def no_trust(call: Call) -> Response:
    await call.caller()
    raise NotFound("trusts", call.path("id"))


OPERATIONS = [
    Operation("GET", f"{PREFIX}/OS-TRUST/trusts", list_trusts),
    Operation("POST", f"{PREFIX}/OS-TRUST/trusts", refuse_trust),
    Operation("GET", f"{PREFIX}/OS-TRUST/trusts/{{id}}", no_trust),
    Operation("DELETE", f"{PREFIX}/OS-TRUST/trusts/{{id}}", no_trust),
]
