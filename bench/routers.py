#!/usr/bin/env python3
"""How soon a router carries packets: `bench/routers.py` prints a table.  Needs root.

    interface      before add_router_interface until the first routed packet arrives, on another hypervisor
    floating IP    before it is associated until the first packet from outside arrives at the VM; outside asks by ARP

beside so many other routers, each with a network, a wired port, a gateway and a floating IP, spread over the nodes; and
beside as many networks with a wired port each before they have routers: in the userspace datapath ovs-vswitchd asks
each of a node's ports for each packet that comes, whatever leads to them.
Medians; what one of the others has in flows, and what an agent needs that is killed among them.  "Busy" is processor
time of hv1's process meanwhile.  Three hypervisors share this machine's processors: they are told to be patient with
each other (`--bfd-interval`), or gateways move while all of them are made at once.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from hypervisors import BULK, add_port, busy_ms, check, until_in_sync
from table import percentile, print_sizes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.netns import frames
from tests.netns.harness import Inside, Lab

from netweft.lab import build, host
from netweft.lab.cloud import Cloud
from netweft.lab.host import Host
from netweft.lab.vm import Vm

KNOCK = Path(__file__).with_name("knock.py")
SIZES = (0, 100)
EXTERNAL, OUTSIDE = "172.24.0.0/16", "172.24.0.1"
BRIDGES = ("br-int", "br-tun", "br-ex")
Figures = dict[str, float]


class Scene:
    """`one` on hv1, on a router's network; `two` on hv2, on a network that is to be; a host outside."""

    def __init__(self, lab: Lab, nodes: int) -> None:
        self.lab, self.nodes, self.others, self.taps = lab, [f"hv{n}" for n in range(1, nodes + 1)], 0, 0
        self.subnets: list[dict[str, Any]] = []  # of networks that are there besides
        self.ports: list[dict[str, Any]] = []
        self.cloud = Cloud(lab.layout)
        blue, self.red = lab.network("10.70.0.0/24"), lab.network("10.71.0.0/24")
        group = self.cloud.list("security-groups", name="default")[0]
        names = ("network", "subnet", "port", "router", "floatingip", "security_group_rule")
        self.cloud.request("PUT", f"quotas/{group['project_id']}", {"quota": dict.fromkeys(names, -1)})
        self.cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", protocol="udp")
        flat = {"provider:network_type": "flat", "provider:physical_network": "public", "router:external": True}
        self.external = self.cloud.create("networks", name="outside", **flat)["id"]
        outside = {"network_id": self.external, "cidr": EXTERNAL, "ip_version": 4, "gateway_ip": OUTSIDE}
        self.cloud.create("subnets", enable_dhcp=False, **outside)
        host.add(lab.layout, Host(name="outside", physical_network="public", vlan=0, addresses=(f"{OUTSIDE}/16",)))
        self.router = self.router_of(blue)
        self.one, self.two = lab.add_vm("hv1", blue), lab.add_vm("hv2", self.red)
        self.floating = self.cloud.create("floatingips", floating_network_id=self.external)

    def router_of(self, network: str) -> str:
        router: str = self.cloud.create("routers", external_gateway_info={"network_id": self.external})["id"]
        subnet = self.cloud.list("subnets", network_id=network)[0]["id"]
        self.cloud.act("routers", router, "add_router_interface", {"subnet_id": subnet})
        return router

    def add_others(self, number: int) -> None:
        """A hundred with each request, as far as the API has such: a client that makes one after the other waits for
        each."""
        self.add_ports(number)
        for start in range(self.others, number, BULK):
            those = slice(start, min(start + BULK, number))
            self.lead_to(self.route(self.subnets[those], self.ports[those]))
            print(f"bench: {those.stop} others", file=sys.stderr)
        self.others = number
        self.until_wired()

    def add_ports(self, number: int) -> None:
        """With a network each, and wired."""
        for start in range(len(self.ports), number, BULK):
            self._add_ports(range(start, min(start + BULK, number)))
        self.until_wired()

    def until_wired(self) -> None:
        deadline = time.monotonic() + 300
        while self.cloud.list("ports", status="DOWN", fields="id", limit="1", device_owner=""):
            check(deadline, "all ACTIVE")
            time.sleep(0.1)
        self.until_quiet()

    def add(self, those: range) -> list[dict[str, Any]]:
        """Their ports, which are wired soon."""
        self._add_ports(those)
        return self.route(self.subnets[-len(those) :], self.ports[-len(those) :])

    def _add_ports(self, those: range) -> None:
        networks = self._made("networks", [{"name": f"other{at}"} for at in those])
        subnet = {"cidr": "10.0.0.0/24", "ip_version": 4}
        self.subnets += self._made("subnets", [{"network_id": network["id"], **subnet} for network in networks])
        where = [{"binding:host_id": self.nodes[at % len(self.nodes)]} for at in those]
        bound = [{"network_id": network["id"], **at} for network, at in zip(networks, where, strict=True)]
        ports = self._made("ports", bound)
        for node in self.nodes:
            self._plug(node, [port for port in ports if port["binding:host_id"] == node])
        self.ports += ports

    def route(self, subnets: list[dict[str, Any]], ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A router with a gateway for each of these subnets.  Returns the ports on them."""
        out = {"external_gateway_info": {"network_id": self.external}}
        routers = self._made("routers", [out for _ in subnets])
        for router, subnet in zip(routers, subnets, strict=True):
            self.cloud.act("routers", router["id"], "add_router_interface", {"subnet_id": subnet["id"]})
        return ports

    def lead_to(self, ports: list[dict[str, Any]]) -> None:
        """A floating IP to each."""
        for port in ports:
            self.cloud.create("floatingips", floating_network_id=self.external, port_id=port["id"])

    def _made(self, collection: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """In their order."""
        made: list[dict[str, Any]] = self.cloud.request("POST", collection, {collection: bodies})[collection]
        return made

    def _plug(self, node: str, ports: list[dict[str, Any]]) -> None:
        database = f"--db=unix:{self.lab.node(node).ovs}/db.sock"
        for start in range(0, len(ports), 100):
            words: list[str] = []
            for port in ports[start : start + 100]:
                self.taps += 1
                words += add_port(f"b{self.taps}", port)
            subprocess.run(["ovs-vsctl", database, *words[1:]], check=True)

    def until_quiet(self) -> None:
        for node in self.nodes:
            until_in_sync(f"{self.lab.node(node).folder}/agent.sock", seconds=300)

    def flows(self) -> int:
        return sum(len(self.lab.flows(node, bridge)) for node in self.nodes for bridge in BRIDGES)

    def busy(self) -> dict[str, float]:
        """ms, ever."""
        vswitchd = int((self.lab.node("hv1").ovs / "ovs-vswitchd.pid").read_text())
        pids = {"server": self.lab.pid("server"), "agent": self.lab.pid("agent", "hv1"), "ovs-vswitchd": vswitchd}
        return {name: busy_ms(pid) for name, pid in pids.items() if pid}


class Watch:
    """From `begin` until the first frame that is wanted.  took: ms; busy: ms of each process meanwhile."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.took, self.busy = scene, 0.0, scene.busy()

    def begin(self) -> None:
        self.busy, self._began = self.scene.busy(), time.perf_counter()

    def until(self, heard: Inside, wanted: Callable[[bytes], bool]) -> None:
        while not wanted(bytes.fromhex(heard.line())):
            pass
        self.took = 1e3 * (time.perf_counter() - self._began)
        self.busy = {of: spent - self.busy[of] for of, spent in self.scene.busy().items()}


def interface(scene: Scene, watch: Watch) -> None:
    """The router's MAC is known before, so nothing waits for ARP."""
    subnet = scene.cloud.list("subnets", network_id=scene.red)[0]
    there = {"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}
    port = scene.cloud.create("ports", network_id=scene.red, fixed_ips=[there])
    gateway = scene.cloud.list("ports", device_id=scene.router, device_owner="network:router_interface_distributed")
    gateway = gateway or scene.cloud.list("ports", device_id=scene.router, device_owner="network:router_interface")
    own, to = scene.one.nic, scene.two.nic
    sent = frames.udp4((own.mac, gateway[0]["mac_address"]), (own.address, to.address), b"routed")
    lab = scene.lab
    with lab.inside(scene.two, "capture") as heard, lab.inside(scene.one, "repeat", sent.hex()):
        time.sleep(0.2)
        watch.begin()
        scene.cloud.act("routers", scene.router, "add_router_interface", {"port_id": port["id"]})
        watch.until(heard, lambda frame: b"routed" in frame)
    scene.cloud.act("routers", scene.router, "remove_router_interface", {"port_id": port["id"]})


def floating(scene: Scene, watch: Watch) -> None:
    address = scene.floating["floating_ip_address"]
    knock = Inside.script(scene.lab.layout.host_namespace("outside"), KNOCK, "eth0", address)
    with scene.lab.inside(scene.one, "capture") as heard, knock:
        time.sleep(0.2)
        watch.begin()
        scene.cloud.update("floatingips", scene.floating["id"], {"port_id": scene.one.port_id})
        watch.until(heard, lambda frame: is_datagram(frame, scene.one))
    scene.cloud.update("floatingips", scene.floating["id"], {"port_id": None})


def is_datagram(frame: bytes, machine: Vm) -> bool:
    return frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[:6].hex(":") == machine.nic.mac


def restarted(scene: Scene) -> Figures:
    """An agent that was killed until it is in sync again, and packets lost meanwhile on the way out."""
    socket = f"{scene.lab.node('hv1').folder}/agent.sock"
    old = scene.lab.pid("agent", "hv1")
    assert old
    assert scene.lab.ping(scene.one, OUTSIDE)
    with scene.lab.inside(scene.one, "ping", OUTSIDE) as ping:
        began = time.perf_counter()
        os.kill(old, 9)
        took = until_in_sync(socket, other=old) - began
        busy = scene.busy()["agent"]
        ping.stop()
        return {
            "agent killed: in sync after, s": took,
            "agent killed: the new one busy, s": busy / 1e3,
            "agent killed: packets lost": ping.result()["lost"],
        }


def measured(scene: Scene, name: str, work: Callable[[Scene, Watch], None], rounds: int) -> Figures:
    watches = []
    for _ in range(rounds):
        watch = Watch(scene)
        work(scene, watch)
        watches.append(watch)
        scene.until_quiet()
    times = [one.took for one in watches]
    figures = {f"{name}: first packet after, p{part}, ms": percentile(times, part) for part in (50, 95)}
    return figures | {f"{name}: {of} busy, ms": median(one.busy[of] for one in watches) for of in watches[0].busy}


def measure(scene: Scene, sizes: list[int], rounds: int) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    bare = scene.flows()
    for size in sizes:
        if size:
            scene.add_ports(size)
            found[f"{size:,} ports"] = first_packets(scene, rounds)
        scene.add_others(size)
        here = {"flows on all nodes, one router with all of its": (scene.flows() - bare) / size} if size else {}
        found[f"{size:,}"] = here | first_packets(scene, rounds) | restarted(scene)
        print(f"bench: measured beside {size}", file=sys.stderr)
    return found


def first_packets(scene: Scene, rounds: int) -> Figures:
    of_interfaces = measured(scene, "interface added", interface, rounds)
    return of_interfaces | measured(scene, "floating IP associated", floating, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="beside how many other routers")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--bfd-interval", type=int, default=1000, help="ms, of the agents")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    lab = Lab("benchl3")
    build.down(lab.layout)
    build.up(lab.layout, build.Plan(nodes=options.nodes, bfd_interval=options.bfd_interval))
    try:
        found = measure(Scene(lab, options.nodes), [int(size) for size in options.sizes.split(",")], options.rounds)
    finally:
        build.down(lab.layout)
    print_sizes(f"Routers, on {options.nodes} hypervisors, beside so many others", found)


if __name__ == "__main__":
    main()
