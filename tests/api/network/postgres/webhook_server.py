"""A server's webhooks and nothing else of it, in a process of its own, with a short lease.

python -m tests.api.network.postgres.webhook_server DATABASE URL
"""

import asyncio
import sys

from netweft.api.app import resources
from netweft.api.stream import webhooks
from netweft.api.stream.policies import told
from netweft.feed import lease
from netweft.settings import ServerSettings
from netweft.store import Store


async def main(database: str, url: str) -> None:
    store, settings = Store.open(database), ServerSettings(webhooks=(url,))
    hooks = webhooks.Webhooks(settings, store, told(resources(store, settings), store))
    async with hooks.running():
        await asyncio.Event().wait()


if __name__ == "__main__":
    for module, name, seconds in (
        (lease, "SECONDS", 3.0),
        (webhooks, "LOOK_SECONDS", 0.2),
        (webhooks, "FIRST_SECONDS", 0.1),
        (webhooks, "LIMIT_SECONDS", 0.2),
    ):
        setattr(module, name, seconds)
    asyncio.run(main(*sys.argv[1:]))
