"""What a VM may try at a router, and places where one is of an unusual kind."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.openflow.fields import ETH_QINQ, VLAN_PRESENT
from netweft.model import Port, RouterPort, SubPort, Trunk
from netweft.services.addresses import mac, prefix
from netweft.services.fields import HANDED_UP, Why
from netweft.testing import packets
from netweft.testing.region import Region, interface, network, port, router, subnet
from netweft.testing.switch import Packet

BLUE, RED, WIRE = network(1), network(2), network(3, "vlan")
R = router(1)
TO_BLUE, TO_RED, TO_WIRE = (
    interface(1, R, BLUE, "10.0.0.1", "fd00:a::1"),
    interface(2, R, RED, "10.0.1.1", "fd00:b::1"),
    interface(3, R, WIRE, "10.0.2.1"),
)
B1 = port(10, BLUE, "10.0.0.10", "fd00:a::10")
FREE = port(11, BLUE, "10.0.0.11", port_security_enabled=False, security_groups=())
R1, R2, W1 = port(20, RED, "10.0.1.20", "fd00:b::20"), port(21, RED, "10.0.1.21"), port(30, WIRE, "10.0.2.30")
TRUNK = Trunk(id="t", port_id=B1.id, sub_ports=(SubPort(R2.id, 102), SubPort(W1.id, 103)))


@pytest.fixture
def region() -> Region:
    """hv1: B1, which carries R2 and W1, and FREE; hv2: R1."""
    made = Region(nodes=2)
    made.create(BLUE, RED, WIRE, R, TO_BLUE, TO_RED, TO_WIRE, B1, FREE, R1, R2, W1, TRUNK)
    for net, number, letter in ((BLUE, 0, "a"), (RED, 1, "b"), (WIRE, 2, "c")):
        made.create(subnet(net, f"10.0.{number}.0/24"), subnet(net, f"fd00:{letter}::/64"))
    made.plug("hv1", B1, FREE)
    made.plug("hv2", R1)
    made.settle()
    return made


def ping(**fields: int) -> Packet:
    made = packets.ping(FREE.mac_address, TO_BLUE.mac_address, "10.0.0.11", "10.0.1.20")
    return {**made, **fields}


@pytest.mark.parametrize(
    ("frm", "to", "by"),
    [
        (B1, R2, TO_BLUE),
        (R2, B1, TO_RED),
        (R2, W1, TO_RED),
        (W1, R2, TO_WIRE),
        (W1, B1, TO_WIRE),
        (W1, R1, TO_WIRE),
    ],
)
def test_sub_ports_of_one_interface_reach_each_other_by_the_router(
    region: Region, frm: Port, to: Port, by: RouterPort
) -> None:
    asked = packets.ping(frm.mac_address, by.mac_address, frm.fixed_ips[0].ip_address, to.fixed_ips[0].ip_address)
    assert region.receivers(frm, asked) == [to.id]
    itself = {**asked, "ipv4_dst": prefix(by.fixed_ips[0].ip_address).value}
    assert region.receivers(frm, itself) == [frm.id]


def punted(region: Region) -> list[Packet]:
    return region.nodes["hv1"].bridges["int"].punted


@pytest.mark.parametrize(
    "odd",
    [
        {"vlan_vid": VLAN_PRESENT | 102},
        {"vlan_vid": VLAN_PRESENT | 1003},
        {"vlan_vid": VLAN_PRESENT | 2},
        {"eth_type": ETH_QINQ},
        {"eth_type": 0x05FF},
        {"eth_type": 0x8847},
        {"eth_src": mac(TO_BLUE.mac_address), "ipv4_src": prefix("127.0.0.1").value},
        {"ipv4_src": prefix("224.0.0.1").value},
        {"ipv4_src": prefix("255.255.255.255").value},
        {"ipv4_src": 0},
    ],
)
def test_odd_frames_of_one_without_port_security_go_nowhere(region: Region, odd: dict[str, int]) -> None:
    assert region.receivers(FREE, ping()) == [R1.id], "so that it can go wrong"
    assert region.send(FREE, ping(**odd)) == []
    assert punted(region) == []


def test_a_priority_tag_is_no_vlan(region: Region) -> None:
    assert region.receivers(FREE, ping(vlan_vid=VLAN_PRESENT)) == [R1.id]


@pytest.mark.parametrize("to", ["10.0.1.1", "10.0.0.1"])
@pytest.mark.parametrize("frm", ["10.0.0.1", "10.0.1.1", "10.0.2.1"])
def test_it_does_not_talk_to_itself(region: Region, frm: str, to: str) -> None:
    assert region.send(FREE, ping(ipv4_src=prefix(frm).value, ipv4_dst=prefix(to).value)) == []
    assert len(punted(region)) <= 1


def test_a_vlan_of_the_vms_own_making_is_not_routed(region: Region) -> None:
    clear = replace(network(1), vlan_transparent=True)
    region.create(clear)
    region.settle()
    other = port(12, BLUE, "10.0.0.12", port_security_enabled=False, security_groups=())
    region.create(other)
    region.plug("hv2", other)
    region.settle()
    assert region.receivers(FREE, ping()) == [R1.id]
    assert R1.id not in region.receivers(FREE, ping(vlan_vid=VLAN_PRESENT | 7))


def test_a_port_that_is_down_is_not_reached(region: Region) -> None:
    region.create(replace(R1, admin_state_up=False), down := replace(port(13, RED, "10.0.1.13"), admin_state_up=False))
    region.plug("hv1", down)
    region.settle()
    for to in ("10.0.1.20", "10.0.1.13"):
        assert region.send(FREE, ping(ipv4_dst=prefix(to).value)) == []
    assert [found[HANDED_UP] for found in punted(region)] == [Why.UNKNOWN_NEXT_HOP]


def test_flows_for_a_port_more_on_a_routed_network(region: Region) -> None:
    """One for each of its addresses on each node that is routed to there, and no more."""
    nodes = region.nodes.values()

    def flows() -> int:
        return sum(len(node.bridges["int"].flows) for node in nodes)

    before = flows()
    region.create(one := port(300, RED, "10.0.1.100", "fd00:b::100"))
    region.plug("hv2", one)
    region.settle()
    routed = flows() - before
    region.router_ports.clear()
    region.settle()
    before = flows()
    region.create(two := port(301, RED, "10.0.1.101", "fd00:b::101"))
    region.plug("hv2", two)
    region.settle()
    on_hv1 = sum(len(node.bridges["int"].flows) for node in nodes) - before
    assert routed - on_hv1 <= 2 * 2 + 5, "and what switches to it on the node that has no port on its network"
