"""/v2.0/routers/ID/conntrack_helpers: which connections through a router's NAT conntrack reads along."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from netweft.api import body, checks
from netweft.api.attributes import REQUIRED, Attribute
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.resources.parts import Part, Parts
from netweft.api.resources.standard import READ_ONLY
from netweft.control.l3 import conntrack_helpers
from netweft.control.l3.conntrack_helpers import ConntrackHelperNotFound
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, WriteTransaction

_NUMBERS = {"6": "tcp", "17": "udp"}
_EXPOSED = ("protocol", "helper", "port")


def _protocol(value: Any) -> str:
    name = checks.protocol(value)
    if name is None:
        raise Invalid("A protocol is needed")
    return _NUMBERS.get(name, name)


_NAME = checks.string(64)


def _helper(value: Any) -> str:
    return str(_NAME(value if isinstance(value, str) else str(value)))


_PORT = checks.between(1, 65535)
_ASKED: Mapping[str, Any] = {"post": True, "put": True, "default": REQUIRED, "filter": True, "sort": True}
ATTRIBUTES: Mapping[str, Attribute] = {
    "id": Attribute(check=READ_ONLY, filter=True, sort=True),
    "protocol": Attribute(check=_protocol, parse=_protocol, **_ASKED),
    "port": Attribute(check=_PORT, parse=_PORT, **_ASKED),
    "helper": Attribute(check=_helper, **_ASKED),
    "project_id": Attribute(check=checks.string(255), post=True),
    "tenant_id": Attribute(check=checks.string(255), post=True),
}


def exposed(router: Object) -> list[Object]:
    """With its router: without ids, as in Neutron."""
    return [{name: helper[name] for name in _EXPOSED} for helper in conntrack_helpers.of(router)]


class ConntrackHelpers(Parts):
    part = Part("conntrack_helper", "conntrack_helpers", ATTRIBUTES)
    absent = ConntrackHelperNotFound

    def every(self, tx: ReadTransaction, parent: Object) -> list[Object]:
        return conntrack_helpers.of(parent)

    def one(self, tx: ReadTransaction, parent: Object, id: str) -> Object:
        return conntrack_helpers.one(parent, id)

    def remove(self, tx: WriteTransaction, parent: Object, part: Object) -> None:
        conntrack_helpers.remove(tx, parent, part)

    async def create(self, request: Request, context: Context) -> Response:
        every, bulk = body.for_create(self.part, body.parse(await request.body()), context)

        def create(tx: WriteTransaction, router: Object) -> Object:
            made = []
            for wanted in every:
                current = tx.lock("routers", router["id"]) or router
                made.append(conntrack_helpers.add(tx, current, wanted))
            return {"conntrack_helpers": made} if bulk else {"conntrack_helper": made[0]}

        return json_response(await self.act(request, context, "create", create), 201)

    async def update(self, request: Request, context: Context) -> Response:
        changes = body.for_update(self.part, body.parse(await request.body()))
        id = (await self.asked_for(request, context))["id"]

        def update(tx: WriteTransaction, router: Object) -> Object:
            current = conntrack_helpers.one(router, id)
            return {"conntrack_helper": conntrack_helpers.change(tx, router, current, changes)}

        return json_response(await self.act(request, context, "update", update))
