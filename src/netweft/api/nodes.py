"""`/netweft/v1/nodes`: which hypervisors may subscribe to the feed.  For admins; not a part of Neutron's API."""

import re
from datetime import UTC, datetime

from msgspec import Raw, Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netweft.api import access
from netweft.api.encoding import Malformed, decode, json_response, told
from netweft.api.running import Run
from netweft.plugins.identity import Authenticate, nodes
from netweft.store import Duplicate, Missing, Object, Store, WriteTransaction

PATH = "/netweft/v1/nodes"


_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9])?")


class NewNode(Struct, frozen=True):
    """name: as the agent says it; host names, mostly."""

    name: str
    rotate: bool = False


class NodeBody(Struct, frozen=True):
    node: NewNode


def routes(store: Store, authenticate: Authenticate) -> list[Route]:
    async def collection(request: Request) -> Response:
        await admin(request, authenticate)
        return await (_add if request.method == "POST" else _list)(request, store)

    async def one(request: Request) -> Response:
        await admin(request, authenticate)
        return await _remove(request, store)

    return [
        Route(PATH, collection, methods=["GET", "POST"]),
        Route(f"{PATH}/{{name}}", one, methods=["DELETE"]),
    ]


async def admin(request: Request, authenticate: Authenticate) -> None:
    context = await access.authenticated(request, authenticate)
    if not context.is_admin:
        raise HTTPException(403, "Only an admin may do this.")


async def _list(request: Request, store: Store) -> Response:
    def work() -> list[Object]:
        with store.read() as tx:
            return nodes.all_nodes(tx)

    return json_response({"nodes": [_shown(node) for node in await Run(store).read_much(work)]})


async def _add(request: Request, store: Store) -> Response:
    """The answer is the only place where the token is ever to be seen."""
    try:
        wanted: NewNode = decode(await request.body(), NodeBody).node
    except Malformed as malformed:
        raise HTTPException(400, str(malformed)) from None
    if not _NAME.fullmatch(wanted.name):
        raise HTTPException(400, "A node's name is up to 255 letters, digits, '.', '-' and '_', like a host's.")

    def work(tx: WriteTransaction) -> Raw:
        return told({"node": {"name": wanted.name, "token": nodes.add(tx, wanted.name, rotate=wanted.rotate)}})

    try:
        added = await Run(store).write(store.run, work)
    except Duplicate:
        raise HTTPException(409, f"There is a node {wanted.name}; rotate gives it a new token.") from None
    return json_response(added, 201)


async def _remove(request: Request, store: Store) -> Response:
    name = request.path_params["name"]
    try:
        await Run(store).write(store.run, lambda tx: nodes.remove(tx, name))
    except Missing:
        raise HTTPException(404, f"There is no node {name}.") from None
    return Response(status_code=204)


def _shown(node: Object) -> Object:
    created = datetime.fromtimestamp(node["created_at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"name": node["name"], "created_at": created}
