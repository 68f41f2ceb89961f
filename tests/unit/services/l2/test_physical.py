"""Provider networks, asked of fake switches: who hears whom on the wire, and what the wire sees."""

import pytest
from msgspec.structs import replace

from netweft.model import Network, Port, PortState, Segment
from netweft.services.fields import UNTAGGED, tagged
from netweft.services.values import HostFacts, Link, Uplinks
from netweft.testing import packets
from netweft.testing.node import FakeNode
from netweft.testing.packets import BROADCAST
from netweft.testing.region import Region, network, port
from netweft.testing.switch import Packet

VLAN, FLAT, OVERLAY = network(1, "vlan"), network(2, "flat", "public"), network(3)
V1, V2, V3 = (port(number, VLAN) for number in (1, 2, 3))
F1, F2 = port(11, FLAT), port(12, FLAT)
T1 = port(21, OVERLAY)
STRANGER = "52:54:00:00:00:99"


@pytest.fixture
def region() -> Region:
    made = Region(nodes=2)
    made.create(VLAN, FLAT, OVERLAY, V1, V2, V3, F1, F2, T1)
    made.plug("hv1", V1, V2, F1, T1)
    made.plug("hv2", V3, F2)
    made.settle()
    return made


def ping(frm: Port, to: str) -> Packet:
    return packets.ping(frm.mac_address, to, frm.fixed_ips[0].ip_address, "10.0.0.99")


def from_wire(region: Region, wire: str, packet: Packet, vlan_vid: int) -> list[str]:
    """Who gets what a plain host sends."""
    heard = region.wires[wire].carry(None, {**packet, "vlan_vid": vlan_vid})
    ids = {
        (node.bridges["int"].name, vif.ofport): id for node in region.nodes.values() for id, vif in node.vifs.items()
    }
    return sorted(ids[delivery.bridge, delivery.ofport] for delivery in heard)


def test_the_network_is_one_over_the_wire(region: Region) -> None:
    assert region.receivers(V1, ping(V1, BROADCAST)) == [V2.id, V3.id]
    assert region.receivers(V1, ping(V1, V3.mac_address)) == [V3.id]
    assert region.receivers(V3, ping(V3, V2.mac_address)) == [V2.id]
    assert region.receivers(F1, ping(F1, F2.mac_address)) == [F2.id]
    assert region.receivers(F2, ping(F2, BROADCAST)) == [F1.id]
    assert not region.overlay.carried


@pytest.mark.parametrize(("frm", "wire", "seen"), [(V1, "physnet1", tagged(1001)), (F1, "public", UNTAGGED)])
def test_what_the_wire_sees(region: Region, frm: Port, wire: str, seen: int) -> None:
    for to in (BROADCAST, STRANGER):
        region.send(frm, ping(frm, to))
    assert [packet["vlan_vid"] for packet in region.wires[wire].heard] == [seen, seen]
    assert all(not other.heard for name, other in region.wires.items() if name != wire)


def test_local_traffic_does_not_leave_the_node(region: Region) -> None:
    region.send(V1, ping(V1, V2.mac_address))
    assert not region.wires["physnet1"].heard


def test_a_plain_host_on_the_wire(region: Region) -> None:
    frm_host = packets.ping(STRANGER, V1.mac_address, "10.0.0.200", "10.0.0.1")
    assert from_wire(region, "physnet1", frm_host, tagged(1001)) == [V1.id]
    everybody = {**frm_host, "eth_dst": (1 << 48) - 1}
    assert from_wire(region, "physnet1", everybody, tagged(1001)) == [V1.id, V2.id, V3.id]
    assert from_wire(region, "physnet1", everybody, tagged(1002)) == [], "a VLAN that is nobody's here"
    assert from_wire(region, "physnet1", everybody, UNTAGGED) == [], "no flat network there"
    assert from_wire(region, "public", everybody, UNTAGGED) == [F1.id, F2.id]


def test_nothing_from_the_wire_goes_back_to_it(region: Region) -> None:
    from_wire(region, "physnet1", packets.ping(STRANGER, BROADCAST, "10.0.0.200", "10.0.0.1"), tagged(1001))
    assert len(region.wires["physnet1"].heard) == 1


def test_local_vlans_do_not_show_outside(region: Region) -> None:
    """What nobody translates is dropped, however it got onto the link."""
    bridge = region.nodes["hv1"].bridges["phys:physnet1"]
    assert list(bridge.receive({**ping(V1, BROADCAST), "vlan_vid": tagged(77)}, 2)) == []
    assert not region.wires["physnet1"].heard


def test_the_first_segment_that_the_node_can_do() -> None:
    segments = (Segment("vlan", "elsewhere", 5), Segment("gre", None, 6), Segment("vlan", "physnet1", 7))
    net = Network(id=VLAN.id, segments=segments)
    region = Region(nodes=2)
    region.create(net, V1, V3)
    region.plug("hv1", V1)
    region.plug("hv2", V3)
    region.settle()
    assert region.receivers(V1, ping(V1, V3.mac_address)) == [V3.id]
    assert region.overlay.carried


def test_no_segment_says_what_there_would_be() -> None:
    node = FakeNode("hv1", HostFacts(tunnel_ip="192.0.2.1", bridge_mappings={"public": "br-ex"}))
    net = Network(id=VLAN.id, segments=(Segment("vlan", "physnet1", 5), Segment("geneve", None, 6)))
    node.see([net, V1])
    node.plug(V1.id)
    node.settle()
    status = node.status(V1.id)
    assert status is not None
    assert status.state == PortState.ERROR
    for word in ("physnet1", "geneve", "vxlan, public"):
        assert word in status.detail


def test_a_bridge_that_is_not_there_is_said_and_healed() -> None:
    node = FakeNode("hv1", HostFacts(bridge_mappings={"physnet1": "br-eth1"}, tunnel_types=()))
    node.see([VLAN, V1])
    node.plug(V1.id)
    observed = Uplinks(tun=Link(near=1, far=1), problems={"physnet1": "bridge br-eth1 is not there"})
    node.rendering.set_uplinks(observed)
    node.settle()
    status = node.status(V1.id)
    assert status is not None
    assert status.detail == "bridge br-eth1 is not there"
    assert not [key for key in node.applied if key[0] == "row" and "br-eth1" in str(key)]
    node.rendering.set_uplinks(replace(observed, problems={}, physical={"physnet1": Link()}))
    node.settle()
    assert node.status(V1.id) is None, "about to be put right"
    assert [key for key in node.applied if key[0] == "row" and "br-eth1" in str(key)]
    node.rendering.set_uplinks(replace(observed, problems={}, physical={"physnet1": Link(near=2, far=2)}))
    node.settle()
    status = node.status(V1.id)
    assert status is not None
    assert status.state == PortState.UP


def test_tunnels_of_two_types_may_have_the_same_key() -> None:
    nets = [
        replace(network(number, kind), segments=(Segment(kind, None, 5),))
        for number, kind in ((1, "gre"), (2, "vxlan"))
    ]
    pairs = [(port(10 * number, net), port(10 * number + 1, net)) for number, net in enumerate(nets, 1)]
    region = Region(nodes=2)
    region.create(*nets, *(one for pair in pairs for one in pair))
    for here, there in pairs:
        region.plug("hv1", here)
        region.plug("hv2", there)
    region.settle()
    for here, there in pairs:
        assert region.receivers(here, ping(here, BROADCAST)) == [there.id]
        assert region.receivers(there, ping(there, here.mac_address)) == [here.id]
