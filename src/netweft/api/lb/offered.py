"""HTTP for what an administrator offers: providers, flavors, availability zones and their profiles."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from netweft.api import querystring
from netweft.api.encoding import json_response
from netweft.api.gate import Gate
from netweft.api.lb import body, listing, policy
from netweft.api.lb.descriptions import FLAVOR_FIELDS, FLAVOR_PROFILE_FIELDS, ZONE_FIELDS, ZONE_PROFILE_FIELDS
from netweft.api.lb.endpoint import route
from netweft.api.lb.fields import Fields
from netweft.api.running import Run
from netweft.control.lb import offers
from netweft.control.lb.errors import LbNotFound
from netweft.control.lb.offers import Capability, Offer, Profile
from netweft.plugins.identity import Context
from netweft.store import Missing, Object, Store, WriteTransaction


class Offered(NamedTuple):
    """collection: in paths; listed: in bodies of lists.  what: how it comes, changes and goes.
    for_all: whether others than administrators see it."""

    member: str
    collection: str
    listed: str
    what: Offer | Profile
    fields: Fields
    for_all: bool
    computed: frozenset[str] = frozenset()


OFFERED: Sequence[Offered] = (
    Offered("flavor", "flavors", "flavors", offers.FLAVOR, FLAVOR_FIELDS, True),
    Offered("flavorprofile", "flavorprofiles", "flavorprofiles", offers.FLAVOR_PROFILE, FLAVOR_PROFILE_FIELDS, False),
    Offered("availability_zone", "availabilityzones", "availability_zones", offers.ZONE, ZONE_FIELDS, True),
    Offered(
        "availability_zone_profile",
        "availabilityzoneprofiles",
        "availability_zone_profiles",
        offers.ZONE_PROFILE,
        ZONE_PROFILE_FIELDS,
        False,
    ),
)


class OfferedEndpoint:
    def __init__(self, offered: Offered, store: Store) -> None:
        self._offered, self._store, self._run = offered, store, Run(store)
        self._kind, self._title = offered.what.kind, offered.what.title

    def routes(self, gate: Gate) -> Sequence[BaseRoute]:
        path = self._offered.collection
        return [
            *route(gate, path, GET=self.list, POST=self.create),
            *route(gate, f"{path}/{{id}}", GET=self.show, PUT=self.update, DELETE=self.delete),
        ]

    def _see(self, context: Context) -> None:
        (policy.require_reader if self._offered.for_all else policy.require_admin)(context)

    async def list(self, request: Request, context: Context) -> Response:
        self._see(context)
        asked, pairs = listing.parse(self._offered, request.url.query)
        url = str(request.url.replace(query=""))

        def work() -> Response:
            with self._store.read() as tx:
                try:
                    rows = tx.query(self._kind, asked.query)
                except Missing:
                    raise LbNotFound(resource=self._title, id=asked.query.marker) from None
            links = listing.links(asked, [row["id"] for row in rows], url, pairs)
            items = [self._view(row, asked.fields) for row in rows]
            return json_response({self._offered.listed: items, f"{self._offered.listed}_links": links})

        return await self._run.read_much(work)

    async def show(self, request: Request, context: Context) -> Response:
        self._see(context)
        wanted = listing.fields_of(querystring.parse(request.url.query))

        def work() -> Object:
            with self._store.read() as tx:
                found = tx.get(self._kind, request.path_params["id"])
            if found is None:
                raise LbNotFound(resource=self._title, id=request.path_params["id"])
            return self._view(found, wanted)

        return json_response({self._offered.member: await self._run.read(work)})

    async def create(self, request: Request, context: Context) -> Response:
        policy.require_admin(context)
        wanted = body.plain(self._offered, body.of_one(self._offered, await request.body()))
        what = self._offered.what

        def work(tx: WriteTransaction) -> Object:
            return (
                offers.create(tx, what, wanted) if isinstance(what, Offer) else offers.create_profile(tx, what, wanted)
            )

        return json_response({self._offered.member: self._view(await self._run.write(self._store.run, work))}, 201)

    async def update(self, request: Request, context: Context) -> Response:
        policy.require_admin(context)
        changes = body.for_update(self._offered, body.of_one(self._offered, await request.body()))
        what, id = self._offered.what, request.path_params["id"]

        def work(tx: WriteTransaction) -> Object:
            if isinstance(what, Offer):
                return offers.update(tx, what, id, changes)
            return offers.update_profile(tx, what, id, changes)

        return json_response({self._offered.member: self._view(await self._run.write(self._store.run, work))})

    async def delete(self, request: Request, context: Context) -> Response:
        policy.require_admin(context)
        what, id = self._offered.what, request.path_params["id"]

        def work(tx: WriteTransaction) -> None:
            if isinstance(what, Offer):
                offers.delete(tx, what, id)
            else:
                offers.delete_profile(tx, what, id)

        await self._run.write(self._store.run, work)
        return Response(status_code=204)

    def _view(self, row: Object, wanted: frozenset[str] = frozenset()) -> Object:
        return {name: row[name] for name in self._offered.fields if not wanted or name in wanted}


class Providers:
    """Read only: there is one."""

    def routes(self, gate: Gate) -> Sequence[BaseRoute]:
        return [
            *route(gate, "providers", GET=self.list),
            *route(gate, "providers/{name}/flavor_capabilities", GET=self.flavors),
            *route(gate, "providers/{name}/availability_zone_capabilities", GET=self.zones),
        ]

    async def list(self, request: Request, context: Context) -> Response:
        policy.require_reader(context)
        every = [{"name": name, "description": told} for name, told in offers.PROVIDERS.items()]
        return json_response({"providers": _asked(request, every)})

    async def flavors(self, request: Request, context: Context) -> Response:
        return self._capabilities(request, context, "flavor_capabilities", offers.FLAVOR_CAPABILITIES)

    async def zones(self, request: Request, context: Context) -> Response:
        return self._capabilities(request, context, "availability_zone_capabilities", offers.ZONE_CAPABILITIES)

    def _capabilities(self, request: Request, context: Context, name: str, found: Mapping[str, Capability]) -> Response:
        policy.require_admin(context)
        every = offers.capabilities(found, request.path_params["name"])
        return json_response({name: _asked(request, every)})


def _asked(request: Request, every: Sequence[Object]) -> list[Object]:
    """Filtered by name and description, with the fields that are wanted."""
    asked = request.query_params
    is_meant: Callable[[Object], bool] = lambda one: all(  # noqa: E731
        asked.get(name) in (None, one[name]) for name in ("name", "description")
    )
    wanted = listing.fields_of(querystring.parse(request.url.query))
    return [
        {name: value for name, value in one.items() if not wanted or name in wanted} for one in every if is_meant(one)
    ]
