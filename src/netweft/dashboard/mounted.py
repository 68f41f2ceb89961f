"""The dashboard as the server mounts it: routes, what stands in front of all, and what runs beside."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from netweft.api.attributes import Resource
from netweft.api.stream.policies import policies
from netweft.dashboard import bundle
from netweft.dashboard.compute.asked import Compute
from netweft.dashboard.identity_client import OfKeystone, of_application
from netweft.dashboard.live.follower import Live
from netweft.dashboard.login import Ask
from netweft.dashboard.session import Sessions
from netweft.plugins.identity import Authenticate
from netweft.settings import ServerSettings
from netweft.store import Store


class Dashboard:
    def __init__(
        self, settings: ServerSettings, store: Store, resources: Sequence[Resource], authenticate: Authenticate
    ) -> None:
        """Raises SettingsError."""
        self._keystone = OfKeystone(settings) if settings.identity == "keystone" else None
        self._ours = settings.identity == "embedded"
        self._public_url = settings.public_url
        self._compute = Compute(settings, authenticate)
        self._live = Live(store, policies(resources), authenticate, settings.public_url)

    def routes(self) -> list[BaseRoute]:
        return [*self._live.routes(), *bundle.routes()]

    def middleware(self) -> Middleware:
        keystone = self._keystone.url if self._keystone else ""
        return Middleware(
            Sessions, ask_by=self._ask_by(), compute=self._compute, public_url=self._public_url, keystone=keystone
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._live.running():
            yield
        await self._compute.close()
        if self._keystone:
            await self._keystone.close()

    def _ask_by(self) -> Callable[[ASGIApp], Ask] | None:
        """A third party's identity may know no passwords."""
        keystone = self._keystone
        if keystone:
            return lambda app: keystone
        return of_application if self._ours else None
