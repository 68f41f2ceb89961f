"""HTTP for Octavia's resources: parses, authenticates, answers; decides nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body as bodies
from netweft.api import checks, querystring
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate, Handler
from netweft.api.lb import body, listing, views
from netweft.api.lb.descriptions import BALANCER, LISTENER, MEMBER, MOST_BELOW, Kind
from netweft.api.lb.looking import Looking
from netweft.api.lb.service import Service
from netweft.api.running import MANY, Run
from netweft.control.lb import stats
from netweft.control.lb.vocabulary import LISTENERS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store

Gone: TypeAlias = Callable[[str], Awaitable[None]]
ROOT = "/load-balancer"
VERSIONS = ("v2", "v2.0")  # of the same API


def paths(path: str) -> list[str]:
    return [f"{ROOT}/{version}/lbaas/{path}" for version in VERSIONS]


def by_method(**handlers: Handler) -> Handler:
    async def handle(request: Request, context: Context) -> Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request, context)

    return handle


def route(gate: Gate, path: str, **handlers: Handler) -> list[BaseRoute]:
    return [Route(one, gate(by_method(**handlers)), methods=list(handlers)) for one in paths(path)]


class Endpoint:
    """The collection and the members of one kind.

    gone: waits, for a while, until what is deleted is so on its nodes."""

    def __init__(self, kind: Kind, service: Service, looking: Looking, store: Store, gone: Gone) -> None:
        self._kind, self._service, self._looking, self._run, self._gone = kind, service, looking, Run(store), gone

    def routes(self, gate: Gate) -> Sequence[BaseRoute]:
        kind = self._kind
        path = kind.collection if kind.parent is None else f"{kind.parent[1]}/{{parent}}/{kind.collection}"
        more: dict[str, Handler] = {"PUT": self.put_all} if kind is MEMBER else {}
        return [
            *route(gate, path, GET=self.list, POST=self.create, **more),
            *route(gate, f"{path}/{{id}}", GET=self.show, PUT=self.update, DELETE=self.delete),
        ]

    async def list(self, request: Request, context: Context) -> Response:
        asked, pairs = listing.parse(self._kind, request.url.query)
        url, parent = str(request.url.replace(query="")), request.path_params.get("parent")

        def work() -> Response:
            found = self._service.find(context, self._kind, asked, parent)
            links = listing.links(asked, [one["id"] for one in found], url, pairs)
            items = [_only(one, asked.fields) for one in found]
            return json_response({self._kind.collection: items, f"{self._kind.collection}_links": links})

        return await self._run.read_much(work)

    async def show(self, request: Request, context: Context) -> Response:
        wanted = listing.fields_of(querystring.parse(request.url.query))
        found = await self._run.read(self._service.show, context, self._kind, *_names(request))
        return json_response({self._kind.member: _only(found, wanted)})

    async def create(self, request: Request, context: Context) -> Response:
        item = body.of_one(self._kind, await request.body())
        wanted = body.for_create(self._kind, item, nested=self._kind is BALANCER)
        looked = await self._looking.at(request, context, self._kind, None, wanted)
        run = self._run.write_much if _size(item) > MANY else self._run.write
        parent = request.path_params.get("parent")
        return json_response(await run(self._service.create, context, self._kind, wanted, parent, looked), 201)

    async def update(self, request: Request, context: Context) -> Response:
        changes = body.for_update(self._kind, body.of_one(self._kind, await request.body()))
        id, parent = _names(request)
        looked = await self._looking.at(request, context, self._kind, id, changes)
        write = self._run.write
        return json_response(await write(self._service.update, context, self._kind, id, changes, parent, looked))

    async def delete(self, request: Request, context: Context) -> Response:
        id, parent = _names(request)
        if self._kind is BALANCER:
            cascade = _flag(request, "cascade")
            await self._run.write(lambda: self._service.delete_balancer(context, id, cascade=cascade))
            await self._gone(id)
        else:
            await self._run.write(self._service.delete, context, self._kind, id, parent)
        return Response(status_code=204)

    async def put_all(self, request: Request, context: Context) -> Response:
        """All members of a pool."""
        given = body.given(bodies.parse(await request.body()), self._kind.collection)
        if not isinstance(given, list) or len(given) > MOST_BELOW:
            raise HTTPBadRequest(f"members has to be a list of {MOST_BELOW} at most")
        wanted = [body.for_create(self._kind, one) for one in given]
        additive, pool = _flag(request, "additive_only"), request.path_params["parent"]
        await self._run.write_much(lambda: self._service.put_members(context, pool, wanted, given, additive=additive))
        return Response(status_code=202)


class Actions:
    """What a balancer and a listener can be asked besides."""

    def __init__(self, service: Service, store: Store) -> None:
        self._service, self._run = service, Run(store)

    def routes(self, gate: Gate) -> Sequence[BaseRoute]:
        return [
            *route(gate, "loadbalancers/{id}/status", GET=self.status),
            *route(gate, "loadbalancers/{id}/statuses", GET=self.status),
            *route(gate, "loadbalancers/{id}/stats", GET=self.stats),
            *route(gate, "loadbalancers/{id}/failover", PUT=self.failover),
            *route(gate, "listeners/{id}/stats", GET=self.listener_stats),
        ]

    async def status(self, request: Request, context: Context) -> Response:
        def question(tx: ReadTransaction, row: Object) -> Object:
            return views.Whole(tx, row).statuses()

        return await self._asked(request, context, BALANCER, question)

    async def stats(self, request: Request, context: Context) -> Response:
        def question(tx: ReadTransaction, row: Object) -> Object:
            ids = [one["id"] for one in tx.query(LISTENERS, Query({LOAD_BALANCER: [row["id"]]}))]
            return {"stats": stats.of_listeners(tx, ids)}

        return await self._asked(request, context, BALANCER, question)

    async def listener_stats(self, request: Request, context: Context) -> Response:
        def question(tx: ReadTransaction, row: Object) -> Object:
            return {"stats": stats.of_listener(tx, row["id"])}

        return await self._asked(request, context, LISTENER, question)

    async def failover(self, request: Request, context: Context) -> Response:
        await self._run.write(self._service.fail_over, context, request.path_params["id"])
        return Response(status_code=202)

    async def _asked(
        self, request: Request, context: Context, kind: Kind, question: Callable[[ReadTransaction, Object], Object]
    ) -> Response:
        id = request.path_params["id"]
        return json_response(await self._run.read(self._service.ask, context, kind, id, question))


def _names(request: Request) -> tuple[str, str | None]:
    return request.path_params["id"], request.path_params.get("parent")


def _only(found: Object, wanted: frozenset[str]) -> Object:
    return {name: value for name, value in found.items() if name in wanted} if wanted else found


def _flag(request: Request, name: str) -> bool:
    try:
        return checks.boolean(request.query_params.get(name, "false"))
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for field/attribute {name}. {invalid}") from None


def _size(item: object) -> int:
    """How many objects a body requests."""
    if isinstance(item, list):
        return sum(map(_size, item))
    return (
        1 + sum(_size(value) for value in item.values() if isinstance(value, list | dict))
        if isinstance(item, dict)
        else 0
    )
