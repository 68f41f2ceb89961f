#!/usr/bin/env python3
"""What the data plane clients cost: `bench/dataplane.py` prints a table.  Needs root.

Codec alone, then a real ovsdb-server and ovs-vswitchd (netdev) in a folder and a network namespace of their own.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from table import Row, percentile, print_table

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.ovs.sandbox import Sandbox, own_network, running

from netweft.dataplane.openflow import messages
from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.fields import match
from netweft.dataplane.openflow.flow import Flow, Goto, Output, PushVlan, Resubmit, SetField
from netweft.dataplane.ovsdb.client import OvsdbConnection
from netweft.dataplane.ovsdb.view import OvsView

OS_KEN_MICROSECONDS = 130
BRIDGE = "br-int"


def flow(number: int) -> Flow:
    """A rich one: seven match fields, seven actions."""
    wanted = match(
        in_port=number % 200 + 1,
        eth_type=0x0800,
        ip_proto=6,
        ipv4_src=number,
        ipv4_dst=(0x0A000000, 0xFF000000),
        tcp_dst=80,
        reg5=number,
    )
    rewrite = (SetField("reg1", number), SetField("eth_dst", 0x11), PushVlan(), SetField("vlan_vid", 0x1001))
    return Flow(table=1, priority=5, cookie=7, match=wanted, actions=(*rewrite, Output(2), Resubmit(30), Goto(40)))


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return (time.perf_counter() - start) * 1e3


def codec(count: int = 3000) -> list[Row]:
    flows = [flow(number) for number in range(count)]
    start = time.perf_counter()
    for xid, each in enumerate(flows):
        messages.bundle_add(messages.add_flow(each, xid), 1, xid)
    spent = (time.perf_counter() - start) / count * 1e6
    peers = f"os-ken {OS_KEN_MICROSECONDS}"
    return [Row("encode one flow-mod of 7 fields, 7 actions", spent, "µs", 20, peers=peers)]


async def bundles(ovs: Sandbox) -> list[Row]:
    connection = await OpenFlowConnection.connect(ovs.mgmt(BRIDGE))
    rows = []
    for count in (15, 100, 1000, 3000):
        flows = [flow(number) for number in range(count)]
        keys = [each.key for each in flows]
        applied, dumped = [], []
        for _ in range(7):
            applied.append(await timed(lambda flows=flows: connection.apply(flows)))  # type: ignore[misc]
            dumped.append(await timed(connection.dump_flows))
            await connection.apply([], keys)
        rows.append(Row(f"bundle of {count} flows, from values to committed, p50", percentile(applied, 50), "ms"))
        bar = 150 if count == 3000 else None
        rows.append(Row(f"dump of {count} flows into values, p50", percentile(dumped, 50), "ms", bar))
    await connection.close()
    return rows


async def plugging(ovs: Sandbox, count: int = 50) -> list[Row]:
    database = await OvsdbConnection.connect(ovs.db)
    view = OvsView(database.replica)
    wired, finished = [], []
    for number in range(count):
        name = f"tap{number}"
        start = time.perf_counter()
        command = ("add-port", BRIDGE, name, "--", "set", "interface", name, "type=internal")
        vsctl = await asyncio.create_subprocess_exec("ovs-vsctl", f"--db=unix:{ovs.db}", *command)
        await database.wait_for(lambda _, name=name: (view.ofport(name) or 0) > 0)  # type: ignore[misc]
        wired.append((time.perf_counter() - start) * 1e3)
        await vsctl.wait()
        finished.append((time.perf_counter() - start) * 1e3)
    await database.close()
    return [
        Row("before ovs-vsctl add-port to event with ofport, p50", percentile(wired, 50), "ms"),
        Row("before ovs-vsctl add-port to event with ofport, p95", percentile(wired, 95), "ms"),
        Row("ovs-vsctl add-port itself, p50", percentile(finished, 50), "ms"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="append the rows as JSON lines")
    options = parser.parse_args()
    rows = codec()
    with own_network(), running(options=(), datapath_type="netdev") as ovs:
        ovs.add_bridge(BRIDGE)
        rows += uvloop.run(bundles(ovs))
        rows += uvloop.run(plugging(ovs))
    print_table("Data plane clients", rows, options.out)


if __name__ == "__main__":
    main()
