"""From refusals to answers: status codes, and bodies in Neutron's form."""

from starlette.responses import Response

from netweft.api.encoding import json_response
from netweft.control import errors
from netweft.store import Busy, Missing, StoreError

_STATUS: dict[type[errors.Refused], int] = {
    errors.BadRequest: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.Exhausted: 503,
}


class HTTPBadRequest(errors.BadRequest):
    """The body or the query string is not what it should be."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class PolicyNotAuthorized(errors.Refused):
    """Seen, but not to be touched."""

    message = "rule:%(action)s is disallowed by policy"


class PolicyRemoveAuthorizationError(errors.Refused):
    message = "Failed to remove provided policy %(policy_id)s because you are not authorized."


class WrongScope(PolicyNotAuthorized):
    message = "The token is for the system or a domain; this API has rules for projects only"


class TryAgain(errors.Refused):
    type = "HTTPServiceUnavailable"
    message = "The database is busy with other requests. Try again."


class Gone(errors.NotFound):
    """What the store knows, where no use case looked."""

    type = "NotFound"
    message = "%(kind)s %(id)s could not be found."


class InTheWay(errors.Conflict):
    type = "Conflict"
    message = "Something else is in the way: %(reason)s."


class IdentityAway(errors.Refused):
    type = "HTTPServiceUnavailable"
    message = "The identity service cannot be asked now. Try again."


def of_store(refusal: StoreError) -> errors.Refused:
    """For what the store still refuses when it is no contention any more."""
    if isinstance(refusal, Busy):
        return TryAgain()
    return Gone(kind=refusal.kind, id=refusal.id) if isinstance(refusal, Missing) else InTheWay(reason=str(refusal))


def status_of(refusal: errors.Refused) -> int:
    if isinstance(refusal, PolicyNotAuthorized | PolicyRemoveAuthorizationError):
        return 403
    if isinstance(refusal, TryAgain | IdentityAway):
        return 503
    return next(status for base, status in _STATUS.items() if isinstance(refusal, base))


def answer(refusal: errors.Refused) -> Response:
    body = {"NeutronError": {"type": refusal.type, "message": str(refusal), "detail": ""}}
    return json_response(body, status_of(refusal))


def unauthorized(identity_url: str) -> Response:
    message = "The request you have made requires authentication."
    body = {"error": {"code": 401, "title": "Unauthorized", "message": message}}
    return json_response(body, 401, {"WWW-Authenticate": f"Keystone uri='{identity_url}'"})
