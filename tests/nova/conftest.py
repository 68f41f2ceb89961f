"""A server with two projects, a hypervisor of its own, and a real Nova beside it, for all tests of the folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.process.conftest import Server
from tests.browser.conftest import Cloud, admins, alices, chromium, kept, opened
from tests.browser.hypervisor import Hypervisor
from tests.nova.cloud import ENVIRONMENT, HOST, PASSWORD, RABBITMQ, Compute

__all__ = ["admins", "alices", "chromium", "kept", "opened"]  # fixtures
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    there = (ENVIRONMENT / "bin/nova-compute").exists() and RABBITMQ.exists()
    for item in items:
        if str(item.path).startswith(f"{HERE}/"):
            item.add_marker(pytest.mark.skipif(not there, reason="Nova is installed by make test-nova"))
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """It tells Nova of ports, as the user that Nova has for that."""
    server = Server(tmp_path_factory.mktemp("server"))
    secret = server.folder / "service.password"
    secret.write_text(f"{PASSWORD}\n")
    events = ["--nova-events", "--service-username", "nova", "--service-password-file", str(secret)]
    server.start(*events)
    cloud = Cloud(server)
    yield cloud
    cloud.http.close()
    server.stop()


@pytest.fixture(scope="session")
def compute(cloud: Cloud, cluster: Path) -> Iterator[Compute]:
    token = cloud("POST", "/netweft/v1/nodes", {"node": {"name": HOST}})["node"]["token"]
    with Hypervisor(cloud.url, HOST, token):
        found = Compute(cloud, cluster)
        yield found
        found.close()
