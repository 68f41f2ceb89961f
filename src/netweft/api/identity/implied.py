"""Which role implies which."""

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, json, no_content
from netweft.plugins.identity.embedded import directory, implied
from netweft.store import Object, ReadTransaction, WriteTransaction

_IMPLIES = f"{PREFIX}/roles/{{prior}}/implies"


async def add(call: Call) -> Response:
    await call.admin()

    def work(tx: WriteTransaction) -> Object:
        implied.add(tx, call.path("prior"), call.path("implied"))
        return _one(call, tx)

    return json(await call.change(work), 201)


async def show(call: Call) -> Response:
    await call.admin()

    def work(tx: ReadTransaction) -> Object:
        implied.check(tx, call.path("prior"), call.path("implied"))
        return _one(call, tx)

    return json(await call.identity.read(work))


async def remove(call: Call) -> Response:
    await call.admin()
    await call.identity.change(lambda tx: implied.remove(tx, call.path("prior"), call.path("implied")))
    return no_content()


async def list_implied(call: Call) -> Response:
    """Of one role."""
    await call.admin()
    prior = call.path("prior")

    def work(tx: ReadTransaction) -> Object:
        directory.get(tx, "roles", prior)
        return _inference(call, tx, prior, implied.by_prior(tx).get(prior, []))

    return json({"role_inference": await call.identity.read(work)} | _links(call, "roles", prior, "implies"))


async def list_all(call: Call) -> Response:
    await call.admin()

    def work(tx: ReadTransaction) -> list[Object]:
        return [_inference(call, tx, prior, ids) for prior, ids in implied.by_prior(tx).items()]

    return json({"role_inferences": await call.identity.read(work)} | _links(call, "role_inferences"))


def _one(call: Call, tx: ReadTransaction) -> Object:
    """In the transaction that knows that both roles are there."""
    prior, other = call.path("prior"), call.path("implied")
    found = _inference(call, tx, prior, [other])
    shown = {"prior_role": found["prior_role"], "implies": found["implies"][0]}
    return {"role_inference": shown} | _links(call, "roles", prior, "implies", other)


def _inference(call: Call, tx: ReadTransaction, prior: str, ids: list[str]) -> Object:
    roles = tx.get_many("roles", [prior, *ids])
    return {"prior_role": _shown(call, roles[prior]), "implies": [_shown(call, roles[id]) for id in ids if id in roles]}


def _shown(call: Call, role: Object) -> Object:
    return {"id": role["id"], "name": role["name"], "links": {"self": call.url("roles", role["id"])}}


def _links(call: Call, *path: str) -> Object:
    return {"links": {"self": call.url(*path)}}


OPERATIONS = [
    Operation("GET", f"{PREFIX}/role_inferences", list_all),
    Operation("GET", _IMPLIES, list_implied),
    Operation("PUT", f"{_IMPLIES}/{{implied}}", add),
    Operation("GET", f"{_IMPLIES}/{{implied}}", show),
    Operation("DELETE", f"{_IMPLIES}/{{implied}}", remove),
]
