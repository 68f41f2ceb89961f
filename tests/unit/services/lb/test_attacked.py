"""A HAProxy with our configuration is attacked by its clients, or by its member, while another one's clients go on.

Real processes on the loopback; in a lab, with half-open connections and TLS: tests/netns/lb/test_attacks.py.
"""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from tests.api.process.conftest import free_port
from tests.unit.services.lb.trees import BALANCER, listener, member, pool

from netweft.services.lb.proxy.config import Tree, render

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs HAProxy")
ATTACKS = Path(__file__).parents[3] / "proxy_attacks.py"
SECONDS = 3.0  # of each attack
_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)
print('ready', flush=True)
server.serve_forever()
"""


class Proxy(NamedTuple):
    port: int
    process: "subprocess.Popen[bytes]"


@contextlib.contextmanager
def running(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Once it says `ready`; it ends with those that it has started."""
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen([sys.executable, *words], stdout=pipe, stderr=nowhere, start_new_session=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        try:
            yield started
        finally:
            os.killpg(started.pid, signal.SIGKILL)


@contextlib.contextmanager
def proxy(folder: Path, at: int) -> Iterator[Proxy]:
    """at: the port of its member, who is on the loopback: a tenant's can't be there."""
    port = free_port()
    balancer = replace(BALANCER, vips=())
    ends = member("m1", protocol_port=at)
    text = render(Tree(balancer, (listener("l1", port=port),), (pool(),), (ends,))).text
    text = text.replace(f"{ends.address}:{at}", f"127.0.0.1:{at}").replace("bind 0.0.0.0:", "bind 127.0.0.1:")
    config = folder / f"{port}.cfg"
    config.write_text(f"global\n    fd-hard-limit 40000\n    nbthread 2\n{text}")
    with subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            until_it_listens(port)
            yield Proxy(port, process)
        finally:
            process.kill()


def until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().status


def asked_for_a_while(port: int) -> Counter[int]:
    end, said = time.monotonic() + SECONDS, Counter[int]()
    while time.monotonic() < end:
        said[status(port)] += 1
    return said


def megabytes(process: "subprocess.Popen[bytes]") -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


@pytest.mark.parametrize("kind", ["connections", "slow", "resets", "continued", "garbage", "requests"])
def test_by_its_clients(tmp_path: Path, kind: str) -> None:
    """And then it serves its own."""
    at = str(free_port())
    with running("-c", _SERVER, at), proxy(tmp_path, int(at)) as ours, proxy(tmp_path, int(at)) as theirs:
        with running(str(ATTACKS), kind, "127.0.0.1", str(theirs.port)):
            said = asked_for_a_while(ours.port)
            print(f"{kind}: {said.total()} requests answered; {megabytes(theirs.process)} MB of the one attacked")
            assert set(said) == {200}
            assert megabytes(theirs.process) < 200  # 1,500 connections at most
        assert theirs.process.poll() is None
        assert status(theirs.port) == 200


@pytest.mark.parametrize(("how", "answer"), [("nonsense", 502), ("never", None), ("endless", 200)])
def test_by_its_member(tmp_path: Path, how: str, answer: int | None) -> None:
    at, bad = str(free_port()), str(free_port())
    with (
        running("-c", _SERVER, at),
        proxy(tmp_path, int(at)) as ours,
        running(str(ATTACKS), how, "127.0.0.1", bad),
        proxy(tmp_path, int(bad)) as theirs,
        running(str(ATTACKS), "requests", "127.0.0.1", str(theirs.port)),
    ):
        said = asked_for_a_while(ours.port)
        print(f"{how}: {said.total()} requests answered; {megabytes(theirs.process)} MB of the one attacked")
        assert set(said) == {200}
        assert megabytes(theirs.process) < 200
        assert answer is None or status(theirs.port) == answer
        assert theirs.process.poll() is None
