"""`/netweft/v1/followers`: who else follows the feed, where they are, and what they would do.  For admins."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netweft.api.encoding import json_response
from netweft.api.nodes import admin
from netweft.api.running import Run
from netweft.feed.devices import Mechanisms
from netweft.feed.followers import steps
from netweft.plugins.followers import Follower
from netweft.plugins.identity import Authenticate
from netweft.plugins.mechanisms import Unreachable
from netweft.reconcile.plan import MARKS, Plan, Step
from netweft.store import Object, ReadTransaction, Store

PATH = "/netweft/v1/followers"


def routes(
    store: Store,
    authenticate: Authenticate,
    followers: Sequence[Follower],
    mechanisms: Mechanisms,
    webhooks: Sequence[str] = (),
) -> list[Route]:
    known = {follower.name: follower for follower in followers}

    async def collection(request: Request) -> Response:
        await admin(request, authenticate)

        def work() -> list[Object]:
            with store.read() as tx:
                return [_shown(tx, name) for name in (*known, *webhooks, *mechanisms.names)]

        return json_response({"followers": await Run(store).read(work)})

    async def one(request: Request) -> Response:
        await admin(request, authenticate)
        name = request.path_params["name"]
        if name not in (*known, *webhooks, *mechanisms.names):
            raise HTTPException(404, f"There is no follower {name}.")

        def work() -> Object:
            with store.read() as tx:
                plan = Plan(tuple(steps(tx, known[name]))) if name in known else Plan()
                return _shown(tx, name) | {"plan": [str(step) for step in plan.steps], "commands": []}

        shown = await Run(store).read_much(work)
        more = await _device(mechanisms, name) if name in mechanisms.names else {}
        return json_response({"follower": shown | more})

    return [Route(PATH, collection), Route(f"{PATH}/{{name}}", one)]


async def _device(mechanisms: Mechanisms, name: str) -> Object:
    """What is on it now is asked of the device itself.  Raises HTTPException."""
    try:
        planned = await mechanisms.plan(name)
    except KeyError:  # its file has just changed
        raise HTTPException(404, f"There is no follower {name}.") from None
    except Unreachable as error:
        raise HTTPException(503, f"{name} does not say what it has: {error}") from None
    return {"plan": [_step(step) for step in planned.steps], "commands": planned.commands}


def _step(step: Step) -> str:
    """With what it was before, where that was something else: a drift."""
    value = step.was if step.now is None else step.now
    was = f" (it is {step.was})" if step.verb == "update" else ""
    return f"{MARKS[step.verb]} {step.key}{'' if value is True else f' {value}'}{was}"


def _shown(tx: ReadTransaction, name: str) -> Object:
    """status: RUNNING (somebody has the lease), RETRYING (`problem` says why), or STOPPED."""
    found = tx.followers.get(name)
    problem = found.problem if found else ""
    status = "STOPPED" if found is None or not found.held else "RETRYING" if problem else "RUNNING"
    return {"name": name, "status": status, "problem": problem}
