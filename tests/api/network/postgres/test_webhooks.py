"""A webhook with two servers on one PostgreSQL: one is killed, one stands still; the other goes on, in order."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from tests.api.network.conftest import Api
from tests.api.network.webhook_receiver import Receiver

from netweft.store import Store

SECONDS = 90.0
pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]


class Servers:
    """Told apart by their epochs: one that begins is the only one, or takes over from the one before."""

    def __init__(self, database: str, url: str, folder: Path) -> None:
        self._words = [sys.executable, "-m", "tests.api.network.postgres.webhook_server", database, url]
        self._folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        with self.log(len(self.running)).open("w") as log:
            self.running.append(subprocess.Popen(self._words, stdout=log, stderr=log))
        return self.running[-1]

    def log(self, number: int) -> Path:
        return self._folder / f"{number}.log"

    def end(self) -> None:
        for one in self.running:
            with suppress(ProcessLookupError):
                one.kill()
            one.wait()


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def servers(store: Store, url: str, receiver: Receiver, tmp_path: Path) -> Iterator[Servers]:
    found = Servers(url, receiver.url, tmp_path)
    try:
        yield found
    finally:
        found.end()


def stands_still(server: subprocess.Popen[bytes], database: str) -> bool:
    """Between two transactions: one left open has the row of the lease until PostgreSQL ends it, after a minute."""
    server.send_signal(signal.SIGSTOP)
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' AND datname = current_database()"
    with psycopg.connect(database.replace("+psycopg", "")) as connection:
        for _ in range(5):
            if connection.execute(open_ones).fetchone() != (0,):
                server.send_signal(signal.SIGCONT)
                return False
            time.sleep(0.02)
    return True


def test_another_server_goes_on(api: Api, servers: Servers, receiver: Receiver, url: str) -> None:
    """Killed while there is much to tell, and stopped in the middle of what it is to post again."""
    first = servers.start()
    names = {api.make("admin", "network")["id"] for _ in range(20)}
    until(lambda: receiver.epoch == 1 and names <= receiver.objects().keys(), "the first one posts")
    second = servers.start()
    names |= {api.make("admin", "network")["id"] for _ in range(20)}
    first.kill()
    names |= {api.make("admin", "network")["id"] for _ in range(20)}
    until(lambda: receiver.epoch == 2 and names <= receiver.objects().keys(), "the second one goes on")

    receiver.takes = lambda body: b'"old"' not in body
    changed = min(names)
    api("admin", "PUT", f"/networks/{changed}", {"network": {"name": "old"}})
    until(lambda: bool(receiver.refused), "it has something to post again")
    until(lambda: stands_still(second, url), "it stands still")
    api("admin", "PUT", f"/networks/{changed}", {"network": {"name": "new"}})
    servers.start()
    until(lambda: receiver.objects()[changed]["name"] == "new", "the third one goes on")
    receiver.takes = lambda body: True
    second.send_signal(signal.SIGCONT)
    until(lambda: "another server took the lease" in servers.log(1).read_text(), "it knows")

    last = api.make("admin", "network")["id"]
    until(lambda: last in receiver.objects(), "told on")
    assert receiver.objects()[changed]["name"] == "new"
    assert [event["event"] for event in receiver.events()].count("whole") == 1, "nobody began anew"
    places = [int(event["place"].split(".")[1]) for event in receiver.events() if event["event"] == "place"]
    assert places == sorted(places)
