"""VMs whose policies are measured, what they send, and the table in docs/qos.md that comes of it."""

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.netns.harness import Inside, Lab, until

from netweft.lab.cloud import Cloud
from netweft.lab.vm import Vm

LOAD = Path(__file__).parents[1] / "load.py"
DOCUMENT = Path(__file__).parents[3] / "docs" / "qos.md"
PORT = 7000
FULL, SMALL = 1358, 60  # payload of a datagram: a frame of 1400 bytes, and one of 102
WARM, WINDOW = 0.8, 1.2  # seconds: until a full bucket is empty at three times its rate, and measured after that
STREAM = ("stream",)  # TCP: goes up and down, so it is given twice the time
TOLERANCE = 0.1
LONGER = (1, 2, 4, 8)
UPLINK = 40000  # kbit/s; more than what the limits let through together

# of hv1; hv2 knows nothing of its uplinks
SETTINGS = f"""
dscp_inherit = true
uplink_bandwidths = ["tunnel:eth0:{UPLINK}", "physnet1:eth1:{UPLINK}"]
"""

INTRODUCTION = """\
# Quality of service, measured

Each form of a QoS rule: what was asked, and what came of it. Written by `NETWEFT_WRITE_DOCS=1 pytest
tests/netns/services/test_qos.py`; `make test` measures all of it again and fails where a row or a verdict is not as
written. "Kept" means: within 10 % of what was asked.

Measured between two hypervisors over VXLAN (or, where it says so, on a VLAN), Open vSwitch in the userspace datapath,
as what arrives at the VM's NIC: whole frames, their Ethernet headers counted, as Neutron's agent and `tc` count them;
of TCP's payload that is 4 to 5 % less. UDP is sent at three times the limit, TCP as it likes; the first moments, in
which the burst is used up, are not counted. Without `max_burst` the burst is 80 % of the rate, as in Neutron; with a
much smaller one TCP stays below the limit, since what comes too fast is dropped, not delayed: at 20 Mbit/s with a burst
of 2 Mbit, less than TCP's 0.2 s until it tries again, it had half.

Minimum bandwidth: two VMs of one hypervisor both send more than its uplink of 40 Mbit/s can take; the figure is what
the one that has the guarantee gets, and counts the frames without what the tunnel adds.

"""
HEAD = ("rule", "traffic", "asked", "verdict", "measured")


class Load(Inside):
    """A running load.py."""

    def tell(self, line: str = "") -> None:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(f"{line}\n".encode())

    def counted(self, seconds: float = WINDOW) -> dict[str, float]:
        """What a sink that was told to count saw."""
        answer: dict[str, float] = json.loads(self.line(seconds + 10))
        return answer


class Flow(NamedTuple):
    """words: what of load.py does the sending."""

    source: Vm
    target: Vm
    words: tuple[object, ...]


class Stage:
    """sender, rival and talker on hv1; ears, others and receiver on hv2."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self.network = lab.network("10.5.5.0/24", "fd00:5::/64")
        self.wire = lab.network("10.6.6.0/24", **{"provider:network_type": "vlan"})
        lab.let_strangers_in()
        self.sender, self.rival, self.talker = (lab.add_vm("hv1", self.network) for _ in range(3))
        self.ears, self.others, self.receiver = (lab.add_vm("hv2", self.network) for _ in range(3))
        self.pairs = [(self.sender, self.ears), (self.rival, self.others), (self.receiver, self.talker)]

    def load(self, machine: Vm, *words: object) -> Load:
        namespace = self.lab.layout.vm_namespace(machine.name)
        return Load.script(namespace, LOAD, *words)

    def policy(self, *rules: tuple[str, Mapping[str, object]], **attributes: object) -> str:
        body = {"policy": {"name": "measured", **attributes}}
        policy = str(self.cloud.request("POST", "qos/policies", body)["policy"]["id"])
        for type, values in rules:
            self.rule(policy, type, **values)
        return policy

    def rule(self, policy: str, type: str, **values: object) -> str:
        path, body = f"qos/policies/{policy}/{type}_rules", {f"{type}_rule": values}
        return str(self.cloud.request("POST", path, body)[f"{type}_rule"]["id"])

    def drop(self, *policies: str) -> None:
        for policy in policies:
            self.cloud.request("DELETE", f"qos/policies/{policy}")

    def give(self, machine: Vm, policy: str | None) -> None:
        self.cloud.update("ports", machine.port_id, {"qos_policy_id": policy})

    def give_network(self, policy: str | None) -> None:
        self.cloud.update("networks", self.network, {"qos_policy_id": policy})

    def meters(self, node: str) -> set[str]:
        """As text."""
        text = self.lab.ofctl(node, "dump-meters", "br-int").replace("bands=\n", "bands=")
        return {line.strip() for line in text.splitlines() if line.startswith("meter=")}

    def limited(self, node: str, count: int) -> None:
        """Done when the node has so many meters, and all else it wants."""
        until(lambda: len(self.meters(node)) == count, f"{count} meters on {node}")
        until(lambda: self.lab.in_sync(node), f"{node} in sync")

    def measure(self, *flows: Flow, longer: int = 1) -> list[dict[str, float]]:
        """All at once, each after the first burst is over."""
        with ExitStack() as running:
            sinks = [running.enter_context(self.load(flow.target, "sink", PORT)) for flow in flows]
            for flow in flows:
                verb, *rest = flow.words
                running.enter_context(self.load(flow.source, verb, flow.target.nic.address, PORT, *rest))
            calm = 2.0 if any(flow.words == STREAM for flow in flows) else 1.0
            time.sleep(WARM * calm)
            for sink in sinks:
                sink.tell(str(WINDOW * calm * longer))
            return [sink.counted(WINDOW * calm * longer) for sink in sinks]

    def kept(self, unit: str, asked: list[float], *flows: Flow) -> list[float]:
        """What each flow got, measured for longer when one was off: others use this machine as well, and a moment
        without a processor is more of a short time than of a long one."""
        for longer in LONGER:
            got = [counted[unit] for counted in self.measure(*flows, longer=longer)]
            if all(within(one, wanted) for one, wanted in zip(got, asked, strict=True)):
                break
        return got


def within(got: float, asked: float) -> bool:
    return abs(got - asked) <= asked * TOLERANCE


class Row(NamedTuple):
    rule: str
    traffic: str
    asked: str
    verdict: str
    seen: str

    @classmethod
    def of(cls, rule: str, traffic: str, asked: float, got: float, unit: str) -> "Row":
        return cls(
            rule, traffic, f"{asked:g} {unit}", "kept" if within(got, asked) else "not kept", f"{got:.0f} {unit}"
        )

    def __str__(self) -> str:
        return f"| {' | '.join(self)} |\n"


def document(rows: list[Row]) -> str:
    head = f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}\n"
    return INTRODUCTION + head + "".join(map(str, rows))


def written() -> list[tuple[str, ...]]:
    """The rows that the document has, without the figures."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|"))[:4] for line in lines]
