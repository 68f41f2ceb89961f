"""Refusals in Barbican's form."""

from http import HTTPStatus

from starlette.responses import Response

from netweft.api import faults
from netweft.api.encoding import json_response
from netweft.control.errors import Refused
from netweft.control.key_manager.errors import Forbidden, QuotaReached, TooLarge


def answer(refusal: Refused) -> Response:
    status = HTTPStatus(_status(refusal))
    return json_response({"code": status.value, "title": status.phrase, "description": str(refusal)}, status.value)


def _status(refusal: Refused) -> int:
    match refusal:
        case Forbidden() | QuotaReached():
            return 403
        case TooLarge():
            return 413
    return faults.status_of(refusal)
