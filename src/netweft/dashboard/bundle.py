"""The page's files, as `make web` builds them from web/ (decision 0524).

A file's name holds what is in it, so that a browser keeps it for ever; only index.html is requested each time.
"""

import gzip
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from netweft.dashboard import PATH

_TYPES: Final = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}
_INDEX: Final = "index.html"
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "vary": "accept-encoding",
}


class File(NamedTuple):
    content: bytes
    packed: bytes
    headers: Mapping[str, str]


def routes() -> list[BaseRoute]:
    return [Route(PATH, _to_folder), Route(f"{PATH}/{{name:path}}", _file)]


async def _to_folder(request: Request) -> Response:
    return RedirectResponse("dashboard/", 307, {"cache-control": "no-cache"})  # relative: whatever is before us


async def _file(request: Request) -> Response:
    found = bundle().get(request.path_params["name"] or _INDEX)
    if found is None:
        raise HTTPException(404, "There is no such file.")
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, headers={**found.headers, "content-encoding": "gzip"})
    return Response(found.content, headers=found.headers)


@cache
def bundle() -> Mapping[str, File]:
    """By name.  Read and packed on first use."""
    folder = files("netweft.dashboard").joinpath("static")
    contents = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _TYPES}
    index = contents.pop(_INDEX)
    made = {}
    for name, content in contents.items():
        stem, _, kind = name.rpartition(".")
        named = f"{stem}-{sha256(content).hexdigest()[:16]}.{kind}"
        index = index.replace(f'"{name}"'.encode(), f'"{named}"'.encode())
        made[named] = _ready(content, kind, "public, max-age=31536000, immutable")
    return made | {_INDEX: _ready(index, "html", "no-cache")}


def _ready(content: bytes, kind: str, kept: str) -> File:
    headers = _HEADERS | {"content-type": f"{_TYPES[kind]}; charset=utf-8", "cache-control": kept}
    return File(content, gzip.compress(content, 9, mtime=0), headers)
