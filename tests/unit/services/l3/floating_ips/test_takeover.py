"""Floating IPs while the gateway goes from one node to another, asked of fake switches that evaluate the real flows.

F1 is with its VM on hv1, F2 on hv2, which may have the gateway by turns; F3's VM is on hv3, which is not wired to the
external network, so that it is where the gateway is.
"""

from functools import partial

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.floating_ips.test_flows import (
    B1,
    B2,
    B3,
    F1,
    F2,
    F3,
    OF,
    R2,
    comes_in,
    counted,
    heard,
    nodes_with,
    region,
    send,
    settle,
)
from tests.unit.services.l3.gateways.test_flows import BLUE, GATEWAY, MACS, NEAR, ROUTER_OUT_THERE, SOMEBODY, R

from netweft.model import HostRoute, MeteringLabel, Port
from netweft.model.metering import SHARED, MeteringRule
from netweft.services.addresses import mac, prefix
from netweft.services.fields import Reason, owner
from netweft.services.l3.counting import COUNTED, TABLES
from netweft.services.l3.values import GatewayPlace
from netweft.testing import packets
from netweft.testing.node import uplinks_of
from netweft.testing.region import Region, port

__all__ = ["region"]
ORDER = ("hv1", "hv2")
WITH_THEIR_VMS = {B1.id: "hv1", B2.id: "hv2", R2.id: "hv2"}
AT_HV1, AT_HV2 = GatewayPlace("hv1"), GatewayPlace("hv2")
HV1_HAS_IT, HV2_HAS_IT = GatewayPlace("hv1", here=True, answers=True), GatewayPlace("hv2", here=True, answers=True)
# what hv1, hv2 and hv3 think -> who answers for what is with the gateway
STAGES = {
    "hv1 has it": ((HV1_HAS_IT, AT_HV1, AT_HV1), {"hv1"}),
    "hv1 is gone, hv2 is about to take it": ((HV1_HAS_IT, AT_HV1, AT_HV2), {"hv1"}),
    "hv1 has left it": ((GatewayPlace("hv1", here=True), AT_HV1, AT_HV1), set()),
    "hv1 sends what it has to hv2": ((GatewayPlace("hv2", here=True), AT_HV1, AT_HV2), set()),
    "hv2 has it, hv1 takes what comes late": ((GatewayPlace("hv2", here=True), HV2_HAS_IT, AT_HV2), {"hv2"}),
    "hv2 has it": ((AT_HV2, HV2_HAS_IT, AT_HV2), {"hv2"}),
    "nobody can have it": ((GatewayPlace(""), GatewayPlace(""), GatewayPlace("")), set()),
}
EACH_STAGE = pytest.mark.parametrize("stage", STAGES)


def stands(region: Region, stage: str) -> None:
    region.create(replace(GATEWAY, hosts=ORDER))
    settle(region)
    for node, place in zip(region.nodes.values(), STAGES[stage][0], strict=True):
        node.rendering.choose(GATEWAY.id, place)
    region.settle()


@EACH_STAGE
def test_one_node_answers_for_it(region: Region, stage: str) -> None:
    stands(region, stage)
    for one, node in WITH_THEIR_VMS.items():
        assert nodes_with(region, OF[one].floating_ip_address) == {node}
    assert nodes_with(region, F3.floating_ip_address) == STAGES[stage][1]
    for floating in (F1, F2, F3):
        asked = packets.arp(MACS[NEAR], NEAR, floating.floating_ip_address)
        assert comes_in(region, asked) == []
        replies = [packet for packet in heard(region) if packet.get("arp_op") == 2]
        assert len(replies) == len(nodes_with(region, floating.floating_ip_address))


@EACH_STAGE
@pytest.mark.parametrize("one", [B1, B2, R2])
@pytest.mark.parametrize(("to", "next_hop"), [(SOMEBODY, ROUTER_OUT_THERE), (NEAR, NEAR)])
def test_who_has_one_on_its_node_goes_on(region: Region, stage: str, one: Port, to: str, next_hop: str) -> None:
    stands(region, stage)
    floating = OF[one.id]
    assert send(region, one, to) == []
    (packet,) = heard(region)
    assert packet["ipv4_src"] == prefix(floating.floating_ip_address).value
    assert (packet["eth_src"], packet["eth_dst"]) == (mac(floating.mac_address), mac(MACS[next_hop]))
    back = packets.udp(MACS[next_hop], floating.mac_address, to, floating.floating_ip_address, 53, 1000)
    (delivery,) = comes_in(region, back)
    assert region.ids_of([delivery]) == [one.id]


@EACH_STAGE
def test_what_is_with_the_gateway_comes_and_goes_where_that_is(region: Region, stage: str) -> None:
    stands(region, stage)
    node = next(iter(STAGES[stage][1]), "")
    assert send(region, B3, SOMEBODY) == []
    back = packets.udp(MACS[NEAR], F3.mac_address, NEAR, F3.floating_ip_address, 53, 1000)
    if node:
        (packet,) = heard(region)
        assert packet["eth_src"] == mac(F3.mac_address)
        assert set(region.ids_of(comes_in(region, back))) == {B3.id}, "the wire floods, who hears it late has it, too"


@EACH_STAGE
def test_nobody_gets_in_by_its_mac_to_anything_else(region: Region, stage: str) -> None:
    stands(region, stage)
    for floating, others in ((F1, "10.0.0.11"), (F2, "10.0.0.10"), (F2, "10.0.0.1")):
        assert comes_in(region, packets.udp(MACS[NEAR], floating.mac_address, NEAR, others, 53, 1000)) == []


@EACH_STAGE
def test_labels_count_each_packet_once(region: Region, stage: str) -> None:
    rules = tuple(MeteringRule(direction=way, remote_ip_prefix="10.0.0.0/15") for way in ("ingress", "egress"))
    region.create(MeteringLabel(id="00000001-8888-4000-8000-000000000000", metered=SHARED, rules=rules))
    stands(region, stage)
    for one in (B1, B2, R2):
        floating = OF[one.id]
        assert counted(region, partial(send, region, one, SOMEBODY)) == {Reason.METERING_OUT: 1}
        back = packets.udp(MACS[NEAR], floating.mac_address, NEAR, floating.floating_ip_address, 53, 1000)
        assert counted(region, partial(comes_in, region, back)) == {Reason.METERING_IN: 1}


@EACH_STAGE
def test_its_own_packets_count_once(region: Region, stage: str) -> None:
    stands(region, stage)
    for one in (B1, B2, R2):
        floating = OF[one.id]
        back = packets.udp(MACS[NEAR], floating.mac_address, NEAR, floating.floating_ip_address, 53, 1000)
        for sends in (partial(send, region, one, SOMEBODY), partial(comes_in, region, back)):
            for node in region.nodes.values():
                node.bridges["int"].counted.clear()
            sends()
            assert _translated(region) == 1


def _translated(region: Region) -> int:
    """How often a flow that a floating IP's counts are read from had it."""
    places = {(TABLES[place.table], place.reason) for place in COUNTED}
    met = [flow for node in region.nodes.values() for flow in node.bridges["int"].counted]
    found = [(flow.table, whose.reason) for flow in met if (whose := owner(flow.cookie))]
    return sum(one in places for one in found)


@EACH_STAGE
def test_routes_outside_of_its_owners(region: Region, stage: str) -> None:
    other = "203.0.113.3"
    for name in ("hv1", "hv2"):
        region.nodes[name].rendering.learn(GATEWAY.network_id, other, "02:00:00:00:00:03")
    region.create(replace(R, routes=(HostRoute("198.51.100.0/24", other),)))
    stands(region, stage)
    for one in (B1, B2, R2):
        assert send(region, one, "198.51.100.9") == []
        (packet,) = heard(region)
        assert packet["ipv4_src"] == prefix(OF[one.id].floating_ip_address).value
        assert packet["eth_dst"] == 0x020000000003


@pytest.mark.parametrize("stage", [name for name, (_, answers) in STAGES.items() if answers])
def test_one_without_any_goes_by_the_gateway(region: Region, stage: str) -> None:
    """Beside others on each node that have one."""
    for number, name in enumerate(region.nodes, 13):
        bare = port(number, BLUE)
        region.create(bare)
        region.plug(name, bare)
        stands(region, stage)
        assert send(region, bare, SOMEBODY, sport=number) == []
        assert [packet["ipv4_src"] for packet in heard(region)] == [prefix("203.0.113.5").value]
        back = packets.udp(MACS[NEAR], GATEWAY.mac_address, SOMEBODY, "203.0.113.5", 53, number)
        assert region.ids_of(comes_in(region, back)) == [bare.id]


def cut(region: Region, node: str) -> None:
    region.nodes[node].rendering.set_uplinks(uplinks_of(region.nodes[node].host), frozenset({"public"}))


def told(region: Region, node: str) -> None:
    """By the server, to the others."""
    facts = region.nodes[node].host
    others = {name: bridge for name, bridge in facts.bridge_mappings.items() if name != "public"}
    region.nodes[node].host = replace(facts, bridge_mappings=others)


def test_a_way_outside_that_is_cut(region: Region) -> None:
    """The node says so to itself at once, and to the others by the server: its VMs' are where the gateway is."""
    stands(region, "hv1 has it")
    node, facts = region.nodes["hv2"], region.nodes["hv2"].host
    cut(region, "hv2")
    region.settle()
    assert nodes_with(region, F2.floating_ip_address) == set(), "until the gateway's node has heard"
    told(region, "hv2")
    settle(region)
    for one in (B2, R2):
        floating = OF[one.id]
        assert nodes_with(region, floating.floating_ip_address) == {"hv1"}
        assert send(region, one, SOMEBODY) == []
        (packet,) = heard(region)
        assert packet["eth_src"] == mac(floating.mac_address)
        back = packets.udp(MACS[NEAR], floating.mac_address, NEAR, floating.floating_ip_address, 53, 1000)
        assert region.ids_of(comes_in(region, back)) == [one.id]
    node.host = facts
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == set(), "told before it is here again"
    node.rendering.set_uplinks(uplinks_of(facts))
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == {"hv2"}


def test_the_last_gateways_cut_node(region: Region) -> None:
    """It had the gateway, too: another has that, and its VMs' floating IPs with it."""
    stands(region, "hv2 has it")
    cut(region, "hv1")
    told(region, "hv1")
    region.settle()
    assert nodes_with(region, F1.floating_ip_address) == {"hv2"}
    assert send(region, B1, SOMEBODY) == []
    assert [packet["eth_src"] for packet in heard(region)] == [mac(F1.mac_address)]
