"""/v2.0/address-groups/ID/add_addresses, remove_addresses."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body
from netweft.api.attributes import Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.resources.security.address_group import ADDRESSES
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.security.address_groups import AddressGroups
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction

Change: TypeAlias = Callable[[WriteTransaction, Object, Sequence[str]], Object]


class Addresses:
    def __init__(self, address_group: Resource, store: Store) -> None:
        self._service = Service(address_group, store)
        self._run = Run(store)
        self._groups = AddressGroups()

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/address-groups/{id}"
        return [
            Route(path + "/add_addresses", gate(self.add), methods=["PUT"]),
            Route(path + "/remove_addresses", gate(self.remove), methods=["PUT"]),
        ]

    async def add(self, request: Request, context: Context) -> Response:
        return await self._change(request, context, "add_addresses", self._groups.add)

    async def remove(self, request: Request, context: Context) -> Response:
        return await self._change(request, context, "remove_addresses", self._groups.remove)

    async def _change(self, request: Request, context: Context, rule: str, change: Change) -> Response:
        addresses = _given(body.parse(await request.body()))
        id = request.path_params["id"]

        def act(tx: WriteTransaction, group: Object) -> None:
            change(tx, group, addresses)

        return json_response({"address_group": await self._run.write(self._service.act, context, id, rule, act)})


def _given(parsed: Object) -> list[str]:
    """`{"addresses": [...]}`, with or without `address_group` around it."""
    inner = parsed.get("address_group", parsed)
    if not isinstance(inner, dict) or "addresses" not in inner:
        raise HTTPBadRequest("Unable to find 'addresses' in request body")
    try:
        addresses: list[str] = ADDRESSES(inner["addresses"])
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for addresses. Reason: {invalid}.") from None
    return addresses
