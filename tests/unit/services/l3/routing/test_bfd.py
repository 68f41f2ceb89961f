"""Default routes watched by BFD: what is said leaves as the gateway, what is answered comes to the session."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways import test_several as several
from tests.unit.services.l3.gateways.test_flows import B1, OUTSIDE
from tests.unit.services.l3.gateways.test_several import FIRST_PORT, FLOWS, HOPS, MAC, OTHER_PORT, by, leaves_as

from netweft.dataplane.ovsdb.rows import PortRow
from netweft.model import GatewayPort, Network
from netweft.services.addresses import mac, prefix
from netweft.services.l3.routing.bfd import ONE_HOP, PORT
from netweft.services.l3.values import BfdSession
from netweft.testing import packets
from netweft.testing.region import Region
from netweft.testing.switch import Packet

region = several.region
FAR = {FIRST_PORT.id: 901, OTHER_PORT.id: 902}


def sessions(region: Region) -> dict[str, BfdSession]:
    gateways = region.nodes["hv1"].rendering.routers.gateways()
    return {one.port.id: session for one in gateways for session in one.sessions}


def network_of(one: GatewayPort) -> Network:
    return OUTSIDE if one is FIRST_PORT else several.SECOND


def watch(region: Region, *down: GatewayPort, ecmp: bool = True) -> dict[str, BfdSession]:
    region.create(replace(several.with_gateways(OTHER_PORT, ecmp=ecmp), bfd=True))
    region.settle()
    found = sessions(region)
    for id, session in found.items():
        region.nodes["hv1"].rendering.see_session(session, FAR[id], down=id in {one.id for one in down})
    region.settle()
    return found


def said(one: GatewayPort, ttl: int = ONE_HOP, frm: str = "") -> Packet:
    packet = packets.udp(MAC[one], one.mac_address, frm or HOPS[one], one.fixed_ips[0].ip_address, 50000, PORT)
    return {**packet, "ip_ttl": ttl}


def test_a_session_with_each_next_hop_of_ipv4(region: Region) -> None:
    found = watch(region)
    assert {id: one.next_hop for id, one in found.items()} == {
        one.id: prefix(HOPS[one]) for one in (FIRST_PORT, OTHER_PORT)
    }
    rows = {item.name: item for item in region.nodes["hv1"].rendering.desired.values() if isinstance(item, PortRow)}
    for id, session in found.items():
        near, far = rows[session.near], rows[session.far]
        assert dict(near.options)["peer"] == far.name
        assert dict(far.options)["peer"] == near.name
        own = FIRST_PORT if id == FIRST_PORT.id else OTHER_PORT
        ends = {"bfd_src_ip": own.fixed_ips[0].ip_address, "bfd_dst_ip": HOPS[own]}
        assert ends.items() <= dict(near.bfd).items()
    region.create(several.with_gateways(OTHER_PORT))
    region.settle()
    assert not sessions(region)
    assert not [one for one in region.nodes["hv1"].rendering.desired.values() if getattr(one, "bfd", ())]


@pytest.mark.parametrize("one", [FIRST_PORT, OTHER_PORT])
def test_what_it_says_leaves_as_the_gateway(region: Region, one: GatewayPort) -> None:
    watch(region)
    packet = packets.udp("00:11:11:11:11:11", "00:23:20:00:00:01", "192.0.2.1", "192.0.2.2", 50000, PORT)
    heard = region.wires["public"].heard
    heard.clear()
    assert not list(region.nodes["hv1"].bridges["int"].receive({**packet, "ip_ttl": ONE_HOP}, FAR[one.id]))
    (out,) = heard
    assert (out["eth_src"], out["eth_dst"]) == (mac(one.mac_address), mac(MAC[one]))
    assert (out["vlan_vid"] & 0xFFF, out["ip_ttl"]) == (network_of(one).segments[0].segmentation_id or 0, ONE_HOP)


@pytest.mark.parametrize("one", [FIRST_PORT, OTHER_PORT])
def test_only_its_next_hop_is_heard(region: Region, one: GatewayPort) -> None:
    watch(region)
    other = OTHER_PORT if one is FIRST_PORT else FIRST_PORT

    def heard(packet: Packet) -> list[int]:
        return [delivery.ofport for delivery in several.comes_in(region, packet, network_of(one))]

    assert heard(said(one)) == [FAR[one.id]]
    assert heard(said(one, ttl=254)) == []
    assert heard(said(one, frm=HOPS[other])) == []


@pytest.mark.parametrize("ecmp", [True, False])
@pytest.mark.parametrize(("down", "left"), [(FIRST_PORT, OTHER_PORT), (OTHER_PORT, FIRST_PORT)])
def test_who_is_down_is_left_out(region: Region, down: GatewayPort, left: GatewayPort, *, ecmp: bool) -> None:
    watch(region, down, ecmp=ecmp)
    assert {leaves_as(region, B1, to) for to in FLOWS} == {by(left)}


def test_while_none_is_up_all_are_used(region: Region) -> None:
    watch(region, FIRST_PORT, OTHER_PORT)
    assert {leaves_as(region, B1, to) for to in FLOWS} == {by(FIRST_PORT), by(OTHER_PORT)}
    watch(region, FIRST_PORT, OTHER_PORT, ecmp=False)
    assert {leaves_as(region, B1, to) for to in FLOWS} == {by(FIRST_PORT)}
