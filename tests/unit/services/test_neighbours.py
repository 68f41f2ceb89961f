"""ARP and ND: known addresses are answered on the node, unknown ones flooded."""

import pytest

from netweft.model import Port
from netweft.services.addresses import mac, prefix
from netweft.testing import packets
from netweft.testing.region import Region, network, port

NET, RED = network(1), network(2)
ASKER = port(1, NET, "10.0.0.1", "2001:db8::1")
NEAR = port(2, NET, "10.0.0.2", "2001:db8::2")
FAR = port(3, NET, "10.0.0.3", "2001:db8::3")
STRANGER = port(4, RED, "10.0.0.4", "2001:db8::4")


@pytest.fixture(scope="module")
def region() -> Region:
    made = Region()
    made.create(NET, RED, ASKER, NEAR, FAR, STRANGER)
    made.plug("hv1", ASKER, NEAR, STRANGER)
    made.plug("hv2", FAR)
    made.settle()
    return made


@pytest.mark.parametrize("target", [NEAR, FAR])
def test_arp_for_a_known_address_is_answered_to_the_asker_only(region: Region, target: Port) -> None:
    region.overlay.carried.clear()
    address = target.fixed_ips[0].ip_address
    [reply] = region.send(ASKER, packets.arp(ASKER.mac_address, "10.0.0.1", address))
    assert reply.ofport == region.nodes["hv1"].vifs[ASKER.id].ofport
    expected = packets.arp(target.mac_address, address, "10.0.0.1", op=2, dst=ASKER.mac_address)
    assert reply.packet == {**expected, "arp_tha": mac(ASKER.mac_address), "vlan_vid": 0}
    assert not region.overlay.carried


@pytest.mark.parametrize("target", [NEAR, FAR])
@pytest.mark.parametrize("local", [False, True])
def test_a_solicitation_is_answered(region: Region, target: Port, local: bool) -> None:
    address = target.fixed_ips[1].ip_address
    if local:
        address = f"fe80::f816:3eff:fe00:{target.mac_address[-1]}"
    asked = packets.solicit(ASKER.mac_address, "2001:db8::1", address, sll=ASKER.mac_address)
    [reply] = region.send(ASKER, asked)
    assert reply.ofport == region.nodes["hv1"].vifs[ASKER.id].ofport
    got = reply.packet
    assert (got["eth_src"], got["eth_dst"]) == (mac(target.mac_address), mac(ASKER.mac_address))
    assert (got["ipv6_src"], got["ipv6_dst"]) == (prefix(address).value, prefix("2001:db8::1").value)
    assert (got["icmpv6_type"], got["nd_target"], got["nd_tll"]) == (
        136, prefix(address).value, mac(target.mac_address),
    )  # fmt: skip


def test_unknown_addresses_are_flooded(region: Region) -> None:
    everybody = [NEAR.id, FAR.id]
    assert region.receivers(ASKER, packets.arp(ASKER.mac_address, "10.0.0.1", "10.0.0.50")) == everybody
    solicit = packets.solicit(ASKER.mac_address, "2001:db8::1", "2001:db8::50", sll=ASKER.mac_address)
    assert region.receivers(ASKER, solicit) == everybody


def test_addresses_of_another_network_are_unknown(region: Region) -> None:
    assert region.receivers(ASKER, packets.arp(ASKER.mac_address, "10.0.0.1", "10.0.0.4")) == [NEAR.id, FAR.id]


def test_looking_for_duplicates_of_ones_own_address_is_not_answered(region: Region) -> None:
    everybody = [NEAR.id, FAR.id]
    for sender in ("0.0.0.0", "10.0.0.1"):
        assert region.receivers(ASKER, packets.arp(ASKER.mac_address, sender, "10.0.0.1")) == everybody
    assert region.receivers(ASKER, packets.solicit(ASKER.mac_address, "::", "2001:db8::1")) == everybody


def test_somebody_elses_address_in_use_is_found_out(region: Region) -> None:
    [reply] = region.send(ASKER, packets.arp(ASKER.mac_address, "0.0.0.0", "10.0.0.3"))
    assert reply.packet["arp_sha"] == mac(FAR.mac_address)


def test_a_unicast_request_asks_the_port_itself(region: Region) -> None:
    asked = packets.arp(ASKER.mac_address, "10.0.0.1", "10.0.0.3", dst=FAR.mac_address)
    assert region.receivers(ASKER, asked) == [FAR.id]
