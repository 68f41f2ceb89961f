"""STT networks: what the tunnel bridge does with their frames, and what the carrier is told."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.host.values import VethPair
from netweft.dataplane.openflow.flow import Flow, Output, PushVlan, SetField
from netweft.dataplane.ovsdb.rows import PortRow
from netweft.dataplane.stt.values import SttNetwork
from netweft.model import Network, Node, Peer, Port, Segment
from netweft.services.addresses import endpoint, mac
from netweft.services.fields import tagged
from netweft.services.l2.stt import tag_of
from netweft.services.pipeline import TUN
from netweft.services.values import HostFacts
from netweft.testing.node import UPLINKS, FakeNode, uplinks_of
from netweft.testing.region import network, port

HERE = HostFacts(name="hv1", tunnel_ip="192.0.2.1", tunnel_types=("vxlan", "stt"))
NET = Network(id=network(1).id, segments=(Segment("stt", None, 2**63 - 1),))
OTHER = Network(id=network(2).id, segments=(Segment("stt", None, 7),))
OURS, THEIRS, LAST = port(1, NET), port(2, NET), port(3, NET)
OVERLAY = UPLINKS.overlays["stt"] or 0


def tag(ip: str) -> int:
    end = endpoint(ip)
    assert end is not None
    return tag_of(end)


def elsewhere(host: str, ip: str, there: Port, *types: str) -> list[Peer | Node]:
    peer = Peer(id=there.id, network_id=there.network_id, mac_address=there.mac_address, host_id=host)
    return [peer, Node(name=host, tunnel_ip=ip, tunnel_types=types or ("stt",))]


def node_with(*objects: Network | Port | Peer | Node) -> FakeNode:
    node = FakeNode("hv1", HERE)
    node.see(objects)
    for one in objects:
        if isinstance(one, Port):
            node.plug(one.id)
    node.settle()
    return node


def flows(node: FakeNode, table: str) -> list[Flow]:
    return [flow for flow in node.bridges["tun"].flows.values() if flow.table == TUN[table].id and flow.match]


def sent(table: str, node: FakeNode) -> list[tuple[object, ...]]:
    return [flow.actions for flow in flows(node, table)]


def test_tags_carry_what_other_tunnels_have_in_metadata() -> None:
    node = node_with(NET, OURS, *elsewhere("hv2", "192.0.2.2", THEIRS))
    vlan = node.rendering.vlans.assigned[NET.id]
    (to_peer,) = flows(node, "to_peer")
    assert {name: value for name, value, _ in to_peer.match} == {
        "vlan_vid": tagged(vlan),
        "eth_dst": mac(THEIRS.mac_address),
    }
    assert to_peer.actions == (PushVlan(), SetField("vlan_vid", tagged(tag("192.0.2.2"))), Output(OVERLAY))
    (back,) = flows(node, "from_overlay")
    assert {name: value for name, value, _ in back.match} == {"in_port": OVERLAY, "vlan_vid": tagged(vlan)}
    assert back.actions == (Output(1),)


def test_the_port_is_there_while_a_network_needs_it() -> None:
    node = node_with(NET, OTHER, OURS, port(4, OTHER))
    kept = {type(item) for item in node.applied.values()}
    told = {item for item in node.applied.values() if isinstance(item, SttNetwork)}
    assert {VethPair, PortRow} <= kept
    assert told == {SttNetwork(node.rendering.vlans.assigned[one.id], one.segments[0].segmentation_id or 0)
                    for one in (NET, OTHER)}  # fmt: skip
    node.see([])
    node.settle()
    left = [item for item in node.applied.values() if isinstance(item, VethPair | SttNetwork)]
    assert not left


@pytest.mark.parametrize("whole", [False, True])
def test_frames_cross_the_pair_whole_where_the_datapath_takes_them(whole: bool) -> None:
    node = node_with(NET, OURS)
    node.rendering.set_uplinks(replace(uplinks_of(HERE), offloads=whole))
    node.settle()
    (pair,) = (item for item in node.applied.values() if isinstance(item, VethPair))
    assert pair.offloads == whole


def test_peers_with_one_hash_get_one_copy() -> None:
    """Two of the addresses of a small network have it."""
    by_tag: dict[int, str] = {}
    pair = next(
        (by_tag[tag(ip)], ip)
        for ip in (f"10.0.{number >> 8}.{number & 255}" for number in range(1, 60_000))
        if by_tag.setdefault(tag(ip), ip) != ip
    )
    node = node_with(NET, OURS, *elsewhere("hv2", pair[0], THEIRS), *elsewhere("hv3", pair[1], LAST))
    ((_, *copies),) = sent("flood", node)
    assert copies == [SetField("vlan_vid", tagged(tag(pair[0]))), Output(OVERLAY)]


def test_a_node_that_does_not_offer_it_is_no_peer() -> None:
    node = node_with(NET, OURS, *elsewhere("hv2", "192.0.2.2", THEIRS, "vxlan"))
    assert not flows(node, "to_peer")
    assert not flows(node, "flood")
