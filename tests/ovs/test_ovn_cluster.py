"""A northbound database of three servers (raft): its leader is asked, whoever that is now."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ovs.test_ovn_northbound import PORT, SCHEMA, connected, pytestmark, steps, wanted

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.ovn.northbound import Northbound

__all__ = ["pytestmark"]
NAMES = ("one", "two", "three")
PATIENCE = 60.0  # for an election, on a busy machine


class Cluster:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        first = f"unix:{folder}/one.raft"
        for name in NAMES:
            database, own = f"{folder}/{name}.db", f"unix:{folder}/{name}.raft"
            made = ("create-cluster", database, SCHEMA, own)
            joined = ("join-cluster", database, "OVN_Northbound", own, first)
            subprocess.run(("ovsdb-tool", *(made if name == "one" else joined)), check=True)
            self.start(name)
            until(lambda name=name: "cluster member" in self.status(name), f"{name} is in it")

    def start(self, name: str) -> None:
        at = f"{self._folder}/{name}"
        words = (f"{at}.db", f"--remote=punix:{at}", f"--unixctl={at}.ctl", "-vconsole:off")
        self.running[name] = subprocess.Popen(("ovsdb-server", *words))

    def status(self, name: str) -> str:
        asked = ("ovs-appctl", "-t", f"{self._folder}/{name}.ctl", "cluster/status", "OVN_Northbound")
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout

    def leader(self) -> str:
        """Empty: there is none."""
        return next((name for name in self.running if "Role: leader" in self.status(name)), "")

    def remote(self, *, last: str) -> str:
        """last: asked after the others."""
        return ",".join(f"unix:{self._folder}/{name}" for name in sorted(NAMES, key=lambda one: one == last))

    def end(self, name: str) -> None:
        running = self.running.pop(name)
        running.kill()
        running.wait()


def until(holds: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not: {what}"
        time.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    try:
        yield found
    finally:
        for name in list(found.running):
            found.end(name)


async def in_place(north: Northbound, want: dict[str, Any]) -> None:
    """As the follower's loop does it: again, until it is."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if not (todo := await steps(north, want)):
                    return
                assert not await north.apply(todo)
            except Unreachable:
                await asyncio.sleep(0.1)


def test_it_goes_on_with_whoever_leads(cluster: Cluster) -> None:
    """Also what was written twice because nobody knew whether it had been is there once."""
    want, before = wanted(), cluster.leader()

    async def run() -> None:
        async with connected(cluster.remote(last=before), lambda: None) as north:
            await in_place(north, want)
            cluster.end(before)
            await in_place(north, {**want, PORT: {**want[PORT], "enabled": False}})
            cluster.start(before)
            await in_place(north, want)

    asyncio.run(run())
    after = cluster.leader()
    assert after
    listed = ("ovn-nbctl", f"--db={cluster.remote(last=before)}", "--timeout=20", "--bare", "--columns=name")
    found = subprocess.run((*listed, "list", "Logical_Switch"), capture_output=True, text=True, check=True).stdout
    assert found.split() == ["neutron-net-1"]


def test_one_that_is_not_the_leader_is_not_used(cluster: Cluster) -> None:
    leader = cluster.leader()
    others = ",".join(one for one in cluster.remote(last=leader).split(",")[:2])

    async def run() -> None:
        async with connected(others, lambda: None) as north:
            with pytest.raises(Unreachable, match="is not the leader"):
                await north.read([])

    asyncio.run(run())
