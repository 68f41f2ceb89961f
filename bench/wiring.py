#!/usr/bin/env python3
"""How fast a VM is wired: `bench/wiring.py` brings up a lab of one hypervisor and prints a table.  Needs root.

The same work as the shared instrument for OVN does: ports are made at the API first (not timed); the clock starts just
before `ovs-vsctl add-port` and stops when
  flows:  br-int has the port's flows (asked by their cookie, over one open OpenFlow connection);
  active: the API shows ACTIVE.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hypervisors import NETWEFT, Lab, add_port, age, check, make_ports, resident_mb, until_in_sync
from table import Row, percentile, print_table

LAB = Lab("bench")
OVN_INSTRUMENT = Path(__file__).resolve().parents[2] / "shared" / "bench" / "wiring_ovn.py"


class Bench:
    def __init__(self) -> None:
        self.api = LAB.api()
        self.node = LAB.node()
        self.database = f"--db=unix:{self.node['ovs_run_dir']}/db.sock"
        self.serial = 0
        network = self.api.request("POST", "/v2.0/networks", {"network": {"name": "bench"}})["network"]
        self.network = network["id"]
        subnet = {"network_id": self.network, "ip_version": 4, "cidr": "10.0.0.0/16"}
        self.api.request("POST", "/v2.0/subnets", {"subnet": subnet})

    def make(self, count: int) -> list[dict[str, Any]]:
        return make_ports(self.api, [{"network_id": self.network, "binding:host_id": "hv1"} for _ in range(count)])

    def plug(self, ports: list[dict[str, Any]]) -> None:
        words: list[str] = []
        for port in ports:
            self.serial += 1
            words += add_port(f"b{self.serial}", port)
        subprocess.run(["ovs-vsctl", self.database, *words[1:]], check=True)

    def unplug(self, ports: list[dict[str, Any]]) -> None:
        """The last ones: so that as many are there at the restart as OVN has at its own."""
        names = range(self.serial - len(ports) + 1, self.serial + 1)
        words = [word for number in names for word in ("--", "del-port", "br-int", f"b{number}")]
        subprocess.run(["ovs-vsctl", self.database, *words[1:]], check=True)
        for port in ports:
            self.api.request("DELETE", f"/v2.0/ports/{port['id']}")

    def until_active(self, ports: list[dict[str, Any]], deadline: float) -> None:
        if len(ports) == 1:
            path = f"/v2.0/ports/{ports[0]['id']}?fields=status"
            while self.api.request("GET", path)["port"]["status"] != "ACTIVE":
                check(deadline, "ACTIVE")
            return
        path = f"/v2.0/ports?network_id={self.network}&status=DOWN&fields=id&limit=1"
        while self.api.request("GET", path)["ports"]:
            check(deadline, "ACTIVE")

    async def flow_times(self, count: int) -> list[float]:
        """ms from before the plug until the port's flows are there, asked by their cookie over one open connection."""
        from netweft.dataplane.openflow.client import OpenFlowConnection
        from netweft.services.fields import OBJECT_MASK, object_bits

        connection = await OpenFlowConnection.connect(Path(self.node["ovs_run_dir"], "br-int.mgmt"))
        times, plugged = [], []
        for _ in range(count):
            ports = self.make(1)
            deadline = time.monotonic() + 30
            start = time.perf_counter()
            self.plug(ports)
            own = object_bits(ports[0]["id"])
            while not await connection.dump_flows(own, OBJECT_MASK):
                check(deadline, "in the flows")
            times.append(1e3 * (time.perf_counter() - start))
            plugged += ports
        await connection.close()
        self.unplug(plugged)
        return times


def singles(bench: Bench, count: int) -> list[Row]:
    vsctl, active = [], []
    for _ in range(count):
        ports = bench.make(1)
        start = time.perf_counter()
        bench.plug(ports)
        vsctl.append(1e3 * (time.perf_counter() - start))
        bench.until_active(ports, time.monotonic() + 30)
        active.append(1e3 * (time.perf_counter() - start))
    flows = asyncio.run(bench.flow_times(count))
    return [
        Row("plug one, ovs-vsctl alone, p50", percentile(vsctl, 50), "ms"),
        Row("plug one, until flows, p50", percentile(flows, 50), "ms"),
        Row("plug one, until flows, p95", percentile(flows, 95), "ms"),
        Row("plug one, until ACTIVE, p50", percentile(active, 50), "ms", 20, peers="OVN 23, Neutron 1,540"),
        Row("plug one, until ACTIVE, p95", percentile(active, 95), "ms", 30, peers="OVN 29, Neutron 2,930"),
    ]


def burst(bench: Bench, count: int) -> Row:
    ports = bench.make(count)
    start = time.perf_counter()
    bench.plug(ports)
    bench.until_active(ports, time.monotonic() + 60)
    seconds = time.perf_counter() - start
    return Row(f"burst of {count} by one ovs-vsctl, all ACTIVE", seconds, "s", 0.7, peers="OVN 0.73, Neutron 50")


def restart(bench: Bench) -> list[Row]:
    """Kills the agent under a ping between two VMs; in sync: it answers, and would change nothing."""
    for name in ("one", "two"):
        LAB("vm", "add", name, "--node", "hv1", "--network", bench.network)
    vms = {vm["name"]: vm for vm in LAB.status()["vms"]}
    address = vms["two"]["addresses"][0].split("/")[0]
    command = [
        NETWEFT,
        "lab",
        "vm",
        "exec",
        "one",
        "--name",
        LAB.name,
        "--",
        "ping",
        "-q",
        "-i",
        "0.01",
        "-c",
        "500",
        address,
    ]
    ping = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    old = LAB.pid_of("agent")
    os.kill(old, signal.SIGKILL)
    killed = time.perf_counter()
    now = until_in_sync(bench.node["agent_socket"], other=old)
    took = age(LAB.pid_of("agent")) - (time.perf_counter() - now)
    summary = ping.communicate(timeout=60)[0]
    sent, received = (int(number) for number in re.findall(r"(\d+) packets transmitted, (\d+) received", summary)[0])
    return [
        Row(
            "agent killed, restarted: from its start until in sync",
            took,
            "s",
            0.7,
            peers="OVN 0.26, Neutron 14",
        ),
        Row("agent killed, restarted: from the kill until in sync", now - killed, "s"),
        Row("packets lost meanwhile, of 500 at 100/s", sent - received, "", 0),
    ]


def ovn(singles: int, burst: int) -> list[Row]:
    """OVN doing the same work here, in this run; nothing where its packages or the instrument are missing."""
    if not (OVN_INSTRUMENT.exists() and shutil.which("ovn-controller")):
        print("bench: OVN is not measured: it takes the packages ovn-central and ovn-host", file=sys.stderr)
        return []
    command = [sys.executable, str(OVN_INSTRUMENT), "--singles", str(singles), "--bursts", str(burst), "--restart"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    said = {entry["measure"]: entry for entry in map(json.loads, lines)}
    single, restarted = said["single active"], said["restart until hv in sync"]
    return [
        Row("OVN: plug one, ovs-vsctl alone, p50", 1e3 * said["single ovs_vsctl"]["p50_s"], "ms"),
        Row("OVN: plug one, until up, p50", 1e3 * single["p50_s"], "ms"),
        Row("OVN: plug one, until up, p95", 1e3 * single["p95_s"], "ms"),
        Row(f"OVN: burst of {burst}, all up", said[f"burst {burst}"]["active"], "s"),
        Row(f"OVN: controller restarted with {restarted['ports']} ports, until in sync", restarted["s"], "s"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--singles", type=int, default=50)
    parser.add_argument("--burst", type=int, default=200)
    parser.add_argument("--json", type=Path, help="append the rows to this file")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    LAB.up()
    try:
        bench = Bench()
        rows = singles(bench, options.singles)
        rows.append(burst(bench, options.burst))
        rows += restart(bench)
        rows.append(Row("agent resident", resident_mb(LAB.pid_of("agent")), "MB", 80, peers="Neutron 334"))
        rows.append(Row("server resident", resident_mb(LAB.pid_of("server")), "MB", 150, peers="Neutron 1,500"))
    finally:
        LAB("down")
    rows += ovn(options.singles, options.burst)
    print_table("Wiring, one hypervisor, userspace datapath", rows, options.json)


if __name__ == "__main__":
    main()
