"""From refusals to answers: Octavia's status codes, in the form of its bodies."""

from starlette.responses import Response

from netweft.api import faults
from netweft.api.encoding import json_response
from netweft.api.faults import PolicyNotAuthorized
from netweft.control.errors import Refused
from netweft.control.lb.errors import Forbidden, Unsupported

_STATUS = ((Forbidden, 403), (Unsupported, 501))


def status_of(refusal: Refused) -> int:
    found = (status for base, status in _STATUS if isinstance(refusal, base))
    return next(found, None) or faults.status_of(refusal)


def answer(refusal: Refused) -> Response:
    status = status_of(refusal)
    said = "Policy does not allow this request to be performed." if isinstance(refusal, PolicyNotAuthorized) else None
    code = "Client" if status < 500 else "Server"
    return json_response({"faultcode": code, "faultstring": said or str(refusal), "debuginfo": None}, status)
