#!/usr/bin/env python3
"""What one more costs where there are 100, 1,000, 5,000 already: `bench/scale.py` prints tables.  Needs root.

    host      one hypervisor with so many wired ports, ten to a network
    network   one network and one group of so many ports over 50 nodes: one is real, the others are feed clients

One lab per table, which grows from size to size.  Of what one more costs it is the median of several; "busy" is
processor time, which other work on this machine changes less than the time until something is there.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import uvloop
from hypervisors import Lab, age, busy_ms, check, resident_mb, until_in_sync
from msgspec.structs import replace
from scene import SHAPES, Scene, Shape, Watch, peers
from table import percentile, print_sizes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.netns.forked import Forked
from tests.netns.harness import Inside

from netweft.lab import hypervisor, processes, supervisor
from netweft.lab.layout import Layout
from netweft.lab.supervisor import Command

HERE = Path(__file__).resolve().parent
SIZES = (100, 1000, 5000)
Figures = dict[str, float]


async def one_more(
    scene: Scene, what: str, rounds: int, act: Callable[[Watch], Awaitable[float]], *, active: bool = False
) -> Figures:
    """act: returns when it began.  Medians over the rounds; processor time is that of all rounds, by their number."""
    times, counts = [], []
    pids = scene.pids()
    async with Watch(scene.run_dir) as watch:
        before = {kind: busy_ms(pid) for kind, pid in pids.items()}
        for _ in range(rounds):
            watch.count = 0
            began = await act(watch)
            await watch.settled()
            times.append(1e3 * (watch.last - began))
            counts.append(watch.count)
        busy = {kind: (busy_ms(pid) - before[kind]) / rounds for kind, pid in pids.items()}
    figures = {f"{what}: until its last flow, ms": percentile(times, 50)}
    figures |= {f"{what}: flows written": percentile(counts, 50)}
    return figures | {f"{what}: {kind} busy, ms": value for kind, value in busy.items()}


async def wire_one_more(scene: Scene, rounds: int) -> Figures:
    vsctl: list[float] = []
    active: list[float] = []

    async def act(watch: Watch) -> float:
        number = len(scene.ports) - 1 if scene.shape.per_network else 0
        port = scene.make([{"network_id": scene.network_for(number), "binding:host_id": "hv1"}])[0]
        await asyncio.sleep(0.05)  # until the node has heard of it
        watch.count = 0
        began = time.perf_counter()
        await asyncio.to_thread(scene.plug, [port])
        vsctl.append(1e3 * (time.perf_counter() - began))
        await asyncio.to_thread(scene.until_active, port)
        active.append(1e3 * (time.perf_counter() - began))
        return began

    figures = await one_more(scene, "one port wired more", rounds, act)
    first = {
        "one port wired more: ovs-vsctl alone, ms": percentile(vsctl, 50),
        "one port wired more: until ACTIVE, ms": percentile(active, 50),
    }
    return first | figures


async def one_port_elsewhere(scene: Scene, rounds: int, what: str, network: str) -> Figures:
    async def act(_: Watch) -> float:
        began = time.perf_counter()
        port = {"network_id": network, "binding:host_id": "sim1"}
        await scene.request("POST", "/v2.0/ports", {"ports": [port]})
        return began

    return await one_more(scene, what, rounds, act)


async def one_peer_more(scene: Scene, rounds: int) -> Figures:
    return await one_port_elsewhere(scene, rounds, "one peer and member more", scene.network_for(0))


async def one_member_more(scene: Scene, rounds: int) -> Figures:
    """On a network that the measured node does not have."""
    return await one_port_elsewhere(scene, rounds, "one group member more", scene.apart)


async def one_rule_more(scene: Scene, rounds: int) -> Figures:
    ports = count(1000)

    async def act(_: Watch) -> float:
        port = len(scene.ports) + next(ports)
        rule = {"security_group_id": scene.group, "direction": "ingress", "protocol": "tcp", "ethertype": "IPv4"}
        rule |= {"port_range_min": port, "port_range_max": port}
        began = time.perf_counter()
        await scene.request("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})
        return began

    return await one_more(scene, "one rule more", rounds, act)


class Pings:
    """100 packets/s on each of these ways."""

    def __init__(self, vms: dict[str, Any], ways: list[tuple[str, str]]) -> None:
        self._running = []
        for source, target in ways:
            address = vms[target]["addresses"][0].split("/")[0]
            self._running.append(Inside(Forked(vms[source]["namespace"], ("ping", address))))

    def lost(self) -> tuple[int, int]:
        """How many, of how many."""
        results = [ping.result() for ping in self._running]
        return sum(result["lost"] for result in results), sum(result["sent"] for result in results)


def under_pings(scene: Scene, what: str, act: Callable[[int], None]) -> Figures:
    """act: ends the agent with this pid, so that another one starts."""
    vms = {vm["name"]: vm for vm in scene.lab.status()["vms"]}
    pings = Pings(vms, [("one", name) for name in vms if name != "one"])
    time.sleep(1)
    old = scene.lab.pid_of("agent", "hv1")
    killed = time.perf_counter()
    act(old)
    done = until_in_sync(scene.node["agent_socket"], other=old)
    pid = scene.lab.pid_of("agent", "hv1")
    took = age(pid) - (time.perf_counter() - done)
    busy = busy_ms(pid) / 1e3
    time.sleep(1)
    lost, sent = pings.lost()
    return {
        f"agent {what}: from its start until in sync, s": took,
        f"agent {what}: from the signal until in sync, s": done - killed,
        f"agent {what}: it was busy, s": busy,
        f"agent {what}: packets lost": lost,
        f"agent {what}: of": sent,
    }


def upgrade(scene: Scene) -> Figures:
    """To an agent whose tables all have other numbers, and, not measured, back."""
    layout = Layout(scene.lab.name)
    ours = hypervisor.agent(layout.node(1))
    other = replace(ours, argv=(sys.executable, str(HERE / "newer.py"), *ours.argv[1:]))
    figures = under_pings(scene, "upgraded", lambda _: exchange(layout, other))
    exchange(layout, ours)
    until_in_sync(scene.node["agent_socket"])
    return figures


def exchange(layout: Layout, command: Command) -> None:
    supervisor.withdraw(layout, command.name)
    supervisor.reload(layout)
    deadline = time.monotonic() + 30
    while any(p.kind == command.kind and p.node == command.node for p in processes.supervised(layout.lab)):
        check(deadline, "stopped")
        time.sleep(0.02)
    supervisor.declare(layout, command)
    supervisor.reload(layout)


async def sizes_of(scene: Scene) -> Figures:
    async with Watch(scene.run_dir) as watch:
        integration, tunnel = await watch.flows()
    here = sum(port["binding:host_id"] == "hv1" for port in scene.ports)
    pids = scene.pids()
    return {
        "wired here": here,
        "networks": len(scene.networks),
        "flows on br-int": integration,
        "flows on br-tun": tunnel,
        **{f"{kind} resident, MB": resident_mb(pid) for kind, pid in pids.items()},
    }


async def measure(lab: Lab, shape: Shape, sizes: list[int], rounds: int) -> dict[int, Figures]:
    scene = Scene(lab, shape)
    endpoint = lab.status()["auth_url"].partition("/identity")[0]
    found: dict[int, Figures] = {}
    async with peers(scene, endpoint, shape.simulated):
        network = scene.network_for(0)
        for name, node in (("one", "hv1"), ("two", "hv1"), ("three", f"hv{shape.real}")):
            lab("vm", "add", name, "--node", node, "--network", network)
        for size in sizes:
            began = time.perf_counter()
            await asyncio.to_thread(scene.grow, size)
            grown = time.perf_counter() - began
            print(f"bench: {size} ports after {grown:.1f} s", file=sys.stderr)
            figures = await sizes_of(scene)
            for step in (wire_one_more, one_peer_more, one_member_more, one_rule_more):
                figures |= await step(scene, rounds)
            figures |= under_pings(scene, "killed", lambda pid: os.kill(pid, signal.SIGKILL))
            figures |= under_pings(scene, "stopped", lambda pid: os.kill(pid, signal.SIGTERM))
            figures |= upgrade(scene)
            found[size] = figures
            print(f"bench: {size} ports measured after {time.perf_counter() - began:.1f} s", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=list(SHAPES), help=" or ".join(SHAPES))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--lab", default="benchscale")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    sizes = [int(size) for size in options.sizes.split(",")]
    for name in options.shapes:
        shape = SHAPES[name]
        lab = Lab(options.lab)
        lab.up(shape.real)
        try:
            found = uvloop.run(measure(lab, shape, sizes, options.rounds))
        finally:
            if not options.keep:
                lab("down")
        print_sizes(shape.title, found)


if __name__ == "__main__":
    main()
