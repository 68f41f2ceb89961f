"""A real northbound database: what is known of it holds until somebody else writes."""

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import authority, signed
from tests.unit.plugins.test_ovn import CHASSIS, Sight, network, port, subnet

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.database import tls_context
from netweft.plugins.mechanisms.ovn.mechanism import OvnMechanism
from netweft.plugins.mechanisms.ovn.northbound import Northbound
from netweft.plugins.mechanisms.ovn.schema import key
from netweft.reconcile.plan import Step

SCHEMA = "/usr/share/ovn/ovn-nb.ovsschema"
SWITCH, PORT = key("Logical_Switch", "neutron-net-1"), key("Logical_Switch_Port", "port-1")

pytestmark = pytest.mark.skipif(not Path(SCHEMA).exists() or shutil.which("ovn-nbctl") is None, reason="needs OVN")


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[str]:
    subprocess.run(("ovsdb-tool", "create", tmp_path / "nb.db", SCHEMA), check=True)
    words = (f"--remote=punix:{tmp_path}/sock", f"--unixctl={tmp_path}/ctl", "-vconsole:off")
    with subprocess.Popen(("ovsdb-server", tmp_path / "nb.db", *words)) as server:
        end = time.monotonic() + 20
        while not (tmp_path / "sock").exists() and time.monotonic() < end:
            time.sleep(0.02)
        yield f"unix:{tmp_path}/sock"
        server.kill()


def wanted() -> dict[str, Any]:
    sight = Sight(networks=[network()], subnets=[subnet()], ports=[port()], agents=[CHASSIS])
    return {key: one.value for key, one in OvnMechanism("unix:/none", "unix:/none").desired(sight).items()}


def nbctl(remote: str, *words: str) -> None:
    subprocess.run(("ovn-nbctl", f"--db={remote}", "--timeout=20", *words), check=True)


@asynccontextmanager
async def connected(remote: str, changed: Callable[[], None]) -> AsyncIterator[Northbound]:
    north = Northbound(remote, changed)
    try:
        yield north
    finally:
        await north.close()


async def steps(north: Northbound, want: dict[str, Any]) -> Sequence[Step]:
    there = await north.read(want)
    return [Step("", key, there.get(key), value) for key, value in want.items() if there.get(key) != value]


def test_what_others_write_is_seen_and_nothing_else_is_read_again(remote: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read = Northbound._read

    async def counted(self: Northbound) -> Any:
        nonlocal reads
        reads += 1
        return await read(self)

    monkeypatch.setattr(Northbound, "_read", counted)

    async def run() -> None:
        news = asyncio.Event()
        async with connected(remote, news.set) as north:
            await seen(north, wanted(), news)

    async def seen(north: Northbound, want: dict[str, Any], news: asyncio.Event) -> None:
        assert not await north.apply(await steps(north, want))
        assert await steps(north, want) == []
        assert await steps(north, want) == []
        first = reads
        assert first <= 2, "the row of the whole database comes with the first transaction"
        news.clear()
        await asyncio.to_thread(nbctl, remote, "lsp-set-addresses", "port-1", "unknown")
        await asyncio.wait_for(news.wait(), 20)
        (step,) = await steps(north, want)
        assert (step.key, step.was["addresses"]) == (PORT, ["unknown"])
        assert reads == first + 1
        assert not await north.apply([step])
        assert await steps(north, want) == []
        news.clear()
        await asyncio.to_thread(nbctl, remote, "--all", "destroy", "Logical_Switch")
        await asyncio.wait_for(news.wait(), 20)
        assert {step.key for step in await steps(north, want)} >= {SWITCH, PORT}

    asyncio.run(run())


def test_by_tls_and_only_by_its_authority(tmp_path: Path) -> None:
    ours, others = authority(), authority("Another")
    for name, text in {
        "ca": ours.pem, "key": (own := signed(ours, "netweft")).key_pem, "cert": own.pem, "other": others.pem,
        "server.key": (server := signed(ours, "ovn")).key_pem, "server": server.pem,
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    subprocess.run(("ovsdb-tool", "create", tmp_path / "nb.db", SCHEMA), check=True)
    files = (f"--private-key={tmp_path}/server.key", f"--certificate={tmp_path}/server", f"--ca-cert={tmp_path}/ca")
    words = ("--remote=pssl:0:127.0.0.1", *files, f"--unixctl={tmp_path}/ctl", "-vconsole:off")

    async def read(port: str, ca: str) -> Mapping[str, Any]:
        tls = tls_context(*(str(tmp_path / name) for name in (ca, "cert", "key")))
        north = Northbound(f"ssl:127.0.0.1:{port}", lambda: None, tls)
        try:
            return await north.read([])
        finally:
            await north.close()

    with subprocess.Popen(("ovsdb-server", tmp_path / "nb.db", *words, f"--log-file={tmp_path}/log")) as running:
        try:
            port = _port_of(tmp_path / "log")
            assert asyncio.run(read(port, "ca")) == {}
            with pytest.raises(Unreachable, match="certificate"):
                asyncio.run(read(port, "other"))
        finally:
            running.kill()


def _port_of(log: Path) -> str:
    """The one that the system has chosen."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if log.exists() and (found := re.search(r"listening on port (\d+)", log.read_text())):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def test_what_is_refused_is_not_taken_for_there(remote: str) -> None:
    async def run() -> None:
        want = wanted()
        async with connected(remote, lambda: None) as north:
            await north.read(want)
            bad = Step("", SWITCH, None, {**want[SWITCH], "other_config": {"a": ["no", "text"]}})
            assert list(await north.apply([bad])) == [SWITCH]
            assert await north.read([SWITCH]) == {}

    asyncio.run(run())
