"""What nodes have counted: taken of what they hold, left out of anything else, and never more than they may tell."""

import asyncio
from typing import Any

import pytest
from tests.unit.feed.conftest import Rig, receive
from tests.waiting import PATIENCE

from netweft.control.l3.associations import LEADING
from netweft.feed import session
from netweft.model.counting import Counted
from netweft.model.load_balancer import LOAD_BALANCER
from netweft.model.metering import METERED
from netweft.wire import messages as wire

GATEWAY = "network:router_gateway"
VIP = {"vip_address": "10.0.0.9", "vip_port_id": "v"}


@pytest.fixture
def held(rig: Rig) -> Rig:
    """hv1 has red's gateway, hv2 blue's and the VM of one floating IP of red's."""
    rig.network()
    for project, host in (("red", "hv1"), ("blue", "hv2")):
        rig.write("routers", id=f"r-{project}", project_id=project)
        rig.port(f"g-{project}", host, device_id=f"r-{project}", device_owner=GATEWAY)
    rig.port("vm", "hv2")
    rig.write("floatingips", id="f", router_id="r-red", port_id="vm")
    rig.write("floatingips", id="free", router_id=None, port_id=None)
    rig.write("routers", id="r-green", project_id="green")
    rig.port("vm-green", "hv2")
    rig.write("ports", id="vm-green", **{LEADING: ["f-green"]})
    rig.write("floatingips", id="f-green", router_id="r-green", port_id="vm-green")
    rig.write("port_forwardings", id="p", device_id="r-red")
    for id, metered in (("l-red", "red"), ("l-all", "*"), ("l-green", "green")):
        rig.write("metering_labels", id=id, **{METERED: metered})
    rig.network("n2")  # no node has it
    for host in ("hv1", "hv2"):
        rig.port(f"client-{host}", host, fixed_ips=[])
    for network in ("n1", "n2"):
        balancer, of_it = f"b-{network}", {LOAD_BALANCER: f"b-{network}"}
        rig.write("loadbalancers", id=balancer, network_id=network, **VIP | {"vip_network_id": network})
        rig.write("listeners", id=f"on-{network}", protocol="TCP", protocol_port=80, **of_it)
        rig.write("pools", id=f"of-{network}", protocol="TCP", lb_algorithm="ROUND_ROBIN", **of_it)
    return rig


def counted(kind: Any, id: str, packets: int = 5, life: int = 1) -> Counted:
    return Counted(kind=kind, id=id, life=life, packets_in=packets)


async def until(rig: Rig, kind: str, id: str, packets: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while told(rig, kind, id) != packets:
            await asyncio.sleep(0.01)


def told(rig: Rig, kind: str, id: str) -> int:
    with rig.store.read() as tx:
        found = tx.counters.sums(kind, [id])
    return found[id].packets_in if id in found else 0


def report(*counted: Counted) -> bytes:
    return wire.encode(wire.Report(revision=0, ports=(), counted=counted))


@pytest.mark.parametrize(
    ("node", "kind", "id", "taken"),
    [
        ("hv1", "routers", "r-red", True),
        ("hv1", "routers", "r-blue", False),
        ("hv1", "routers", "nobody", False),
        ("hv1", "floatingips", "f", True),
        ("hv2", "floatingips", "f", True),
        ("hv2", "floatingips", "free", False),
        ("hv1", "port_forwardings", "p", True),
        ("hv2", "port_forwardings", "p", False),
        ("hv1", "metering_labels", "l-red", True),
        ("hv2", "metering_labels", "l-red", False),
        ("hv2", "metering_labels", "l-all", True),
        ("hv1", "metering_labels", "l-green", False),
        ("hv2", "metering_labels", "l-green", True),  # by a floating IP
        ("hv1", "listeners", "on-n1", True),
        ("hv2", "pools", "of-n1", True),
        ("hv1", "listeners", "on-n2", False),
        ("hv2", "pools", "of-n2", False),
    ],
)
async def test_of_what_it_holds(held: Rig, node: str, kind: str, id: str, taken: bool) -> None:
    socket = await held.raw(node)
    mark = "r-red" if node == "hv1" else "r-blue"
    await socket.send(report(counted(kind, id, 7), counted("routers", mark, 7)))
    await until(held, "routers", mark, 7)
    assert told(held, kind, id) == (7 if taken else 0)


async def test_the_latest_counts_and_a_gateway_that_moves_adds_up(held: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr(session, "COUNTED_SECONDS", 0.01)
    one, two = await held.raw("hv1"), await held.raw("hv2")
    for packets in (3, 4, 5):
        await one.send(report(counted("routers", "r-red", packets)))
    await until(held, "routers", "r-red", 5)
    held.port("g-red", "hv2", device_id="r-red", device_owner=GATEWAY)
    await two.send(report(counted("routers", "r-red", 10)))
    await until(held, "routers", "r-red", 15)
    await one.send(report(counted("routers", "r-red", 1000)))
    await two.send(report(counted("routers", "r-red", 11)))
    await until(held, "routers", "r-red", 16)


async def test_an_agents_client_sends_all_of_it_in_few_reports(held: Rig) -> None:
    client, recorder = await held.client("hv1")
    await recorder.until(lambda: recorder.news)
    many = [counted("floatingips", f"x{number}") for number in range(wire.MOST_COUNTED)]
    client.tell_counted([*many, counted("routers", "r-red", 3), counted("routers", "r-red", 8)])
    await until(held, "routers", "r-red", 8)


@pytest.mark.parametrize(
    "frame",
    [
        report(*(counted("routers", f"r{n}") for n in range(wire.MOST_COUNTED + 1))),
        report(counted("n" * 65, "n1")),
        report(counted("routers", "r-red", -1)),
        report(counted("routers", "r-red", 2**60 + 1)),
        report(counted("routers", "r" * 37)),
    ],
)
async def test_what_no_agent_says_ends_the_session(held: Rig, frame: bytes) -> None:
    socket = await held.raw("hv1")
    await socket.send(frame)
    assert isinstance(await receive(socket), wire.Refused)
    assert told(held, "routers", "r-red") == 0
