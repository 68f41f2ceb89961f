"""/v2.0/floatingips/ID/port_forwardings: which ports of a floating IP lead where inside."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks, pages, querystring
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate, Handler
from netweft.api.policy import check_ports
from netweft.api.resources.standard import READ_ONLY
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control.l3 import forwardings
from netweft.control.l3.associations import FORWARDED_TO
from netweft.control.l3.errors import BadPortForwardingRequest, PortForwardingNotFound
from netweft.control.l3.forwardings import EXTERNAL, INSIDE, INTERNAL, PORT
from netweft.control.l3.port_ranges import LEAST, MOST, parsed
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction, Store, WriteTransaction

# a range, and the attribute that says the same of one port
_SINGLE = {EXTERNAL: "external_port", INTERNAL: "internal_port"}
_NO_PORT = 0
_NUMBERS = {"6": "tcp", "17": "udp", "132": "sctp"}


def _protocol(value: Any) -> str:
    name = _NUMBERS.get(str(value), str(value).lower())
    if name not in forwardings.PROTOCOLS:
        raise Invalid(f"'{value}' is not in {list(forwardings.PROTOCOLS)}")
    return name


def _range(value: Any) -> str:
    try:
        return str(parsed(str(value)))
    except ValueError as error:
        raise Invalid(str(error)) from None


_PORT = checks.or_none(checks.between(LEAST, MOST))
ATTRIBUTES: Mapping[str, Attribute] = {
    "id": Attribute(check=READ_ONLY, filter=True, sort=True),
    PORT: Attribute(check=checks.uuid_text, post=True, put=True, default=REQUIRED, filter=True, sort=True),
    INSIDE: Attribute(check=checks.ip_address, post=True, put=True, default=REQUIRED),
    "internal_port": Attribute(check=_PORT, post=True, put=True),
    INTERNAL: Attribute(check=checks.or_none(_range), post=True, put=True),
    "external_port": Attribute(check=_PORT, parse=_PORT, post=True, put=True, filter=True, sort=True),
    EXTERNAL: Attribute(check=checks.or_none(_range), parse=_range, post=True, put=True, filter=True, sort=True),
    "protocol": Attribute(
        check=_protocol, parse=_protocol, post=True, put=True, default=REQUIRED, filter=True, sort=True
    ),
    "description": Attribute(check=checks.string(1024), post=True, put=True, default="", filter=True),
    "project_id": Attribute(check=checks.string(255), post=True),
    "tenant_id": Attribute(check=checks.string(255), post=True),
}
_SHOWN = ("id", PORT, INSIDE, INTERNAL, EXTERNAL, "protocol", "description")
_EXPOSED = ("id", "protocol", PORT, INSIDE, *_SINGLE.values())


class _Forwarding(NamedTuple):
    """As bodies and lists describe it."""

    member: str = "port_forwarding"
    collection: str = "port_forwardings"
    attributes: Mapping[str, Attribute] = ATTRIBUTES
    computed: frozenset[str] = frozenset()


def shown(row: Object) -> Object:
    """A range of one port is that port, too."""
    ports = {name: parsed(row[of]).single for of, name in _SINGLE.items()}
    return {name: row[name] for name in _SHOWN} | {name: port for name, port in ports.items() if port is not None}


def exposed(tx: ReadTransaction, floating_ips: Sequence[Object]) -> dict[str, list[Object]]:
    """With each floating IP, by its id: less of each forwarding."""
    found = forwardings.exposed(tx, [one["id"] for one in floating_ips])
    return {
        id: [{name: value for name, value in shown(row).items() if name in _EXPOSED} for row in rows]
        for id, rows in found.items()
    }


class PortForwardings:
    def __init__(self, floatingip: Resource, store: Store) -> None:
        self._service = Service(floatingip, store)
        self._store = store
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        path = "/v2.0/floatingips/{floatingip_id}/port_forwardings"
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
        listing = querystring.listing(_Forwarding(), pairs)
        found = await self._ask(
            request, context, lambda tx, floating_ip: [shown(row) for row in forwardings.of(tx, floating_ip["id"])]
        )
        absent = PortForwardingNotFound(id=listing.query.marker)
        page = pages.of_parts(listing.query, [_whole(one) for one in found or ()], absent)
        answered = [{name: value for name, value in one.items() if value != _NO_PORT} for one in page]
        url = str(request.url.replace(query=""))
        return json_response(querystring.answer(_Forwarding(), listing, answered, url, pairs))

    async def show(self, request: Request, context: Context) -> Response:
        row = await self._one(request, context)
        fields = querystring.fields_of(querystring.parse(request.url.query))
        answer = {name: value for name, value in shown(row).items() if not fields or name in fields}
        return json_response({"port_forwarding": answer})

    async def create(self, request: Request, context: Context) -> Response:
        (wanted, *more), bulk = body.for_create(_Forwarding(), body.parse(await request.body()), context)
        every = [_ranges(one, whole=True) for one in (wanted, *more)]
        named = {FORWARDED_TO: [one[PORT] for one in every]}

        def create(tx: WriteTransaction, floating_ip: Object) -> Object:
            for one in every:
                _check_port(tx, context, floating_ip, one)
            made = []
            for one in every:
                current = tx.lock("floatingips", floating_ip["id"]) or floating_ip
                made.append(shown(forwardings.add(tx, current, one)))
            return {"port_forwardings": made} if bulk else {"port_forwarding": made[0]}

        return json_response(await self._act(request, context, "create", create, named), 201)

    async def update(self, request: Request, context: Context) -> Response:
        changes = _ranges(body.for_update(_Forwarding(), body.parse(await request.body())), whole=False)
        before = await self._one(request, context)
        named = {FORWARDED_TO: [before[PORT], *([changes[PORT]] if PORT in changes else ())]}

        def update(tx: WriteTransaction, floating_ip: Object) -> Object:
            current = forwardings.one(tx.glance, floating_ip["id"], before["id"])
            _check_port(tx, context, floating_ip, changes)
            return {"port_forwarding": shown(forwardings.change(tx, floating_ip, current, changes))}

        return json_response(await self._act(request, context, "update", update, named))

    async def delete(self, request: Request, context: Context) -> Response:
        before = await self._one(request, context)

        def delete(tx: WriteTransaction, floating_ip: Object) -> Object:
            forwardings.remove(tx, floating_ip, forwardings.one(tx.glance, floating_ip["id"], before["id"]))
            return {}

        await self._act(request, context, "delete", delete, {FORWARDED_TO: [before[PORT]]})
        return Response(status_code=204)

    async def _one(self, request: Request, context: Context) -> Object:
        id = request.path_params["id"]
        found: Object | None = await self._ask(
            request, context, lambda tx, floating_ip: forwardings.one(tx, floating_ip["id"], id)
        )
        if found is None:
            raise PortForwardingNotFound(id=id)
        return found

    async def _ask(self, request: Request, context: Context, question: Callable[[ReadTransaction, Object], Any]) -> Any:
        id = request.path_params["floatingip_id"]
        return await self._run.read(self._service.ask, context, id, "get_floatingip_port_forwarding", question)

    async def _act(
        self,
        request: Request,
        context: Context,
        verb: str,
        action: Callable[[WriteTransaction, Object], Any],
        naming: Object,
    ) -> Any:
        id, rule = request.path_params["floatingip_id"], f"{verb}_floatingip_port_forwarding"
        return await self._run.write(self._service.act, context, id, rule, action, naming)


def _ranges(given: Object, *, whole: bool) -> Object:
    """What is said of ports, as ranges.  whole: both have to be there."""
    rest = {name: value for name, value in given.items() if name not in (*_SINGLE, *_SINGLE.values())}
    for name, single in _SINGLE.items():
        said = {str(parsed(str(given[one]))) for one in (name, single) if given.get(one) is not None}
        if len(said) > 1:
            raise BadPortForwardingRequest(reason=f"{name} and {single} say different ports")
        if said:
            rest[name] = said.pop()
        elif whole:
            raise HTTPBadRequest(f"Failed to parse request. Required attribute '{single}' not specified")
    return rest


def _check_port(tx: WriteTransaction, context: Context, floating_ip: Object, wanted: Object) -> None:
    """It forwards to its own project's ports, unless an admin lets it: as a floating IP leads to those only."""
    if PORT not in wanted:
        return
    check_ports(tx.glance, context, [{"port_id": wanted[PORT]}])
    port = tx.glance.get("ports", wanted[PORT])
    if port is not None and port["project_id"] != floating_ip["project_id"] and not context.is_admin:
        reason = f"Cannot set Port forwarding for port {wanted[PORT]}, since that port is owned by a different project"
        raise BadPortForwardingRequest(reason=reason)


def _whole(one: Object) -> Object:
    """To be sorted and filtered by."""
    return dict.fromkeys(_SINGLE.values(), _NO_PORT) | one
