#!/usr/bin/env python3
"""What firewalls cost: `bench/firewalls.py` prints a table.  Needs root.

    routed     TCP from a VM to one on another hypervisor, past the firewall of the router's port there, Gbit/s
    outside    likewise from a host outside, by a floating IP
    in force   before a rule is changed over the API until the first packet passes that it now allows
    inserted   likewise before a rule is put before all others

with so many rules, of which the last lets the packets through; and with a rule before it that denies an address group
of 10,000 prefixes.  Medians of rounds in turns; hypervisors, server and senders share this machine's processors.
"""

import argparse
import os
import socket
import sys
import threading
import time
from collections import defaultdict
from ipaddress import ip_address
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.netns import sockets
from tests.netns.harness import Lab
from tests.netns.l3.test_matrix import End, Scene

from netweft.lab import build

PREFIXES, AT_ONCE, SECONDS, CHUNK = 10_000, 1000, 1.5, bytes(1 << 16)
IN_A_REQUEST = 100  # rules
LISTED = f"deny list of {PREFIXES}"


class Bench(Scene):
    """red2 is behind the firewall."""

    def __init__(self, lab: Lab, sizes: list[int]) -> None:
        cloud = lab.cloud()
        super().__init__(lab, cloud)
        project = cloud.list("networks", id=self.external)[0]["project_id"]
        cloud.request("PUT", f"quotas/{project}", {"quota": {"firewall_rule": -1, "firewall_policy": -1}})
        self.floating_ip = self.floating(self.red2)
        self._ports = iter(range(20000, 60000))
        self.allow = self._make("rule", action="allow", protocol="tcp")
        self.changed = self._make("rule", action="allow", protocol="udp", destination_port="1")
        self.first = self._make("rule", action="allow", protocol="udp", destination_port="2")
        others = self._others(max(sizes))
        start = int(ip_address("100.64.0.0"))
        prefixes = [f"{ip_address(start + 4 * at)}/30" for at in range(PREFIXES)]
        listed = cloud.create("address_groups", addresses=prefixes[:AT_ONCE])["id"]
        for more in range(AT_ONCE, PREFIXES, AT_ONCE):
            cloud.act("address-groups", listed, "add_addresses", {"addresses": prefixes[more : more + AT_ONCE]})
        denied = self._make("rule", action="deny", **{"netweft:source_address_group_id": listed})
        rules = {f"{size} rules": [*others[:size], self.changed, self.allow] for size in sizes}
        rules[LISTED] = [denied, self.changed, self.allow]
        self.policies = {name: self._make("policy", name=name, firewall_rules=its) for name, its in rules.items()}
        self.group = self._make("group", ports=self._router_ports(), egress_firewall_policy_id=self._open())

    def _open(self) -> str:
        return self._make("policy", firewall_rules=[self._make("rule", action="allow", ip_version=4)])

    def _others(self, count: int) -> list[str]:
        wanted = [_other(number) for number in range(count)]
        found: list[str] = []
        for at in range(0, count, IN_A_REQUEST):
            body = {"firewall_rules": wanted[at : at + IN_A_REQUEST]}
            made = self.cloud.request("POST", "fwaas/firewall_rules", body)
            found += [str(one["id"]) for one in made["firewall_rules"]]
        return found

    def _make(self, kind: str, **attributes: object) -> str:
        name = "firewall_policies" if kind == "policy" else f"firewall_{kind}s"
        made = self.cloud.request("POST", f"fwaas/{name}", {f"firewall_{kind}": attributes})
        return str(made[f"firewall_{kind}"]["id"])

    def _router_ports(self) -> list[str]:
        red = self.cloud.find("ports", self.ports[self.red2.name])["network_id"]
        ports = self.cloud.list("ports", device_id=self.router["id"], device_owner="network:router_interface")
        return [port["id"] for port in ports if port["network_id"] == red]

    def use(self, name: str) -> None:
        body = {"firewall_group": {"ingress_firewall_policy_id": self.policies[name]}}
        self.cloud.request("PUT", f"fwaas/firewall_groups/{self.group}", body)
        self.in_force()

    def in_force(self) -> float:
        """ms until a changed rule lets through what it now allows."""
        port = next(self._ports)
        body = {"firewall_rule": {"destination_port": str(port)}}
        return self._until_heard(port, lambda: self.cloud.request("PUT", f"fwaas/firewall_rules/{self.changed}", body))

    def inserted(self, name: str) -> float:
        """ms until a rule that is new at the head does."""
        port, path = next(self._ports), f"fwaas/firewall_policies/{self.policies[name]}"
        self.cloud.request(
            "PUT", f"fwaas/firewall_rules/{self.first}", {"firewall_rule": {"destination_port": str(port)}}
        )
        body = {"firewall_rule_id": self.first, "insert_after": "", "insert_before": ""}
        taken = self._until_heard(port, lambda: self.cloud.request("PUT", f"{path}/insert_rule", body))
        self.cloud.request("PUT", f"{path}/remove_rule", {"firewall_rule_id": self.first})
        return taken

    def _until_heard(self, port: int, change: Any) -> float:
        hearing, saying = sockets.udp(self.red2.namespace, 4, port), sockets.udp(self.blue1.namespace, 4)
        hearing.setblocking(True)
        hearing.settimeout(20)
        over, heard = threading.Event(), [0.0]

        def say() -> None:
            while not over.wait(0.001):
                saying.sendto(b"?", (self.red2.addresses[4], port))

        def hear() -> None:
            hearing.recv(10)
            heard[0] = time.monotonic()

        threads = [threading.Thread(target=run) for run in (say, hear)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        start = time.monotonic()
        change()
        threads[1].join()
        over.set()
        threads[0].join()
        hearing.close()
        saying.close()
        return (heard[0] - start) * 1000

    def throughput(self, frm: End, address: str) -> float:
        """Gbit/s."""
        port = next(self._ports)
        server, client = sockets.tcp(self.red2.namespace, 4, port), sockets.tcp(frm.namespace, 4)
        server.settimeout(10)
        got = [0]

        def take() -> None:
            conn, _ = server.accept()
            with conn:
                while data := conn.recv(1 << 20):
                    got[0] += len(data)

        thread = threading.Thread(target=take)
        thread.start()
        client.settimeout(10)
        client.connect((address, port))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            client.sendall(CHUNK)
        client.shutdown(socket.SHUT_WR)
        thread.join()
        client.close()
        server.close()
        return got[0] * 8 / SECONDS / 1e9


def _other(number: int) -> dict[str, Any]:
    source = f"198.18.{number // 256}.{number % 256}"
    return {
        "action": "deny",
        "protocol": "tcp",
        "source_ip_address": source,
        "destination_port": str(10_000 + number),
    }


def measure(bench: Bench, rounds: int) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in bench.policies}
    for _ in range(rounds):
        for name, figures in found.items():
            bench.use(name)
            figures["routed"].append(bench.throughput(bench.blue1, bench.red2.addresses[4]))
            figures["outside"].append(bench.throughput(bench.outside, bench.floating_ip))
            figures["in force"] += [bench.in_force() for _ in range(5)]
            figures["inserted"] += [bench.inserted(name) for _ in range(2)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10,1000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    lab = Lab("benchfw")
    build.down(lab.layout)
    build.up(lab.layout, build.Plan(nodes=2))
    try:
        found = measure(Bench(lab, [int(size) for size in options.sizes.split(",")]), options.rounds)
    finally:
        build.down(lab.layout)
    print("| firewall | routed Gbit/s | outside Gbit/s | in force ms | inserted ms |\n| --- | --- | --- | --- | --- |")
    for name, figures in found.items():
        middle = [median(figures[what]) for what in ("routed", "outside", "in force", "inserted")]
        print(f"| {name} | {middle[0]:.2f} | {middle[1]:.2f} | {middle[2]:.1f} | {middle[3]:.1f} |")


if __name__ == "__main__":
    main()
