"""What Keystone has and this identity has not: lists are empty, and whoever wants one reads why there is none."""

from collections.abc import Iterator

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, listing
from netweft.plugins.identity.embedded.errors import Forbidden, NotFound

TRUSTS = "There are no trusts here: an application credential does what a trust did."
CREDENTIALS = "There are no EC2 or TOTP credentials here: an application credential stands for a user."


def _none(path: str, member: str, sentence: str) -> Iterator[Operation]:
    async def every(call: Call) -> Response:
        await call.caller()
        return listing(call, member, [], *call.request.url.path.split("/")[3:])

    async def refuse(call: Call) -> Response:
        await call.caller()
        raise Forbidden(sentence)

    async def one(call: Call) -> Response:
        await call.caller()
        raise NotFound(member, call.path("id"))

    yield Operation("GET", f"{PREFIX}/{path}", every)
    yield Operation("POST", f"{PREFIX}/{path}", refuse)
    yield Operation("GET", f"{PREFIX}/{path}/{{id}}", one)
    yield Operation("DELETE", f"{PREFIX}/{path}/{{id}}", one)


OPERATIONS = [
    *_none("OS-TRUST/trusts", "trusts", TRUSTS),
    *_none("credentials", "credentials", CREDENTIALS),
    *_none("users/{user}/credentials/OS-EC2", "credentials", CREDENTIALS),
]
