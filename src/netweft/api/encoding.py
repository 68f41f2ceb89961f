"""JSON in and out, by msgspec."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode
NUL = b"\\u0000"  # as it stands in JSON; raw control characters are no JSON at all
DecodeError = msgspec.DecodeError


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encode(content), status, headers, media_type="application/json")
