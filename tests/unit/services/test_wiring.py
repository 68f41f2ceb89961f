"""What cannot be wired says why; what can is reported up."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from netweft.dataplane.openflow.flow import Output
from netweft.dataplane.ovsdb.rows import VifTag
from netweft.model import Network, Node, Peer, PortState, PortStatus, Segment
from netweft.services.values import HostFacts, Link, Uplinks
from netweft.testing.node import FakeNode
from netweft.testing.region import Region, network, port

NET = network(1)
P = port(1, NET)


def node_with(*objects: object, host: HostFacts | None = None, vlans: tuple[int, int] = (1, 4094)) -> FakeNode:
    node = FakeNode("hv1", host or HostFacts(tunnel_ip="192.0.2.1"), vlans=vlans)
    node.see(objects)  # type: ignore[arg-type]
    return node


def test_up_once_everything_is_there() -> None:
    node = node_with(NET, P)
    node.settle()
    assert node.status(P.id) is None, "nothing is said of a port that is not plugged in"
    node.plug(P.id)
    node.settle()
    assert node.status(P.id) == PortStatus(P.id, PortState.UP)
    node.unplug(P.id)
    node.settle()
    assert node.status(P.id) is None


def test_plugged_in_before_it_is_known() -> None:
    node = node_with()
    node.plug(P.id)
    node.settle()
    assert node.status(P.id) == PortStatus(P.id, PortState.ERROR, "plugged in, not bound to this node yet")
    node.see([P])
    node.settle()
    assert node.status(P.id) is None, "the network is on its way"
    node.see([P, NET])
    node.settle()
    assert node.status(P.id) == PortStatus(P.id, PortState.UP)


@pytest.mark.parametrize(
    ("host", "net", "why"),
    [
        (HostFacts(), NET, "tunnel address"),
        (HostFacts(tunnel_ip="192.0.2.1", tunnel_types=()), NET, "type vxlan are not supported"),
        (
            HostFacts(tunnel_ip="192.0.2.1"),
            Network(id=NET.id, segments=(Segment("vlan", "x", 5),)),
            "physical network x",
        ),
        (HostFacts(tunnel_ip="192.0.2.1"), Network(id=NET.id), "no segment"),
    ],
)
def test_reasons(host: HostFacts, net: Network, why: str) -> None:
    node = node_with(net, P, host=host)
    node.plug(P.id)
    node.settle()
    status = node.status(P.id)
    assert status is not None
    assert status.state == PortState.ERROR
    assert why in status.detail
    assert not [item for item in node.applied.values() if isinstance(item, VifTag)]


def test_a_tunnel_port_that_cannot_be_opened_is_not_sent_to_and_said() -> None:
    node = node_with(NET, P)
    node.plug(P.id)
    for overlay, state in ((-1, PortState.ERROR), (None, None), (2, PortState.UP)):
        node.rendering.set_uplinks(Uplinks(tun=Link(near=1, far=1), overlays={"vxlan": overlay}))
        node.settle()
        status = node.status(P.id)
        assert (status and status.state) == state
        flows = node.bridges["tun"].flows.values()
        assert all(flow.match != (("in_port", -1, None),) for flow in flows)


def test_down_is_no_error() -> None:
    for net, wanted in ((Network(id=NET.id, segments=NET.segments, admin_state_up=False), P), (NET, down(P))):
        node = node_with(net, wanted)
        node.plug(P.id)
        node.settle()
        status = node.status(P.id)
        assert status is not None
        assert status.state == PortState.DOWN


def down(wanted: object) -> object:
    return msgspec.structs.replace(wanted, admin_state_up=False)  # type: ignore[type-var]


def test_an_interface_that_cannot_be_opened() -> None:
    node = node_with(NET, P)
    node.plug(P.id)
    broken = msgspec.structs.replace(node.vifs[P.id], ofport=-1, error="no such device")
    node.rendering.plug(P.id, broken)
    node.settle()
    status = node.status(P.id)
    assert status is not None
    assert status.state == PortState.ERROR
    assert status.detail.endswith("no such device")


def test_an_address_that_is_none_hurts_nobody_else() -> None:
    broken, fine = port(2, NET, "not an address"), port(3, NET)
    node = node_with(NET, broken, fine)
    for wanted in (broken, fine):
        node.plug(wanted.id)
    node.settle()
    status = node.status(broken.id)
    assert status is not None
    assert status.state == PortState.ERROR
    assert "not an address" in status.detail
    assert node.status(fine.id) == PortStatus(fine.id, PortState.UP)


@pytest.mark.parametrize("tunnel_ip", [None, "", "nonsense", "192.0.2.0/24", "192.0.2.1", "2001:db8::9"])
def test_a_node_without_a_usable_end_point_is_not_sent_to(tunnel_ip: str | None) -> None:
    peer = Peer(id="x", network_id=NET.id, mac_address="fa:16:3e:00:00:09", host_id="hv9", ip_addresses=("10.0.0.9",))
    node = node_with(NET, P, peer, Node(name="hv9", tunnel_ip=tunnel_ip, tunnel_types=("vxlan",)))
    node.plug(P.id)
    node.settle()
    sent = [action for flow in node.bridges["tun"].flows.values() for action in flow.actions if action == Output(2)]
    assert sent == []


def test_the_last_local_vlan_goes_to_whoever_waits() -> None:
    other = network(2)
    q = port(2, other)
    node = node_with(NET, other, P, q, vlans=(7, 7))
    node.plug(P.id)
    node.settle()
    node.plug(q.id)
    node.settle()
    status = node.status(q.id)
    assert status is not None
    assert "local VLAN" in status.detail
    node.unplug(P.id)
    node.settle()
    assert node.status(q.id) == PortStatus(q.id, PortState.UP)
    assert node.vifs[q.id].tag == 7


def test_local_vlans_survive_a_restart_and_are_given_up_when_unused() -> None:
    nets = [network(number) for number in (1, 2, 3)]
    ports = [port(number, net) for number, net in enumerate(nets, 1)]
    region = Region(nodes=1)
    region.create(*nets, *ports)
    region.plug("hv1", *ports)
    region.settle()
    node = region.nodes["hv1"]
    node.unplug(ports[0].id)
    region.settle()
    before = {id: vif.tag for id, vif in node.vifs.items()}
    assert len(set(before.values())) == 2
    node.restart()
    assert {id: vif.tag for id, vif in node.vifs.items()} == before
    node.see([])
    node.restart()
    assert not node.rendering.vlans.assigned


@pytest.mark.parametrize(
    ("device", "detail"),
    [
        ({"ifindex": 0, "down": True}, "its interface tap1 is gone"),
        ({"ifindex": 7, "down": True}, "its interface tap1 is switched off"),
        ({"ifindex": 7}, ""),
        ({"ifindex": None}, ""),
    ],
)
def test_a_port_is_as_its_device_and_stays_wired(device: dict[str, Any], detail: str) -> None:
    node = node_with(NET, P)
    node.plug(P.id)
    node.settle()
    wired = set(node.applied) - {("status", P.id)}
    node.rendering.plug(P.id, replace(node.vifs[P.id], name="tap1", **device))
    node.settle()
    status = PortStatus(P.id, PortState.DOWN, detail) if detail else PortStatus(P.id, PortState.UP)
    assert node.status(P.id) == status
    assert set(node.applied) - {("status", P.id)} == wired
