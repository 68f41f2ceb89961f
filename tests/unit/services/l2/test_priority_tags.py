"""Frames with a tag that says a priority and no VLAN, asked of fake switches."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.openflow.fields import ETH_QINQ, ETH_VLAN
from netweft.model import Port, SubPort, Trunk
from netweft.services.fields import tagged
from netweft.testing import packets
from netweft.testing.region import Region, network, port
from netweft.testing.switch import Packet

NET, FLAT, CARRIED = network(1), network(2, "flat", "public"), network(3)
ONE, OTHER, FREE = port(1, NET), port(2, NET), port(3, NET, port_security_enabled=False, security_groups=())
ON_FLAT, FREE_ON_FLAT = port(4, FLAT), port(5, FLAT, port_security_enabled=False, security_groups=())
SUB, BESIDE = port(6, CARRIED), port(7, CARRIED)
TRUNK = Trunk(id="t", port_id=ONE.id, sub_ports=(SubPort(SUB.id, 102),))
PRIORITY = tagged(0)


@pytest.fixture(scope="module")
def region() -> Region:
    made = Region(nodes=2)
    made.create(NET, FLAT, CARRIED, TRUNK, ONE, OTHER, FREE, ON_FLAT, FREE_ON_FLAT, SUB, BESIDE)
    made.plug("hv1", ONE, FREE, ON_FLAT, FREE_ON_FLAT, BESIDE)
    made.plug("hv2", OTHER)
    made.settle()
    return made


def ping(frm: Port, to: Port, **fields: int) -> Packet:
    ends = (frm.fixed_ips[0].ip_address, to.fixed_ips[0].ip_address)
    return {**packets.ping(frm.mac_address, to.mac_address, *ends), **fields}


@pytest.mark.parametrize("frm", [ONE, FREE])
def test_they_are_taken_as_untagged(region: Region, frm: Port) -> None:
    (got,) = region.send(frm, ping(frm, OTHER, vlan_vid=PRIORITY))
    assert region.ids_of([got]) == [OTHER.id]
    assert got.packet["vlan_vid"] == 0


def test_so_they_are_from_a_flat_wire(region: Region) -> None:
    stranger = port(99, FLAT)
    for vid in (0, PRIORITY):
        got = list(region.wires["public"].carry(None, ping(stranger, ON_FLAT, vlan_vid=vid)))
        assert region.ids_of(got) == [ON_FLAT.id], "and of a trunk they are the parent's"


def test_forgeries_behind_them_are_as_forged(region: Region) -> None:
    forged = {**ping(ONE, OTHER), "ipv4_src": ping(OTHER, ONE)["ipv4_src"], "vlan_vid": PRIORITY}
    assert region.send(ONE, forged) == []


@pytest.mark.parametrize("vlan", [0, 102, 1002])
@pytest.mark.parametrize("frm", [ONE, FREE, ON_FLAT, FREE_ON_FLAT])
def test_a_second_tag_behind_them_goes_nowhere(region: Region, frm: Port, vlan: int) -> None:
    """Whether Open vSwitch shows it as a tag or as what the frame carries: not to a sub-port, nor to a VLAN outside."""
    heard = region.wires["public"].heard
    heard.clear()
    to = BESIDE if vlan == 102 else OTHER
    assert region.send(frm, ping(frm, to, vlan_vid=PRIORITY, inner_vid=tagged(vlan))) == []
    for eth_type in (ETH_VLAN, ETH_QINQ):
        assert region.send(frm, {**ping(frm, to, vlan_vid=PRIORITY), "eth_type": eth_type}) == []
    assert heard == []


@pytest.mark.parametrize("kind", ["flat", "vxlan"])
def test_a_transparent_network_carries_them_as_they_are(kind: str) -> None:
    net = replace(network(5, kind, "public"), vlan_transparent=True)
    one, other = port(51, net), port(52, net)
    region = Region(nodes=2)
    region.create(net, one, other)
    region.plug("hv1", one)
    region.plug("hv2", other)
    region.settle()
    (got,) = region.send(one, ping(one, other, vlan_vid=PRIORITY))
    assert (region.ids_of([got]), got.packet["vlan_vid"]) == ([other.id], PRIORITY)
