"""A real Open vSwitch for each test session, and a bridge of its own for each test."""

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.ovs.sandbox import Sandbox, running

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.ovsdb.client import OvsdbConnection

_numbers = itertools.count()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = shutil.which("ovs-vswitchd") is None
    for item in items:
        if item.path.parent.name == "ovs":
            item.add_marker(pytest.mark.ovs)
            if missing:
                item.add_marker(pytest.mark.skip(reason="ovs-vswitchd is not installed"))


@pytest.fixture(scope="session")
def ovs() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def own_ovs() -> Iterator[Sandbox]:
    """For tests that stop and start it."""
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def bridge(ovs: Sandbox) -> Iterator[str]:
    name = f"br{next(_numbers)}"
    ovs.add_bridge(name)
    yield name
    ovs.vsctl("--if-exists", "del-br", name)


@pytest.fixture
async def switch(ovs: Sandbox, bridge: str) -> AsyncIterator[OpenFlowConnection]:
    connection = await OpenFlowConnection.connect(ovs.mgmt(bridge))
    yield connection
    await connection.close()


@pytest.fixture
async def database(ovs: Sandbox) -> AsyncIterator[OvsdbConnection]:
    connection = await OvsdbConnection.connect(ovs.db)
    yield connection
    await connection.close()
