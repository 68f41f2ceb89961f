"""What physical switches are told when a VM has moved here."""

from msgspec.structs import replace

from netweft.dataplane.openflow.flow import Output, PushVlan, SetField
from netweft.model import Network
from netweft.services.fields import tagged
from netweft.services.l2.announce import announcement, rarp
from netweft.services.values import LocalNetwork, LocalPort
from netweft.testing.region import network, port


def here(net: Network) -> LocalPort:
    wired = LocalNetwork(network=net, vlan=7, segment=net.segments[0])
    return LocalPort(port=port(1, net), network=wired, port_name="tap1", ofport=10, uplink=2)


def test_the_frame() -> None:
    frame = rarp(0xFA163E000001)
    own = bytes.fromhex("fa163e000001")
    assert frame[:14] == b"\xff" * 6 + own + b"\x80\x35"
    assert frame[14:42] == bytes.fromhex("0001080006040003") + own + bytes(4) + own + bytes(4)
    assert len(frame) == 60


def test_to_the_wire_in_the_networks_local_vlan() -> None:
    packet = announcement(here(network(1, "vlan")))
    assert packet is not None
    assert packet.actions == (PushVlan(), SetField("vlan_vid", tagged(7)), Output(2))


def test_only_physical_networks_get_it() -> None:
    assert announcement(here(network(1, "vxlan"))) is None
    assert announcement(replace(here(network(1, "local")), uplink=None)) is None
