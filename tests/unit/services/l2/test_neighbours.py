"""ARP and ND: who asks for an address that one port alone can have is heard by that port alone."""

import pytest
from msgspec.structs import replace

from netweft.model import AddressPair, Port
from netweft.services.addresses import mac
from netweft.testing import packets
from netweft.testing.region import Region, network, port

NET, RED = network(1), network(2)
ASKER = port(1, NET, "10.0.0.1", "2001:db8::1")
NEAR = port(2, NET, "10.0.0.2", "2001:db8::2")
FAR = port(3, NET, "10.0.0.3", "2001:db8::3")
STRANGER = port(4, RED, "10.0.0.4", "2001:db8::4")
BYSTANDER = port(5, NET, "10.0.0.5", "2001:db8::5")
EVERYBODY = [NEAR.id, FAR.id, BYSTANDER.id]


def made(*ports: Port) -> Region:
    """NEAR and FAR, or what these ports are instead, and others."""
    region = Region()
    near, far, bystander = (next((one for one in ports if one.id == p.id), p) for p in (NEAR, FAR, BYSTANDER))
    region.create(NET, RED, ASKER, near, far, STRANGER, bystander)
    region.plug("hv1", ASKER, near, STRANGER, bystander)
    region.plug("hv2", far)
    region.settle()
    return region


@pytest.fixture(scope="module")
def region() -> Region:
    return made()


def arp(region: Region, address: str, sender: str = "10.0.0.1") -> list[str]:
    return region.receivers(ASKER, packets.arp(ASKER.mac_address, sender, address))


def solicit(region: Region, target: str, sender: str = "2001:db8::1", sll: str = ASKER.mac_address) -> list[str]:
    return region.receivers(ASKER, packets.solicit(ASKER.mac_address, sender, target, sll=sll))


def link_local(of: Port) -> str:
    return f"fe80::f816:3eff:fe00:{of.mac_address[-1]}"


@pytest.mark.parametrize("target", [NEAR, FAR])
def test_a_request_reaches_who_has_the_address_and_nobody_else(region: Region, target: Port) -> None:
    address = target.fixed_ips[0].ip_address
    asked = packets.arp(ASKER.mac_address, "10.0.0.1", address)
    [heard] = region.send(ASKER, asked)
    assert region.ids_of([heard]) == [target.id]
    assert heard.packet == {**asked, "eth_dst": mac(target.mac_address), "vlan_vid": 0}


@pytest.mark.parametrize("target", [NEAR, FAR])
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("sll", [ASKER.mac_address, ""], ids=["", "optimistic"])
def test_a_solicitation_reaches_who_has_the_address_as_it_was_sent(
    region: Region, target: Port, local: bool, sll: str
) -> None:
    """Its IP destination stays the group's, the answer is the port's own: with the flags that it sets."""
    address = link_local(target) if local else target.fixed_ips[1].ip_address
    asked = packets.solicit(ASKER.mac_address, "2001:db8::1", address, sll=sll)
    [heard] = region.send(ASKER, asked)
    assert region.ids_of([heard]) == [target.id]
    assert heard.packet == {**asked, "eth_dst": mac(target.mac_address), "vlan_vid": 0}


def test_unknown_addresses_are_flooded(region: Region) -> None:
    assert arp(region, "10.0.0.50") == EVERYBODY
    assert solicit(region, "2001:db8::50") == EVERYBODY


def test_addresses_of_another_network_are_unknown(region: Region) -> None:
    assert arp(region, "10.0.0.4") == EVERYBODY


@pytest.mark.parametrize("target", [ASKER, FAR], ids=["its own", "somebody else's"])
def test_who_looks_for_duplicates_is_heard_by_everybody(region: Region, target: Port) -> None:
    v4, v6 = (fixed.ip_address for fixed in target.fixed_ips)
    assert arp(region, v4, sender="0.0.0.0") == EVERYBODY
    assert solicit(region, v6, sender="::", sll="") == EVERYBODY


def test_an_announcement_is_heard_by_everybody(region: Region) -> None:
    assert arp(region, "10.0.0.1") == EVERYBODY


def test_a_unicast_request_goes_to_the_port_itself(region: Region) -> None:
    asked = packets.arp(ASKER.mac_address, "10.0.0.1", "10.0.0.3", dst=FAR.mac_address)
    assert region.receivers(ASKER, asked) == [FAR.id]


@pytest.mark.parametrize("target", [NEAR, FAR])
def test_a_port_without_port_security_may_answer_with_any_mac(target: Port) -> None:
    """It may be a bridge with others behind it."""
    region = made(replace(target, port_security_enabled=False, security_groups=()))
    assert arp(region, target.fixed_ips[0].ip_address) == EVERYBODY
    assert solicit(region, target.fixed_ips[1].ip_address) == EVERYBODY


@pytest.mark.parametrize("claimer", [NEAR, FAR, BYSTANDER])
@pytest.mark.parametrize("pair", ["10.0.0.2", "10.0.0.0/30"])
def test_a_request_for_an_address_pairs_address_is_flooded(claimer: Port, pair: str) -> None:
    """A pair on the port itself, too: with a MAC of its own."""
    pairs = (AddressPair(pair, "00:00:5e:00:01:07"),)
    region = made(replace(claimer, allowed_address_pairs=pairs))
    assert arp(region, "10.0.0.2") == EVERYBODY
    assert arp(region, "10.0.0.5") == [BYSTANDER.id]
    assert solicit(region, "2001:db8::2") == [NEAR.id]


def test_ipv6_pairs_too_until_the_last_of_them_is_gone() -> None:
    paired = (AddressPair("2001:db8::/64", NEAR.mac_address),)
    near, far = (replace(one, allowed_address_pairs=paired) for one in (NEAR, FAR))
    region = made(near, far)
    assert solicit(region, "2001:db8::5") == EVERYBODY
    assert solicit(region, link_local(BYSTANDER)) == [BYSTANDER.id]
    for gone, heard in ((NEAR, EVERYBODY), (FAR, [BYSTANDER.id])):
        region.create(gone)
        region.settle()
        assert solicit(region, "2001:db8::5") == heard
