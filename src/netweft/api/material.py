"""`POST /netweft/v1/material`: a node asks for the certificates of a balancer that it serves.

It gets what the balancer's listeners and pools name, while it has a proxy port of that balancer; nobody else gets
anything.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netweft.api.from_nodes import asked, node_of, told
from netweft.api.key_manager.reading import Read, Reading
from netweft.api.running import Run
from netweft.control.key_manager.contents import Reference
from netweft.control.key_manager.errors import KeyManagerAway, NoKey
from netweft.control.l2.hosts import HOST
from netweft.control.lb.tls import references
from netweft.control.lb.vocabulary import BALANCERS, LISTENERS, POOLS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.model.proxy import PROXY_OWNER
from netweft.store import Query, ReadTransaction, Store
from netweft.wire import material as wire


def routes(store: Store, reading: Reading) -> list[Route]:
    async def ask(request: Request) -> Response:
        node = await node_of(request, store)
        question = await asked(request, wire.Ask)
        wanted = [Reference(one.kind, one.ref) for one in question.wanted[: wire.MOST]]

        def work() -> str:
            with store.read() as tx:
                return _project(tx, node, question.balancer_id, wanted)

        try:
            found = await reading.read(await Run(store).read(work), wanted)
        except (_Refused, KeyManagerAway, NoKey) as problem:
            return told(wire.Said(problem=str(problem)))
        return told(_said(found, wanted))

    return [Route(wire.PATH, ask, methods=["POST"])]


class _Refused(Exception):
    """Why a node gets nothing."""


def _project(tx: ReadTransaction, node: str, balancer_id: str, wanted: Sequence[Reference]) -> str:
    """The balancer's.  Raises _Refused."""
    balancer = tx.get(BALANCERS, balancer_id)
    if balancer is None or not _serves(tx, node, balancer_id):
        raise _Refused(f"node {node} does not serve load balancer {balancer_id}")
    of_it = Query({LOAD_BALANCER: [balancer_id]})
    named = {one for kind in (LISTENERS, POOLS) for one in references(tx.query(kind, of_it))}
    for one in wanted:
        if one not in named:
            raise _Refused(f"load balancer {balancer_id} does not name {one.ref}")
    return str(balancer["project_id"])


def _said(found: Read, wanted: Sequence[Reference]) -> wire.Said:
    for one, problem in found.items():
        if isinstance(problem, LookupError):
            return wire.Said(problem=f"the key manager has no {one.ref} for the load balancer's project")
        if isinstance(problem, Exception):
            return wire.Said(problem=str(problem))
    return wire.Said(content=tuple(pem for one in wanted if isinstance(pem := found[one], bytes)))


def _serves(tx: ReadTransaction, node: str, balancer_id: str) -> bool:
    return bool(tx.query("ports", Query({LOAD_BALANCER: [balancer_id], "device_owner": [PROXY_OWNER], HOST: [node]})))
