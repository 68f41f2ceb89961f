#!/usr/bin/env python3
"""Thousands of networks on one hypervisor: `bench/many_networks.py` prints a table.  Needs root.

Each network has one port and takes a local VLAN.  The ports are

    trunk      sub-ports of VMs' trunks, a hundred each: few interfaces, so that what is measured is ours
    internal   internal ports of Open vSwitch, whose own cost of one more grows with the ports that are there

The clock starts just before a port is added (`ovs-vsctl add-port`, or add_subports at the API) and stops when the API
shows ACTIVE.  In the end there is one network more than there are VLANs: its port has to say so, and to be wired by
itself when another network's port goes.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from hypervisors import BULK, Lab, add_port, busy_ms, check, resident_mb, until_in_sync
from table import Row, percentile, print_table

LOCAL_VLANS = 4094
TRUNK = 100  # sub-ports
Port = dict[str, Any]


class Way(Protocol):
    spare: int  # local VLANs that it needs itself

    def plug(self, ports: list[Port]) -> None: ...
    def unplug(self, ports: list[Port]) -> None: ...


class Bench:
    def __init__(self, lab: Lab) -> None:
        self.lab, self.api, self.node = lab, lab.api(), lab.node()
        self.ports: list[Port] = []
        group = self.api.request("GET", "/v2.0/security-groups")["security_groups"][0]
        quota = {"quota": {"network": -1, "port": -1}}
        self.api.request("PUT", f"/v2.0/quotas/{group['project_id']}", quota)

    def make(self, count: int) -> list[Port]:
        """Networks with a port each, which is bound but not plugged in."""
        networks = [{"name": f"many{number}"} for number in range(count)]
        made = self.api.request("POST", "/v2.0/networks", {"networks": networks})["networks"]
        wanted = [{"network_id": network["id"]} for network in made]
        ports: list[Port] = self.api.request("POST", "/v2.0/ports", {"ports": wanted})["ports"]
        return ports

    def vsctl(self, *words: str) -> None:
        subprocess.run(["ovs-vsctl", f"--db=unix:{self.node['ovs_run_dir']}/db.sock", *words], check=True)

    def wire(self, way: Way, count: int) -> float:
        """Seconds until that many more are ACTIVE."""
        bulks = [self.make(min(BULK, count - done)) for done in range(0, count, BULK)]
        self.ports += [port for ports in bulks for port in ports]
        start = time.perf_counter()
        for ports in bulks:
            way.plug(ports)
        for ports in bulks:
            for port in ports:
                self.until_active(port, 600)
        return time.perf_counter() - start

    def status(self, port: Port) -> Port:
        found: Port = self.api.request("GET", f"/v2.0/ports/{port['id']}")["port"]
        return found

    def until_active(self, port: Port, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.status(port)["status"] != "ACTIVE":
            check(deadline, "ACTIVE")

    def until_in_sync(self, seconds: float) -> None:
        until_in_sync(self.node["agent_socket"], seconds=seconds)

    def flows(self) -> int:
        command = ["ovs-ofctl", "-OOpenFlow15", "dump-aggregate", f"unix:{self.node['ovs_run_dir']}/br-int.mgmt"]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return int(re.findall(r"flow_count=(\d+)", said)[0])


class Internal:
    spare = 0

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def plug(self, ports: list[Port]) -> None:
        self._bench.vsctl(*[word for port in ports for word in add_port(interface(port), port)][1:])

    def unplug(self, ports: list[Port]) -> None:
        names = map(interface, ports)
        self._bench.vsctl(*[word for name in names for word in ("--", "--if-exists", "del-port", name)][1:])


class Trunk:
    spare = 1  # their own ports' network

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._network = bench.make(1)[0]["network_id"]
        self._free: list[tuple[str, int]] = []  # trunk, tag
        self._trunk_of: dict[str, str] = {}

    def plug(self, ports: list[Port]) -> None:
        added: dict[str, list[Port]] = {}
        for port in ports:
            trunk, tag = self._free.pop() if self._free else self._another()
            self._trunk_of[port["id"]] = trunk
            sub_port = {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": tag}
            added.setdefault(trunk, []).append(sub_port)
        self._act("add_subports", added)

    def unplug(self, ports: list[Port]) -> None:
        removed: dict[str, list[Port]] = {}
        for port in ports:
            removed.setdefault(self._trunk_of[port["id"]], []).append({"port_id": port["id"]})
        self._act("remove_subports", removed)

    def _act(self, verb: str, sub_ports: dict[str, list[Port]]) -> None:
        for trunk, found in sub_ports.items():
            self._bench.api.request("PUT", f"/v2.0/trunks/{trunk}/{verb}", {"sub_ports": found})

    def _another(self) -> tuple[str, int]:
        api, wanted = self._bench.api, {"port": {"network_id": self._network}}
        parent = api.request("POST", "/v2.0/ports", wanted)["port"]
        trunk = api.request("POST", "/v2.0/trunks", {"trunk": {"port_id": parent["id"]}})["trunk"]["id"]
        self._bench.vsctl(*add_port(interface(parent), parent)[1:])
        self._bench.until_active(parent, 30)
        self._free = [(trunk, tag) for tag in range(TRUNK, 0, -1)]
        return self._free.pop()


WAYS: dict[str, type[Trunk] | type[Internal]] = {"trunk": Trunk, "internal": Internal}


def interface(port: Port) -> str:
    return f"m{port['id'][:12]}"


def grow(bench: Bench, way: Way, sizes: list[int], singles: int) -> list[Row]:
    rows = []
    agent = bench.lab.pid_of("agent")
    for size in sizes:
        before = len(bench.ports)
        seconds = bench.wire(way, size - before)
        bench.until_in_sync(60)
        busy = busy_ms(agent)
        more = [1e3 * bench.wire(way, 1) for _ in range(singles)]
        rows += [
            Row(f"{size} networks: wired, from {before}", seconds, "s"),
            Row(f"{size} networks: one more until ACTIVE, p50", percentile(more, 50), "ms"),
            Row(f"{size} networks: one more, agent busy", (busy_ms(agent) - busy) / singles, "ms"),
            Row(f"{size} networks: agent resident", resident_mb(agent), "MB"),
            Row(f"{size} networks: flows of br-int", bench.flows(), ""),
        ]
    return rows


def restart(bench: Bench) -> Row:
    os.kill(bench.lab.pid_of("agent"), 9)
    start = time.perf_counter()
    bench.until_in_sync(120)
    return Row(f"{len(bench.ports)} networks: agent killed, until in sync", time.perf_counter() - start, "s")


def exhaust(bench: Bench, way: Way) -> list[Row]:
    """One network too many, then one less, then none."""
    bench.wire(way, LOCAL_VLANS - way.spare - len(bench.ports))
    full, [late] = bench.flows(), bench.make(1)
    way.plug([late])
    deadline = time.monotonic() + 30
    while "no local VLAN is free" not in (bench.status(late).get("status_detail") or ""):
        check(deadline, "told why it is not wired")
    start = time.perf_counter()
    way.unplug([bench.ports.pop(7)])
    bench.until_active(late, 60)
    wired = time.perf_counter() - start
    ports = [*bench.ports, late]
    start = time.perf_counter()
    for first in range(0, len(ports), BULK):
        way.unplug(ports[first : first + BULK])
    deadline = time.monotonic() + 300
    while bench.flows() > full / 100:
        check(deadline, "without the flows")
    bench.until_in_sync(60)
    return [
        Row(f"network {LOCAL_VLANS + 1:,}, from an unplug elsewhere until ACTIVE", 1e3 * wired, "ms"),
        Row("all unplugged, until in sync", time.perf_counter() - start, "s"),
        Row("flows of br-int then", bench.flows(), ""),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=WAYS, default="trunk")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--singles", type=int, default=9)
    parser.add_argument("--lab", default="bench", help="its name")
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    lab = Lab(options.lab)
    lab.up()
    try:
        bench = Bench(lab)
        way = WAYS[options.way](bench)
        rows = grow(bench, way, options.sizes, options.singles)
        rows.append(restart(bench))
        rows += exhaust(bench, way)
    finally:
        lab("down")
    print_table(f"Many networks, one hypervisor ({options.way}), userspace datapath", rows, options.json)


if __name__ == "__main__":
    main()
