"""How many traces ask nodes at once; and that nodes which send a packet in circles are left."""

import asyncio
from typing import Any

import pytest
from tests.unit.control.trace import faults

from netweft.api.resources.trace import lower, nodes
from netweft.api.resources.trace.lower import Nodes
from netweft.control.trace.ends import Begun
from netweft.control.trace.packet import ICMP, Packet
from netweft.control.trace.walk import answer, walk
from netweft.control.trace.walker import Start
from netweft.control.trace.way import PORT
from netweft.model.router import ADDRESS_MAC
from netweft.testing import region as made
from netweft.testing.explained import rows_of, seen
from netweft.testing.region import Region
from netweft.wire.queries import Answer, Ask, Exit, Hop, Sent, Silent


def place() -> tuple[Any, Begun]:
    region, net = Region(nodes=2), made.network(1)
    region.create(net, made.subnet(net, "10.0.0.0/24"))
    for number in (1, 2):
        region.create(made.port(number, net))
        region.plug(f"hv{number}", list(region.ports.values())[-1])
    rows = seen(rows_of(region))
    one, two = rows.rows["ports"].values()
    start = Start(one, rows.rows["networks"][net.id])
    return rows, Begun(start, Packet("10.0.0.1", "10.0.0.2", ICMP), two)


class Circle:
    """Each node sends it on by a tunnel, to the other."""

    def __init__(self) -> None:
        self.now = self.most = self.asked = 0

    async def ask(self, node: str, question: Ask) -> Answer:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return Answer(id="", exits=(Exit(kind="tunnel", tunnel="192.0.2.9", key=1001, packet=question.packet),) * 3)


async def hosts_at(address: str) -> list[str]:
    return ["hv2"]


async def owners(network: str, addresses: Any) -> dict[str, str]:
    return {}


async def test_a_thousand_at_once() -> None:
    rows, begun = place()
    assert begun.start is not None
    assert begun.packet is not None
    there = walk(rows, begun.start, begun.packet, begun.target)
    back = answer(rows, there, begun.start)
    circle = Circle()
    looking = Nodes(circle, hosts_at, owners)
    found = await asyncio.gather(
        *(looking.look(f"user {number % 100}", rows, begun, there, back) for number in range(1000))
    )
    asked = [one for one in found if not one.there.unseen]
    assert len(asked) == lower.MOST
    assert circle.most <= 2 * lower.MOST, "there and back"
    assert circle.asked <= 4 * lower.MOST * nodes.MOST_NODES, "once more, since they do what the rows do not say"
    assert all(
        one.there.unseen == ["nodes: too much is traced at once, try again"] for one in found if one.there.unseen
    )
    one = await looking.look("user", rows, begun, there, back)
    assert (len(one.there.looked), one.there.arrived) == (nodes.MOST_NODES, False)
    many = await asyncio.gather(*(looking.look("user", rows, begun, there, back) for _ in range(100)))
    assert sum(not one.there.unseen for one in many) == lower.MOST_OF_ONE


class Late(Circle):
    """The node delivers it as soon as it has what it needs."""

    async def ask(self, node: str, question: Ask) -> Answer:
        self.asked += 1
        to = "00000001" if question.reply else "00000002"
        delivered = Exit(kind="port", port_id=f"{to}-1111-4000-8000-000000000000")
        return Answer(id="", exits=(Exit(kind="drop") if self.asked <= 1 else delivered,))


async def test_what_is_on_its_way_to_a_node_is_waited_for() -> None:
    rows, begun = place()
    assert begun.start is not None
    assert begun.packet is not None
    there = walk(rows, begun.start, begun.packet, begun.target)
    found = await Nodes(Late(), hosts_at, owners).look("user", rows, begun, there, answer(rows, there, begun.start))
    assert (found.there.arrived, found.back.arrived) == (True, True)


class Flapping(Circle):
    """The node delivers it; its BFD session is down until it was asked so often."""

    def __init__(self, rises: int, *, heard: bool) -> None:
        super().__init__()
        self._rises, self._silent = rises, Silent(tunnel="192.0.2.9", by="bfd", heard=heard)

    async def ask(self, node: str, question: Ask) -> Answer:
        self.asked += 1
        delivered = Exit(kind="port", port_id="00000002-1111-4000-8000-000000000000")
        return Answer(id="", exits=(delivered,), silent=(self._silent,) if self.asked <= self._rises else ())


@pytest.mark.parametrize(
    ("rises", "heard", "asked"), [(0, True, 1), (1, False, 2), (3, True, 4), (9, True, 4), (9, False, 2)]
)
async def test_a_session_that_is_about_to_come_up_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, rises: int, heard: bool, asked: int
) -> None:
    """Where the far end is heard: it is no more than busy, perhaps."""
    monkeypatch.setattr(lower, "SETTLE", 0.001)
    monkeypatch.setattr(lower, "RISES", (0.001, 0.001))
    rows, begun = place()
    assert begun.start is not None
    assert begun.packet is not None
    there = walk(rows, begun.start, begun.packet, begun.target)
    node = Flapping(rises, heard=heard)
    found = await Nodes(node, hosts_at, owners).look("user", rows, begun, there, None)
    said = [one.told.detail for _, (_, one) in found.findings if one.code.code == "tunnel-peer-silent"]
    assert (len(said), node.asked) == (rises >= asked, asked)
    assert all(("answers ARP" in detail) == heard for detail in said)


async def test_a_tunnel_to_an_address_of_several_hosts() -> None:
    """Whichever is asked first says that it is not for it."""

    async def both(address: str) -> list[str]:
        return ["hv2", "hv3"]

    rows, begun = place()
    assert begun.start is not None
    assert begun.packet is not None
    there = walk(rows, begun.start, begun.packet, begun.target)
    found = await Nodes(Circle(), both, owners).look("user", rows, begun, there, None)
    first = next(one for _, (layer, one) in found.findings if layer == "openvswitch")
    assert first.code.code == "tunnel-address-of-several"
    assert first.told.detail == "192.0.2.9 is that of hv2, hv3"


class Wired:
    """hv1 sends it out on the external network, to a MAC address that is no port's; hv2 to the VM."""

    def __init__(self, port: str) -> None:
        self._port = port

    async def ask(self, node: str, question: Ask) -> Answer:
        if node == "hv1":
            return Answer(id="", exits=(Exit(kind="wire", physical="public", packet=question.packet),))
        return Answer(id="", exits=(Exit(kind="port", port_id=self._port),) if node == "hv2" else ())


async def test_a_floating_ip_is_taken_by_its_vms_own_node() -> None:
    """Not by the gateway's, which is the node that sends it."""
    region, net, outside, router = Region(nodes=3), made.network(1), made.network(90, "flat", "public"), made.router(1)
    region.create(net, made.subnet(net, "10.0.0.0/24"), outside, made.subnet(outside, "203.0.113.0/24"), router)
    port = made.port(2, net)
    region.create(port, made.gateway(1, router, outside, "hv1", "203.0.113.2"))
    region.plug("hv2", port)
    region.create(made.floating_ip(1, router, outside, "203.0.113.9", port.fixed_ips[0].ip_address, port))
    sent = Sent(eth_src="", eth_dst="fa:16:3f:00:00:02", src="203.0.113.2", dst="203.0.113.9", protocol=1)
    begin, goal = ("hv1", Ask(id="", packet=sent)), nodes.Goal(PORT, port.id, None, ("hv1",))
    found = await nodes.follow(Wired(port.id), seen(rows_of(region)), hosts_at, begin, goal)
    assert (found.arrived, [one.host for one in found.looked]) == (True, ["hv1", "hv2"])


def test_what_is_forwarded_is_taken_by_the_gateways_node() -> None:
    """Which has its address by the gateway's own MAC.  A floating IP that is all the VM's: by the VM's node."""
    taken = {}
    for form in ("associated", "forwarded"):
        rows = faults.all_rows()
        faults.floating(**{ADDRESS_MAC: "fa:16:3f:00:00:99"})(rows)
        if form == "forwarded":
            faults.forwarded(rows)
        there, _ = faults.ways(rows, "", faults.tcp(faults.SOMEBODY, faults.FLOATING, 80))
        outside = Start(None, faults.network(rows, 90))
        found = nodes.first(faults.snapshot(rows), outside, there, reply=False, also=())
        assert there.end == PORT
        taken[form] = (found[0], there.mac == "fa:16:3f:00:00:99")
        if form == "forwarded":
            there, _ = faults.ways(rows, "", faults.tcp(faults.SOMEBODY, faults.FLOATING, 81))
            assert [one.code.code for one in there.findings] == ["floatingip-port-not-forwarded"], "it ends there"
    assert taken == {"associated": ("hv2", True), "forwarded": ("hv1", False)}


class Meddled:
    """Somebody's flow drops it."""

    async def ask(self, node: str, question: Ask) -> Answer:
        hop = Hop(bridge="br-int", table="0", flow="icmp,nw_dst=10.0.0.2, priority 60000", actions="drop", foreign=True)
        return Answer(id="", hops=(hop,), exits=(Exit(kind="drop"),))


async def test_a_foreign_flow_is_deleted_by_what_ovs_ofctl_reads() -> None:
    rows, begun = place()
    assert begun.start is not None
    assert begun.packet is not None
    there = walk(rows, begun.start, begun.packet, begun.target)
    looked = await Nodes(Meddled(), hosts_at, owners).look("user", rows, begun, there, None)
    fixes = [one.fix for _, (_, one) in looked.findings if one.code.code == "openvswitch-foreign-flow"]
    assert fixes == ["ovs-ofctl --strict del-flows br-int icmp,nw_dst=10.0.0.2,priority=60000  # on hv1"]


async def test_a_host_of_ovns_is_not_queried_and_named() -> None:
    rows, begun = place()
    assert begun.start is not None
    assert begun.packet is not None
    (first, _) = rows.rows["agents"].values()
    first["agent_type"] = "OVN Controller agent"
    circle = Circle()
    there = walk(rows, begun.start, begun.packet, begun.target)
    found = await Nodes(circle, hosts_at, owners).look("user", rows, begun, there, None)
    assert found.there.unseen == ["hv1: it is OVN's, whose flows are not asked for: ask ovn-trace there"]
    assert (found.there.arrived, circle.asked) == (None, 0)
