"""Two servers on one PostgreSQL: what one revokes the other refuses, a moment later."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.plugins.test_embedded_identity import login, openrc

from netweft.plugins.identity import Unauthorized, cache
from netweft.plugins.identity.embedded.service import EmbeddedIdentity, create
from netweft.settings import ServerSettings
from netweft.store import Store

pytestmark = pytest.mark.postgres


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> ServerSettings:
    return ServerSettings(database=postgres_url, state_dir=str(tmp_path))


@pytest.fixture
async def servers(settings: ServerSettings) -> AsyncIterator[list[EmbeddedIdentity]]:
    stores = [Store.open(settings.database) for _ in range(2)]
    services = [await asyncio.to_thread(create, settings, store) for store in stores]
    running = [asyncio.create_task(service.run()) for service in services]
    yield services
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for service, store in zip(services, stores, strict=True):
        service.close()
        store.close()


async def test_a_token_of_one_is_good_at_the_other_until_it_is_revoked(
    servers: list[EmbeddedIdentity], settings: ServerSettings
) -> None:
    one, other = servers
    token = await login(one, openrc(settings)["OS_PASSWORD"])
    assert (await other.authenticate(token)).is_admin
    await one.revoke(token)
    with pytest.raises(Unauthorized):
        await one.authenticate(token)
    revoked = time.monotonic()
    with pytest.raises(Unauthorized):
        while time.monotonic() < revoked + cache.SECONDS / 2:
            await other.authenticate(token)
            await asyncio.sleep(0.005)
    print(f"heard after {(time.monotonic() - revoked) * 1e3:.0f} ms")


async def test_two_first_starts_at_once_make_one_admin(settings: ServerSettings) -> None:
    stores = [Store.open(settings.database) for _ in range(2)]
    services = await asyncio.gather(*(asyncio.to_thread(create, settings, store) for store in stores))
    for service in services:
        await login(service, openrc(settings)["OS_PASSWORD"])
        service.close()
    for store in stores:
        store.close()
