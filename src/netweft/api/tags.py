"""The tags of any resource: /v2.0/RESOURCE/ID/tags."""

from collections.abc import Callable
from typing import Any

from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks
from netweft.api.attributes import Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.errors import NotFound
from netweft.plugins.identity import Context
from netweft.store import Object


class TagNotFound(NotFound):
    message = "Tag %(tag)s could not be found."


class Tags:
    def __init__(self, resource: Resource, service: Service, run: Run) -> None:
        self._resource = resource
        self._service = service
        self._run = run

    def routes(self, path: str, gate: Gate) -> list[BaseRoute]:
        if "tags" not in self._resource.attributes:
            return []
        one = path + "/{tag}"
        return [
            Route(path, gate(self.every), methods=["GET"]),
            Route(path, gate(self.create), methods=["POST"]),
            Route(path, gate(self.replace), methods=["PUT"]),
            Route(path, gate(self.clear), methods=["DELETE"]),
            Route(one, gate(self.show), methods=["GET"]),
            Route(one, gate(self.add), methods=["PUT"]),
            Route(one, gate(self.remove), methods=["DELETE"]),
        ]

    async def every(self, request: Request, context: Context) -> Response:
        return json_response({"tags": await self._tags(request, context)})

    async def show(self, request: Request, context: Context) -> Response:
        _require(request.path_params["tag"], await self._tags(request, context))
        return Response(status_code=204)

    async def create(self, request: Request, context: Context) -> Response:
        """Those that are not there yet; the answer has what was requested, as Neutron's."""
        given = _checked(checks.tags, body.parse(await request.body()).get("tags"))
        await self._edit(request, context, "update", lambda now: list(dict.fromkeys([*now, *given])))
        return json_response({"tags": given}, 201)

    async def replace(self, request: Request, context: Context) -> Response:
        given = body.parse(await request.body()).get("tags")
        return json_response(await self._edit(request, context, "update", lambda now: _checked(checks.tags, given)))

    async def clear(self, request: Request, context: Context) -> Response:
        await self._edit(request, context, "delete", lambda now: [])
        return Response(status_code=204)

    async def add(self, request: Request, context: Context) -> Response:
        tag = _checked(checks.tag, request.path_params["tag"])
        await self._edit(request, context, "update", lambda now: now if tag in now else [*now, tag])
        return Response(status_code=201)

    async def remove(self, request: Request, context: Context) -> Response:
        tag = request.path_params["tag"]

        def without(now: list[str]) -> list[str]:
            _require(tag, now)
            return [one for one in now if one != tag]

        await self._edit(request, context, "delete", without)
        return Response(status_code=204)

    async def _tags(self, request: Request, context: Context) -> list[str]:
        found = await self._run.read(self._service.show, context, request.path_params["id"], frozenset({"tags"}))
        tags: list[str] = found.get("tags", [])
        return tags

    async def _edit(self, request: Request, context: Context, verb: str, edit: Callable[[list[str]], list[str]]) -> Raw:
        def decide(current: Object) -> Object:
            now = current.get("tags", [])
            tags = edit(now)
            if len(tags) > max(len(now), checks.TAGS):
                raise HTTPBadRequest(str(checks.too_many_tags()))
            return {"tags": tags}

        rule, id = f"{verb}_{self._resource.member}:tags", request.path_params["id"]
        return await self._run.write(self._service.edit, context, id, decide, rule=rule, answer=_tags)


def _tags(shown: Object) -> Object:
    return {"tags": shown["tags"]}


def _require(tag: str, tags: list[str]) -> None:
    if tag not in tags:
        raise TagNotFound(tag=tag)


def _checked(check: checks.Check, value: object) -> Any:
    try:
        return check(value)
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for tags. Reason: {invalid}.") from None
