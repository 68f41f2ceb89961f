#!/usr/bin/env python3
"""How soon a gateway's node is replaced: `bench/failover.py` prints a table.  Needs root.

    seen           from the outage until the VM's node has noticed, by its agent's log
    out, in        for how long packets were lost: of a VM on a third node by SNAT, of a host outside to its floating IP
    IPv6           likewise, by how many were lost
    connections    of so many that were translated: those that are answered after it
    other          packets lost by another router, whose gateway is elsewhere
    back           packets lost when the node comes back
    answers        1: one node after the other has answered ARP for the address, never both

Medians; of connections the fewest, of the last two the most.
"""

import argparse
import os
import re
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import median

from table import Row, print_table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.netns.harness import Lab, until
from tests.netns.l3.failover_stage import (
    GATEWAYS,
    NODES,
    Stage,
    Traffic,
    at_rest,
    holder,
    router_elsewhere,
    sees_all,
    staged,
)
from tests.netns.l3.test_gateways import BEHIND
from tests.netns.outages import OUTAGES

from netweft.lab import build

PORT = 7
SEEN = re.compile(r"timestamp=(\S+) .*node watched for its gateways.* host=(\S+) seen=(gone|cut)")


def seen_after(lab: Lab, start: float, host: str) -> float:
    """In ms, on hv3."""
    log = (lab.layout.logs / "agent-hv3.log").read_text()
    times = (datetime.fromisoformat(at).timestamp() for at, who, _ in SEEN.findall(log) if who == host)
    return min(1000 * (at - start) for at in times if at > start)


def once(lab: Lab, stage: Stage, outage: str, connections: int) -> dict[str, float]:
    first = holder(lab, stage.router)
    with ExitStack() as open_:
        open_.enter_context(router_elsewhere(lab, stage))
        at_rest(lab, stage)
        there = lab.layout.host_namespace("outside")
        open_.enter_context(lab.inside_namespace(there, "mirror", str(PORT)))
        chat = open_.enter_context(lab.inside(stage.vm, "chat", BEHIND, str(PORT), str(connections)))
        chat.line()
        traffic, start = Traffic(lab, stage, open_), time.time()
        with OUTAGES[outage](lab, first):
            until(lambda: holder(lab, stage.router) != first, "another has taken over")
            chat.say("")
            went_on = int(chat.line(60))
            found = traffic.end()
            seen = seen_after(lab, start, first)
            back = Traffic(lab, stage, open_)
        until(lambda: all(sees_all(lab, node) for node in NODES), "all sessions are up again")
        time.sleep(4)
        after = back.end()
    return {
        "seen": seen,
        "out": found["out"]["lost_span_ms"],
        "in": found["in"]["lost_span_ms"],
        "IPv6": found["6"],
        "connections": went_on,
        "other": found["other"]["lost"],
        "back": max(after[way]["lost"] for way in ("out", "in", "other")),
        "answers": max(1, len(found["who"]) - 1, len(after["who"])),
    }


def costs(lab: Lab, stage: Stage) -> list[Row]:
    """Of the lab with its routers, at rest."""
    rows = []
    for node in NODES:
        ports = lab.vsctl(node, "--bare", "--columns=name", "find", "Interface", "bfd:enable=true").split()
        kind = "has or takes over gateways" if node in GATEWAYS else "uses them"
        rows.append(Row(f"{node}, {kind}: sessions", len(ports), "ports"))
    return rows


def rows(outage: str, found: dict[str, list[float]], connections: int) -> list[Row]:
    share = 100 * min(found["connections"]) / connections
    return [
        Row(f"{outage}: seen after, median", median(found["seen"]), "ms", 300),
        *(Row(f"{outage}: {way}, lost for, median", median(found[way]), "ms", 500) for way in ("out", "in", "IPv6")),
        Row(f"{outage}: out, lost for, worst", max(found["out"]), "ms"),
        Row(f"{outage}: connections that go on, fewest", share, "%", 95, higher=True),
        Row(f"{outage}: lost by another gateway, most", max(found["other"]), "packets", 0),
        Row(f"{outage}: lost when it comes back, most", max(found["back"]), "packets", 0),
        Row(f"{outage}: nodes that answer ARP at a time, most", max(found["answers"]), "nodes", 1),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=200)
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    lab = Lab("benchfo")
    build.down(lab.layout)
    build.up(lab.layout, build.Plan(nodes=3))
    table: list[Row] = []
    try:
        with staged(lab) as stage:
            for outage in OUTAGES:
                found: dict[str, list[float]] = defaultdict(list)
                for _ in range(options.rounds):
                    for name, value in once(lab, stage, outage, options.connections).items():
                        found[name].append(value)
                table += rows(outage, found, options.connections)
                print(f"bench: {outage}: {dict(found)}", file=sys.stderr)
            table += costs(lab, stage)
    finally:
        build.down(lab.layout)
    print_table("A gateway's node fails", table)


if __name__ == "__main__":
    main()
