"""VLAN-aware VMs: who gets which of a trunk's frames, and with which tag."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.openflow.flow import Flow, FlowKey
from netweft.model import Network, Port, PortState, PortStatus, SubPort, Trunk
from netweft.services.addresses import mac
from netweft.services.fields import UNTAGGED, tagged
from netweft.services.values import HostFacts
from netweft.testing import packets
from netweft.testing.node import FakeNode, uplinks_of
from netweft.testing.packets import BROADCAST
from netweft.testing.region import Region, network, port
from netweft.testing.switch import Packet

OWN, BLUE, RED = network(1), network(2), network(3, "vlan")
PARENT, SUB_BLUE, SUB_RED = port(1, OWN), port(2, BLUE), port(3, RED)
OTHER_OWN, OTHER_BLUE, OTHER_RED = port(11, OWN), port(12, BLUE), port(13, RED)
TRUNK = Trunk(id="t", port_id=PARENT.id, sub_ports=(SubPort(SUB_BLUE.id, 102), SubPort(SUB_RED.id, 103)))


@pytest.fixture
def region() -> Region:
    made = Region(nodes=2)
    made.create(OWN, BLUE, RED, PARENT, SUB_BLUE, SUB_RED, OTHER_OWN, OTHER_BLUE, OTHER_RED, TRUNK)
    made.plug("hv1", PARENT)
    made.plug("hv2", OTHER_OWN, OTHER_BLUE, OTHER_RED)
    made.settle()
    return made


def ping(frm: Port, to: str) -> Packet:
    return packets.ping(frm.mac_address, to, frm.fixed_ips[0].ip_address, "10.0.0.99")


PAIRS = [(PARENT, OTHER_OWN, UNTAGGED), (SUB_BLUE, OTHER_BLUE, tagged(102)), (SUB_RED, OTHER_RED, tagged(103))]


@pytest.mark.parametrize(("here", "there", "tag"), PAIRS)
def test_each_in_its_network_with_its_tag(region: Region, here: Port, there: Port, tag: int) -> None:
    assert region.receivers(here, ping(here, BROADCAST)) == [there.id]
    for dst in (here.mac_address, BROADCAST):
        [delivery] = region.send(there, ping(there, dst))
        assert delivery.packet["vlan_vid"] == tag
        assert region.ids_of([delivery]) == [here.id]


def test_a_request_for_a_sub_ports_address_goes_to_it_alone_with_its_tag(region: Region) -> None:
    [heard] = region.send(OTHER_BLUE, packets.arp(OTHER_BLUE.mac_address, "10.0.0.12", "10.0.0.2"))
    assert (heard.packet["vlan_vid"], heard.packet["arp_op"]) == (tagged(102), 1)
    assert region.ids_of([heard]) == [SUB_BLUE.id]


def test_port_security_is_each_ports_own(region: Region) -> None:
    assert region.receivers(SUB_BLUE, ping(PARENT, BROADCAST)) == []
    assert region.receivers(PARENT, ping(SUB_BLUE, BROADCAST)) == []


def test_a_tag_that_is_no_sub_ports(region: Region) -> None:
    assert region.ids_of(region.send_at("hv1", PARENT.id, {**ping(PARENT, BROADCAST), "vlan_vid": tagged(104)})) == []


def test_a_second_tag_below_leads_nowhere(region: Region) -> None:
    """Else, in a flat network, it would be another network's outside."""
    region.create(replace(SUB_RED, port_security_enabled=False))
    region.settle()
    frame = {**ping(SUB_RED, BROADCAST), "vlan_vid": tagged(103)}
    assert region.ids_of(region.send_at("hv1", PARENT.id, frame)) == [OTHER_RED.id]
    for second in ({"inner_vid": tagged(7)}, {"eth_type": 0x8100}, {"eth_type": 0x88A8}):
        assert region.send_at("hv1", PARENT.id, {**frame, **second}) == []


def test_sub_ports_come_and_go_and_nobody_else_is_touched(region: Region) -> None:
    node = region.nodes["hv1"]
    before = flows_of(node, PARENT)
    assert before
    region.create(replace(TRUNK, sub_ports=TRUNK.sub_ports[:1]))
    region.settle()
    assert flows_of(node, PARENT) == before
    assert not flows_of(node, SUB_RED)
    assert node.status(SUB_RED.id) is None
    assert region.receivers(OTHER_RED, ping(OTHER_RED, BROADCAST)) == []
    assert node.status(SUB_BLUE.id) == PortStatus(SUB_BLUE.id, PortState.UP)
    region.create(TRUNK)
    region.settle()
    assert flows_of(node, PARENT) == before
    assert region.receivers(OTHER_RED, ping(OTHER_RED, BROADCAST)) == [SUB_RED.id]


def flows_of(node: FakeNode, wanted: Port) -> dict[FlowKey, Flow]:
    mark = int(wanted.id[:8], 16) << 8
    return {key: flow for key, flow in node.bridges["int"].flows.items() if flow.cookie & 0xFFFFFFFFFF == mark}


def test_a_trunk_that_is_down(region: Region) -> None:
    region.create(replace(TRUNK, admin_state_up=False))
    region.settle()
    status = region.nodes["hv1"].status(SUB_BLUE.id)
    assert status is not None
    assert status.state == PortState.DOWN
    assert "trunk" in status.detail
    assert region.receivers(OTHER_BLUE, ping(OTHER_BLUE, BROADCAST)) == []
    assert region.receivers(OTHER_OWN, ping(OTHER_OWN, BROADCAST)) == [PARENT.id]


def test_ports_of_one_trunk_hear_each_other(region: Region) -> None:
    """Two sub-ports of one network, which share their interface; nobody hears itself."""
    twin = port(4, BLUE)
    region.create(twin, replace(TRUNK, sub_ports=(*TRUNK.sub_ports, SubPort(twin.id, 104))))
    region.settle()
    [delivery] = region.send(SUB_BLUE, {**ping(SUB_BLUE, twin.mac_address), "vlan_vid": tagged(102)})
    assert delivery.packet["vlan_vid"] == tagged(104)
    assert sorted(region.receivers(SUB_BLUE, ping(SUB_BLUE, BROADCAST))) == sorted((twin.id, OTHER_BLUE.id))


def test_local_vlans_of_sub_ports_survive_a_restart(region: Region) -> None:
    node = region.nodes["hv1"]
    before = dict(node.rendering.vlans.assigned)
    assert set(before) == {OWN.id, BLUE.id, RED.id}
    node.restart()
    assert dict(node.rendering.vlans.assigned) == before
    region.create(replace(TRUNK, sub_ports=()))
    region.settle()
    assert set(node.rendering.vlans.assigned) == {OWN.id}


def test_a_vlan_transparent_network() -> None:
    for kind in ("vxlan", "geneve", "gre", "vlan", "flat", "local"):
        net = replace(network(5, kind), vlan_transparent=True)
        one, other = port(21, net), port(22, net)
        region = Region(nodes=2)
        for node in region.nodes.values():
            node.rendering.set_uplinks(replace(uplinks_of(node.host), vlan_limit=0))
        region.create(net, one, other)
        region.plug("hv1", one)
        region.plug("hv1" if kind == "local" else "hv2", other)
        region.settle()
        for vid in (UNTAGGED, tagged(77)):
            for dst in (BROADCAST, other.mac_address):
                [delivery] = region.send(one, {**ping(one, dst), "vlan_vid": vid})
                assert delivery.packet["vlan_vid"] == vid
        question = packets.arp(one.mac_address, "10.0.0.21", "10.0.0.22")
        for vid, dst in ((UNTAGGED, other.mac_address), (tagged(77), BROADCAST)):
            [heard] = region.send(one, {**question, "vlan_vid": vid})
            assert heard.packet["eth_dst"] == mac(dst), "in a VLAN of theirs we know nobody"


@pytest.mark.parametrize(
    ("kind", "interconnect", "transparent", "sub_port", "limit"),
    [
        ("vlan", "patch", True, False, 1),
        ("vxlan", "veth", True, False, 1),
        ("flat", "veth", True, False, 1),
        ("flat", "patch", False, True, 0),
        ("flat", "patch", False, True, 2),
    ],
)
def test_where_frames_with_two_tags_would_be_judged_wrongly(
    kind: str, interconnect: str, transparent: bool, sub_port: bool, limit: int
) -> None:
    net = replace(network(5, kind), vlan_transparent=transparent)
    one = port(21, net)
    host = HostFacts(tunnel_ip="192.0.2.1", interconnect=interconnect, bridge_mappings={"physnet1": "br-eth1"})
    node = FakeNode("hv1", host)
    trunk = Trunk(id="t", port_id=PARENT.id, sub_ports=(SubPort(one.id, 100),))
    node.see([net, one, *((OWN, PARENT, trunk) if sub_port else ())])
    node.plug(PARENT.id if sub_port else one.id)
    better = 0 if limit == 1 else 1
    for vlan_limit, state in ((limit, PortState.ERROR), (better, PortState.UP)):
        node.rendering.set_uplinks(replace(uplinks_of(host), vlan_limit=vlan_limit))
        node.settle()
        status = node.status(one.id)
        assert status is not None
        assert status.state == state
        assert (f"vlan-limit={better}" in status.detail) == (state == PortState.ERROR)


def test_an_inactive_binding_is_wired_and_not_sent_to() -> None:
    for net in (OWN, RED):
        region, moving, neighbour, other = moved(net)
        status = region.nodes["hv2"].status(moving.id)
        assert status == PortStatus(moving.id, PortState.UP)
        for frm in (neighbour, other):
            assert region.send(frm, ping(frm, moving.mac_address))[0].bridge == "hv1.int"
            assert all(
                delivery.bridge != "hv2.int" or delivery.ofport == 11
                for delivery in region.send(frm, ping(frm, BROADCAST))
            )
        announced = region.send_at("hv2", moving.id, packets.rarp(moving.mac_address))
        assert len(announced) == 3, "to the neighbour, the other node, and where it still is"
        assert bool(region.wires["physnet1"].heard) == (net is RED)
        region.bound[moving.id] = "hv2"
        region.ahead.clear()
        region.settle()
        for frm in (neighbour, other):
            assert region.send(frm, ping(frm, moving.mac_address))[0].bridge == "hv2.int"


def moved(net: Network) -> tuple[Region, Port, Port, Port]:
    """A port on hv1 that is about to move to hv2; a neighbour on hv2, and one on hv1."""
    moving, neighbour, other = port(31, net), port(32, net), port(33, net)
    region = Region(nodes=2)
    region.create(net, moving, neighbour, other)
    region.plug("hv1", moving, other)
    region.nodes["hv2"].plug(moving.id)
    region.plug("hv2", neighbour)
    region.ahead[moving.id] = "hv2"
    region.settle()
    return region, moving, neighbour, other


def test_what_comes_from_outside_for_an_inactive_binding_is_delivered() -> None:
    region, moving, *_ = moved(RED)
    frame = {**packets.ping("52:54:00:00:00:01", moving.mac_address, "10.0.0.1", "10.0.0.31"), "vlan_vid": tagged(1003)}
    assert {delivery.bridge for delivery in region.wires["physnet1"].carry(None, frame)} == {"hv1.int", "hv2.int"}
