"""A server that is told to end does, whatever it waits for; the file it leaves is nobody else's to read."""

import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.api.process.conftest import Server, environment

SECONDS = 3.0
# in a process of its own: in this one, clients that find nobody any more keep all others from running
WATCH = """
import os, select, signal, sys, time
pid = int(sys.argv[1])
ended, started = os.pidfd_open(pid), time.monotonic()
os.kill(pid, signal.SIGTERM)
select.select([ended], [], [], 30)
print(time.monotonic() - started)
"""


def _ends(server: Server) -> None:
    assert server.process
    watched = subprocess.run(
        [sys.executable, "-c", WATCH, str(server.process.pid)], capture_output=True, text=True, timeout=60, check=True
    )
    assert server.process.wait(timeout=30) == 0
    assert float(watched.stdout) < SECONDS


def _connect(server: Server, what: bytes) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(what)
    return connection


def _request(method: str, path: str, token: str, *lines: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "host: x", f"x-auth-token: {token}", *lines, "", "")).encode()


def test_with_clients_that_wait_and_clients_that_are_slow(server: Server) -> None:
    server.start()
    token = server.token()
    body = {"networks": [{"name": "n" * 200, "description": "d" * 200} for _ in range(100)]}
    assert httpx.post(f"{server.url}/v2.0/networks", json=body, headers={"X-Auth-Token": token}).status_code == 201
    with ExitStack() as opened:
        for what in (
            b"",
            b"GET /v2.0/networks HTTP/1.1\r\nhost: x\r\n",
            _request("GET", "/v2.0/networks", token) * 50,  # whose answers nobody reads
            _request("POST", "/v2.0/networks", token, "content-length: 1000") + b'{"network"',
            _request("GET", "/healthz", token, "upgrade: websocket", "connection: upgrade"),
        ):
            for _ in range(5):
                opened.enter_context(closing(_connect(server, what)))
        httpx.get(f"{server.url}/healthz")
        _ends(server)


def _held_up(server: Server, path: str, token: str) -> threading.Thread:
    """A request that gets no answer."""

    def ask() -> None:
        with suppress(httpx.HTTPError):
            httpx.post(f"{server.url}{path}", json={"network": {}}, headers={"X-Auth-Token": token}, timeout=60)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    return thread


def test_while_somebody_else_has_the_database(server: Server) -> None:
    """The main thread sees no signal then: it waits for SQLite."""
    server.start()
    token = server.token()
    with closing(sqlite3.connect(server.folder / "netweft.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asking = _held_up(server, "/v2.0/networks", token)
        time.sleep(0.3)
        _ends(server)
    asking.join(10)


@pytest.mark.postgres
def test_while_a_transaction_waits_for_another(server: Server, postgres_url: str) -> None:
    server.start("--database", postgres_url)
    token = server.token()
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE objects IN ACCESS EXCLUSIVE MODE")
        asking = [_held_up(server, "/v2.0/networks", token) for _ in range(4)]
        time.sleep(0.3)
        _ends(server)
    for each in asking:
        each.join(10)


SECRET = "hunter2hunter2"
ADDRESSES = [
    f"postgresql://me:{SECRET}@127.0.0.1:1/netweft",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/netweft",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:{SECRET}/netweft",
    f"postgresql+psycopg://me:x@{SECRET}:{SECRET}@127.0.0.1:no/netweft",
    f"postgresql+psycopg://127.0.0.1:1/netweft?user=me&password={SECRET}",
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/netweft?no_such_option={SECRET}",
    f"mysql://me:{SECRET}@127.0.0.1/netweft",
]


@pytest.mark.parametrize("way", ["option", "environment", "file"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_database_address_is_never_printed_with_its_password(tmp_path: Path, address: str, way: str) -> None:
    command = [
        sys.executable,
        "-m",
        "netweft",
        "server",
        "--state-dir",
        str(tmp_path),
        "--listen",
        f"unix:{tmp_path}/s",
    ]
    more = {}
    if way == "option":
        command += ["--database", address]
    elif way == "environment":
        more = {"NETWEFT_SERVER_DATABASE": address}
    else:
        (tmp_path / "netweft.toml").write_text(f'[server]\ndatabase = "{address}"\n')
        command += ["--config", str(tmp_path / "netweft.toml")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(more), timeout=60)
    said = done.stdout + done.stderr
    assert (done.returncode, SECRET in said, "Traceback" in said) == (1, False, False), said
    assert "database" in said.lower()


def test_a_database_file_that_others_could_read(server: Server) -> None:
    """As a copy from a backup may be: with SQLite's own files beside it."""
    server.start()
    server.token()
    assert server.process
    server.process.kill()
    server.process.wait()
    files = [server.folder / f"netweft.db{end}" for end in ("", "-wal", "-shm")]
    for file in files:
        file.chmod(0o664)
    server.start()
    assert server.token()
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert "others could read the database" in server.log()


LOAD_SECONDS = 6.0  # by hand: ten rounds of 20, see decision 0262
CLIENTS = 64


def _load(server: Server, token: str, number: int, over: threading.Event) -> None:
    """One client after its kind: it makes and lists, sends half of something, does not read, or knocks as a node."""
    half = _request("POST", "/v2.0/ports", token, "content-length: 100000") + b'{"port":'
    slow = _request("GET", "/v2.0/networks", token) * 20
    knock = _request("GET", "/netweft/v1/feed", "no node's", "upgrade: websocket", "connection: upgrade")
    kept: list[socket.socket] = []
    with httpx.Client(base_url=server.url, headers={"X-Auth-Token": token}, timeout=30) as client:
        while not over.is_set():
            with suppress(httpx.HTTPError, OSError):
                if number % 4 == 0:
                    kept.append(_connect(server, (half, slow, knock)[number // 4 % 3]))
                    over.wait(0.2)
                elif number % 4 == 1:
                    client.get("/v2.0/networks")
                else:
                    bulk = {"networks": [{"name": f"n{number}"} for _ in range(number)]}
                    client.post("/v2.0/networks", json=bulk)
                    client.post("/identity/v3/auth/tokens", json={"auth": {"identity": {"methods": ["password"]}}})
    for connection in kept:
        connection.close()


def test_under_a_harsh_load(server: Server) -> None:
    server.start()
    token = server.token()
    unlimited = {"quota": {"network": -1}}
    mine = httpx.get(f"{server.url}/v2.0/quotas/project", headers={"X-Auth-Token": token}).json()["quota"]
    path = f"{server.url}/v2.0/quotas/{mine['project_id']}"
    assert httpx.put(path, json=unlimited, headers={"X-Auth-Token": token}).status_code == 200
    over = threading.Event()
    clients = [threading.Thread(target=_load, args=(server, token, n, over), daemon=True) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(LOAD_SECONDS)
    try:
        _ends(server)
    finally:
        over.set()
        for client in clients:
            client.join()
