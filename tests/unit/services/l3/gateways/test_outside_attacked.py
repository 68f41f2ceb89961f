"""What a hostile host on the external network may try, asked of fake switches that evaluate the real flows."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.floating_ips.test_flows import B1, F1, F2, FR, R2, comes_in, heard
from tests.unit.services.l3.floating_ips.test_flows import region as region
from tests.unit.services.l3.gateways.test_flows import BLUE, GATEWAY, MACS, NEAR, OUTSIDE, SOMEBODY, TO_BLUE, own

from netweft.model import FixedIp, FloatingIp
from netweft.services.addresses import prefix
from netweft.testing import packets
from netweft.testing.region import Region, interface, port, router, subnet

HOSTILE = MACS[NEAR]
FAR_6 = "2001:db8:ffff::7"


def handed_up(region: Region) -> int:
    return sum(len(node.bridges["int"].punted) for node in region.nodes.values())


@pytest.mark.parametrize("to", [F1, F2, FR])
@pytest.mark.parametrize("frm", [own(B1), own(R2), "10.0.0.1", "10.0.1.254"])
def test_nobody_outside_is_from_inside(region: Region, to: FloatingIp, frm: str) -> None:
    """As which a rule about a group, or a prefix, would let it in."""
    asked = packets.udp(HOSTILE, to.mac_address, SOMEBODY, to.floating_ip_address, 53, 1000)
    assert len(comes_in(region, asked)) == 1, "so that it can go wrong"
    datagram = {**asked, "ipv4_src": prefix(frm).value}
    for forged in (
        datagram,
        packets.ping(HOSTILE, to.mac_address, frm, to.floating_ip_address),
        *packets.fragments(datagram, 3),
    ):
        assert comes_in(region, forged) == []
        assert heard(region)[1:] == [], "nothing is said about it"
    assert handed_up(region) == 0


def test_nor_where_nothing_is_translated(region: Region) -> None:
    own_6 = FixedIp(subnet(OUTSIDE, "2001:db8::/64").id, "2001:db8::5")
    region.create(
        replace(GATEWAY, fixed_ips=(*GATEWAY.fixed_ips, own_6)),
        subnet(OUTSIDE, "2001:db8::/64", gateway_ip="2001:db8::1"),
        subnet(BLUE, "fd00:a::/64"),
        interface(1, router(1), BLUE, "10.0.0.1", "fd00:a::1"),
        port(10, BLUE, "10.0.0.10", "fd00:a::10"),
    )
    region.settle()
    for frm, expected in ((FAR_6, [B1.id]), ("2001:db8::9", [B1.id]), ("fd00:a::11", []), ("fd00:a::10", [])):
        said = packets.udp(HOSTILE, GATEWAY.mac_address, frm, "fd00:a::10", 53, 1000)
        assert region.ids_of(comes_in(region, said)) == expected
        heard(region).clear()


def test_of_a_network_that_is_outside_and_inside_all_come_in(region: Region) -> None:
    """A router may have an interface on the network of its gateway."""
    region.create(interface(3, router(1), OUTSIDE, "203.0.113.6"))
    region.settle()
    asked = packets.udp(HOSTILE, F2.mac_address, NEAR, F2.floating_ip_address, 53, 1000)
    assert len(comes_in(region, asked)) == 1


MARTIANS = ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"]
SERVER, SERVER_MAC = "169.254.169.254", "02:4e:57:a9:fe:fe"
GROUP = "01:00:5e:00:00:01"


@pytest.mark.parametrize("frm", MARTIANS)
def test_nobody_is_from_where_nobody_can_be(region: Region, frm: str) -> None:
    """RFC 1812 5.3.7."""
    assert comes_in(region, packets.udp(HOSTILE, F2.mac_address, frm, F2.floating_ip_address, 53, 1000)) == []
    assert heard(region)[1:] == []
    assert handed_up(region) == 0


@pytest.mark.parametrize("by", [SERVER_MAC, GATEWAY.mac_address, F2.mac_address, "ff:ff:ff:ff:ff:ff", GROUP])
@pytest.mark.parametrize("port", [53, 80])
@pytest.mark.parametrize("frm", [NEAR, SERVER, "240.0.0.17"])
def test_metadata_and_dns_are_not_reached_from_there(region: Region, frm: str, port: int, by: str) -> None:
    """Nor with what the agent takes for a VM's own address."""
    for make in (packets.tcp, packets.udp):
        for to in (SERVER, "240.0.255.5"):
            assert comes_in(region, make(HOSTILE, by, frm, to, 1000, port)) == []
    assert handed_up(region) == 0


@pytest.mark.parametrize("whose", [GATEWAY.mac_address, F1.mac_address, TO_BLUE.mac_address])
def test_a_frame_from_a_routers_own_mac_goes_nowhere_further(region: Region, whose: str) -> None:
    """Nothing it says makes a round."""
    for to in (F2.floating_ip_address, "203.0.113.5", SOMEBODY):
        for by in (F2.mac_address, GATEWAY.mac_address):
            came = comes_in(region, packets.udp(whose, by, SOMEBODY, to, 53, 1000))
            assert len(came) <= 1
            assert len(heard(region)) <= 1, "but what was sent"


@pytest.mark.parametrize("address", ["203.0.113.5", F1.floating_ip_address, F2.floating_ip_address])
def test_an_announcement_of_an_address_of_ours_changes_nothing(region: Region, address: str) -> None:
    """He is not asked; one node answers, whatever he says."""
    for to in ("ff:ff:ff:ff:ff:ff", GATEWAY.mac_address, F1.mac_address):
        for op in (1, 2):
            comes_in(region, packets.arp(HOSTILE, address, address, op=op, dst=to))
    asked = packets.udp(HOSTILE, F2.mac_address, SOMEBODY, F2.floating_ip_address, 53, 1000)
    assert len(comes_in(region, asked)) == 1
