"""/v2.0/floatingips/ID/port_forwardings: which ports of a floating IP lead where inside."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from netweft.api import body, checks
from netweft.api.attributes import REQUIRED, Attribute
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.policy import check_ports
from netweft.api.resources.parts import Part, Parts
from netweft.api.resources.standard import READ_ONLY
from netweft.control.l3 import forwardings
from netweft.control.l3.associations import FORWARDED_TO
from netweft.control.l3.errors import BadPortForwardingRequest, PortForwardingNotFound
from netweft.control.l3.forwardings import EXTERNAL, INSIDE, INTERNAL, PORT
from netweft.control.l3.port_ranges import LEAST, MOST, parsed
from netweft.plugins.identity import Context
from netweft.store import Object, Query, ReadTransaction, WriteTransaction

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


class PortForwardings(Parts):
    part = Part("port_forwarding", "port_forwardings", ATTRIBUTES)
    absent = PortForwardingNotFound

    def every(self, tx: ReadTransaction, parent: Object) -> list[Object]:
        return forwardings.of(tx, parent["id"])

    def one(self, tx: ReadTransaction, parent: Object, id: str) -> Object:
        return forwardings.one(tx, parent["id"], id)

    def remove(self, tx: WriteTransaction, parent: Object, part: Object) -> None:
        forwardings.remove(tx, parent, part)

    def shown(self, part: Object) -> Object:
        return shown(part)

    def naming(self, part: Object) -> Object:
        return {FORWARDED_TO: [part[PORT]]}

    def page(self, query: Query, shown: Sequence[Object]) -> list[Object]:
        page = super().page(query, [_whole(one) for one in shown])
        return [{name: value for name, value in one.items() if value != _NO_PORT} for one in page]

    async def create(self, request: Request, context: Context) -> Response:
        (wanted, *more), bulk = body.for_create(self.part, body.parse(await request.body()), context)
        every = [ranges_of(one, whole=True) for one in (wanted, *more)]
        named = {FORWARDED_TO: [one[PORT] for one in every]}

        def create(tx: WriteTransaction, floating_ip: Object) -> Object:
            for one in every:
                _check_port(tx, context, floating_ip, one)
            made = []
            for one in every:
                current = tx.lock("floatingips", floating_ip["id"]) or floating_ip
                made.append(shown(forwardings.add(tx, current, one)))
            return {"port_forwardings": made} if bulk else {"port_forwarding": made[0]}

        return json_response(await self.act(request, context, "create", create, named), 201)

    async def update(self, request: Request, context: Context) -> Response:
        changes = ranges_of(body.for_update(self.part, body.parse(await request.body())), whole=False)
        before = await self.asked_for(request, context)
        named = {FORWARDED_TO: [before[PORT], *([changes[PORT]] if PORT in changes else ())]}

        def update(tx: WriteTransaction, floating_ip: Object) -> Object:
            current = forwardings.one(tx.glance, floating_ip["id"], before["id"])
            _check_port(tx, context, floating_ip, changes)
            return {"port_forwarding": shown(forwardings.change(tx, floating_ip, current, changes))}

        return json_response(await self.act(request, context, "update", update, named))


def ranges_of(given: Object, *, whole: bool) -> Object:
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
    """It forwards to its own project's ports, unless an admin does it; as a floating IP is associated."""
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
