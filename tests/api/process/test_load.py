"""A server process and clients that mean it no good."""

import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
from tests.api.process.conftest import Server
from tests.waiting import PATIENCE

HALF = b"GET /v2.0/networks HTTP/1.1\r\nhost: x\r\nx-header: "


def _connect(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def _answered(url: str, headers: Mapping[str, str] = {}) -> int:
    """The last status, or 0.  Who comes while many connections of its address wait to be accepted is broken off with
    the newest of them, and comes again."""
    deadline = time.monotonic() + PATIENCE
    status = 0
    while status != 200 and time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            status = httpx.get(url, headers=headers, timeout=PATIENCE).status_code
        time.sleep(0.05)
    return status


def test_half_sent_requests_lock_nobody_out_though_descriptors_are_few(server: Server) -> None:
    process = server.start(descriptors=256)
    token = server.token()
    with ExitStack() as opened:
        for number in range(300):
            client = opened.enter_context(_connect(server))
            with suppress(ConnectionError):
                client.sendall(HALF)
            if number % 50 == 49:
                assert _answered(f"{server.url}/v2.0/networks", {"X-Auth-Token": token}) == 200
        assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) < 200
        _wait_for(server, "connections=")
        assert server.log().count("event=refused") < 10
    assert "Traceback" not in server.log()


def test_connections_that_nobody_accepts_are_no_end(server: Server) -> None:
    """More than there are descriptors, at once: some are broken off, then everything is as before."""
    server.start(descriptors=64)
    crowd = [_connect(server) for _ in range(500)]
    time.sleep(0.5)
    for each in crowd:
        each.close()
    assert _answered(f"{server.url}/healthz") == 200
    _wait_for(server, "event=refused connections")  # in all, or of this client
    assert "Traceback" not in server.log()


def test_headers_without_an_end_take_no_memory(server: Server) -> None:
    process = server.start()
    before = _resident_kib(process.pid)
    with _connect(server) as client:
        client.sendall(HALF)
        sent = 0
        with suppress(ConnectionError):
            while sent < 2**30:
                client.sendall(b"x" * 2**20)
                sent += 2**20
        answer = b""
        with suppress(ConnectionError):
            answer = client.recv(4096)
    assert sent < 2**28
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert _resident_kib(process.pid) - before < 16 * 1024
    _wait_for(server, "headers_too_large=1")


def test_an_upgrade_with_a_body_is_answered(server: Server) -> None:
    server.start()
    for upgrade, words in ((b"websocket", b" 400 "), (b"h2c", b" 401 ")):
        with _connect(server) as client:
            client.sendall(
                b"POST /v2.0/networks HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: %b\r\n"
                b"content-length: 2\r\n\r\n{}" % upgrade
            )
            assert words in client.recv(4096).partition(b"\r\n")[0]


def _wait_for(server: Server, words: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while words not in server.log():
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
