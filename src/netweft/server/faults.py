"""Errors that no handler answered (no such path, wrong method, too large, a bug), in the words of the API asked."""

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

IDENTITY_PATH = "/identity"


def fault_body(path: str, status: int, message: str) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    if path.startswith(IDENTITY_PATH):
        return {"error": {"code": status, "message": message, "title": phrase}}
    kind = f"HTTP{phrase.title().replace(' ', '')}"
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


def fault(request: Request, error: Exception) -> Response:
    """Starlette's handler for HTTPException."""
    assert isinstance(error, HTTPException)
    body = msgspec.json.encode(fault_body(request.url.path, error.status_code, error.detail))
    return Response(body, error.status_code, error.headers, media_type="application/json")
