#!/usr/bin/env python3
"""Load balancers in flows: `bench/load_balancers.py` prints a table.  Needs root, and iperf3.

    bulk, new connections   to a member on the other hypervisor, directly and by a VIP, in turns
    spread                  10,000 connections over 10 equal members: the most that one had, beside its share
    create                  one request with a listener, a pool and 10 members: until it is ACTIVE, and until a client
                            that tries without end has its first answer
    change                  of 2 members, and of 10, the one with most connections gets no more, and another one does:
                            until new connections go there
    requests                HTTP by `wrk`, to a server directly and by two HAProxies
    weight                  flows of the client's hypervisor, and what its agent, its vswitchd and the server hold
    OVN                     with --ovn: the same of OVN's load balancer, as far as it has it, in the same run

--balancers: how many others there are on the clients' network meanwhile.  --only: some of these parts.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any

import balanced_ovn
from balanced import BULK, CONNECT, DIRECT, MANY, Stand, said_at
from hypervisors import resident_mb
from table import Row, percentile, print_table

from netweft.lab import build, processes, vm
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, run
from netweft.lab.layout import Layout
from netweft.lab.vm import Vm

LAB = f"lb{uuid.uuid4().hex[:4]}"
SPREAD = 10_000
WEB = 8100
WEB_SERVER = f"""
defaults
    mode http
    timeout client 30s
frontend web
    bind :{WEB}
    http-request return status 200 content-type text/plain string ok
"""


class Bench(Stand):
    def __init__(self, layout: Layout, stack: ExitStack) -> None:
        self.layout, self.cloud = layout, stack.enter_context(Cloud(layout))
        self.network = self.cloud.create("networks", name="blue")["id"]
        self.subnet = self.cloud.create("subnets", network_id=self.network, cidr="10.80.0.0/16", ip_version=4)["id"]
        for group in self.cloud.list("security-groups", name="default"):
            mine = {"loadbalancer": -1, "listener": -1, "pool": -1, "member": -1}
            self.cloud.balancing("PUT", f"quotas/{group['project_id']}", {"quota": mine})
            self.cloud.request("PUT", f"quotas/{group['project_id']}", {"quota": {"port": -1}})
            self.cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress")
        self._vm("client", "hv1")
        super().__init__(stack, self._vm("server", "hv2").nic.address)

    def _vm(self, name: str, node: str) -> Vm:
        described = vm.describe(self.cloud, self.layout, name=name, node=node, kind="netns", port="", network="blue")
        return vm.create(self.cloud, self.layout, described)

    def inside(self, machine: str, *words: str) -> Sequence[str]:
        return in_namespace(self.layout.vm_namespace(machine), *words)

    def free_vip(self, number: int) -> str:
        return f"10.80.200.{number + 1}"

    def create(
        self, *members: tuple[str, int], port: int = 80, vip: str = "", protocol: str = "TCP"
    ) -> tuple[str, str]:
        ends = [{"address": address, "protocol_port": at} for address, at in members]
        pool = {"name": "pool", "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": ends}
        listener = {"protocol": protocol, "protocol_port": port, "default_pool": pool}
        wanted = {"vip_subnet_id": self.subnet, "listeners": [listener]} | ({"vip_address": vip} if vip else {})
        found: dict[str, Any] = self.cloud.balancing("POST", "loadbalancers", {"loadbalancer": wanted})["loadbalancer"]
        return found["id"], found["vip_address"]

    def active(self, id: str) -> None:
        while self.cloud.balancing("GET", f"loadbalancers/{id}")["loadbalancer"]["provisioning_status"] != "ACTIVE":
            time.sleep(0.002)

    def weigh(self, id: str, pool: str, weights: Mapping[str, int], members: Sequence[Mapping[str, Any]]) -> None:
        """All of a pool's members, by one request.  The balancer is ACTIVE."""
        wanted = [
            {"address": one["address"], "protocol_port": one["protocol_port"], "weight": weights[one["id"]]}
            for one in members
        ]
        self.cloud.balancing("PUT", f"pools/{pool}/members", {"members": wanted})

    def delete(self, id: str) -> None:
        self.cloud.balancing("DELETE", f"loadbalancers/{id}?cascade=true")


def throughput(bench: Stand, rounds: int) -> Iterator[Row]:
    (bulk, by_bulk), (fresh, by_fresh) = (
        bench.create((bench.address, BULK), port=BULK),
        bench.create((bench.address, MANY[0])),
    )
    for one in (bulk, fresh):
        bench.active(one)
    ways = {"direct": (bench.address, DIRECT), "VIP": ("", 80)}
    gbits: dict[str, list[float]] = {way: [] for way in ways}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for way, (address, port) in ways.items():
            said = json.loads(bench.ask("iperf3", "-c", address or by_bulk, "-t", "2", "-J"))
            done = bench.ask(sys.executable, "-c", CONNECT, address or by_fresh, port, 1_000_000, 2)
            if turn:
                gbits[way].append(said["end"]["sum_received"]["bits_per_second"] / 1e9)
                rates[way].append(int(done) / 2)
    ratio = median(own / direct for own, direct in zip(gbits["VIP"], gbits["direct"], strict=True))
    yield Row("TCP in bulk by a VIP", ratio, "of direct", 0.9, higher=True)
    for way in ways:
        yield Row(f"TCP in bulk, {way}", median(gbits[way]), "Gbit/s")
        yield Row(f"new connections, one after the other, {way}", median(rates[way]), "/s")
    for one in (bulk, fresh):
        bench.delete(one)


def spread(bench: Stand) -> Row:
    made, vip = bench.create(*((bench.address, port) for port in MANY))
    bench.active(made)
    bench.ask(sys.executable, "-c", CONNECT, vip, 80, 10, 60)
    bench.counts()
    bench.ask(sys.executable, "-c", CONNECT, vip, 80, SPREAD, 600)
    counts = bench.counts()
    bench.delete(made)
    return Row(f"spread of {sum(counts)}", max(abs(one * len(counts) / sum(counts) - 1) for one in counts), "off", 0.1)


def creation(bench: Stand, times: int, protocol: str = "TCP") -> Iterator[Row]:
    active, answered = [], []
    for number in range(times):
        vip = bench.free_vip(number)
        with bench.trying(vip, "8" if protocol == "TCP" else "HTTP") as trying:
            start = time.time()
            made, _ = bench.create(*((bench.address, port) for port in MANY), vip=vip, protocol=protocol)
            bench.active(made)
            active.append((time.time() - start) * 1e3)
            answered.append((said_at(trying) - start) * 1e3)
        bench.delete(made)
    for what, values, bar in (("ACTIVE", active, None), ("first answer", answered, 100)):
        yield Row(f"{protocol}, create with 10 members: {what}, p50", median(values), "ms", bar)
        yield Row(f"{protocol}, create with 10 members: {what}, p95", percentile(values, 95), "ms", bar and 200)


def requests(bench: Stand, rounds: int) -> Iterator[Row]:
    """HTTP/1.1 by `wrk`, 32 connections that stay, from a HAProxy that stands for a web server."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "web.cfg"
        config.write_text(WEB_SERVER)
        web = bench.serve("haproxy", "-db", "-f", str(config))
        try:
            made, vip = bench.create((bench.address, WEB), protocol="HTTP")
            bench.active(made)
            rates: dict[str, list[float]] = {"direct": [], "by two HAProxies": []}
            for turn in range(rounds + 1):
                for way, url in zip(rates, (f"http://{bench.address}:{WEB}/", f"http://{vip}/"), strict=True):
                    said = bench.ask("wrk", "-t1", "-c32", "-d3s", url)
                    if turn:
                        rates[way].append(float(said.partition("Requests/sec:")[2].split()[0]))
            bench.delete(made)
        finally:
            web.kill()
    for way, found in rates.items():
        yield Row(f"HTTP requests, {way}", median(found), "/s")


def change(bench: Bench, times: int) -> Iterator[Row]:
    """The member that had most of a pool's connections gets none, and another one as many: nearly all slots change."""
    for count in (2, len(MANY)):
        made, vip = bench.create(*((bench.address, port) for port in MANY[:count]))
        bench.active(made)
        (pool,) = bench.cloud.balancing("GET", f"pools?loadbalancer_id={made}")["pools"]
        members = bench.cloud.balancing("GET", f"pools/{pool['id']}/members")["members"]
        took = []
        for turn in range(2 * times + 1):
            leaves, comes = members[turn % 2], members[1 - turn % 2]
            weights = dict.fromkeys((one["id"] for one in members), 1) | {leaves["id"]: 0, comes["id"]: 100}
            if not turn:
                bench.weigh(made, pool["id"], weights, members)
            else:
                with bench.trying(vip, str(comes["protocol_port"])) as trying:
                    start = time.time()
                    bench.weigh(made, pool["id"], weights, members)
                    took.append((said_at(trying) - start) * 1e3)
            bench.active(made)
            time.sleep(0.1)
        bench.delete(made)
        for what, value, bar in (("p50", median(took), 30), ("p95", percentile(took, 95), None)):
            yield Row(f"change among {count} members: PUT to the first connection elsewhere, {what}", value, "ms", bar)


def weight(bench: Bench) -> Iterator[Row]:
    node = build.node_of(bench.layout, "hv1")
    said = run("ovs-ofctl", "-OOpenFlow15", "dump-aggregate", f"unix:{node.ovs}/br-int.mgmt")
    yield Row("flows of br-int, client's hypervisor", int(said.partition("flow_count=")[2].split()[0]), "")
    for one in sorted(processes.supervised(bench.layout.lab), key=lambda one: one.kind):
        if one.kind == "server" or (one.kind in ("agent", "ovs-vswitchd") and one.node == "hv1"):
            yield Row(f"resident memory, {one.kind}", resident_mb(one.pid), "MB")


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
    parser.add_argument(
        "--only", type=lambda said: said.split(","), help="bulk,spread,create,change,requests,http,weight"
    )
    parser.add_argument("--ovn", action="store_true", help="OVN's beside them, where it is installed")
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
            parts: dict[str, Callable[[], Iterable[Row]]] = {
                "bulk": lambda: throughput(bench, options.rounds),
                "spread": lambda: [spread(bench)],
                "create": lambda: creation(bench, options.times),
                "change": lambda: change(bench, options.times // 2),
                "requests": lambda: requests(bench, options.rounds),
                "http": lambda: creation(bench, options.times, "HTTP"),
                "weight": lambda: weight(bench),
            }
            for name in options.only or parts:
                rows += told(parts[name]())
            print_table(f"Load balancers, beside {options.balancers} others", rows)
    if options.ovn and balanced_ovn.is_there():
        with balanced_ovn.stand() as other:
            found = [*throughput(other, options.rounds), spread(other), *creation(other, options.times)]
        print_table("OVN's load balancer", list(told(found)))


if __name__ == "__main__":
    main()
