"""`/netweft/v1/followers`: who else follows the feed, where they are, and what they would do.  For admins."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netweft.api.encoding import json_response
from netweft.api.nodes import admin
from netweft.api.running import Run
from netweft.feed.followers import steps
from netweft.plugins.followers import Follower
from netweft.plugins.identity import Authenticate
from netweft.reconcile.plan import Plan
from netweft.store import Object, ReadTransaction, Store

PATH = "/netweft/v1/followers"


def routes(store: Store, authenticate: Authenticate, followers: Sequence[Follower]) -> list[Route]:
    known = {follower.name: follower for follower in followers}

    async def collection(request: Request) -> Response:
        await admin(request, authenticate)

        def work() -> list[Object]:
            with store.read() as tx:
                return [_shown(tx, follower) for follower in followers]

        return json_response({"followers": await Run(store).read(work)})

    async def one(request: Request) -> Response:
        await admin(request, authenticate)
        follower = known.get(request.path_params["name"])
        if follower is None:
            raise HTTPException(404, f"There is no follower {request.path_params['name']}.")

        def work() -> Object:
            with store.read() as tx:
                plan = Plan(tuple(steps(tx, follower)))
                return _shown(tx, follower) | {"plan": [str(step) for step in plan.steps]}

        return json_response({"follower": await Run(store).read_much(work)})

    return [Route(PATH, collection), Route(f"{PATH}/{{name}}", one)]


def _shown(tx: ReadTransaction, follower: Follower) -> Object:
    """status: RUNNING (somebody has the lease), RETRYING (`problem` says why), or STOPPED."""
    found = tx.followers.get(follower.name)
    problem = found.problem if found else ""
    status = "STOPPED" if found is None or not found.held else "RETRYING" if problem else "RUNNING"
    return {"name": follower.name, "status": status, "problem": problem}
