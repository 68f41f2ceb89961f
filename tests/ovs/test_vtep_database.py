"""A VTEP's driver and a real ovsdb-server with its schema: what it writes, what is not its own, what it refuses."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.waiting import until

from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.vtep.database import VtepDatabase
from netweft.reconcile.plan import Step

SCHEMA = "/usr/share/openvswitch/vtep.ovsschema"
SWITCH, BINDING, FLOOD = "switch net1", "binding e1 0", "flood net1"
WANTED: dict[str, object] = {
    SWITCH: [5001, "source_node"],
    BINDING: "net1",
    FLOOD: ["192.0.2.1", "192.0.2.2"],
    "mac net1 fa:16:3e:00:00:01": "192.0.2.1",
    "mac net1 fa:16:3e:00:00:02": "192.0.2.2",
}


class Tor:
    """The switch tor1 with the ports e1 and e2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ctl(self, *words: str) -> str:
        command = ("vtep-ctl", f"--db=unix:{self.folder}/sock", "--timeout=20", "-vconsole:off", *words)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def work(self, does: Callable[[VtepDatabase], Awaitable[None]], changed: Callable[[], None] = lambda: None) -> None:
        options = {"netweft_remote": f"unix:{self.folder}/sock"}
        switch = Switch(name="tor1", device_type="hardware_vtep", names=frozenset({"tor1"}), options=options)

        async def run() -> None:
            database = VtepDatabase(switch, changed)
            try:
                await does(database)
            finally:
                await database.close()

        asyncio.run(run())


@pytest.fixture
def tor(tmp_path: Path) -> Iterator[Tor]:
    subprocess.run(("ovsdb-tool", "create", tmp_path / "db", SCHEMA), check=True)
    words = (f"--remote=punix:{tmp_path}/sock", f"--unixctl={tmp_path}/ctl", "-vconsole:off")
    with subprocess.Popen(("ovsdb-server", tmp_path / "db", *words)) as process:
        try:
            made = Tor(tmp_path)
            asyncio.run(until(lambda: (tmp_path / "sock").exists()))
            made.ctl("add-ps", "tor1", "--", "add-port", "tor1", "e1", "--", "add-port", "tor1", "e2")
            yield made
        finally:
            process.terminate()


def steps(now: dict[str, object], was: dict[str, object] | None = None) -> list[Step]:
    was = was or {}
    return [Step("device", key, was.get(key), now.get(key)) for key in sorted({*now, *was})]


def test_it_reads_what_it_wrote_and_takes_all_of_it_away(tor: Tor) -> None:
    async def writes(database: VtepDatabase) -> None:
        assert await database.apply(steps(WANTED)) == {}
        assert (await database.read()).values == WANTED
        other = WANTED | {FLOOD: ["192.0.2.2", "192.0.2.3"], "mac net1 fa:16:3e:00:00:01": "192.0.2.3"}
        assert await database.apply(steps(other, WANTED)) == {}
        assert (await database.read()).values == other
        tor.ctl("add-ucast-local", "netweft-net1", "fa:16:3e:00:00:09", "192.0.2.9")
        assert await database.local_macs() == [("net1", "fa:16:3e:00:00:09")]
        assert await database.apply(steps({}, other)) == {}
        assert (await database.read()).values == {}

    tor.work(writes)
    assert [tor.ctl("list-ls"), tor.ctl("list", "Physical_Locator"), tor.ctl("list", "Ucast_Macs_Local")] == [""] * 3


def test_what_is_not_ours_stays_and_is_not_taken_over(tor: Tor) -> None:
    tor.ctl("add-ls", "theirs", "--", "set", "Logical_Switch", "theirs", "tunnel_key=5001")
    tor.ctl(
        "bind-ls", "tor1", "e1", "0", "theirs", "--", "add-ucast-remote", "theirs", "fa:16:3e:00:00:07", "192.0.2.1"
    )

    async def writes(database: VtepDatabase) -> None:
        refused = await database.apply(steps(WANTED | {SWITCH: [5002, "source_node"]}))
        assert refused == {BINDING: "VLAN 0 of port e1 is bound to theirs, which is not ours"}
        refused = await database.apply(steps({"switch net2": [5001, "source_node"], "binding e9 0": "net1"}))
        assert refused == {
            "switch net2": "tunnel key 5001 is of theirs, which is not ours",
            "binding e9 0": "there is no port e9",
        }
        await database.apply(steps({}, {**WANTED, BINDING: "net1"}))

    tor.work(writes)
    assert tor.ctl("list-ls") == "theirs"
    assert tor.ctl("list-bindings", "tor1", "e1").split() == ["0000", "theirs"]
    assert "fa:16:3e:00:00:07" in tor.ctl("list-remote-macs", "theirs")


def test_what_a_machine_makes_up_wakes_nobody_and_what_is_changed_does(tor: Tor) -> None:
    heard: list[None] = []

    async def listens(database: VtepDatabase) -> None:
        await database.apply(steps(WANTED))
        heard.clear()
        for number in range(20):
            tor.ctl("add-ucast-local", "netweft-net1", f"fa:16:3e:00:01:{number:02}", "192.0.2.9")
        tor.ctl("clear-remote-macs", "netweft-net1")
        async with asyncio.timeout(30):
            while "mac net1 fa:16:3e:00:00:01" in (await database.read()).values or not heard:
                await asyncio.sleep(0.02)
        assert len(heard) == 1

    tor.work(listens, lambda: heard.append(None))
