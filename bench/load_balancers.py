#!/usr/bin/env python3
"""Load balancers in flows: `bench/load_balancers.py` prints a table.  Needs root, and iperf3.

    bulk, new connections   to a member on the other hypervisor, directly and by a VIP, in turns
    spread                  10,000 connections over 10 equal members: the most that one had, beside its share
    create                  one request with a listener, a pool and 10 members: until it is ACTIVE, and until a client
                            that tries without end has its first answer
    change                  a member's weight becomes 0 and another's 1: until new connections go there

--balancers: how many others there are on the clients' network meanwhile.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from statistics import median
from typing import Any

from table import Row, percentile, print_table

from netweft.lab import build, vm
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace
from netweft.lab.layout import Layout
from netweft.lab.vm import Vm

LAB = f"lb{uuid.uuid4().hex[:4]}"
BULK, MANY = 5201, range(8000, 8010)
DIRECT = (
    7000  # no member's: a client that uses one port to the VIP and to its member has its answers taken for the VIP's
)
SPREAD = 10_000
SERVE = """
import json, socket, sys, threading
counts = dict.fromkeys(range(8000, 8010), 0)
def accept(port):
    server = socket.create_server(("", port), backlog=4096)
    while True:
        one = server.accept()[0]
        if port in counts:
            counts[port] += 1
        one.sendall(b"%d" % port)
        one.recv(1)  # the client closes first: TIME_WAIT is where the VIP and a member are told apart
        one.close()
for port in (*counts, DIRECT):
    threading.Thread(target=accept, args=(port,), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(list(counts.values())), flush=True)
    counts.update(dict.fromkeys(counts, 0))
"""
CONNECT = """
import socket, sys, time
address, port, most, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
done, end = 0, time.monotonic() + seconds
while done < most and time.monotonic() < end:
    with socket.create_connection((address, port), timeout=5) as one:
        one.recv(10)
    done += 1
print(done)
"""
UNTIL = """
import socket, sys, time
address, port, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
print("ready", flush=True)
while True:
    with socket.socket() as one:
        one.settimeout(0.02)
        try:
            one.connect((address, port))
            if wanted in one.recv(10):
                break
        except OSError:
            time.sleep(0.001)
print(time.time(), flush=True)
"""


class Bench:
    def __init__(self, layout: Layout, stack: ExitStack) -> None:
        self.layout, self.cloud = layout, stack.enter_context(Cloud(layout))
        self.network = self.cloud.create("networks", name="blue")["id"]
        self.cloud.create("subnets", network_id=self.network, cidr="10.80.0.0/16", ip_version=4)
        for group in self.cloud.list("security-groups", name="default"):
            mine = {"loadbalancer": -1, "listener": -1, "pool": -1, "member": -1}
            self.cloud.balancing("PUT", f"quotas/{group['project_id']}", {"quota": mine})
            self.cloud.request("PUT", f"quotas/{group['project_id']}", {"quota": {"port": -1}})
            self.cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress")
        self.client, self.server = self._vm("client", "hv1"), self._vm("server", "hv2")
        self.address = self.server.nic.address
        self._serving = stack.enter_context(
            running(self.inside(self.server, sys.executable, "-c", SERVE.replace("DIRECT", str(DIRECT))))
        )
        stack.enter_context(running(self.inside(self.server, "iperf3", "-s", "--forceflush")))

    def _vm(self, name: str, node: str) -> Vm:
        described = vm.describe(self.cloud, self.layout, name=name, node=node, kind="netns", port="", network="blue")
        return vm.create(self.cloud, self.layout, described)

    def inside(self, machine: Vm, *words: str) -> Sequence[str]:
        return in_namespace(self.layout.vm_namespace(machine.name), *words)

    def ask(self, *words: object) -> str:
        command = self.inside(self.client, *map(str, words))
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def create(self, *members: tuple[str, int], port: int = 80) -> dict[str, Any]:
        ends = [{"address": address, "protocol_port": at} for address, at in members]
        pool = {"name": "pool", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "members": ends}
        listener = {"protocol": "TCP", "protocol_port": port, "default_pool": pool}
        wanted = {"vip_network_id": self.network, "listeners": [listener]}
        found: dict[str, Any] = self.cloud.balancing("POST", "loadbalancers", {"loadbalancer": wanted})["loadbalancer"]
        return found

    def active(self, id: str) -> None:
        while self.cloud.balancing("GET", f"loadbalancers/{id}")["loadbalancer"]["provisioning_status"] != "ACTIVE":
            time.sleep(0.002)

    def weigh(self, id: str, pool: str, weights: Mapping[str, int], members: Sequence[Mapping[str, Any]]) -> None:
        """All of a pool's members, by one request."""
        self.active(id)
        wanted = [
            {"address": one["address"], "protocol_port": one["protocol_port"], "weight": weights[one["id"]]}
            for one in members
        ]
        self.cloud.balancing("PUT", f"pools/{pool}/members", {"members": wanted})

    def delete(self, id: str) -> None:
        self.cloud.balancing("DELETE", f"loadbalancers/{id}?cascade=true")

    def counts(self) -> list[int]:
        assert self._serving.stdin
        assert self._serving.stdout
        self._serving.stdin.write("\n")
        self._serving.stdin.flush()
        found: list[int] = json.loads(self._serving.stdout.readline())
        return found

    @contextmanager
    def trying(self, vip: str, wanted: str) -> Iterator["subprocess.Popen[str]"]:
        with running(self.inside(self.client, sys.executable, "-c", UNTIL, vip, "80", wanted)) as found:
            yield found


@contextmanager
def running(command: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Once it has said something."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as found:
        assert found.stdout
        assert found.stdout.readline()
        try:
            yield found
        finally:
            found.kill()


def said_at(found: "subprocess.Popen[str]") -> float:
    assert found.stdout
    return float(found.stdout.readline())


def throughput(bench: Bench, rounds: int) -> Iterator[Row]:
    bulk, fresh = bench.create((bench.address, BULK), port=BULK), bench.create((bench.address, MANY[0]))
    for one in (bulk, fresh):
        bench.active(one["id"])
    ways = {"direct": (bench.address, DIRECT), "VIP": ("", 80)}
    gbits: dict[str, list[float]] = {way: [] for way in ways}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, (address, port) in ways.items():
            said = json.loads(bench.ask("iperf3", "-c", address or bulk["vip_address"], "-t", "2", "-J"))
            done = bench.ask(sys.executable, "-c", CONNECT, address or fresh["vip_address"], port, 1_000_000, 2)
            if turn:
                gbits[way].append(said["end"]["sum_received"]["bits_per_second"] / 1e9)
                rates[way].append(int(done) / 2)
    ratio = median(own / direct for own, direct in zip(gbits["VIP"], gbits["direct"], strict=True))
    yield Row("TCP in bulk by a VIP", ratio, "of direct", 0.9, higher=True)
    for way in ways:
        yield Row(f"TCP in bulk, {way}", median(gbits[way]), "Gbit/s")
        yield Row(f"new connections, one after the other, {way}", median(rates[way]), "/s")
    for one in (bulk, fresh):
        bench.delete(one["id"])


def spread(bench: Bench) -> Row:
    made = bench.create(*((bench.address, port) for port in MANY))
    bench.active(made["id"])
    bench.ask(sys.executable, "-c", CONNECT, made["vip_address"], 80, 10, 60)
    bench.counts()
    bench.ask(sys.executable, "-c", CONNECT, made["vip_address"], 80, SPREAD, 600)
    counts = bench.counts()
    bench.delete(made["id"])
    return Row(f"spread of {sum(counts)}", max(abs(one * len(counts) / sum(counts) - 1) for one in counts), "off", 0.1)


def creation(bench: Bench, times: int) -> Iterator[Row]:
    active, answered = [], []
    subnets = bench.cloud.list("subnets", network_id=bench.network)
    for number in range(times):
        vip = f"10.80.200.{number + 1}"
        members = [{"address": bench.address, "protocol_port": port} for port in MANY]
        pool = {"name": "pool", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "members": members}
        listener = {"protocol": "TCP", "protocol_port": 80, "default_pool": pool}
        wanted = {"vip_subnet_id": subnets[0]["id"], "vip_address": vip, "listeners": [listener]}
        with bench.trying(vip, "8") as trying:
            start = time.time()
            made = bench.cloud.balancing("POST", "loadbalancers", {"loadbalancer": wanted})["loadbalancer"]
            bench.active(made["id"])
            active.append((time.time() - start) * 1e3)
            answered.append((said_at(trying) - start) * 1e3)
        bench.delete(made["id"])
    for what, values, bar in (("ACTIVE", active, None), ("first answer", answered, 100)):
        yield Row(f"create with 10 members: {what}, p50", median(values), "ms", bar)
        yield Row(f"create with 10 members: {what}, p95", percentile(values, 95), "ms", bar and 200)


def change(bench: Bench, times: int) -> Iterator[Row]:
    made = bench.create(*((bench.address, port) for port in MANY[:2]))
    bench.active(made["id"])
    (pool,) = bench.cloud.balancing("GET", f"pools?loadbalancer_id={made['id']}")["pools"]
    members = bench.cloud.balancing("GET", f"pools/{pool['id']}/members")["members"]
    took = []
    for turn in range(2 * times):
        leaves, comes = members[turn % 2], members[1 - turn % 2]
        bench.weigh(made["id"], pool["id"], {leaves["id"]: 1, comes["id"]: 0}, members)
        bench.active(made["id"])
        time.sleep(0.1)
        with bench.trying(made["vip_address"], str(comes["protocol_port"])) as trying:
            start = time.time()
            bench.weigh(made["id"], pool["id"], {leaves["id"]: 0, comes["id"]: 1}, members)
            took.append((said_at(trying) - start) * 1e3)
    bench.active(made["id"])
    bench.delete(made["id"])
    yield Row("member change: PUT to the first connection elsewhere, p50", median(took), "ms", 30)
    yield Row("member change, p95", percentile(took, 95), "ms")


def told(rows: Iterable[Row]) -> Iterator[Row]:
    """At once: the table is there only when all is measured."""
    for row in rows:
        print(f"bench: {row.measure}: {row.value:.4g} {row.unit}", file=sys.stderr)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=20, help="of what is created and changed")
    parser.add_argument("--balancers", type=int, default=0, help="others, each with a listener and 10 members")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    layout = Layout(LAB)
    with ExitStack() as stack:
        stack.callback(build.down, layout)
        build.up(layout, build.Plan(nodes=2))
        with suppress(KeyboardInterrupt):
            bench = Bench(layout, stack)
            for _ in range(options.balancers):
                bench.create(*((bench.address, port) for port in MANY))
            rows: list[Row] = []
            for part in (
                lambda: throughput(bench, options.rounds),
                lambda: [spread(bench)],
                lambda: creation(bench, options.times),
                lambda: change(bench, options.times // 2),
            ):
                rows += told(part())
            print_table(f"Load balancers in flows, beside {options.balancers} others", rows)


if __name__ == "__main__":
    main()
