"""HTTP for any resource: one `Endpoint` each.  Parses, authenticates, answers; decides nothing."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, faults, querystring
from netweft.api.attributes import Resource
from netweft.api.encoding import json_response, told, whole_number
from netweft.api.gate import Gate, Handler
from netweft.api.querystring import Told
from netweft.api.running import MANY, Run
from netweft.api.service import Service
from netweft.api.tags import Tags
from netweft.plugins.identity import Context
from netweft.store import Store


class Endpoint:
    """The collection and the members of one resource."""

    def __init__(self, resource: Resource, store: Store) -> None:
        self._resource = resource
        self._service = Service(resource, store)
        self._run = Run(store)
        self._tags = Tags(resource, self._service, self._run)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        resource = self._resource
        collection: dict[str, Handler] = {"GET": self.list}
        member: dict[str, Handler] = {"GET": self.show}
        if "create" in resource.actions:
            collection["POST"] = self.create
        if "update" in resource.actions:
            member["PUT"] = self.update
        if "delete" in resource.actions:
            member["DELETE"] = self.delete
        path = f"/v2.0/{resource.path}"
        tagged = dict.fromkeys((path, f"/v2.0/{resource.path.removeprefix(resource.prefix)}"))
        return [
            Route(path, gate(_by_method(collection)), methods=list(collection)),
            Route(path + "/{id}", gate(_by_method(member)), methods=list(member)),
            *(route for path in tagged for route in self._tags.routes(path + "/{id}/tags", gate)),
        ]

    async def list(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        listing = querystring.listing(self._resource, pairs, self._service.hidden(context))
        url = str(request.url.replace(query=""))

        def work() -> Response:
            found = self._service.find(context, listing, lambda one: Told(one["id"], told(listing.asked_for(one))))
            return json_response(querystring.told_answer(self._resource, listing, found, url, pairs))

        return await self._run.read_much(work)

    async def show(self, request: Request, context: Context) -> Response:
        fields = querystring.fields_of(querystring.parse(request.url.query))
        found = await self._run.read(self._service.show, context, request.path_params["id"], fields)
        return json_response({self._resource.member: found})

    async def create(self, request: Request, context: Context) -> Response:
        parsed = body.parse(await request.body())
        wanted, bulk = body.for_create(self._resource, parsed, context)
        given = body.given(self._resource, parsed)
        run = self._run.write_much if len(wanted) > MANY else self._run.write
        created = await run(self._service.create, context, wanted, given)
        answer = {self._resource.collection: created} if bulk else {self._resource.member: created[0]}
        return json_response(answer, 201)

    async def update(self, request: Request, context: Context) -> Response:
        changes = body.for_update(self._resource, body.parse(await request.body()))
        id, revision = request.path_params["id"], _revision(request)
        updated = await self._run.write(self._service.update, context, id, changes, revision)
        return json_response({self._resource.member: updated})

    async def delete(self, request: Request, context: Context) -> Response:
        await self._run.write(self._service.delete, context, request.path_params["id"], _revision(request))
        return Response(status_code=204)


def _by_method(handlers: dict[str, Handler]) -> Handler:
    async def handle(request: Request, context: Context) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request, context)

    return handle


def _revision(request: Request) -> int | None:
    """Of `If-Match: revision_number=N`."""
    header = request.headers.get("if-match")
    if header is None:
        return None
    name, _, number = header.strip('"').partition("=")
    found = whole_number(number)
    if name != "revision_number" or found is None:
        raise faults.HTTPBadRequest("Revision number must be an integer, given as 'If-Match: revision_number=N'")
    return found
