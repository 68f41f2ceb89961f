"""What Keystone has and this identity has not: lists are empty, and whoever wants one reads why there is none."""

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, listing
from netweft.plugins.identity.embedded.errors import Forbidden, NotFound

TRUSTS = "There are no trusts here: an application credential does what a trust did."
CREDENTIALS = "There are no EC2 or TOTP credentials here: an application credential stands for a user."


async def list_trusts(call: Call) -> Response:
    await call.caller()
    return listing(call, "trusts", [], "OS-TRUST", "trusts")


async def refuse_trust(call: Call) -> Response:
    await call.caller()
    raise Forbidden(TRUSTS)


async def no_trust(call: Call) -> Response:
    await call.caller()
    raise NotFound("trusts", call.path("id"))


async def list_credentials(call: Call) -> Response:
    """Of EC2, TOTP and the like: Horizon lists them."""
    await call.caller()
    return listing(call, "credentials", [], *call.request.url.path.split("/")[3:])


async def refuse_credential(call: Call) -> Response:
    await call.caller()
    raise Forbidden(CREDENTIALS)


async def no_credential(call: Call) -> Response:
    await call.caller()
    raise NotFound("credentials", call.path("id"))


OPERATIONS = [
    Operation("GET", f"{PREFIX}/OS-TRUST/trusts", list_trusts),
    Operation("POST", f"{PREFIX}/OS-TRUST/trusts", refuse_trust),
    Operation("GET", f"{PREFIX}/OS-TRUST/trusts/{{id}}", no_trust),
    Operation("DELETE", f"{PREFIX}/OS-TRUST/trusts/{{id}}", no_trust),
    *(
        operation
        for credentials in (f"{PREFIX}/credentials", f"{PREFIX}/users/{{user}}/credentials/OS-EC2")
        for operation in (
            Operation("GET", credentials, list_credentials),
            Operation("POST", credentials, refuse_credential),
            Operation("GET", f"{credentials}/{{id}}", no_credential),
            Operation("DELETE", f"{credentials}/{{id}}", no_credential),
        )
    ),
]
