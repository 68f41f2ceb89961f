"""Floating IPs with their VMs, asked of fake switches that evaluate the real flows.

hv1 has the gateway, hv2 and hv1 are wired to the external network, hv3 is not.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import (
    BLUE,
    GATEWAY,
    MACS,
    NEAR,
    OUTSIDE,
    RED,
    ROUTER_OUT_THERE,
    SOMEBODY,
    TO_BLUE,
    TO_RED,
    R,
    own,
)

from netweft.dataplane.openflow.flow import Meter
from netweft.model import BandwidthLimit, FloatingIp, HostRoute, MeteringLabel, Port, QosPolicy, Segment
from netweft.model.metering import SHARED, MeteringRule
from netweft.services.addresses import mac, prefix
from netweft.services.fields import PIECES_ZONE, Reason, owner
from netweft.services.security.conntrack import IS_INVALID
from netweft.testing import packets
from netweft.testing.conntrack import Conntrack
from netweft.testing.node import uplinks_of
from netweft.testing.region import Region, floating_ip, port, subnet
from netweft.testing.switch import Delivery, Packet

B1, B2, B3, R2 = port(10, BLUE), port(11, BLUE), port(12, BLUE), port(20, RED, "10.0.1.20")
F1, F2, F3, FR = (
    floating_ip(n, R, OUTSIDE, f"203.0.113.{50 + n}", own(one), one) for n, one in enumerate((B1, B2, B3, R2), 1)
)
OF = {B1.id: F1, B2.id: F2, B3.id: F3, R2.id: FR}
AT = {B1.id: "hv1", B2.id: "hv2", B3.id: "hv1", R2.id: "hv2"}  # where the floating IP is: hv3 cannot
METERED_BY = {Reason.METERING_IN, Reason.METERING_OUT}


@pytest.fixture
def region() -> Region:
    made = Region(nodes=3, unwired=frozenset({"hv3"}))
    made.create(BLUE, RED, OUTSIDE, B1, B2, B3, R2, R, TO_BLUE, TO_RED, GATEWAY, F1, F2, F3, FR)
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(RED, "10.0.1.0/24"))
    made.create(subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=ROUTER_OUT_THERE))
    made.plug("hv1", B1)
    made.plug("hv2", B2, R2)
    made.plug("hv3", B3)
    settle(made)
    return made


def settle(region: Region) -> None:
    """With who is out there known on both nodes, as by ARP; and where the gateway is, as others' floating IPs are."""
    region.settle()
    known = {**MACS, "203.0.113.5": GATEWAY.mac_address}
    known |= {one.floating_ip_address: one.mac_address for one in region.floating_ips.values()}
    for name in ("hv1", "hv2"):
        for address, its_mac in known.items():
            region.nodes[name].rendering.learn(OUTSIDE.id, address, its_mac)
    region.settle()


def heard(region: Region) -> list[Packet]:
    return region.wires["public"].heard


def by(frm: Port) -> str:
    return (TO_RED if frm.network_id == RED.id else TO_BLUE).mac_address


def send(region: Region, frm: Port, to: str, sport: int = 1000, dport: int = 53) -> list[Delivery]:
    heard(region).clear()
    return region.send(frm, packets.udp(frm.mac_address, by(frm), own(frm), to, sport, dport))


def comes_in(region: Region, packet: Packet) -> list[Delivery]:
    heard(region).clear()
    return list(region.wires["public"].carry(None, {"vlan_vid": 0, **packet}))


def nodes_with(region: Region, address: str) -> set[str]:
    """That answer for it."""
    found = set()
    for name, node in region.nodes.items():
        for flow in node.bridges["int"].flows.values():
            if ("arp_tpa", prefix(address).value, None) in flow.match:
                found.add(name)
    return found


@pytest.mark.parametrize("one", [B1, B2, B3, R2])
def test_one_node_answers_for_it(region: Region, one: Port) -> None:
    floating = OF[one.id]
    assert nodes_with(region, floating.floating_ip_address) == {AT[one.id]}
    asked = packets.arp(MACS[NEAR], NEAR, floating.floating_ip_address)
    assert comes_in(region, asked) == []
    (reply,) = [packet for packet in heard(region) if packet.get("arp_op") == 2]
    assert reply["arp_sha"] == reply["eth_src"] == mac(floating.mac_address)


@pytest.mark.parametrize("one", [B1, B2, B3, R2])
@pytest.mark.parametrize(("to", "next_hop"), [(SOMEBODY, ROUTER_OUT_THERE), (NEAR, NEAR)])
def test_out_by_its_own_node_and_back(region: Region, one: Port, to: str, next_hop: str) -> None:
    floating = OF[one.id]
    assert send(region, one, to) == []
    (packet,) = heard(region)
    assert packet["ipv4_src"] == prefix(floating.floating_ip_address).value
    assert (packet["eth_src"], packet["eth_dst"]) == (mac(floating.mac_address), mac(MACS[next_hop]))
    assert packet["ip_ttl"] == 63
    back = packets.udp(MACS[next_hop], floating.mac_address, to, floating.floating_ip_address, 53, 1000)
    (delivery,) = comes_in(region, back)
    assert region.ids_of([delivery]) == [one.id]
    assert delivery.packet["ipv4_dst"] == prefix(own(one)).value


@pytest.mark.parametrize("datapath", ["system", "netdev"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_fragments_are_remembered_in_the_userspace_datapath_alone(
    region: Region, datapath: str, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's conntrack puts them together, and what it thinks of their connection does not count (0451)."""
    look, gateways = Conntrack.look, range(4096, PIECES_ZONE)

    def doubted(self: Conntrack, zone: int, packet: Packet) -> Packet:
        of_one = self.gives_whole and zone in gateways
        return {"ct_state": IS_INVALID[0], "ct_zone": zone} if of_one else look(self, zone, packet)

    monkeypatch.setattr(Conntrack, "look", doubted)
    for node in region.nodes.values():
        node.rendering.set_host(replace(node.host, datapath_type=datapath))
        node.bridges["int"].conntrack.gives_whole = datapath == "system"
    settle(region)
    make = {"tcp": packets.tcp, "udp": packets.udp}[protocol]
    asked = make(MACS[NEAR], F2.mac_address, NEAR, F2.floating_ip_address, 53, 1000)
    came = [one for piece in packets.fragments(asked, 3) for one in comes_in(region, piece)]
    assert region.ids_of(came) == [B2.id] * 3
    assert {one.packet["ipv4_dst"] for one in came} == {prefix(own(B2)).value}
    heard(region).clear()
    for piece in packets.fragments(make(B2.mac_address, by(B2), own(B2), SOMEBODY, 1000, 53), 3):
        assert region.send(B2, piece) == []
    assert [packet["ipv4_src"] for packet in heard(region)] == [prefix(F2.floating_ip_address).value] * 3
    zones = {key[0] for key in region.nodes["hv2"].bridges["int"].conntrack.connections}
    assert bool(zones & set(gateways)) is (datapath == "netdev")


def test_no_mac_is_seen_behind_two_nodes(region: Region) -> None:
    """Of all that leaves by the wire."""
    seen: dict[int, set[str]] = {}
    for one in (B1, B2, B3, R2, port(10, BLUE)):
        for name, node in region.nodes.items():
            node.bridges["int"].punted.clear()
            del name
        send(region, one, SOMEBODY)
        for packet in heard(region):
            seen.setdefault(packet["eth_src"], set()).add(AT[one.id])
    assert all(len(nodes) == 1 for nodes in seen.values())
    assert mac(GATEWAY.mac_address) not in seen


@pytest.mark.parametrize("frm", [B1, B2, B3, R2])
@pytest.mark.parametrize("to", [B1, B2, B3, R2])
def test_from_inside_by_floating_ips(region: Region, frm: Port, to: Port) -> None:
    """Of a neighbour here and elsewhere, and its own; the answer comes from there."""
    target = OF[to.id].floating_ip_address
    (delivery,) = send(region, frm, target)
    assert region.ids_of([delivery]) == [to.id]
    seen_as = prefix(OF[frm.id].floating_ip_address)
    assert delivery.packet["ipv4_src"] == seen_as.value
    (delivery,) = send(region, to, OF[frm.id].floating_ip_address, 53, 1000)
    assert region.ids_of([delivery]) == [frm.id]
    assert delivery.packet["ipv4_src"] == prefix(target).value


def test_one_without_any_reaches_it_and_is_answered(region: Region) -> None:
    """By the gateway's address."""
    bare = port(13, BLUE)
    region.create(bare)
    region.plug("hv2", bare)
    settle(region)
    for to in (B1, B2, B3):
        (delivery,) = send(region, bare, OF[to.id].floating_ip_address)
        assert region.ids_of([delivery]) == [to.id]
        assert delivery.packet["ipv4_src"] == prefix("203.0.113.5").value
        (delivery,) = send(region, to, "203.0.113.5", 53, 1000)
        assert region.ids_of([delivery]) == [bare.id]
        assert delivery.packet["ipv4_src"] == prefix(OF[to.id].floating_ip_address).value


@pytest.mark.parametrize("frm", [B1, B2, B3])
def test_the_fixed_address_works_beside_it(region: Region, frm: Port) -> None:
    (delivery,) = send(region, frm, own(R2))
    assert delivery.packet["ipv4_src"] == prefix(own(frm)).value


def test_it_moves_with_its_vm(region: Region) -> None:
    """From a node that has it to one that can, and to one that cannot; and back."""
    for node, place in (("hv1", "hv1"), ("hv3", "hv1"), ("hv2", "hv2")):
        region.nodes[region.bound[B2.id]].unplug(B2.id)
        region.plug(node, B2)
        settle(region)
        assert nodes_with(region, F2.floating_ip_address) == {place}
        assert send(region, B2, SOMEBODY) == []
        (packet,) = heard(region)
        assert packet["eth_src"] == mac(F2.mac_address)
        back = packets.udp(MACS[NEAR], F2.mac_address, NEAR, F2.floating_ip_address, 53, 1000)
        assert region.ids_of(comes_in(region, back)) == [B2.id]


def test_on_the_way_it_is_where_the_vm_runs(region: Region) -> None:
    """A node that prepares for it does not answer yet."""
    region.ahead[B2.id] = "hv1"
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == {"hv2"}


def test_led_to_another_vm(region: Region) -> None:
    region.create(replace(F2, fixed_ip_address=own(R2), port_id=R2.id), replace(FR, fixed_ip_address="", port_id=""))
    del region.floating_ips[FR.id]
    settle(region)
    back = packets.udp(MACS[NEAR], F2.mac_address, NEAR, F2.floating_ip_address, 53, 1000)
    assert region.ids_of(comes_in(region, back)) == [R2.id]
    assert send(region, B2, SOMEBODY) == []
    (packet,) = heard(region)
    assert packet["ipv4_src"] == prefix("203.0.113.5").value, "by the gateway again"


def test_one_vm_with_several(region: Region) -> None:
    """An address each."""
    two = port(14, BLUE, "10.0.0.14", "10.0.0.15")
    several = [floating_ip(n, R, OUTSIDE, f"203.0.113.{n}", f"10.0.0.{n - 60}", two) for n in (74, 75)]
    region.create(two, *several)
    region.plug("hv2", two)
    settle(region)
    for one in several:
        back = packets.udp(MACS[NEAR], one.mac_address, NEAR, one.floating_ip_address, 53, 1000)
        (delivery,) = comes_in(region, back)
        assert delivery.packet["ipv4_dst"] == prefix(one.fixed_ip_address).value
        heard(region).clear()
        region.send(two, packets.udp(two.mac_address, by(two), one.fixed_ip_address, SOMEBODY, 1, 2))
        assert [packet["ipv4_src"] for packet in heard(region)] == [prefix(one.floating_ip_address).value]


def test_nobody_gets_in_by_its_mac_to_anything_else(region: Region) -> None:
    for to in (own(B2), own(B1), own(R2), "10.0.0.1", F1.floating_ip_address):
        assert comes_in(region, packets.udp(MACS[NEAR], F2.mac_address, NEAR, to, 53, 1000)) == []
        assert heard(region)[1:] == []


def test_a_vm_that_says_it_is_from_there(region: Region) -> None:
    """Its own floating IP as source, or another's: port security ends it; without it, it is translated as anything."""
    for spoofed in (F2, F1):
        packet = packets.udp(B2.mac_address, by(B2), spoofed.floating_ip_address, SOMEBODY, 1, 2)
        heard(region).clear()
        assert region.send(B2, packet) == []
        assert heard(region) == []


def test_down_and_gone(region: Region) -> None:
    region.create(replace(R, admin_state_up=False))
    region.settle()
    assert nodes_with(region, F2.floating_ip_address) == set()
    region.create(R)
    del region.floating_ips[F2.id]
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == set()
    back = packets.udp(MACS[NEAR], F2.mac_address, NEAR, F2.floating_ip_address, 53, 1000)
    assert comes_in(region, back) == []


def test_a_restart_changes_nothing(region: Region) -> None:
    for name in ("hv1", "hv2"):
        node = region.nodes[name]
        before = dict(node.bridges["int"].flows)
        node.restart()
        settle(region)
        assert node.bridges["int"].flows == before


def test_the_gateway_moves_and_floating_ips_stay(region: Region) -> None:
    region.create(replace(GATEWAY, host_id="hv2"))
    settle(region)
    for one, place in ((F1, "hv1"), (F2, "hv2"), (F3, "hv2")):
        assert nodes_with(region, one.floating_ip_address) == {place}


def test_its_limit_is_where_it_is(region: Region) -> None:
    """In both directions, and nowhere else; the external network's own policy as well."""
    slow = QosPolicy(
        id="51000000-0000-4000-8000-000000000001",
        bandwidth_limits=(BandwidthLimit(max_kbps=1000), BandwidthLimit(max_kbps=500, direction="ingress")),
    )
    for limited in (F2, OUTSIDE):
        region.create(slow, F2, OUTSIDE, replace(limited, qos_policy_id=slow.id))
        settle(region)
        assert {name for name in region.nodes if _meter_of(region, name, F2)} == {"hv2"}
        assert send(region, B2, SOMEBODY) == []
        assert [packet["ipv4_src"] for packet in heard(region)] == [prefix(F2.floating_ip_address).value]
        back = packets.udp(MACS[NEAR], F2.mac_address, NEAR, F2.floating_ip_address, 53, 1000)
        assert region.ids_of(comes_in(region, back)) == [B2.id]


def _meter_of(region: Region, node: str, one: FloatingIp) -> bool:
    """Whether what has its address has a limit there, in both directions."""
    flows = region.nodes[node].bridges["int"].flows.values()
    address = prefix(one.floating_ip_address).value
    limited = [flow for flow in flows if isinstance(flow.actions[0] if flow.actions else None, Meter)]
    ways = {name for flow in limited for name, value, _ in flow.match if value == address and name.startswith("ipv4")}
    return ways == {"ipv4_src", "ipv4_dst"}


def test_routes_outside_of_its_owners(region: Region) -> None:
    """Also of several next hops: by its own node, with its own address; others by the gateway's."""
    other = "203.0.113.3"
    for name in ("hv1", "hv2"):
        region.nodes[name].rendering.learn(OUTSIDE.id, other, "02:00:00:00:00:03")
    for hops in ((other,), (other, ROUTER_OUT_THERE)):
        region.create(replace(R, routes=tuple(HostRoute("198.51.100.0/24", hop) for hop in hops)))
        region.settle()
        for port_ in range(1000, 1004):
            assert send(region, B2, "198.51.100.9", sport=port_) == []
            (packet,) = heard(region)
            assert packet["eth_src"] == mac(F2.mac_address)
            assert packet["ipv4_src"] == prefix(F2.floating_ip_address).value
            assert len(hops) > 1 or packet["eth_dst"] == 0x020000000003


def test_a_node_that_loses_its_bridge_has_none(region: Region) -> None:
    """It says so to itself at once, to the others by the server; and has them again when the bridge is back."""
    node = region.nodes["hv2"]
    whole, facts = uplinks_of(node.host), node.host
    without = {name: link for name, link in whole.physical.items() if name != "public"}
    node.rendering.set_uplinks(replace(whole, physical=without, problems={"public": "it is gone"}))
    node.host = replace(facts, bridge_mappings=dict.fromkeys(without, ""))
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == {"hv1"}
    back = packets.udp(MACS[NEAR], F2.mac_address, NEAR, F2.floating_ip_address, 53, 1000)
    assert region.ids_of(comes_in(region, back)) == [B2.id]
    node.rendering.set_uplinks(whole)
    node.host = facts
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == {"hv2"}


def test_whom_a_gateways_node_without_a_host_does_not_hurt(region: Region) -> None:
    """The gateway is nowhere: what has floating IPs with their VMs goes on, by them."""
    region.create(replace(GATEWAY, host_id=""))
    settle(region)
    for one in (B1, B2, R2):
        assert send(region, one, SOMEBODY) == []
        assert [packet["eth_src"] for packet in heard(region)] == [mac(OF[one.id].mac_address)]
        back = packets.udp(MACS[NEAR], OF[one.id].mac_address, NEAR, OF[one.id].floating_ip_address, 53, 1000)
        assert region.ids_of(comes_in(region, back)) == [one.id]


def test_who_says_no_stays_with_the_gateway(region: Region) -> None:
    region.create(replace(F2, distributed=False))
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == {"hv1"}


def test_one_mac_on_an_overlay(region: Region) -> None:
    """There it stays with the gateway, and other nodes find it by the MAC that they know."""
    region.create(replace(OUTSIDE, segments=(Segment(network_type="vxlan", segmentation_id=77),)))
    settle(region)
    assert nodes_with(region, F2.floating_ip_address) == {"hv1"}
    flows = region.nodes["hv1"].bridges["int"].flows.values()
    assert any(mac(GATEWAY.mac_address) in (value for _, value, _ in flow.match) for flow in flows)
    assert not any(mac(F2.mac_address) in (value for _, value, _ in flow.match) for flow in flows)


def test_labels_count_each_packet_once(region: Region) -> None:
    """On whichever node it is translated, and nowhere else."""
    rules = tuple(MeteringRule(direction=way, remote_ip_prefix="10.0.0.0/15") for way in ("ingress", "egress"))
    label = MeteringLabel(id="00000001-8888-4000-8000-000000000000", metered=SHARED, rules=rules)
    region.create(label)
    settle(region)
    for one in (B1, B2, B3, R2):
        floating = OF[one.id]
        assert counted(region, partial(send, region, one, SOMEBODY)) == {Reason.METERING_OUT: 1}
        back = packets.udp(MACS[NEAR], floating.mac_address, NEAR, floating.floating_ip_address, 53, 1000)
        assert counted(region, partial(comes_in, region, back)) == {Reason.METERING_IN: 1}
    assert counted(region, lambda: send(region, B2, own(R2))) == {}, "between networks"
    both = {Reason.METERING_OUT: 1, Reason.METERING_IN: 1}
    assert counted(region, lambda: send(region, B1, F2.floating_ip_address)) == both


def counted(region: Region, sends: Callable[[], object]) -> dict[Reason | None, int]:
    """By labels' flows of all nodes."""
    for node in region.nodes.values():
        node.bridges["int"].counted.clear()
    sends()
    found = [owner(flow.cookie) for node in region.nodes.values() for flow in node.bridges["int"].counted]
    return dict(Counter(one.reason for one in found if one and one.reason in METERED_BY))
