"""What is part of one object and has paths below the object's: /v2.0/routers/ID/conntrack_helpers, for example.

The object is seen, locked and allowed for like any other; rules are named after both.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import pages, querystring
from netweft.api.attributes import Attribute, Resource
from netweft.api.encoding import json_response
from netweft.api.gate import Gate, Handler
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.errors import NotFound
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, Store, WriteTransaction


class Part(NamedTuple):
    """As bodies and lists describe it."""

    member: str
    collection: str
    attributes: Mapping[str, Attribute]
    computed: frozenset[str] = frozenset()


class Parts(ABC):
    """part: one of them.  absent: there is none with this id."""

    part: Part
    absent: type[NotFound]

    def __init__(self, parent: Resource, store: Store) -> None:
        self._parent = parent
        self._service = Service(parent, store)
        self._run = Run(store)

    @abstractmethod
    def every(self, tx: ReadTransaction, parent: Object) -> list[Object]:
        """As they are kept."""

    @abstractmethod
    def one(self, tx: ReadTransaction, parent: Object, id: str) -> Object:
        """As it is kept.  Raises `absent`."""

    @abstractmethod
    def remove(self, tx: WriteTransaction, parent: Object, part: Object) -> None: ...

    @abstractmethod
    async def create(self, request: Request, context: Context) -> Response: ...

    @abstractmethod
    async def update(self, request: Request, context: Context) -> Response: ...

    def shown(self, part: Object) -> Object:
        """What of it is answered."""
        return part

    def naming(self, part: Object) -> Object | None:
        """Other objects that it names, which are held while it is changed: see control/locks.py."""
        return None

    def page(self, query: Query, shown: Sequence[Object]) -> list[Object]:
        return pages.of_parts(query, shown, self.absent(id=query.marker))

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = f"/v2.0/{self._parent.path}/{{parent_id}}/{self.part.collection}"
        handlers: list[tuple[str, str, Handler]] = [
            (path, "GET", self.list),
            (path, "POST", self.create),
            (path + "/{id}", "GET", self.show),
            (path + "/{id}", "PUT", self.update),
            (path + "/{id}", "DELETE", self.delete),
        ]
        return [Route(path, gate(handler), methods=[method]) for path, method, handler in handlers]

    async def list(self, request: Request, context: Context) -> Response:
        pairs = querystring.parse(request.url.query)
        listing = querystring.listing(self.part, pairs)
        found = await self._ask(request, context, self.every)
        page = self.page(listing.query, [self.shown(one) for one in found or ()])
        url = str(request.url.replace(query=""))
        return json_response(querystring.answer(self.part, listing, page, url, pairs))

    async def show(self, request: Request, context: Context) -> Response:
        found = self.shown(await self.asked_for(request, context))
        fields = querystring.fields_of(querystring.parse(request.url.query))
        answer = {name: value for name, value in found.items() if not fields or name in fields}
        return json_response({self.part.member: answer})

    async def delete(self, request: Request, context: Context) -> Response:
        before = await self.asked_for(request, context)

        def delete(tx: WriteTransaction, parent: Object) -> Object:
            self.remove(tx, parent, self.one(tx.glance, parent, before["id"]))
            return {}

        await self.act(request, context, "delete", delete, self.naming(before))
        return Response(status_code=204)

    async def asked_for(self, request: Request, context: Context) -> Object:
        """The one that the path names."""
        id = request.path_params["id"]
        found: Object | None = await self._ask(request, context, lambda tx, parent: self.one(tx, parent, id))
        if found is None:
            raise self.absent(id=id)
        return found

    async def act(
        self,
        request: Request,
        context: Context,
        verb: str,
        action: Callable[[WriteTransaction, Object], Any],
        naming: Object | None = None,
    ) -> Any:
        id, rule = request.path_params["parent_id"], f"{verb}_{self._rule}"
        return await self._run.write(self._service.act, context, id, rule, action, naming)

    async def _ask(self, request: Request, context: Context, question: Callable[[ReadTransaction, Object], Any]) -> Any:
        id, rule = request.path_params["parent_id"], f"get_{self._rule}"
        return await self._run.read(self._service.ask, context, id, rule, question)

    @property
    def _rule(self) -> str:
        return f"{self._parent.member}_{self.part.member}"
