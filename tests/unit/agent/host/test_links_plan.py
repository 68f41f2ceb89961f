"""A plan of links is none before they can be looked at."""

import asyncio

import pytest

from netweft.agent.host.links import LinksSide
from netweft.dataplane.host.values import Address


async def test_it_waits_until_they_can_be_looked_at() -> None:
    links = LinksSide(lambda: None)
    assert await links.plan() == []
    links.want([Address("br-phy", "192.0.2.1", 24)], sweep=False)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await links.plan()
