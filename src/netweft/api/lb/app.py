"""The Octavia API as routes."""

from collections.abc import Callable
from contextlib import suppress

import structlog
from starlette.routing import BaseRoute

from netweft.api import access
from netweft.api.gate import Gate
from netweft.api.lb import faults, versions
from netweft.api.lb.descriptions import KINDS
from netweft.api.lb.endpoint import Actions, Endpoint, Gone
from netweft.api.lb.looking import NO_KEYS, Keys, Looking
from netweft.api.lb.offered import OFFERED, OfferedEndpoint, Providers
from netweft.api.lb.quotas import Quotas
from netweft.api.lb.service import Service
from netweft.control.errors import Refused
from netweft.control.lb import proxies, tree
from netweft.control.lb.balancers import Balancers
from netweft.control.lb.proxies import Proxies
from netweft.control.lb.vocabulary import BALANCERS
from netweft.control.standard import UseCases
from netweft.plugins.identity import Authenticate
from netweft.settings import ServerSettings
from netweft.store import Store, StoreError


async def nobody_waits(id: str) -> None:
    """What is deleted has gone by then."""


log = structlog.get_logger(__name__)


def routes(
    store: Store,
    authenticate: Authenticate,
    settings: ServerSettings,
    ports: UseCases,
    settle: Callable[[str], None] | None = None,
    gone: Gone = nobody_waits,
    keys: Keys = NO_KEYS,
) -> list[BaseRoute]:
    """ports: as they are for us.  settle: sees to it that a balancer that has changed is in place; None: it is at once,
    since nobody has to do anything.  gone: see Endpoint."""
    gate = Gate(
        authenticate,
        settings.public_url,
        settings.keystone_url,
        answer=faults.answer,
        service=access.LOAD_BALANCER,
    )
    balancers = Balancers(ports)
    placing = Placing(store, ports, settle or (lambda id: at_once(store, balancers, id)))
    service, looking = Service(store, balancers, placing), Looking(store, keys)
    return [
        *versions.routes(settings.public_url),
        *(route for kind in KINDS for route in Endpoint(kind, service, looking, store, gone).routes(gate)),
        *Actions(service, store).routes(gate),
        *(route for offered in OFFERED for route in OfferedEndpoint(offered, store).routes(gate)),
        *Providers().routes(gate),
        *Quotas(store).routes(gate),
    ]


class Placing:
    """HAProxy's ports come with the balancer; later ones come and go in a transaction of their own, after that which
    needs them.  Then what is told goes on (`settle`)."""

    def __init__(self, store: Store, ports: UseCases, settle: Callable[[str], None]) -> None:
        self._store, self._proxies, self.settle = store, Proxies(ports), settle

    def changed(self, id: str) -> None:
        with self._store.read() as tx:
            is_due = proxies.is_due(tx, id)
        if is_due:
            try:
                self._store.run(lambda tx: self._proxies.place(tx, id))
            except (Refused, StoreError) as problem:
                log.error("HAProxy gets no ports", balancer=id, problem=str(problem))
        self.settle(id)


def at_once(store: Store, balancers: Balancers, id: str) -> None:
    with store.read() as tx:
        balancer = tx.get(BALANCERS, id)
    if balancer is not None:
        with suppress(StoreError):
            store.run(lambda tx: balancers.in_place(tx, id, balancer[tree.CHANGE]))
