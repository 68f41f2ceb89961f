"""Unique local addresses to an external network that asks for NAT66: as SNAT, and nobody else's IPv6."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from netweft.model import FixedIp, GatewayPort, Network, Port
from netweft.services.addresses import Prefix, prefix, text
from netweft.testing import packets
from netweft.testing.region import Region, gateway, interface, network, port, router, subnet
from netweft.testing.switch import Delivery, Packet

A, B = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000001"
BLUE, OTHERS, GREEN, OUTSIDE = network(1), network(2), network(3), replace(network(9, "flat", "public"), nat66=True)
R, R_OTHER = router(1), router(2)
TO_BLUE = interface(1, R, BLUE, "10.0.0.1", "fd00:a::1")
TO_GREEN = interface(3, R, GREEN, "2001:db8:a::1")  # of addresses that are of use outside
TO_OTHERS = interface(2, R_OTHER, OTHERS, "10.0.0.1", "fd00:a::1")  # the same prefix, of another tenant
NEXT, FAR, NEXT_MAC = "2001:db8::1", "2001:db8:ffff::7", "02:00:00:00:00:01"
SNAT, SNAT_OTHER = "2001:db8::5", "2001:db8::6"
B1, B2 = (port(10 + n, BLUE, f"10.0.0.{10 + n}", f"fd00:a::{10 + n}") for n in range(2))
G1, G2 = (port(30 + n, GREEN, f"2001:db8:a::{30 + n}") for n in range(2))
O1 = port(20, OTHERS, "10.0.0.10", "fd00:a::10")


def with_addresses(made: GatewayPort, *six: str) -> GatewayPort:
    fixed = [FixedIp(subnet(OUTSIDE, "203.0.113.0/24").id, made.fixed_ips[0].ip_address)]
    return replace(made, fixed_ips=(*fixed, *(FixedIp(subnet(OUTSIDE, "2001:db8::/64").id, one) for one in six)))


GATEWAY = with_addresses(gateway(1, R, OUTSIDE, "hv1", "203.0.113.5"), SNAT)
GATEWAY_OTHER = with_addresses(gateway(2, R_OTHER, OUTSIDE, "hv1", "203.0.113.6"), SNAT_OTHER)


@pytest.fixture
def region() -> Region:
    """hv1: B1, G1, O1 and the gateways; hv2: B2, G2."""
    made = Region(nodes=2)
    made.create(BLUE, OTHERS, GREEN, OUTSIDE, B1, B2, G1, G2, O1, R, R_OTHER)
    made.create(TO_BLUE, TO_OTHERS, TO_GREEN, GATEWAY, GATEWAY_OTHER)
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(BLUE, "fd00:a::/64"), subnet(GREEN, "2001:db8:a::/64"))
    made.create(subnet(OTHERS, "10.0.0.0/24"), subnet(OTHERS, "fd00:a::/64"))
    made.create(subnet(OUTSIDE, "203.0.113.0/24", gateway_ip="203.0.113.1"))
    made.create(subnet(OUTSIDE, "2001:db8::/64", gateway_ip=NEXT))
    made.plug("hv1", B1, G1, O1)
    made.plug("hv2", B2, G2)
    made.settle()
    for address in (NEXT, "203.0.113.1"):
        made.nodes["hv1"].rendering.learn(OUTSIDE.id, address, NEXT_MAC)
    made.settle()
    return made


def own_address(one: Port) -> str:
    return one.fixed_ips[-1].ip_address


def out(region: Region, frm: Port) -> list[Packet]:
    heard = region.wires["public"].heard
    heard.clear()
    by = next(one for one in (TO_BLUE, TO_OTHERS, TO_GREEN) if one.network_id == frm.network_id)
    region.send(frm, packets.udp(frm.mac_address, by.mac_address, own_address(frm), FAR, 1000, 53))
    return [packet for packet in heard if "ipv6_src" in packet]


def source(found: list[Packet]) -> list[str]:
    return [text(Prefix(6, packet["ipv6_src"], None)) for packet in found]


def comes_in(region: Region, to: str, at: GatewayPort = GATEWAY, **fields: int) -> list[Delivery]:
    packet = {**packets.udp(NEXT_MAC, at.mac_address, FAR, to, 53, 1000), **fields}
    return list(region.wires["public"].carry(None, {"vlan_vid": 0, **packet}))


@pytest.mark.parametrize("frm", [B1, B2])
def test_out_with_the_gateways_address_and_back(region: Region, frm: Port) -> None:
    (packet,) = out(region, frm)
    assert source([packet]) == [SNAT]
    assert packet["ip_ttl"] == 63
    (delivery,) = comes_in(region, SNAT)
    assert region.ids_of([delivery]) == [frm.id]
    assert delivery.packet["ipv6_dst"] == prefix(own_address(frm)).value


def test_overlapping_tenants_are_told_apart(region: Region) -> None:
    assert source(out(region, B1)) == [SNAT]
    assert source(out(region, O1)) == [SNAT_OTHER]
    assert region.ids_of(comes_in(region, SNAT)) == [B1.id]
    assert region.ids_of(comes_in(region, SNAT_OTHER, GATEWAY_OTHER)) == [O1.id]


def test_nobody_comes_in_unasked(region: Region) -> None:
    assert comes_in(region, SNAT) == []
    assert comes_in(region, own_address(B1)) == [], "by the VM's own address neither"
    assert source(out(region, B1)) == [SNAT]
    assert comes_in(region, own_address(B1)) == [], "nor beside what it has asked"
    assert comes_in(region, SNAT, udp_dst=999) == []


@pytest.mark.parametrize("frm", [G1, G2])
def test_other_addresses_are_routed(region: Region, frm: Port) -> None:
    own = own_address(frm)
    assert source(out(region, frm)) == [own]
    assert region.ids_of(comes_in(region, own)) == [frm.id]


def test_its_own_address_answers_ping(region: Region) -> None:
    heard = region.wires["public"].heard
    heard.clear()
    asks = {**packets.ping6(NEXT_MAC, GATEWAY.mac_address, FAR, SNAT), "ip_ttl": 64}
    list(region.wires["public"].carry(None, {"vlan_vid": 0, **asks}))
    assert source([packet for packet in heard if packet.get("icmpv6_type") == 129]) == [SNAT]


@pytest.mark.parametrize(
    ("asks", "snat", "becomes"), [(True, True, SNAT), (False, True, ""), (True, False, ""), (False, False, "")]
)
def test_where_it_is_enabled(region: Region, asks: bool, snat: bool, becomes: str) -> None:
    region.create(replace(OUTSIDE, nat66=asks), replace(R, enable_snat=snat))
    region.settle()
    own = own_address(B1)
    assert source(out(region, B1)) == [becomes or own]
    assert region.ids_of(comes_in(region, becomes or own)) == [B1.id]
    region.create(OUTSIDE, R)
    region.settle()
    assert source(out(region, B1)) == [SNAT]


def test_another_address_is_another_zone(region: Region) -> None:
    """Or connections would go on with the one that may be somebody else's now."""
    assert source(out(region, B1)) == [SNAT]
    region.create(with_addresses(GATEWAY, "2001:db8::77"))
    region.settle()
    assert source(out(region, B1)) == ["2001:db8::77"]


def test_without_an_ipv6_address_outside_nothing_leaves(region: Region) -> None:
    region.create(with_addresses(GATEWAY))
    region.settle()
    assert out(region, B1) == []


def test_of_two_addresses_one_that_is_of_use(region: Region) -> None:
    region.create(with_addresses(GATEWAY, "fd00:9::5", SNAT))
    region.settle()
    assert source(out(region, B1)) == [SNAT]


def networks(outside: str | None, inside: str | None) -> Iterator[Network]:
    yield replace(OUTSIDE, ipv6_address_scope=outside)
    yield from (replace(one, ipv6_address_scope=inside) for one in (BLUE, GREEN))


@pytest.mark.parametrize(
    ("outside", "inside", "local", "other"),
    [
        (None, None, "SNAT", "as it is"),
        (A, A, "as it is", "as it is"),
        (A, B, "SNAT", ""),
        (A, None, "SNAT", ""),
        (None, A, "SNAT", ""),
    ],
)
def test_address_scopes(region: Region, outside: str | None, inside: str | None, local: str, other: str) -> None:
    """As in IPv4: from one scope into another by NAT only, within one as it is."""
    region.create(*networks(outside, inside))
    region.settle()
    for frm, wanted in ((B2, local), (G2, other)):
        own = own_address(frm)
        becomes = {"SNAT": SNAT, "as it is": own}.get(wanted)
        assert source(out(region, frm)) == ([becomes] if becomes else [])
        unasked = region.ids_of(comes_in(region, own, udp_dst=7))
        assert unasked == ([frm.id] if wanted == "as it is" else [])
        if becomes:
            assert region.ids_of(comes_in(region, becomes)) == [frm.id], "the answer"
