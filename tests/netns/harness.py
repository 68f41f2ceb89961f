"""A lab as a test sees it: networks, VMs, something to measure with, and a hand that breaks things."""

import asyncio
import functools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
from tests.netns import forked
from tests.netns.forked import Forked
from tests.netns.frames import fence
from tests.waiting import PATIENCE

from netweft.cli.agent import ask
from netweft.cli.errors import CommandError
from netweft.dataplane.unixctl.client import command
from netweft.lab import build, hypervisor, processes, vm
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, run, vsctl
from netweft.lab.layout import Kind, LabError, Layout, NodeLayout
from netweft.lab.vm import Vm
from netweft.services.fields import Reason, cookie

# seconds: the userspace datapath takes packets by the batch, and those that it has not cached (it forgets a flow after
# 10 s) go before those that it has
OVERTAKEN_BY, ON_THE_KERNELS = 0.1, 0.3
REAL_MACHINES = "NETWEFT_NO_REAL_MACHINES" not in os.environ  # one inside of one that is emulated takes minutes to boot
# ms: what agents are set to; an emulated machine gives Open vSwitch no processor for longer than three of them
QUICK_BFD_INTERVAL = 70 if REAL_MACHINES else 500
# where nobody measures how soon a gateway is replaced, none is replaced only since the machine is busy
BFD_INTERVAL = 250 if REAL_MACHINES else 500
ON_OVN = os.environ.get("NETWEFT_ON_OVN") == "1"  # `make test-ovn`: the same tests, and the hosts are OVN's
OVERLAY = "geneve" if ON_OVN else "vxlan"
needs_our_agent = pytest.mark.skipif(ON_OVN, reason="it asks our own agent, and OVN's hosts have none")
NO_REAL_MACHINES = "no real machine inside of one that is emulated"
needs_a_real_machine = pytest.mark.skipif(not REAL_MACHINES, reason=NO_REAL_MACHINES)
# in User-Mode Linux: what sends without a pause for some seconds sends for ever, and to look costs, not to wait
CLOCK_STANDS_STILL = "NETWEFT_CLOCK_STANDS_STILL" in os.environ
MOST_BETWEEN = 1.0 if CLOCK_STANDS_STILL else 0.1  # seconds, between two looks
needs_a_running_clock = pytest.mark.skipif(CLOCK_STANDS_STILL, reason="the clock stands still while anybody computes")


@functools.cache
def on_the_kernels_datapath() -> bool:
    """There a packet that vswitchd has to look at is overtaken by one whose way is known: docs/datapaths.md."""
    return hypervisor.datapath_type() == "system"


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> float:
    """Polls; the seconds it took."""
    start = time.monotonic()
    while not condition():
        waited = time.monotonic() - start
        assert waited < seconds, f"after {seconds:.0f} s still not: {what}"
        time.sleep(min(0.02 + waited / 10, MOST_BETWEEN))  # whoever is asked for a plan reads all that it has
    return time.monotonic() - start


class Lab:
    def __init__(self, name: str) -> None:
        self.layout = Layout(name)
        self._serial = 0

    def node(self, name: str) -> NodeLayout:
        return build.node_of(self.layout, name)

    def cloud(self) -> Cloud:
        """The API, for the admin."""
        return Cloud(self.layout)

    # -- what users have

    def network(self, *cidrs: str, **attributes: object) -> str:
        """A network with these subnets; its id."""
        self._serial += 1
        with Cloud(self.layout) as cloud:
            network = cloud.create("networks", name=f"net{self._serial}", **attributes)
            for cidr in cidrs:
                version = 6 if ":" in cidr else 4
                cloud.create("subnets", network_id=network["id"], cidr=cidr, ip_version=version)
        return str(network["id"])

    def let_strangers_in(self) -> None:
        """The default security group lets in its own members only."""
        with self.cloud() as cloud:
            for group in cloud.list("security-groups", name="default"):
                cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress")

    def add_vm(self, node: str, network: str, *, kind: Kind = "netns", dhcp: bool | None = None, **port: object) -> Vm:
        """On a port of its own; done when that is ACTIVE.  port: further attributes."""
        described = self.describe_vm(node, network, kind=kind, dhcp=dhcp, **port)
        with Cloud(self.layout) as cloud:
            return vm.create(cloud, self.layout, described)

    def describe_vm(
        self, node: str, network: str, *, kind: Kind = "netns", dhcp: bool | None = None, **port: object
    ) -> Vm:
        """With its port made, but neither bound nor plugged in."""
        if kind == "qemu" and not REAL_MACHINES:
            pytest.skip(NO_REAL_MACHINES)
        self._serial += 1
        with Cloud(self.layout) as cloud:
            made = cloud.create("ports", network_id=network, **port)
            return vm.describe(
                cloud,
                self.layout,
                name=f"vm{self._serial}",
                node=node,
                kind=kind,
                port=made["id"],
                network="",
                dhcp=dhcp,
            )

    def remove_vm(self, machine: Vm) -> None:
        with Cloud(self.layout) as cloud:
            vm.destroy(cloud, self.layout, machine)
            cloud.delete("ports", machine.port_id)

    def port(self, machine: Vm) -> dict[str, Any]:
        with Cloud(self.layout) as cloud:
            return cloud.find("ports", machine.port_id)

    # -- inside VMs

    def ping(self, source: Vm, address: str, *, seconds: float = PATIENCE) -> bool:
        """Whether there is an answer before the deadline."""
        command = ("ping", "-n", "-c", "1", "-i", "0.1", "-w", f"{seconds:.0f}", address)
        namespace = self.layout.vm_namespace(source.name)
        return subprocess.run(in_namespace(namespace, *command), capture_output=True, check=False).returncode == 0

    def inside(self, machine: Vm, *words: str) -> "Inside":
        """`inside` in a VM."""
        return self.inside_namespace(self.layout.vm_namespace(machine.name), *words)

    def inside_namespace(self, namespace: str, *words: str) -> "Inside":
        return Inside(Forked(namespace, words))

    def send_frames(self, machine: Vm, *frames: bytes) -> None:
        namespace = self.layout.vm_namespace(machine.name)
        forked.do(namespace, "send", stdin="".join(f"{frame.hex()}\n" for frame in frames))

    def silence(self, machine: Vm) -> None:
        """Its own stack answers nothing from now on: a reset to a SYN made by hand ends that connection for the
        kernel's conntrack, which is stricter than the userspace one."""
        run("ip", "-n", self.layout.vm_namespace(machine.name), "address", "flush", "dev", "eth0")

    def meet(self, one: Vm, other: Vm) -> None:
        """Returns when each is heard by the other: Open vSwitch's userspace datapath drops what comes first to a
        tunnel's end point, whose MAC it has to ask for."""
        for way in ((one, other), (other, one)):
            until(lambda way=way: self._reaches(*way), "one hears the other")  # type: ignore[misc]

    def _reaches(self, source: Vm, target: Vm) -> bool:
        frame = fence(source.nic, target.nic)
        with self.inside(target, "capture") as capture:
            self.send_frames(source, frame)
            with suppress(AssertionError):
                capture.frames_until(frame, seconds=1)
                return True
        return False

    # -- the hand that breaks things

    def pid(self, kind: str, node: str = "") -> int | None:
        found = processes.supervised(self.layout.lab)
        return next((p.pid for p in found if p.kind == kind and p.node == node), None)

    def kill(self, kind: str, node: str = "") -> float:
        """kill -9; the seconds until another one runs in its place."""
        pid = self.pid(kind, node)
        assert pid is not None, f"no {kind} runs"
        os.kill(pid, signal.SIGKILL)
        return until(lambda: self.pid(kind, node) not in (None, pid), f"{kind} started again")

    @contextmanager
    def away(self, kind: str, node: str = "") -> Iterator[None]:
        """It is not there, and nobody starts it again, until the end of the block."""
        name = f"{kind}-{node}" if node else kind
        declared = self.layout.processes / f"{name}.json"
        kept = declared.rename(declared.with_suffix(".away"))
        supervisor = self.pid("supervisor")
        assert supervisor
        os.kill(supervisor, signal.SIGHUP)
        until(lambda: self.pid(kind, node) is None, f"{kind} stopped")
        try:
            yield
        finally:
            kept.rename(declared)
            os.kill(supervisor, signal.SIGHUP)
            until(lambda: self.pid(kind, node), f"{kind} started")
            until(lambda: build.server_answers(self.layout), "the server answers")

    def configure_agent(self, node: str, **settings: str | bool | list[str] | None) -> None:
        """These settings from now on, None: as if it were not said; done when it is in sync."""
        file = self.node(node).folder / "netweft.toml"
        kept = [line for line in file.read_text().splitlines() if line.partition(" = ")[0] not in settings]
        file.write_text(
            "\n".join(
                [*kept, *(f"{name} = {json.dumps(value)}" for name, value in settings.items() if value is not None)]
            )
            + "\n"
        )
        self.kill("agent", node)
        until(lambda: self.in_sync(node), f"{node} in sync with {settings}")

    def vsctl(self, node: str, *words: str) -> str:
        return vsctl(self.node(node), *words).strip()

    def ofctl(self, node: str, verb: str, bridge: str, *words: str) -> str:
        return run("ovs-ofctl", "-OOpenFlow14", verb, f"unix:{self.node(node).ovs}/{bridge}.mgmt", *words)

    def appctl(self, node: str, *words: str) -> str:
        """To its ovs-vswitchd.  One that was killed has left its socket behind.  Raises LabError."""
        folder = self.node(node).ovs
        try:
            pid = (folder / "ovs-vswitchd.pid").read_text().strip()
        except FileNotFoundError:
            raise LabError(f"{node}'s ovs-vswitchd is about to start") from None
        return run("ovs-appctl", "-t", str(folder / f"ovs-vswitchd.{pid}.ctl"), *words)

    def flows(self, node: str, bridge: str) -> set[str]:
        """As text, without what counts and ages, and without the epoch, which does both."""
        listing = self.ofctl(node, "dump-flows", bridge, "--no-stats")
        return {
            line.strip()
            for line in listing.splitlines()
            if ("table=" in line or "cookie=" in line) and f"cookie={cookie(Reason.EPOCH):#x}" not in line
        }

    def plan(self, node: str) -> str:
        """What the agent would change now; empty when in sync."""
        return run(str(hypervisor.NETWEFT), "agent", "plan", "--config", f"{self.node(node).folder}/netweft.toml")

    def in_sync(self, node: str) -> bool:
        """False, too, while the agent does not answer."""
        with suppress(CommandError):
            return not ask(f"{self.node(node).folder}/agent.sock", "plan").strip()
        return False

    def show(self, node: str) -> list[str]:
        """What the agent says of itself, by line; nothing while it does not answer."""
        with suppress(CommandError):
            return ask(f"{self.node(node).folder}/agent.sock", "show").splitlines()
        return []

    def on_disk(self, node: str) -> bool:
        """Whether the agent has written down what it knows: it does so a second after a change."""
        view = [line for line in self.show(node) if line.startswith("view ")]
        return bool(view) and "not on the disk" not in view[0]

    def overrun(self, before: int = 0) -> int:
        """How many packets more the kernel has dropped, since Open vSwitch's userspace datapath had no turn to take
        them: decision 0311."""
        nodes = [self.node(name) for name in build.node_names(self.layout)]
        told = (run(*in_namespace(node.namespace, "ss", "-0", "-n", "-m")) for node in nodes)
        return max(0, sum(int(dropped) for text in told for dropped in re.findall(r",d(\d+)\)", text)) - before)

    def drops(self) -> Counter[tuple[str, str]]:
        """What Open vSwitch itself says that it has dropped, and why, by node: for whoever looks into a failed test."""
        found: Counter[tuple[str, str]] = Counter()
        for name in build.node_names(self.layout):
            for line in asyncio.run(command(self.node(name).ovs, "coverage/show")).splitlines():
                counted = re.match(r"(\w*drop\w*) .* total: (\d+)$", line)
                if counted:
                    found[name, counted[1]] = int(counted[2])
        return found

    def agent_alive(self, node: str) -> bool:
        with suppress(LabError), Cloud(self.layout) as cloud:
            return any(agent["host"] == node and agent["alive"] for agent in cloud.list("agents"))
        return False

    def keep_logs(self, where: Path) -> None:
        """For whoever looks into a failed test."""
        shutil.copytree(self.layout.logs, where / self.layout.lab, dirs_exist_ok=True)


def group_of(cloud: Cloud, name: str, rules: Iterable[Mapping[str, object]], *, stateful: bool = True) -> str:
    """A security group with exactly these rules; its id."""
    made = cloud.create("security_groups", name=name, stateful=stateful)
    for rule in made["security_group_rules"]:
        cloud.delete("security_group_rules", rule["id"])
    for rule in rules:
        cloud.create("security_group_rules", security_group_id=made["id"], **rule)
    return str(made["id"])


class Inside:
    """A running `inside`, or what speaks like one; a context manager.  `finish` closes its stdin and gives what it had
    not told yet."""

    def __init__(self, process: "Forked | subprocess.Popen[bytes]") -> None:
        self._process = process
        self._pending = b""
        assert self.line() == "ready"

    @classmethod
    def script(cls, namespace: str, file: Path, *words: object) -> Self:
        """Another of our scripts."""
        command = in_namespace(namespace, sys.executable, str(file), *map(str, words))
        return cls(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def say(self, line: str) -> None:
        """On its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def line_within(self, seconds: float) -> str:
        """Empty when it says nothing."""
        with suppress(AssertionError):
            return self.line(seconds)
        return ""

    def line(self, seconds: float = PATIENCE) -> str:
        out = self._process.stdout
        assert out is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._pending:
            readable, _, _ = select.select([out], [], [], max(0.0, end - time.monotonic()))
            assert readable, f"it said nothing for {seconds:.0f} s"
            chunk = os.read(out.fileno(), 65536)
            assert chunk, "it ended"
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()

    def frames_until(self, last: bytes, seconds: float = PATIENCE) -> list[bytes]:
        """What a `capture` saw before this frame, or was overtaken by it.  seconds: that it may say nothing."""
        seen: list[bytes] = []
        while (frame := bytes.fromhex(self.line(seconds))) != last:
            seen.append(frame)
        end = time.monotonic() + (ON_THE_KERNELS if on_the_kernels_datapath() else OVERTAKEN_BY)
        while late := self.line_within(max(0.0, end - time.monotonic())):
            seen.append(bytes.fromhex(late))
        return seen

    def stop(self) -> None:
        """It begins to finish."""
        if self._process.stdin:
            self._process.stdin.close()
            self._process.stdin = None

    def finish(self, seconds: float = 2 * PATIENCE) -> list[str]:
        out, _ = self._process.communicate(timeout=seconds)
        return (self._pending + out).decode().splitlines()

    def result(self) -> dict[str, Any]:
        """The one line of JSON of a `ping`."""
        answer: dict[str, Any] = json.loads(self.finish()[-1])
        return answer


def results(pings: Sequence[Inside]) -> list[dict[str, Any]]:
    """All at once: each waits for its last replies."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Inside.result, pings))


def new_name() -> str:
    return f"t{uuid.uuid4().hex[:6]}"


@contextmanager
def lab_of_its_own(plan: build.Plan | None = None) -> Iterator[Lab]:
    """For a test outside of this folder, or one that leaves the lab otherwise."""
    found = Lab(new_name())
    try:
        build.up(found.layout, plan or build.Plan())
        yield found
    finally:
        build.down(found.layout)
