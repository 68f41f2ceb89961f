"""`/netweft/v1/metadata`: agents ask what their VMs have asked; users say what there is to tell.  Not Neutron's API.

POST                  from a node, with its token: an `Ask` in, a `Said` out
POST -askers          likewise, on a chassis of OVN's: `Plugged` in, `Seats` out
GET, PUT, DELETE /ID  what is given for the VM behind a port: for admins and members of the port's project
"""

from typing import Any

from msgspec import Struct, field, to_builtins
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netweft.api import access
from netweft.api.encoding import Malformed, decode, json_response
from netweft.api.faults import status_of
from netweft.api.from_nodes import asked, node_of, told
from netweft.api.running import Run
from netweft.control.errors import Refused
from netweft.control.metadata import given, seats
from netweft.control.metadata.documents import document
from netweft.control.metadata.subject import Requester, requester, subject
from netweft.plugins.identity import Authenticate, Context
from netweft.plugins.metadata import Instances
from netweft.store import Object, Store, WriteTransaction
from netweft.wire import metadata as wire

_NOT_THERE = wire.Said(status=404, body=b"There is nothing of that name.\n")
_METHODS = ("GET", "HEAD")


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """user_data: base64."""

    hostname: str = ""
    public_keys: dict[str, str] = field(default_factory=dict)
    user_data: str = ""
    meta: dict[str, str] = field(default_factory=dict)


class GivenBody(Struct, frozen=True):
    metadata: Given


def routes(store: Store, authenticate: Authenticate, nova: Instances | None) -> list[Route]:
    async def ask(request: Request) -> Response:
        return await _ask(request, store, nova)

    async def askers(request: Request) -> Response:
        node = await node_of(request, store)
        plugged = await asked(request, wire.Plugged)

        def work() -> wire.Seats:
            with store.read() as tx:
                return wire.Seats(seats=tuple(_seat(port) for port in seats.of(tx, node, plugged.ports)))

        return told(await Run(store).read(work))

    async def one(request: Request) -> Response:
        context = await _authenticated(request, authenticate)
        return await _METHODS_OF_ONE[request.method](request, store, context)

    return [
        Route(wire.PATH, ask, methods=["POST"]),
        Route(wire.SEATS_PATH, askers, methods=["POST"]),
        Route(f"{wire.PATH}/{{port_id}}", one, methods=list(_METHODS_OF_ONE)),
    ]


# from nodes


async def _ask(request: Request, store: Store, nova: Instances | None) -> Response:
    node = await node_of(request, store)
    question = await asked(request, wire.Ask)
    said = await (_of_nova(store, nova, node, question) if nova else _of_ours(store, node, question))
    return told(said)


async def _of_ours(store: Store, node: str, question: wire.Ask) -> wire.Said:
    if question.method not in _METHODS:
        return wire.Said(status=405, body=b"GET or HEAD.\n")

    def work() -> wire.Said:
        with store.read() as tx:
            who = requester(tx, node, question.port_id)
            found = document(subject(tx, who), question.target) if who else None
        return wire.Said(status=200, body=found.body, content_type=found.type) if found else _NOT_THERE

    return await Run(store).read(work)


async def _of_nova(store: Store, nova: Instances, node: str, question: wire.Ask) -> wire.Said:
    def work() -> Requester | None:
        with store.read() as tx:
            return requester(tx, node, question.port_id)

    who = await Run(store).read(work)
    if who is None or not who.instance_id:
        return _NOT_THERE
    return await nova.ask(
        question.method,
        question.target,
        question.body,
        instance_id=who.instance_id,
        project_id=who.project_id,
        address=question.asked_from,
    )


def _seat(port: Object) -> wire.Seat:
    return wire.Seat(
        port_id=port["id"],
        network_id=port["network_id"],
        mac_address=port["mac_address"],
        ip_addresses=tuple(fixed["ip_address"] for fixed in port["fixed_ips"]),
    )


# from users


async def _authenticated(request: Request, authenticate: Authenticate) -> Context:
    context = await access.authenticated(request, authenticate)
    access.ask_as(context)
    return context


def _allowed(context: Context, port: Object | None, port_id: str) -> Object:
    """Whoever may not gets the answer for a port that does not exist."""
    mine = port is not None and "member" in context.roles and port["project_id"] == context.project_id
    if port is None or not (context.is_admin or mine):
        raise HTTPException(404, f"Port {port_id} could not be found.")
    return port


async def _show(request: Request, store: Store, context: Context) -> Response:
    port_id = request.path_params["port_id"]

    def work() -> Object:
        with store.read() as tx:
            return given.of(tx, _allowed(context, tx.get("ports", port_id), port_id))

    found = await Run(store).read(work)
    return _told(found)


async def _put(request: Request, store: Store, context: Context) -> Response:
    port_id = request.path_params["port_id"]
    try:
        wanted: Given = decode(await request.body(), GivenBody).metadata
    except Malformed as malformed:
        raise HTTPException(400, str(malformed)) from None

    def work(tx: WriteTransaction) -> Object:
        port = _allowed(context, tx.lock("ports", port_id), port_id)
        return given.give(tx, port, to_builtins(wanted))

    try:
        return _told(await Run(store).write(store.run, work))
    except Refused as refused:
        raise HTTPException(status_of(refused), str(refused)) from None


async def _delete(request: Request, store: Store, context: Context) -> Response:
    port_id = request.path_params["port_id"]

    def work(tx: WriteTransaction) -> None:
        _allowed(context, tx.lock("ports", port_id), port_id)
        given.take(tx, port_id)

    await Run(store).write(store.run, work)
    return Response(status_code=204)


_METHODS_OF_ONE = {"GET": _show, "PUT": _put, "DELETE": _delete}


def _told(found: Object) -> Response:
    content: dict[str, Any] = {name: found[name] for name in Given.__struct_fields__ if name in found}
    return json_response({"metadata": content})
