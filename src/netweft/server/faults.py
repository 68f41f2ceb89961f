"""Errors that no handler answered (no such path, wrong method, too large, a bug), in the words of the API asked."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

IDENTITY_PATH = "/identity"
KEY_MANAGER_PATH = "/key-manager"
BALANCING_PATH = "/load-balancer"

_OURS = 500  # from this status on


def fault_body(path: str, status: int, message: str) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    if path.startswith(IDENTITY_PATH):
        return {"error": {"code": status, "message": message, "title": phrase}}
    if path.startswith(KEY_MANAGER_PATH):
        return {"code": status, "title": phrase, "description": message}
    if path.startswith(BALANCING_PATH):
        return {"faultcode": "Client" if status < _OURS else "Server", "faultstring": message, "debuginfo": None}
    kind = f"HTTP{phrase.title().replace(' ', '')}"
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def fault(request: Request, error: Exception) -> Response:
    """Starlette's handler for HTTPException."""
    assert isinstance(error, HTTPException)
    body = msgspec.json.encode(fault_body(request.url.path, error.status_code, error.detail))
    return Response(body, error.status_code, error.headers, media_type="application/json")
