#!/usr/bin/env python3
"""How soon an agent is in sync again that is killed beside so many wired ports, and OVN's controller, in turns:
`bench/restarts.py` prints a table.  Needs root; OVN where its packages are (ovn-central, ovn-host).

    ours    from the process's start until it says that all is in place and that it would change nothing
    OVN     from the process's start until `ovn-nbctl --wait=hv sync` returns

Each has a hypervisor, ports of one network and one group on it, and a supervisor that starts who was killed.  In turns,
since other work on this machine changes both.  "Busy" is processor time of the new process until then.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple, Protocol

from contenders import Stage, bare, central_of, controller_on, nbctl, permit
from hypervisors import Lab, add_port, age, busy_ms, check, make_ports, until_in_sync
from table import Row, print_table

from netweft.lab import processes

BAR = 1.0


class Restart(NamedTuple):
    took: float  # s
    busy: float  # s


class Side(Protocol):
    def restart(self) -> Restart: ...


class Ours:
    def __init__(self, ports: int) -> None:
        self.lab = Lab("benchre")
        self.lab.up()
        api, node = self.lab.api(), self.lab.node()
        self.socket = node["agent_socket"]
        network = api.request("POST", "/v2.0/networks", {"network": {}})["network"]["id"]
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16"}
        api.request("POST", "/v2.0/subnets", {"subnet": subnet})
        made = make_ports(api, [{"network_id": network, "binding:host_id": "hv1"} for _ in range(ports)])
        words = [word for at, port in enumerate(made) for word in add_port(f"b{at}", port)]
        subprocess.run(["ovs-vsctl", f"--db=unix:{node['ovs_run_dir']}/db.sock", *words[1:]], check=True)
        deadline = time.monotonic() + 120
        while api.request("GET", f"/v2.0/ports?network_id={network}&status=DOWN&fields=id&limit=1")["ports"]:
            check(deadline, "ACTIVE")
            time.sleep(0.1)

    def restart(self) -> Restart:
        old = _pid(self.lab.name, "agent")
        os.kill(old, signal.SIGKILL)
        done = until_in_sync(self.socket, other=old)
        new = _pid(self.lab.name, "agent")
        busy = busy_ms(new) / 1e3
        return Restart(age(new) - (time.perf_counter() - done), busy)


class Ovn:
    def __init__(self, stage: Stage, ports: int) -> None:
        self.lab, node = stage.layout.lab, stage.layout.node(1)
        self.central = stage.layout.folder / "ovn"
        self.central.mkdir()
        central_of(stage.layout, self.central)
        controller_on(node, self.central)
        self._nb("ls-add", "net", "--", "pg-add", "pg")
        names = [f"p{number}" for number in range(ports)]
        macs = [f"fa:16:3e:01:{number >> 8:02x}:{number & 255:02x}" for number in range(ports)]
        made: list[str] = []
        plugged: list[str] = []
        for number, (name, mac) in enumerate(zip(names, macs, strict=True)):
            who = f"{mac} 10.9.{number >> 8}.{number & 255}"
            made += ["--", "lsp-add", "net", name, "--", "lsp-set-addresses", name, who]
            made += ["--", "lsp-set-port-security", name, who]
            plugged += add_port(f"t{name}", {"id": name, "mac_address": mac})
        self._nb(*made[1:])
        self._nb("pg-set-ports", "pg", *names)
        permit(self.central)
        subprocess.run(["ovs-vsctl", f"--db=unix:{node.ovs}/db.sock", *plugged[1:]], check=True)
        self._nb("--wait=hv", "sync")

    def restart(self) -> Restart:
        old = _pid(self.lab, "ovn-controller")
        os.kill(old, signal.SIGKILL)
        self._nb("--wait=hv", "sync")
        done = time.perf_counter()
        new = _pid(self.lab, "ovn-controller")
        busy = busy_ms(new) / 1e3
        return Restart(age(new) - (time.perf_counter() - done), busy)

    def _nb(self, *words: str) -> None:
        nbctl(self.central, *words)


def _pid(lab: str, kind: str) -> int:
    return next(process.pid for process in processes.supervised(lab) if process.kind == kind)


@contextmanager
def ours(ports: int) -> Iterator[Ours]:
    side = Ours(ports)
    try:
        yield side
    finally:
        side.lab("down")


def in_turns(sides: Sequence[Side], rounds: int) -> list[list[Restart]]:
    """Of each round: each side's."""
    found = []
    for number in range(rounds + 1):
        one = []
        for side in sides:
            time.sleep(0.5)  # what the last one has left to do
            one.append(side.restart())
        if number:  # the first one reads everything from the disk
            found.append(one)
        print(f"bench: {' '.join(f'{each.took:.3f}' for each in one)}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    with ExitStack() as stack:
        sides: list[Side] = [stack.enter_context(ours(options.ports))]
        if shutil.which("ovn-controller") and shutil.which("ovn-northd"):
            sides.append(Ovn(stack.enter_context(bare("benchreovn")), options.ports))
        else:
            print("bench: OVN is not measured: it takes the packages ovn-central and ovn-host", file=sys.stderr)
        found = in_turns(sides, options.rounds)
    mine, *theirs = zip(*found, strict=True)
    rows = [
        Row("agent restarted, until in sync, p50", median(one.took for one in mine), "s"),
        Row("agent busy, p50", median(one.busy for one in mine), "s"),
    ]
    for others in theirs:
        ratios = [one.took / other.took for one, other in zip(mine, others, strict=True)]
        rows += [
            Row("OVN's controller restarted, until in sync, p50", median(one.took for one in others), "s"),
            Row("OVN's controller busy, p50", median(one.busy for one in others), "s"),
            Row("ratio, median of the turns", median(ratios), "", BAR),
        ]
    print_table(f"Restarts beside {options.ports} ports, in turns, load {os.getloadavg()[0]:.0f}", rows, options.json)


if __name__ == "__main__":
    main()
