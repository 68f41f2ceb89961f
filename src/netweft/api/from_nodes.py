"""Requests of agents, which say who they are by their node's token."""

from typing import TypeVar

from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from netweft.api.running import Run
from netweft.plugins.identity.nodes import node_for_token
from netweft.store import Store
from netweft.store.turns import asking
from netweft.wire import posted
from netweft.wire.messages import BadMessage

T = TypeVar("T", bound=Struct)


async def node_of(request: Request, store: Store) -> str:
    """In whose name the request waits for its turns from here on.  Raises HTTPException."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    node = await Run(store).read(node_for_token, store, bearer)
    if node is None:
        raise HTTPException(401, "No node has this token.")
    asking.set((f"node {node}",))
    return node


async def asked(request: Request, kind: type[T]) -> T:
    """Raises HTTPException."""
    try:
        return posted.decode(kind, await request.body())
    except BadMessage as error:
        raise HTTPException(400, f"Not a message of this protocol: {error}") from None


def told(said: Struct) -> Response:
    return Response(posted.encode(said), media_type="application/msgpack")
