"""What a HAProxy that runs took for no request is told of its listener, each worker's for itself."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.waiting import PATIENCE

from netweft.agent.lb.request_errors import RequestErrors
from netweft.dataplane.haproxy.values import WORKER
from netweft.model.counting import ERRORS, Counted

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs HAProxy")
LISTENER, BALANCER = "6f6f3b0e-0c4e-4f39-9f5b-6d8f9b2f0001", "lb"
CONFIG = """
global
    stats socket {folder}/{worker}
defaults
    mode http
    timeout client 30s
frontend {listener}
    bind unix@{folder}/web
    http-request return status 200
frontend other
    bind unix@{folder}/other
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: of a socket."""
    with tempfile.TemporaryDirectory(prefix="nw") as found:
        yield Path(found)


@contextlib.contextmanager
def worker(folder: Path) -> Iterator[None]:
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(folder=folder, worker=WORKER, listener=LISTENER))
    with subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL) as running:
        try:
            deadline = time.monotonic() + PATIENCE
            while _asks(folder, b"GET / HTTP/1.0\r\n\r\n")[8:12] != b" 200":
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield
        finally:
            running.kill()


def _asks(folder: Path, what: bytes) -> bytes:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
        one.settimeout(PATIENCE)
        one.connect(str(folder / "web"))
        one.sendall(what)
        return one.recv(1000)
    return b""


async def test_rejected_requests_are_reported_once_and_a_new_worker_begins_anew(folder: Path) -> None:
    told: list[Counted] = []
    side = RequestErrors(1.0, lambda: {BALANCER: folder, "starts": folder / "nowhere"}, told.extend)
    await side.look()
    with worker(folder):
        await side.look()
        assert told == []
        for _ in range(3):
            assert _asks(folder, b"x y z\r\n\r\n")[8:12] == b" 400"
        await side.look()
        await side.look()
        side.begin_session()
        await side.look()
    with worker(folder):
        assert _asks(folder, b"x y z\r\n\r\n")
        await side.look()
    assert [(one.kind, one.id, one.packets_in) for one in told] == [(ERRORS, LISTENER, n) for n in (3, 3, 1)]
    assert told[0] == told[1]
    assert told[1].life != told[2].life
