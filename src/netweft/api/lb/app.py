"""The Octavia API as routes."""

from collections.abc import Callable
from contextlib import suppress

from starlette.routing import BaseRoute

from netweft.api import access
from netweft.api.gate import Gate
from netweft.api.lb import faults, versions
from netweft.api.lb.descriptions import KINDS
from netweft.api.lb.endpoint import Actions, Endpoint
from netweft.api.lb.offered import OFFERED, OfferedEndpoint, Providers
from netweft.api.lb.quotas import Quotas
from netweft.api.lb.service import Service
from netweft.control.lb import tree
from netweft.control.lb.balancers import Balancers
from netweft.control.lb.tls import NO_KEYS, Keys
from netweft.control.lb.words import BALANCERS
from netweft.control.standard import UseCases
from netweft.plugins.identity import Authenticate
from netweft.settings import ServerSettings
from netweft.store import Store, StoreError


def routes(
    store: Store,
    authenticate: Authenticate,
    settings: ServerSettings,
    ports: UseCases,
    settle: Callable[[str], None] | None = None,
    keys: Keys = NO_KEYS,
) -> list[BaseRoute]:
    """ports: as they are for us.  settle: sees to it that a balancer that has changed is in place; None: it is at once,
    since nobody has to do anything."""
    gate = Gate(
        authenticate,
        settings.public_url,
        settings.keystone_url,
        answer=faults.answer,
        service=access.LOAD_BALANCER,
    )
    service = Service(store, Balancers(ports, keys), keys, settle or (lambda id: at_once(store, id)))
    return [
        *versions.routes(settings.public_url),
        *(route for kind in KINDS for route in Endpoint(kind, service, store).routes(gate)),
        *Actions(service, store).routes(gate),
        *(route for offered in OFFERED for route in OfferedEndpoint(offered, store).routes(gate)),
        *Providers().routes(gate),
        *Quotas(store).routes(gate),
    ]


def at_once(store: Store, id: str) -> None:
    with store.read() as tx:
        balancer = tx.get(BALANCERS, id)
    if balancer is not None:
        with suppress(StoreError):
            store.run(lambda tx: tree.in_place(tx, id, balancer[tree.CHANGE]))
