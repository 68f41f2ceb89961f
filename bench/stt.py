#!/usr/bin/env python3
"""STT beside VXLAN: `bench/stt.py` prints a table.  Needs root, and iperf3.

Two hypervisors in a lab, a pair of VMs on a network of each kind, all at once, one Open vSwitch on each side.  TCP in
bulk from VM to VM; the kinds take turns in each round, so that whatever else the machine does meets all of them; the
figures are medians of the rounds.  Processor time is that of the processes on the way (ovs-vswitchd, the carriers),
softirqs that they are hit by included.
"""

import argparse
import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from hypervisors import Lab
from table import Row, percentile, print_comparison

KINDS: dict[str, dict[str, Any]] = {
    "VXLAN": {"provider:network_type": "vxlan"},
    "STT": {"provider:network_type": "stt"},
    "STT, MTU 9000": {"provider:network_type": "stt", "mtu": 9000},
}


class Pair(NamedTuple):
    kind: str
    client: str
    server: str
    address: str


def make(lab: Lab, number: int, kind: str) -> Pair:
    api = lab.api()
    network = api.request("POST", "/v2.0/networks", {"network": {"name": f"net{number}", **KINDS[kind]}})["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": f"10.{number}.0.0/24"}
    api.request("POST", "/v2.0/subnets", {"subnet": subnet})
    names, addresses = [], []
    for node in ("hv1", "hv2"):
        wanted = {"port": {"network_id": network["id"], "port_security_enabled": False}}
        port = api.request("POST", "/v2.0/ports", wanted)["port"]
        names.append(f"vm{number}{node}")
        addresses.append(port["fixed_ips"][0]["ip_address"])
        lab("vm", "add", names[-1], "--node", node, "--port", port["id"])
    return Pair(kind, names[0], names[1], addresses[1])


def inside(lab: Lab, vm: str, *words: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", f"nw-{lab.name}-vm-{vm}", *words)


@contextmanager
def served(lab: Lab, pairs: list[Pair]) -> Iterator[None]:
    started = [subprocess.Popen(inside(lab, pair.server, "iperf3", "-s"), stdout=subprocess.DEVNULL) for pair in pairs]
    time.sleep(1)
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def busy_seconds(lab: Lab) -> float:
    """Of the processes that carry frames."""
    pids = [lab.pid_of("ovs-vswitchd", node) for node in ("hv1", "hv2")]
    found = subprocess.run(
        ("pgrep", "-f", f"stt.carrier /run/netweft/lab/{lab.name}/"), capture_output=True, text=True, check=False
    )
    pids += map(int, found.stdout.split())
    tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure(lab: Lab, pair: Pair, seconds: int) -> dict[str, float]:
    before = busy_seconds(lab)
    words = inside(lab, pair.client, "iperf3", "-c", pair.address, "-t", str(seconds), "-J")
    said = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)["end"]
    received = float(said["sum_received"]["bytes"])
    return {
        "TCP in bulk, Mbit/s": float(said["sum_received"]["bits_per_second"]) / 1e6,
        "processor time of a gigabyte, s": (busy_seconds(lab) - before) / received * 1e9,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=int, default=2, help="of each transfer")
    options.add_argument("--out", type=Path, help="JSON lines are appended to this file")
    chosen = options.parse_args()
    lab = Lab("bstt")
    lab.up(2)
    try:
        pairs = [make(lab, number, kind) for number, kind in enumerate(KINDS, 1)]
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        with served(lab, pairs):
            for _ in range(chosen.rounds):
                for pair in pairs:
                    for name, value in measure(lab, pair, chosen.seconds).items():
                        found[name][pair.kind].append(value)
        print_comparison("STT beside VXLAN, by the same Open vSwitch", tuple(KINDS), list(rows(found)), chosen.out)
    finally:
        lab("down")


def rows(found: dict[str, dict[str, list[float]]]) -> Iterator[tuple[list[float], Row, str]]:
    """The ratios are medians of each round's: what meets one round meets all its kinds."""
    for name, each in found.items():
        higher = name.startswith("TCP")
        ratios = {
            kind: [ours / theirs for ours, theirs in zip(values, each["VXLAN"], strict=True)]
            for kind, values in each.items()
        }
        for kind in ("STT", "STT, MTU 9000"):
            values = [median(each[one]) for one in KINDS]
            spread = f"{percentile(ratios[kind], 25):.0%} to {percentile(ratios[kind], 75):.0%}"
            yield values, Row(f"{name}: {kind} of VXLAN", median(ratios[kind]), "", bar=1.0, higher=higher), spread


if __name__ == "__main__":
    main()
