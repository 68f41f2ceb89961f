"""`POST /netweft/v1/material`: a node asks for the certificates of a balancer that it serves.

It gets what the balancer's listeners and pools name, while it has a proxy port of that balancer; nobody else gets
anything.
"""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netweft.api.from_nodes import asked, node_of, told
from netweft.api.running import Run
from netweft.control.key_manager.held import Held, Unusable
from netweft.control.l2.hosts import HOST
from netweft.control.lb.vocabulary import BALANCERS, LISTENERS, POOLS
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.model.proxy import PROXY_OWNER
from netweft.store import Query, ReadTransaction, Store
from netweft.wire import material as wire

_NAMED = (
    *("default_tls_container_ref", "client_ca_tls_container_ref", "client_crl_container_ref"),
    *("tls_container_ref", "ca_tls_container_ref", "crl_container_ref"),
)
_KINDS = frozenset({"certificate", "authorities", "revoked"})


def routes(store: Store, held: Held) -> list[Route]:
    async def ask(request: Request) -> Response:
        node = await node_of(request, store)
        question = await asked(request, wire.Ask)

        def work() -> wire.Said:
            with store.read() as tx:
                return _said(tx, held, node, question)

        return told(await Run(store).read(work))

    return [Route(wire.PATH, ask, methods=["POST"])]


def _said(tx: ReadTransaction, held: Held, node: str, question: wire.Ask) -> wire.Said:
    balancer = tx.get(BALANCERS, question.balancer_id)
    if balancer is None or not _serves(tx, node, balancer["id"]):
        return wire.Said(problem=f"node {node} does not serve load balancer {question.balancer_id}")
    named, content = set(_refs(tx, balancer["id"])), []
    for one in question.wanted[: wire.MOST]:
        if one.ref not in named or one.kind not in _KINDS:
            return wire.Said(problem=f"load balancer {balancer['id']} does not name {one.ref}")
        try:
            content.append(held.read(tx, balancer["project_id"], one.ref, one.kind))
        except LookupError:
            return wire.Said(problem=f"the key manager has no {one.ref} for the load balancer's project")
        except Unusable as problem:
            return wire.Said(problem=str(problem))
    return wire.Said(content=tuple(content))


def _serves(tx: ReadTransaction, node: str, balancer_id: str) -> bool:
    return bool(tx.query("ports", Query({LOAD_BALANCER: [balancer_id], "device_owner": [PROXY_OWNER], HOST: [node]})))


def _refs(tx: ReadTransaction, balancer_id: str) -> Iterator[str]:
    for kind in (LISTENERS, POOLS):
        for row in tx.query(kind, Query({LOAD_BALANCER: [balancer_id]})):
            yield from filter(None, (row.get(name) for name in _NAMED))
            yield from row.get("sni_container_refs") or ()
