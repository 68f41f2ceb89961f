"""A gateway that goes from one node to another: what is sent leaves by the node that has it, whoever is asked."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import (
    B1,
    B2,
    BLUE,
    GATEWAY,
    OUTSIDE,
    R2,
    RED,
    ROUTER_OUT_THERE,
    SOMEBODY,
    TO_BLUE,
    TO_RED,
    R,
    answer,
    comes_in,
    sent,
)

from netweft.model import Port
from netweft.services.addresses import mac, prefix
from netweft.services.l3.values import GatewayPlace
from netweft.testing import packets
from netweft.testing.region import Region, subnet

ORDER = ("hv1", "hv2")
PATHS = {"hv1": "02:00:00:00:00:01", "hv2": "02:00:00:00:00:02"}  # the next hop's MAC, as this node has learned it


@pytest.fixture
def region() -> Region:
    """B1 on hv1, B2 on hv2, R2 on hv3, which cannot have a gateway."""
    made = Region(nodes=3)
    made.create(BLUE, RED, OUTSIDE, B1, B2, R2, R, TO_BLUE, TO_RED, replace(GATEWAY, hosts=ORDER))
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(RED, "10.0.1.0/24"))
    made.create(subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=ROUTER_OUT_THERE))
    for node, port in zip(made.nodes, (B1, B2, R2), strict=True):
        made.plug(node, port)
    for node, its_mac in PATHS.items():
        made.nodes[node].rendering.learn(OUTSIDE.id, ROUTER_OUT_THERE, its_mac)
    made.settle()
    return made


def is_at(region: Region, host: str, **others: str) -> None:
    """As all nodes see it, but for others."""
    for name, node in region.nodes.items():
        seen = others.get(name, host)
        place = GatewayPlace(seen, here=seen == name, answers=seen == name)
        node.rendering.choose(GATEWAY.id, place)
    region.settle()


def left_by(region: Region, frm: Port) -> list[str]:
    found = [packet for packet in sent(region, frm, SOMEBODY) if packet.get("ipv4_src") == prefix("203.0.113.5").value]
    return [node for packet in found for node, its_mac in PATHS.items() if packet["eth_dst"] == mac(its_mac)]


@pytest.mark.parametrize("frm", [B1, B2, R2])
def test_as_the_server_says_until_somebody_says_otherwise(region: Region, frm: Port) -> None:
    assert left_by(region, frm) == ["hv1"]


@pytest.mark.parametrize("frm", [B1, B2, R2])
@pytest.mark.parametrize("host", ORDER)
def test_out_by_who_has_it_and_back(region: Region, frm: Port, host: str) -> None:
    is_at(region, host)
    assert left_by(region, frm) == [host]
    (delivery,) = comes_in(region, answer("203.0.113.5"))
    assert region.ids_of([delivery]) == [frm.id]


@pytest.mark.parametrize("host", ORDER)
def test_one_answers_for_it(region: Region, host: str) -> None:
    is_at(region, host)
    assert comes_in(region, packets.arp("02:00:00:00:00:09", "203.0.113.9", "203.0.113.5")) == []
    replies = [packet for packet in region.wires["public"].heard if packet.get("arp_op") == 2]
    assert [reply["arp_sha"] for reply in replies] == [mac(GATEWAY.mac_address)]


def test_while_nobody_has_it_nobody_answers(region: Region) -> None:
    for name, node in region.nodes.items():
        node.rendering.choose(GATEWAY.id, GatewayPlace("" if name == "hv2" else "hv2"))
    region.settle()
    comes_in(region, packets.arp("02:00:00:00:00:09", "203.0.113.9", "203.0.113.5"))
    assert not [packet for packet in region.wires["public"].heard if packet.get("arp_op") == 2]
    assert [left_by(region, frm) for frm in (B1, B2, R2)] == [[], [], []]


def test_a_node_without_it_passes_it_on(region: Region) -> None:
    """hv3 has not heard yet that hv2 has it."""
    is_at(region, "hv2", hv3="hv1")
    assert left_by(region, R2) == ["hv2"]


def test_two_that_mean_each_other_make_no_loop(region: Region) -> None:
    is_at(region, "hv2", hv2="hv1")
    assert [left_by(region, frm) for frm in (B1, B2, R2)] == [[], [], []]


def test_what_has_been_left_is_heard_for_a_while(region: Region) -> None:
    """hv1 sends by hv2 already, and takes what comes back to it."""
    assert left_by(region, R2) == ["hv1"]
    is_at(region, "hv2")
    region.nodes["hv1"].rendering.choose(GATEWAY.id, GatewayPlace("hv2", here=True))
    region.settle()
    assert left_by(region, R2) == ["hv2"]
    assert left_by(region, B1) == ["hv2"]
    back = [one for one in comes_in(region, answer("203.0.113.5")) if region.ids_of([one]) == [R2.id]]
    assert len(back) == 2, "the fake wire gives it to both"
