"""Who receives a frame, asked of fake switches that evaluate the real flows."""

import msgspec
import pytest

from netweft.model import Network, Port
from netweft.services.fields import tagged
from netweft.testing import packets
from netweft.testing.packets import BROADCAST
from netweft.testing.region import Region, network, port
from netweft.testing.switch import Packet

BLUE, RED = network(1), network(2)
P1, P2, P3, P4 = (port(number, BLUE) for number in (1, 2, 3, 4))
R1, R2 = port(11, RED), port(12, RED)


@pytest.fixture
def region() -> Region:
    """hv1: P1 P2 R1; hv2: P3 R2; hv3: P4; hv4: nothing."""
    made = Region(nodes=4)
    made.create(BLUE, RED, P1, P2, P3, P4, R1, R2)
    made.plug("hv1", P1, P2, R1)
    made.plug("hv2", P3, R2)
    made.plug("hv3", P4)
    made.settle()
    return made


def ping(frm: Port, to: str) -> Packet:
    return packets.ping(frm.mac_address, to, frm.fixed_ips[0].ip_address, "10.0.0.99")


@pytest.mark.parametrize("dst", [BROADCAST, "01:00:5e:00:00:01"])
def test_flooded_frames_reach_everybody_in_the_network_once(region: Region, dst: str) -> None:
    assert region.receivers(P1, ping(P1, dst)) == [P2.id, P3.id, P4.id]
    assert region.receivers(P4, ping(P4, dst)) == [P1.id, P2.id, P3.id]
    assert region.receivers(R1, ping(R1, dst)) == [R2.id], "and nobody in another network"


def test_flooding_names_only_the_hosts_that_have_the_network(region: Region) -> None:
    region.overlay.carried.clear()
    region.send(R1, ping(R1, BROADCAST))
    hv1, hv2 = 0xC0000201, 0xC0000202
    assert dict(region.overlay.carried) == {(hv1, hv2): 1}


@pytest.mark.parametrize("to", [P2, P3, P4])
def test_known_unicast_reaches_only_its_port(region: Region, to: Port) -> None:
    assert region.receivers(P1, ping(P1, to.mac_address)) == [to.id]
    assert region.receivers(to, ping(to, P1.mac_address)) == [P1.id]


def test_a_port_with_a_groups_mac_gets_its_frames_beside_everybody_else(region: Region) -> None:
    """And does not take all neighbour solicitations of its network away from the others."""
    cluster = msgspec.structs.replace(port(5, BLUE), mac_address="33:33:00:00:00:01")
    region.create(cluster)
    region.plug("hv1", cluster)
    region.settle()
    for frm, others in ((P1, [P2, P3, P4]), (P4, [P1, P2, P3])):
        assert region.receivers(frm, ping(frm, cluster.mac_address)) == [*(one.id for one in others), cluster.id]


def test_another_networks_mac_is_unknown_here(region: Region) -> None:
    assert region.receivers(P1, ping(P1, R2.mac_address)) == []


def test_nothing_comes_back_to_the_sender(region: Region) -> None:
    assert region.receivers(P1, ping(P1, P1.mac_address)) == []


def test_frames_leave_as_they_came_without_tags(region: Region) -> None:
    for delivery in region.send(P1, ping(P1, BROADCAST)):
        assert delivery.packet["vlan_vid"] == 0


def test_tagged_frames_of_a_vm_are_dropped(region: Region) -> None:
    for vlan in (1, 2, 5):
        assert region.receivers(P1, {**ping(P1, BROADCAST), "vlan_vid": tagged(vlan)}) == []


def test_unplugged_and_moved_ports(region: Region) -> None:
    region.nodes["hv2"].unplug(P3.id)
    region.plug("hv4", P3)
    region.settle()
    assert region.receivers(P1, ping(P1, P3.mac_address)) == [P3.id]
    assert region.receivers(P1, ping(P1, BROADCAST)) == [P2.id, P3.id, P4.id]
    region.overlay.carried.clear()
    region.send(P1, ping(P1, BROADCAST))
    assert {to & 0xFF for _, to in region.overlay.carried} == {3, 4}, "hv2 has no port of the network any more"


def test_an_administratively_down_port_is_not_wired() -> None:
    down = port(5, BLUE, admin_state_up=False)
    region = Region()
    region.create(BLUE, P1, P2, down)
    region.plug("hv1", P1, P2, down)
    region.settle()
    assert region.receivers(P1, ping(P1, BROADCAST)) == [P2.id]
    assert region.receivers(down, ping(down, BROADCAST)) == []


def test_a_network_that_goes_down_and_up_again() -> None:
    region = Region()
    region.create(BLUE, P1, P2)
    region.plug("hv1", P1)
    region.plug("hv2", P2)
    region.settle()
    for up in (False, True):
        region.create(Network(id=BLUE.id, segments=BLUE.segments, admin_state_up=up))
        region.settle()
        assert region.receivers(P1, ping(P1, BROADCAST)) == ([P2.id] if up else [])


def test_a_local_network_stays_on_its_node() -> None:
    local = network(3, "local")
    a, b, c = (port(number, local) for number in (21, 22, 23))
    region = Region()
    region.create(local, a, b, c)
    region.plug("hv1", a, b)
    region.plug("hv2", c)
    region.settle()
    assert region.receivers(a, ping(a, BROADCAST)) == [b.id]
    assert not region.overlay.carried
