"""Requests of agents, which say who they are by their node's token."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from netweft.api.running import Run
from netweft.plugins.identity.nodes import node_for_token
from netweft.store import Store
from netweft.store.turns import asking


async def node_of(request: Request, store: Store) -> str:
    """In whose name the request waits for its turns from here on.  Raises HTTPException."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    node = await Run(store).read(node_for_token, store, bearer)
    if node is None:
        raise HTTPException(401, "No node has this token.")
    asking.set((f"node {node}",))
    return node
