"""A switch's driver and a real ovsdb-server, over TLS: what it writes, whom it trusts, and what is not its own."""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import certificates
from tests.certificates import Certificate
from tests.waiting import until

from netweft.plugins.mechanisms import Unreachable
from netweft.plugins.mechanisms.switches.inventory import Switch
from netweft.plugins.mechanisms.switches.ovsdb import OvsdbSwitch
from netweft.plugins.mechanisms.switches.switch import ordered
from netweft.reconcile.plan import Step

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PORTS = ("e1", "e2", "e3")


class Tor:
    """An ovsdb-server with a bridge of three ports, of which two are closed and e3 carries all."""

    def __init__(self, folder: Path, authority: Certificate) -> None:
        self.folder, self.port = folder, _free_port()
        for name, made in (("tor", certificates.signed(authority, "tor1")), ("ca", authority)):
            (folder / f"{name}.pem").write_text(made.pem)
            (folder / f"{name}.key").write_text(made.key_pem)
        subprocess.run(("ovsdb-tool", "create", folder / "db", SCHEMA), check=True)

    def start(self) -> "subprocess.Popen[bytes]":
        files = {"private-key": "tor.key", "certificate": "tor.pem", "ca-cert": "ca.pem"}
        words = [f"--{name}={self.folder / file}" for name, file in files.items()]
        remotes = (f"--remote=pssl:{self.port}:127.0.0.1", f"--remote=punix:{self.folder}/sock")
        unixctl = f"--unixctl={self.folder}/ctl"
        return subprocess.Popen(("ovsdb-server", self.folder / "db", *remotes, *words, unixctl, "-vconsole:off"))

    def vsctl(self, *words: str) -> str:
        command = ("ovs-vsctl", "--no-wait", f"--db=unix:{self.folder}/sock", "--timeout=20", *words)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def build(self) -> None:
        words = ["--may-exist", "add-br", "br0"]
        for port in PORTS:
            words += ["--", "--may-exist", "add-port", "br0", port]
        for port in PORTS[:2]:
            words += ["--", "set", "Port", port, "vlan_mode=trunk", "trunks=4095"]
        self.vsctl("init", "--", *words)


@pytest.fixture
def authority() -> Certificate:
    return certificates.authority()


@pytest.fixture
def tor(tmp_path: Path, authority: Certificate) -> Iterator[Tor]:
    found = Tor(tmp_path, authority)
    with found.start() as process:
        try:
            yield found
        finally:
            process.terminate()


def driver(tor: Tor, authority: Certificate, changed: asyncio.Event) -> OvsdbSwitch:
    made = certificates.signed(authority, "netweft")
    for name, text in (("client.pem", made.pem), ("client.key", made.key_pem), ("our-ca.pem", authority.pem)):
        (tor.folder / name).write_text(text)
    options = {
        "netweft_remote": f"ssl:127.0.0.1:{tor.port}",
        "netweft_ca_file": str(tor.folder / "our-ca.pem"),
        "netweft_cert_file": str(tor.folder / "client.pem"),
        "netweft_key_file": str(tor.folder / "client.key"),
    }
    switch = Switch(name="tor1", device_type="ovsdb", names=frozenset({"tor1"}), options=options)
    return OvsdbSwitch(switch, changed.set)


def steps(now: object, *keys: str, was: object = None) -> list[Step]:
    return ordered([Step("device", key, was, now) for key in keys])


async def ready(tor: Tor) -> None:
    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as unix, socket.socket() as tcp:
            return not unix.connect_ex(f"{tor.folder}/sock") and not tcp.connect_ex(("127.0.0.1", tor.port))

    await until(listens)
    await asyncio.to_thread(tor.build)


async def test_vlans_over_tls(tor: Tor, authority: Certificate) -> None:
    await ready(tor)
    changed = asyncio.Event()
    device = driver(tor, authority, changed)
    keys = ["tagged e1 101", "tagged e1 102", "untagged e2", "native e2", "tagged e2 101", "tagged e3 7"]
    assert await device.read(keys, anew=True) == {"tagged e3 7": True}
    assert await device.apply(steps(True, "tagged e1 101", "tagged e1 102")) == {}
    assert await device.apply(steps(101, "untagged e2")) == {}
    assert tor.vsctl("get", "Port", "e1", "trunks") == "[101, 102, 4095]"
    assert tor.vsctl("get", "Port", "e2", "tag", "vlan_mode") == "101\naccess"
    both = [*steps(101, "native e2"), *steps(True, "tagged e2 101"), *steps(None, "untagged e2", was=101)]
    assert await device.apply(ordered(both)) == {}
    assert tor.vsctl("get", "Port", "e2", "tag", "vlan_mode", "trunks") == "101\nnative-untagged\n[101]"
    refused = await device.apply(steps(True, "tagged e1 103", "tagged e9 103"))
    assert refused == {"tagged e9 103": "there is no port e9 on bridge br0"}
    gone = [*steps(None, "tagged e1 101", "tagged e1 102", "tagged e1 103", "tagged e9 103", was=True)]
    gone += [*steps(None, "native e2", was=101), *steps(None, "tagged e2 101", was=True)]
    assert await device.apply(ordered(gone)) == {}
    assert [tor.vsctl("get", "Port", port, "trunks") for port in PORTS] == ["[4095]", "[4095]", "[]"]
    assert tor.vsctl("get", "Port", "e2", "tag") == "[]"
    changed.clear()
    tor.vsctl("set", "Port", "e1", "trunks=9")
    async with asyncio.timeout(60):
        await changed.wait()
    await device.close()


async def test_a_switch_of_another_authority_is_not_spoken_to(tor: Tor, authority: Certificate) -> None:
    await ready(tor)
    device = driver(tor, certificates.authority("Another"), asyncio.Event())
    with pytest.raises(Unreachable, match=r"ssl:127.0.0.1:\d+: .*certificate verify failed"):
        await device.read(["tagged e1 101"], anew=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
