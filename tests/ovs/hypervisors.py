"""Hypervisors of our own making: a namespace each with a real Open vSwitch, a cable between them, VMs as namespaces.

Needs root.  Everything is named by a tag and taken down by `close`, also what a test left half-way.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.waiting import PATIENCE

from netweft.cli.agent import ask
from netweft.cli.errors import CommandError
from netweft.model import Port

INSIDE = Path(__file__).parents[1] / "netns" / "inside"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def run(*words: str, check: bool = True) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def new_tag() -> str:
    """No two tests have the same, of this run or of another one beside it."""
    return f"h{uuid.uuid4().hex[:6]}"


class Hypervisor:
    settings = ""  # more lines of the agent's settings file
    token, underlay = "t", "eth0"

    def __init__(self, name: str, tag: str, folder: Path, feed: Path, tunnel_ip: str) -> None:
        self.name, self.namespace, self.folder, self.feed = name, f"{tag}-{name}", folder / name, feed
        self.tunnel_ip = tunnel_ip
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.vms: list[str] = []
        self.folder.mkdir()
        run("ip", "netns", "add", self.namespace)
        self.inside("ip", "link", "set", "lo", "up")
        run("ovsdb-tool", "create", f"{self.folder}/conf.db", SCHEMA)
        self.start_ovsdb()
        self.vsctl("--no-wait", "init")
        self.start_vswitchd()

    def inside(self, *words: str, check: bool = True) -> str:
        return run("ip", "netns", "exec", self.namespace, *words, check=check)

    def vsctl(self, *words: str) -> str:
        return run("ovs-vsctl", "--timeout=30", "--retry", f"--db=unix:{self.folder}/db.sock", *words)

    def flows(self, bridge: str) -> list[str]:
        """Without what changes by itself."""
        dump = run("ovs-ofctl", "-OOpenFlow15", "--no-stats", "dump-flows", f"{self.folder}/{bridge}.mgmt")
        return sorted(line.strip() for line in dump.splitlines() if "actions=" in line)

    def ofctl(self, command: str, bridge: str, *words: str) -> str:
        return run("ovs-ofctl", "-OOpenFlow15", command, f"{self.folder}/{bridge}.mgmt", *words)

    def start_ovsdb(self) -> None:
        (self.folder / "db.sock").unlink(missing_ok=True)
        self._start(
            "ovsdb-server", f"{self.folder}/conf.db", f"--remote=punix:{self.folder}/db.sock",
            f"--unixctl={self.folder}/ovsdb.ctl", f"--log-file={self.folder}/ovsdb-server.log", "-vconsole:off",
        )  # fmt: skip
        _until(lambda: (self.folder / "db.sock").exists())

    def start_vswitchd(self) -> None:
        self._start(
            "ovs-vswitchd", f"unix:{self.folder}/db.sock", f"--log-file={self.folder}/vswitchd.log", "-vconsole:off",
            f"--pidfile={self.vswitchd_pid}",
        )  # fmt: skip

    @property
    def vswitchd_pid(self) -> Path:
        return self.folder / "ovs-vswitchd.pid"

    def appctl(self, *words: str) -> str:
        return run(
            "ovs-appctl", "-t", f"{self.folder}/ovs-vswitchd.{self.vswitchd_pid.read_text().strip()}.ctl", *words
        )

    def start_agent(self) -> None:
        self._start(
            sys.executable, "-m", "netweft", "agent", "--config", str(self.settings_file()), name="agent",
        )  # fmt: skip

    def settings_file(self) -> Path:
        path = self.folder / "netweft.toml"
        path.write_text(
            f'[agent]\nnode = "{self.name}"\nserver = ["unix:{self.feed}"]\ntoken = "{self.token}"\n'
            f'ovs_run_dir = "{self.folder}"\nstate_dir = "{self.folder}/state"\nsocket = "{self.folder}/agent.sock"\n'
            f'tunnel_ip = "{self.tunnel_ip}"\nunderlay = "{self.underlay}"\n{self.settings}\n'
        )
        return path

    def in_sync(self) -> bool:
        """False, too, while the agent does not know."""
        with suppress(CommandError):
            return not ask(f"{self.folder}/agent.sock", "plan")
        return False

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(PATIENCE)

    def log(self, name: str = "agent") -> str:
        return (self.folder / f"{name}.out").read_text()

    def plug(self, port: Port, *addresses: str) -> str:
        """A VM: a namespace with a veth into br-int.  Returns the namespace's name."""
        tap, vm = f"tap{port.id[:8]}", f"{self.namespace}-{port.id[:8]}"
        run("ip", "netns", "add", vm)
        self.vms.append(vm)
        self.inside("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", vm)
        self.inside("ip", "link", "set", tap, "up")
        run("ip", "netns", "exec", vm, "ethtool", "-K", "eth0", "tx", "off", check=False)
        for words in (
            ("link", "set", "lo", "up"),
            ("link", "set", "eth0", "address", port.mac_address, "mtu", "1450", "up"),
            *(("address", "add", address, "dev", "eth0", *nodad(address)) for address in addresses),
        ):
            run("ip", "-n", vm, *words)
        self.add_port(tap, port.id)
        return vm

    def add_port(self, tap: str, port_id: str) -> None:
        self.vsctl("add-port", "br-int", tap, "--", "set", "Interface", tap, f"external_ids:iface-id={port_id}")

    def close(self) -> None:
        for name in ("agent", "ovs-vswitchd", "ovsdb-server"):
            if name in self.processes:
                self.kill(name, signal.SIGKILL)
        for namespace in (*self.vms, self.namespace):
            run("ip", "netns", "delete", namespace, check=False)

    def _start(self, *words: str, name: str = "") -> None:
        name = name or words[0]
        environ = {**os.environ, "OVS_RUNDIR": str(self.folder), "OVS_LOGDIR": str(self.folder)}
        with (self.folder / f"{name}.out").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                ("ip", "netns", "exec", self.namespace, *words), stdout=output, stderr=output, env=environ
            )


def nodad(address: str) -> tuple[str, ...]:
    return ("nodad",) if ":" in address else ()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def cable(one: Hypervisor, other: Hypervisor, nic: str = "eth0") -> None:
    run("ip", "link", "add", nic, "netns", one.namespace, "type", "veth", "peer", "name", nic, "netns",
        other.namespace)  # fmt: skip
    for end in (one, other):
        end.inside("ip", "link", "set", nic, "up")


async def ping(vm: str, address: str, count: int = 1, interval: float = 0.2) -> int:
    """How many answers came.  One is waited for a second; of many, late ones are not lost."""
    if count > 1:
        words = [sys.executable, "-I", "-S", str(INSIDE), "echo", address, str(count), str(interval), "84"]
        result = json.loads((await _told(vm, *words)).splitlines()[-1])
        return int(result["sent"] - result["lost"])
    told = await _told(vm, "ping", "-n", "-q", "-c", "1", "-W", "1", address)
    words = told.partition(" packets transmitted, ")[2].split()
    return int(words[0]) if words else 0


async def _told(vm: str, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", vm, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    output, _ = await process.communicate()
    return output.decode()


def available() -> bool:
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("ip", "ovs-vswitchd", "ovsdb-server", "ovs-vsctl"))
