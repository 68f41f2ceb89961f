#!/usr/bin/env python3
"""From a port's binding to the first frame through a physical switch: `bench/switches.py` prints a table.  Needs root.

    bound    a bare-metal port is bound; the machine on that switch port sends all the while: until its first answer
    100      so many ports are bound in one request: until the switch has all of their VLANs

The switch is an Open vSwitch of the lab's fabric, driven by OVSDB, by SSH through Debian's sshd, and by NETCONF through
Debian's netconfd, whose running configuration is put on it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from table import percentile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.netns.harness import Lab, new_name, until
from tests.netns.switches.netconf_switch import Carrier, netconf_switch
from tests.netns.switches.switches import Racks, sshd, vlan

from netweft.feed import devices
from netweft.lab import build, host
from netweft.lab.commands import in_namespace, run

MANY = 100
PORTS = tuple(f"p{number}" for number in range(MANY))


@contextmanager
def racks() -> Iterator[Racks]:
    lab = Lab(new_name())
    build.up(lab.layout, build.Plan(nodes=2))
    try:
        lab.let_strangers_in()
        found = Racks(lab)
        found.build()
        yield found
    finally:
        build.down(lab.layout)


class Machine:
    """On a switch port of its own; it asks a VM all the while, and needs to ask nobody where that is."""

    def __init__(self, racks: Racks) -> None:
        self.racks, self.lab = racks, racks.lab
        self.network = self.lab.network("10.30.0.0/16", **vlan(150))
        vm = self.lab.add_vm("hv2", self.network)
        self.address = vm.nic.address
        plain = host.Host(name="bm", physical_network="physnet1", vlan=1, addresses=("10.30.255.9/16",))
        host.add(self.lab.layout, plain)
        self.inside = self.lab.layout.host_namespace("bm")
        self.mac = run(*in_namespace(self.inside, "cat", "/sys/class/net/eth0/address")).strip()
        run("ip", "-n", self.inside, "neigh", "replace", self.address, "lladdr", vm.nic.mac, "dev", "eth0")
        behind = self.lab.layout.vm_namespace(vm.name)
        run("ip", "-n", behind, "neigh", "replace", "10.30.255.9", "lladdr", self.mac, "dev", "eth0")
        racks.close("h-bm")
        with self.lab.cloud() as cloud:
            wanted: dict[str, object] = {"binding:vnic_type": "baremetal", "mac_address": self.mac}
            self.port = cloud.create("ports", network_id=self.network, **wanted)["id"]

    def bound(self) -> float:
        """ms"""
        link = {"switch_info": "tor1", "port_id": "h-bm"}
        profile = {"local_link_information": [link]}
        words = in_namespace(self.inside, "stdbuf", "-oL", "ping", "-n", "-D", "-i", "0.005", "-w", "30", self.address)
        with self.lab.cloud() as cloud, subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as ping:
            assert ping.stdout
            ping.stdout.readline()
            time.sleep(0.2)
            began = time.time()
            cloud.update("ports", self.port, {"binding:host_id": "node-1", "binding:profile": profile})
            first = next(line for line in ping.stdout if "bytes from" in line)
            ping.terminate()
            cloud.update("ports", self.port, {"binding:host_id": ""})
        until(lambda: self.racks.vsctl("get", "Port", "h-bm", "tag") == "[]", "closed again")
        return 1e3 * (float(first[1 : first.index("]")]) - began)

    def many(self) -> float:
        """s"""

        def wanted(name: str) -> dict[str, object]:
            link = {"switch_info": "tor1", "port_id": name}
            return {
                "network_id": self.network,
                "binding:vnic_type": "baremetal",
                "binding:host_id": "node-1",
                "binding:profile": {"local_link_information": [link]},
            }

        with self.lab.cloud() as cloud:
            began = time.monotonic()
            made = cloud.request("POST", "ports", {"ports": [wanted(name) for name in PORTS]})["ports"]
            until(lambda: self._on(150) >= MANY, "all there")
            seconds = time.monotonic() - began
            for one in made:
                cloud.delete("ports", one["id"])
        until(lambda: self._on(150) == 0, "all gone")
        return seconds

    def _on(self, vid: int) -> int:
        return len(self.racks.vsctl("--bare", "--columns=name", "find", "Port", f"tag={vid}").split())


def measure(machine: Machine, how: str, rounds: int) -> None:
    time.sleep(2 * devices.LOOK_SECONDS)  # what was described has been looked at
    until(lambda: machine.racks.plan("switch:tor1") == "", "the switch is known")
    times = [machine.bound() for _ in range(rounds)]
    batches = [machine.many() for _ in range(3)]
    figures: dict[str, Callable[[], float]] = {
        "bound → first frame, ms, p50": lambda: percentile(times, 50),
        "bound → first frame, ms, p95": lambda: percentile(times, 95),
        f"{MANY} ports, s": lambda: percentile(batches, 50),
    }
    for name, figure in figures.items():
        print(f"| {how} | {name} | {figure():.3g} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--by", choices=("ovsdb", "ssh", "netconf"), help="one of them only")
    given = parser.parse_args()
    rounds: int = given.rounds
    print("| switch by | figure | |\n|---|---|--:|")
    with racks() as found, tempfile.TemporaryDirectory() as folder:
        words = [w for name in PORTS for w in ("--", "add-port", "switch1", name, "vlan_mode=trunk", "trunks=4095")]
        words += [w for name in PORTS for w in ("--", "set", "Interface", name, "type=internal")]
        found.vsctl(*words[1:])
        found.describe()
        machine = Machine(found)
        if given.by in (None, "ovsdb"):
            measure(machine, "OVSDB", rounds)
        if given.by in (None, "ssh"):
            with sshd(Path(folder), found.lab.layout.fabric.ovs) as login:
                found.describe(tor1=login)
                measure(machine, "SSH", rounds)
        if given.by in (None, "netconf"):
            ports = ("hv1-1", "up1", "h-bm", *PORTS)
            own = Path(folder, "netconf")
            own.mkdir()
            with netconf_switch(own, found.lab.layout.fabric.ovs, ports) as device:
                carrier = Carrier(device, found.carry)
                carrier.start()
                found.describe(tor1=device.login)
                measure(machine, "NETCONF", rounds)
                carrier.stop()


if __name__ == "__main__":
    main()
