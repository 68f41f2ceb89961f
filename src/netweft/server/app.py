"""The server as one ASGI application: routes and middleware as values, and what runs beside the requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from netweft.api import app as networking_api
from netweft.api import following, material, metadata, nodes
from netweft.api import identity as identity_api
from netweft.api.key_manager import app as key_manager_api
from netweft.api.key_manager.reading import Reading, Stored
from netweft.api.lb import app as load_balancing_api
from netweft.api.stream.policies import told
from netweft.api.stream.webhooks import Webhooks
from netweft.control.key_manager.keyring import Keyring
from netweft.control.key_manager.secrets import Secrets
from netweft.control.l2.ports import Ports
from netweft.control.lb.balancers import Balancers
from netweft.control.security.security_groups import SecurityGroups
from netweft.dashboard.mounted import Dashboard
from netweft.feed.devices import Mechanisms
from netweft.feed.followers import Followers
from netweft.feed.service import Feed
from netweft.plugins.followers.registry import load_followers
from netweft.plugins.identity import Identity
from netweft.plugins.identity.embedded.service import EmbeddedIdentity
from netweft.plugins.identity.nodes import node_for_token
from netweft.plugins.identity.registry import load_identity
from netweft.plugins.key_manager import KeyManager
from netweft.plugins.metadata import Instances
from netweft.server.faults import fault
from netweft.server.metrics import Measured
from netweft.server.middleware import RequestFrame
from netweft.server.routing import Routes
from netweft.settings import ServerSettings
from netweft.store import Store


def create_app(settings: ServerSettings, store: Store, measured: Measured | None = None) -> Starlette:
    """measured: None where nobody may read what the server says of itself.

    Raises SettingsError for an unknown plug-in."""
    identity = load_identity(settings, store)
    followers = load_followers(settings)
    mechanisms = Mechanisms(store, settings)
    nova = _nova_metadata(settings)
    ports, secrets = Ports(settings, SecurityGroups()), Secrets(Keyring(_key_file(settings)))
    reading = Reading(_barbican(settings) or Stored(store, secrets))
    balancers = Balancers(ports)
    feed = Feed(
        store,
        node_for_token=partial(node_for_token, store),
        down_seconds=settings.agent_down_seconds,
        balancer_in_place=balancers.in_place,
    )
    resources = networking_api.resources(store, settings, feed.firewalls.look)
    webhooks = Webhooks(settings, store, told(resources, store))
    checks = networking_api.checks_of(resources, store, settings, feed.lags, feed.queries)
    dashboard = Dashboard(settings, store, networking_api.shown(resources), identity.authenticate)
    routes: list[BaseRoute] = [
        # first: where most requests go
        *networking_api.build(resources, store, identity.authenticate, settings, feed.lags, feed.queries),
        *load_balancing_api.routes(
            *(store, identity.authenticate, settings, ports, feed.settling.begin, feed.settling.ended),
            keys=reading,
        ),
        *(key_manager_api.routes(store, identity.authenticate, settings, secrets) if not settings.barbican_url else ()),
        *material.routes(store, reading),
        *feed.routes(),
        Route("/healthz", _health(store)),
        *metadata.routes(store, identity.authenticate, nova),
        *nodes.routes(store, identity.authenticate),
        *following.routes(store, identity.authenticate, followers, mechanisms, webhooks.names),
        *dashboard.routes(),
    ]
    if isinstance(identity, EmbeddedIdentity):
        routes += identity_api.routes(identity, settings)

    beside: AbstractAsyncContextManager[None] = nullcontext()
    if measured:
        measured.requests.know(routes)
        beside = measured.running(feed)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with (
            feed.running(),
            _beside(identity),
            Followers(store, followers).running(),
            mechanisms.running(),
            webhooks.running(),
            checks.running(),
            dashboard.running(),
            beside,
        ):
            yield
        reading.close()
        if nova is not None:
            await nova.close()

    return Starlette(
        routes=[Routes(routes)],
        middleware=[
            dashboard.middleware(),
            Middleware(
                RequestFrame,
                max_body_bytes=settings.max_body_bytes,
                turns=store.turns,
                record=measured.requests.add if measured else None,
            ),
        ],
        exception_handlers={HTTPException: fault},
        lifespan=lifespan,
    )


def _key_file(settings: ServerSettings) -> Path:
    return Path(settings.key_manager_key_file or Path(settings.state_dir) / "key_manager.key")


def _barbican(settings: ServerSettings) -> KeyManager | None:
    """Raises SettingsError."""
    if not settings.barbican_url:
        return None
    from netweft.plugins.key_manager.barbican import Barbican  # Keystone's client library is large

    return Barbican(settings)


def _nova_metadata(settings: ServerSettings) -> Instances | None:
    """Raises SettingsError."""
    if not settings.nova_metadata_url:
        return None
    from netweft.plugins.metadata.nova import NovaMetadata  # its HTTP client is large

    return NovaMetadata(settings)


def _health(store: Store) -> Callable[[Request], Awaitable[Response]]:
    """Answers when the database does."""

    def revision() -> int:
        with store.read() as tx:
            return tx.revision()

    async def health(request: Request) -> Response:
        return PlainTextResponse(f"ok revision={await asyncio.to_thread(revision)}\n")

    return health


@asynccontextmanager
async def _beside(identity: Identity) -> AsyncIterator[None]:
    """The identity service's own work goes on for as long as the block."""
    task = asyncio.create_task(identity.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        identity.close()
