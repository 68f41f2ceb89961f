"""Firewalls of routers' ports on longer ways: by two routers, to hosts that nobody knows, from a wire, outside; and
which connections are tried when a policy permits less."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import GATEWAY, MACS, NEAR, OUTSIDE, ROUTER_OUT_THERE, SOMEBODY
from tests.unit.services.security.test_firewalls import ALL, GROUP, ONLY_WEB, OPEN, WEB, group, policy, rule

from netweft.dataplane.openflow.fields import PROTO_UDP
from netweft.dataplane.openflow.flow import SetField
from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import HostRoute, Port, RouterPort
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac
from netweft.services.fields import CROWD, FLOODED, LOCAL_VLAN, ONE_OF_MANY
from netweft.services.pipeline import INT
from netweft.services.security.ends import Ends
from netweft.services.security.rejections import back
from netweft.services.security.trials import concern, trials
from netweft.testing import packets
from netweft.testing.region import Region, gateway, interface, network, port, router, subnet
from netweft.testing.switch import Packet

BLUE, BETWEEN, RED = network(1), network(2), network(3)
ONE = router(1, routes=(HostRoute("10.0.3.0/24", "10.0.2.2"),))
TWO = router(2, routes=(HostRoute("10.0.1.0/24", "10.0.2.1"),))
TO_BLUE, FIRST = interface(1, ONE, BLUE, "10.0.1.1"), interface(2, ONE, BETWEEN, "10.0.2.1")
SECOND, TO_RED = interface(3, TWO, BETWEEN, "10.0.2.2"), interface(4, TWO, RED, "10.0.3.1")
B, R = port(10, BLUE, "10.0.1.10"), port(20, RED, "10.0.3.20")


def sent(frm: Port, to: str, by: str, sport: int, dport: int) -> Packet:
    made = packets.udp(frm.mac_address, by, frm.fixed_ips[0].ip_address, to, sport, dport)
    return {name.replace("udp", "tcp"): value for name, value in made.items()} | {"ip_proto": 6, "ip_ttl": 64}


def chain(guarded: RouterPort) -> Region:
    """blue on hv1, red on hv2; two routers between them."""
    region = Region(nodes=2)
    ports = [replace(one, firewall_group_id=GROUP) if one is guarded else one for one in (FIRST, SECOND)]
    region.create(BLUE, BETWEEN, RED, ONE, TWO, TO_BLUE, TO_RED, *ports, B, R, *ALL, OPEN, WEB, ONLY_WEB)
    for net, cidr in ((BLUE, "10.0.1.0/24"), (BETWEEN, "10.0.2.0/24"), (RED, "10.0.3.0/24")):
        region.create(subnet(net, cidr))
    region.plug("hv1", B)
    region.plug("hv2", R)
    return region


def asks(region: Region, sport: int, dport: int) -> bool:
    return R.id in region.receivers(B, sent(B, "10.0.3.20", TO_BLUE.mac_address, sport, dport))


def answers(region: Region, sport: int, dport: int) -> bool:
    return B.id in region.receivers(R, sent(R, "10.0.1.10", TO_RED.mac_address, sport, dport))


@pytest.mark.parametrize(
    ("guarded", "direction"),
    [(FIRST, "ingress"), (SECOND, "egress")],
    ids=["into the network between", "out of it"],
)
def test_between_two_routers_both_policies_are_evaluated_and_replies_pass(guarded: RouterPort, direction: str) -> None:
    region = chain(guarded)
    there, back = (ONLY_WEB, None) if direction == "ingress" else (None, ONLY_WEB)
    region.create(group(there, back))
    region.settle()
    assert not asks(region, 1000, 81)
    assert not answers(region, 80, 999), "nobody asked"
    assert asks(region, 1000, 80)
    assert answers(region, 80, 1000)
    region.create(policy(2, rule(9, protocol=PROTO_UDP)))
    region.settle()
    assert not asks(region, 1000, 80)
    assert not answers(region, 80, 1000), "it has ended with its rule"


def test_an_unknown_host_is_filtered_on_the_node_that_routes() -> None:
    region = chain(FIRST)
    region.create(replace(TO_RED, firewall_group_id=GROUP), group(ONLY_WEB, OPEN))
    wired = replace(RED, segments=(network(3, "vlan").segments[0],))
    region.create(wired)
    region.settle()
    region.nodes["hv1"].rendering.learn(RED.id, "10.0.3.77", "00:00:00:00:00:77")
    region.settle()
    heard = region.wires["physnet1"].heard
    for dport, passes in ((81, False), (80, True)):
        heard.clear()
        region.send(B, sent(B, "10.0.3.77", TO_BLUE.mac_address, 5, dport))
        assert bool([one for one in heard if one["eth_dst"] == 0x77]) == passes


REJECT = rule(60, "reject")


def said(region: Region, name: str, dport: int = 81) -> list[str]:
    """Who gets what the node's agent says about what was handed up to it, once."""
    node = region.nodes[name]
    bridge = node.bridges["int"]
    (packet,) = bridge.punted
    bridge.punted.clear()
    assert packet["tcp_dst"] == dport
    vlan, sender = packet[LOCAL_VLAN], packet["eth_src"]
    on_it = node.rendering.routers.on(node.rendering.vlans.network_at(vlan))
    by = next((one.number for one, its in on_it if sender in its.macs(name)), None)
    turned = {f"{end}{other}": packet[f"{end}{mine}"] for end, mine, other in TURNED}
    reset = {"eth_type": 0x0800, "ip_proto": 6, "ip_ttl": 64, **turned}
    return region.ids_of(list(bridge.packet_out(reset, back(b"", None, vlan, by).actions)))


TURNED = [(end, *ways) for end in ("eth_", "ipv4_", "tcp_") for ways in (("src", "dst"), ("dst", "src"))]


@pytest.mark.parametrize(("guarded", "direction"), [(FIRST, "ingress"), (SECOND, "egress")])
def test_what_is_rejected_between_two_routers_is_said_to_who_sent_it(guarded: RouterPort, direction: str) -> None:
    region = chain(guarded)
    named = policy(7, WEB, REJECT)
    region.create(named, REJECT, group(named, None) if direction == "ingress" else group(None, named))
    region.settle()
    assert not asks(region, 1000, 81)
    assert said(region, "hv1") == [B.id]
    assert asks(region, 1000, 80) and answers(region, 80, 1000)
    region.create(policy(7, REJECT))
    region.settle()
    assert not asks(region, 1000, 80)
    assert not answers(region, 80, 1000), "what was known has ended"
    assert said(region, "hv1", 80) == [B.id], "and its sender hears of it"


def test_what_is_rejected_behind_a_third_router_passes_the_firewalls_before_it() -> None:
    """Theirs lets nothing out again but answers."""
    region = chain(FIRST)
    far = network(4)
    zero = router(3, routes=(HostRoute("10.0.3.0/24", "10.0.4.2"),))
    way_back = replace(ONE, routes=(*ONE.routes, HostRoute("10.0.1.0/24", "10.0.4.1")))
    to_far = replace(interface(6, zero, far, "10.0.4.1"), firewall_group_id="let-out")
    by_zero = replace(TO_BLUE, router_id=zero.id)
    region.create(far, subnet(far, "10.0.4.0/24"), zero, way_back, by_zero, to_far, interface(7, ONE, far, "10.0.4.2"))
    region.create(replace(group(OPEN, None), id="let-out"), policy(7, REJECT), REJECT, group(policy(7, REJECT), None))
    region.settle()
    assert not asks(region, 1000, 81)
    assert said(region, "hv1") == [B.id]


def test_what_is_rejected_for_a_host_that_nobody_knows_is_said() -> None:
    region = chain(FIRST)
    named = policy(7, WEB, REJECT)
    unknown = replace(TO_RED, router_id=ONE.id, fixed_ips=TO_RED.fixed_ips, firewall_group_id=GROUP)
    region.create(replace(RED, segments=(network(3, "vlan").segments[0],)), replace(ONE, routes=()), unknown)
    region.create(named, REJECT, group(named, OPEN))
    region.settle()
    region.nodes["hv1"].rendering.learn(RED.id, "10.0.3.77", "00:00:00:00:00:77")
    region.settle()
    heard = region.wires["physnet1"].heard
    heard.clear()
    region.send(B, sent(B, "10.0.3.77", TO_BLUE.mac_address, 5, 81))
    assert not [one for one in heard if one["eth_dst"] == 0x77]
    assert said(region, "hv1") == [B.id]


def test_hosts_on_a_wire_pass_the_firewall_of_the_router_that_they_use() -> None:
    region = chain(FIRST)
    wired = replace(RED, segments=(network(3, "vlan").segments[0],))
    answering = replace(TO_RED, firewall_group_id=GROUP, answers_on="hv1", hosts=("hv1", "hv2"))
    region.create(wired, answering, FIRST, group(OPEN, ONLY_WEB))
    region.settle()
    own = wire_mac("hv1", TO_RED.id)
    for dport, passes in ((81, False), (80, True)):
        stranger = port(77, RED, "10.0.3.77")
        packet = {**sent(stranger, "10.0.1.10", TO_BLUE.mac_address, 5, dport), "eth_dst": own}
        tag = wired.segments[0].segmentation_id or 0
        found = region.wires["physnet1"].carry(None, {**packet, "vlan_vid": 0x1000 | tag})
        assert bool(region.ids_of(list(found))) == passes
    region.create(REJECT, policy(2, WEB, REJECT))
    region.settle()
    rejected = {**sent(stranger, "10.0.1.10", TO_BLUE.mac_address, 5, 81), "eth_dst": own, "vlan_vid": 0x1000 | tag}
    assert not list(region.wires["physnet1"].carry(None, rejected))
    heard = region.wires["physnet1"].heard
    heard.clear()
    assert said(region, "hv1") == []
    assert [one["eth_dst"] for one in heard] == [mac(stranger.mac_address)], "back to the wire"
    ours = {"eth_src": wire_mac("hv2", TO_RED.id)}
    packet = {**sent(port(78, RED, "10.0.3.78"), "10.0.1.10", TO_BLUE.mac_address, 6, 81), "eth_dst": own, **ours}
    found = region.wires["physnet1"].carry(
        None, {**packet, "vlan_vid": 0x1000 | (wired.segments[0].segmentation_id or 0)}
    )
    assert region.ids_of(list(found)) == [B.id], "another node has asked already"


def test_no_vm_gets_past_by_the_macs_that_nodes_have_for_each_other() -> None:
    region = chain(FIRST)
    region.create(replace(TO_BLUE, firewall_group_id=GROUP), group(OPEN, None))
    out = gateway(9, ONE, OUTSIDE, "hv2", "203.0.113.5")
    region.create(OUTSIDE, out, subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=ROUTER_OUT_THERE))
    region.settle()
    for node in ("hv1", "hv2"):
        by = wire_mac(node, TO_BLUE.id)
        packet = {**sent(B, "10.0.3.20", TO_BLUE.mac_address, 1, 2), "eth_dst": by}
        assert region.receivers(B, packet) == []
    assert not asks(region, 1, 2)


@pytest.fixture
def outside() -> Region:
    """blue on hv2 behind the firewall; its gateway is on hv1."""
    region = Region(nodes=2)
    there = replace(GATEWAY, router_id=ONE.id)
    region.create(BLUE, OUTSIDE, replace(ONE, routes=()), replace(TO_BLUE, firewall_group_id=GROUP), there, B)
    region.create(subnet(BLUE, "10.0.1.0/24"), subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=ROUTER_OUT_THERE))
    region.create(*ALL, OPEN, WEB, ONLY_WEB, group(None, ONLY_WEB))
    region.plug("hv2", B)
    region.settle()
    for name in region.nodes:
        for address, its_mac in MACS.items():
            region.nodes[name].rendering.learn(OUTSIDE.id, address, its_mac)
    region.settle()
    return region


def test_before_snat_it_is_evaluated_with_the_tenants_addresses_where_the_vm_is(outside: Region) -> None:
    heard = outside.wires["public"].heard
    for dport, passes in ((81, False), (80, True)):
        heard.clear()
        outside.send(B, sent(B, SOMEBODY, TO_BLUE.mac_address, 1000, dport))
        assert bool(heard) == passes
    asked = heard[-1]
    back = {**asked, "eth_src": mac(MACS[ROUTER_OUT_THERE]), "eth_dst": asked["eth_src"]}
    back |= {"ipv4_src": asked["ipv4_dst"], "ipv4_dst": asked["ipv4_src"]}
    back |= {"tcp_src": asked["tcp_dst"], "tcp_dst": asked["tcp_src"]}
    assert outside.ids_of(list(outside.wires["public"].carry(None, back))) == [B.id], "an answer, whatever ingress says"
    assert NEAR


def test_connections_of_a_policy_are_tried_by_way_of_the_router() -> None:
    region = chain(FIRST)
    region.create(replace(TO_BLUE, firewall_group_id=GROUP), *ALL, OPEN, group(OPEN, OPEN))
    region.settle()
    node = region.nodes["hv1"]
    before = dict(node.bridges["int"].flows)
    region.create(policy(1, rule(50, "deny"), *ALL), rule(50, "deny"))
    region.settle()
    after = node.bridges["int"].flows
    changed = [flow for key, flow in before.items() if after.get(key) != flow]
    changed += [flow for key, flow in after.items() if key not in before]
    its = concern(changed)
    vlan = node.rendering.vlans.assigned[BLUE.id]
    way_out = bytes.fromhex(TO_BLUE.mac_address.replace(":", ""))
    ends = Ends(node.rendering.ports_on(vlan)[1], (), (), {4: way_out})
    out, back = (
        Connection(zone=vlan, src=src, dst=dst, sport=1, dport=2)
        for src, dst in (("10.0.1.10", "10.0.3.20"), ("10.0.3.20", "10.0.1.10"))
    )
    made = list(trials(its, [out, back], lambda _, address: ends.at(address)))
    assert [packet.frame[:6] == way_out for packet in made] == [True, False]
    assert made[1].frame[6:12] == way_out
    assert INT["egress"].resubmit in made[0].actions
    assert INT["switching"].resubmit in made[1].actions


def test_what_is_flooded_to_many_behind_firewalls_is_in_parts() -> None:
    """Open vSwitch gives up a packet that meets too many tables: what one asks must not cost others their copies."""
    found = []
    for guarded in (False, True):
        region = Region(nodes=1)
        more: dict[str, object] = {"firewall_group_id": GROUP} if guarded else {}
        ports = [port(number, RED, f"10.0.3.{number}", **more) for number in range(1, 66)]
        region.create(RED, *ports, *ALL, OPEN, group(OPEN, OPEN))
        region.plug("hv1", *ports)
        region.settle()
        flows = region.nodes["hv1"].bridges["int"].flows.values()
        first = [flow.actions[0] for flow in flows if flow.table == INT["switching"].id and len(flow.actions) > 65]
        found.append([one.value for one in first if isinstance(one, SetField) and one.field == FLOODED])
    assert found == [[ONE_OF_MANY], [ONE_OF_MANY | CROWD]]


def test_an_unknown_mac_is_judged_for_each_that_may_have_it() -> None:
    """What one of them refuses, another's firewall may let in; and its answers pass."""
    region = Region(nodes=1)
    free: dict[str, object] = {"port_security_enabled": False, "security_groups": ()}
    one, two = port(31, RED, "10.0.3.31", firewall_group_id=GROUP, **free), port(32, RED, "10.0.3.32", **free)
    asker = port(33, RED, "10.0.3.33")
    region.create(RED, one, two, asker, WEB, ONLY_WEB, group(ONLY_WEB, None))
    region.plug("hv1", one, two, asker)
    region.settle()
    for dport, gets in ((80, [one.id, two.id]), (81, [two.id])):
        assert region.receivers(asker, sent(asker, "10.0.3.200", "fa:16:3e:99:99:99", 7, dport)) == gets
