"""What the API says about itself: versions, resources, extensions."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.attributes import Resource
from netweft.api.encoding import json_response
from netweft.api.extensions import EXTENSIONS
from netweft.api.gate import Gate
from netweft.control.errors import NotFound
from netweft.plugins.identity import Context
from netweft.store import Object


class ExtensionNotFound(NotFound):
    message = "Extension with alias %(alias)s does not exist"


def routes(resources: Sequence[Resource], gate: Gate) -> list[BaseRoute]:
    async def versions(request: Request) -> Response:
        link = {"rel": "self", "href": f"{request.base_url}v2.0/"}
        return json_response({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})

    async def index(request: Request, context: Context) -> Response:
        """The resources of v2.0."""
        listed = [
            {
                "name": resource.member,
                "collection": resource.collection,
                "links": [{"rel": "self", "href": f"{request.base_url}v2.0/{resource.path}"}],
            }
            for resource in resources
        ]
        return json_response({"resources": listed})

    async def extensions(request: Request, context: Context) -> Response:
        return json_response({"extensions": [_extension(alias) for alias in EXTENSIONS]})

    async def extension(request: Request, context: Context) -> Response:
        return json_response({"extension": _extension(request.path_params["alias"])})

    return [
        Route("/", versions),
        Route("/v2.0", gate(index)),
        Route("/v2.0/", gate(index)),
        Route("/v2.0/extensions", gate(extensions)),
        Route("/v2.0/extensions/{alias}", gate(extension)),
    ]


def _extension(alias: str) -> Object:
    if alias not in EXTENSIONS:
        raise ExtensionNotFound(alias=alias)
    name, description, updated = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": description, "updated": updated, "links": []}
