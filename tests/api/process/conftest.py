"""A real `netweft server` process."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

READY_SECONDS = 180.0  # of a machine on which forty others wait for a turn, Python alone takes one of three


HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(f"{HERE}/"):
            item.add_marker(pytest.mark.slow)


class Server:
    """`start` again after it ended: same port, same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.socket = folder / "api.sock"
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str, descriptors: int | None = None) -> subprocess.Popen[str]:
        listen = f"{self.url.removeprefix('http://')},unix:{self.socket}"
        database = f"sqlite:///{self.folder}/netweft.db"
        command = [sys.executable, "-m", "netweft", "server", "--listen", listen, "--database", database]
        if descriptors:
            command = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--state-dir", str(self.folder), *options], stderr=log, text=True, env=environment()
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return self.process
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"the server did not come up: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def openrc(self) -> dict[str, str]:
        lines = (self.folder / "admin-openrc").read_text().splitlines()
        return {name: value for name, _, value in (line.removeprefix("export ").partition("=") for line in lines)}

    def token(self) -> str:
        """An admin's."""
        variables = self.openrc()
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": variables["OS_PASSWORD"]}
        identity = {"methods": ["password"], "password": {"user": user}}
        auth = {"identity": identity, "scope": {"project": {"name": "admin", "domain": domain}}}
        answer = httpx.post(f"{self.url}/identity/v3/auth/tokens", json={"auth": auth}, timeout=READY_SECONDS)
        return answer.headers["X-Subject-Token"]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Without anybody's OS_* and NETWEFT_* variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "NETWEFT_"))}
    return kept | dict(more or {})


@pytest.fixture
def server(tmp_path: Path, empty: Path) -> Iterator[Server]:
    """Its database has its tables already: tests/netns/test_lab.py is about those that have not."""
    shutil.copy(empty, tmp_path)
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def options() -> list[str]:
    """Of `running`; a module overrides it."""
    return []


@pytest.fixture(scope="module")
def running(options: list[str], empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests of a module."""
    server = Server(Path(shutil.copy(empty, tmp_path_factory.mktemp("running"))).parent)
    server.start(*options)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def sdk(running: Server) -> Any:
    """The network proxy of a connection."""
    return connection(running).network


def connection(running: Server) -> Any:
    """openstacksdk's."""
    import openstack  # takes a second, and few tests need it

    variables: dict[str, Any] = {name.removeprefix("OS_").lower(): value for name, value in running.openrc().items()}
    variables.pop("identity_api_version", None)
    return openstack.connect(load_yaml_config=False, load_envvars=False, **variables)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
