"""In and out by a router's gateway, asked of fake switches that evaluate the real flows."""

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.routing.test_flows import claims

from netweft.model import AddressPair, FixedIp, Port
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac, prefix
from netweft.services.fields import HANDED_UP, ROUTER, Why
from netweft.services.pipeline import INT
from netweft.testing import packets
from netweft.testing.conntrack import Conntrack
from netweft.testing.region import Region, floating_ip, gateway, interface, network, port, router, subnet
from netweft.testing.switch import Delivery, Packet

BLUE, RED, OUTSIDE = network(1), network(2, "vlan"), network(9, "flat", "public")
R = router(1)
TO_BLUE, TO_RED = interface(1, R, BLUE, "10.0.0.1"), interface(2, R, RED, "10.0.1.1")
GATEWAY = gateway(1, R, OUTSIDE, "hv1", "203.0.113.5")
FLOATING = floating_ip(1, R, OUTSIDE, "203.0.113.50", "10.0.0.11")  # of a port that is bound nowhere
B1, B2, R2 = port(10, BLUE), port(11, BLUE), port(20, RED, "10.0.1.20")
NEAR, ROUTER_OUT_THERE, SOMEBODY = "203.0.113.9", "203.0.113.1", "8.8.8.8"
MACS = {NEAR: "02:00:00:00:00:09", ROUTER_OUT_THERE: "02:00:00:00:00:01"}


@pytest.fixture
def region() -> Region:
    """hv1: B1 and the gateway; hv2: B2 and R2.  B2 has a floating IP."""
    made = Region(nodes=3)
    made.create(BLUE, RED, OUTSIDE, B1, B2, R2, R, TO_BLUE, TO_RED, GATEWAY)
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(RED, "10.0.1.0/24"))
    made.create(subnet(OUTSIDE, "203.0.113.0/24", gateway_ip=ROUTER_OUT_THERE))
    made.plug("hv1", B1)
    made.plug("hv2", B2, R2)
    made.settle()
    for address, its_mac in MACS.items():
        made.nodes["hv1"].rendering.learn(OUTSIDE.id, address, its_mac)
    made.settle()
    return made


def sent(region: Region, frm: Port, to: str, **fields: int) -> list[Packet]:
    """What is on the external wire then."""
    heard = region.wires["public"].heard
    heard.clear()
    by = TO_RED if frm.network_id == RED.id else TO_BLUE
    region.send(frm, {**packets.udp(frm.mac_address, by.mac_address, own(frm), to, 1000, 53), **fields})
    return list(heard)


def own(one: Port) -> str:
    return one.fixed_ips[0].ip_address


def comes_in(region: Region, packet: Packet) -> list[Delivery]:
    return list(region.wires["public"].carry(None, {"vlan_vid": 0, **packet}))


def answer(to: str, frm: str = SOMEBODY, dst: str = "") -> Packet:
    at = FLOATING.mac_address if to == FLOATING.floating_ip_address else GATEWAY.mac_address
    return packets.udp(MACS[ROUTER_OUT_THERE], dst or at, frm, to, 53, 1000)


@pytest.mark.parametrize("frm", [B1, B2, R2])
@pytest.mark.parametrize(("to", "by"), [(SOMEBODY, ROUTER_OUT_THERE), (NEAR, NEAR)])
def test_out_with_the_gateways_address_and_back(region: Region, frm: Port, to: str, by: str) -> None:
    (packet,) = sent(region, frm, to)
    assert packet["ipv4_src"] == prefix("203.0.113.5").value
    assert (packet["eth_src"], packet["eth_dst"]) == (mac(GATEWAY.mac_address), mac(MACS[by]))
    assert packet["ip_ttl"] == 63
    (delivery,) = comes_in(region, answer("203.0.113.5", to))
    assert region.ids_of([delivery]) == [frm.id]
    assert delivery.packet["ipv4_dst"] == prefix(own(frm)).value


def test_the_client_gets_the_reply(region: Region) -> None:
    sent(region, B1, SOMEBODY)
    sent(region, R2, SOMEBODY, udp_src=2000)
    assert region.ids_of(comes_in(region, answer("203.0.113.5"))) == [B1.id]
    assert region.ids_of(comes_in(region, {**answer("203.0.113.5"), "udp_dst": 2000})) == [R2.id]


def test_nobody_comes_in_unasked(region: Region) -> None:
    assert comes_in(region, answer("203.0.113.5")) == []
    assert comes_in(region, answer(own(B1))) == [], "by the VM's own address neither"
    assert comes_in(region, answer(own(B1), dst=TO_BLUE.mac_address)) == []


def test_a_floating_ip_stands_for_its_port(region: Region) -> None:
    region.create(FLOATING)
    region.settle()
    (packet,) = sent(region, B2, SOMEBODY)
    assert packet["ipv4_src"] == prefix("203.0.113.50").value
    (delivery,) = comes_in(region, answer("203.0.113.50"))
    assert region.ids_of([delivery]) == [B2.id]
    assert delivery.packet["ipv4_dst"] == prefix(own(B2)).value
    (packet,) = sent(region, B1, SOMEBODY)
    assert packet["ipv4_src"] == prefix("203.0.113.5").value, "others keep to the gateway's"


@pytest.mark.parametrize("frm", [B1, B2, R2])
def test_a_floating_ip_can_be_reached_from_inside(region: Region, frm: Port) -> None:
    """By the port itself, too."""
    region.create(FLOATING)
    region.settle()
    by = TO_RED if frm.network_id == RED.id else TO_BLUE
    packet = packets.udp(frm.mac_address, by.mac_address, own(frm), "203.0.113.50", 1000, 53)
    (delivery,) = region.send(frm, packet)
    assert region.ids_of([delivery]) == [B2.id]
    assert delivery.packet["ipv4_dst"] == prefix(own(B2)).value
    said = "203.0.113.50" if frm is B2 else "203.0.113.5"
    assert delivery.packet["ipv4_src"] == prefix(said).value
    back = packets.udp(B2.mac_address, TO_BLUE.mac_address, own(B2), said, 53, 1000)
    (delivery,) = region.send(B2, back)
    assert region.ids_of([delivery]) == [frm.id]
    assert delivery.packet["ipv4_src"] == prefix("203.0.113.50").value, "from whom it asked"
    assert delivery.packet["ipv4_dst"] == prefix(own(frm)).value


@pytest.mark.parametrize("frm", [B1, B2, R2])
def test_the_gateways_address_answers_ping_from_inside(region: Region, frm: Port) -> None:
    by = TO_RED if frm.network_id == RED.id else TO_BLUE
    (delivery,) = region.send(frm, packets.ping(frm.mac_address, by.mac_address, own(frm), "203.0.113.5"))
    assert region.ids_of([delivery]) == [frm.id]
    assert delivery.packet["icmpv4_type"] == 0


@pytest.mark.parametrize("address", ["203.0.113.5", "203.0.113.50"])
def test_arp_on_the_external_network_is_answered_by_one_node(region: Region, address: str) -> None:
    region.create(FLOATING)
    region.settle()
    heard = region.wires["public"].heard
    heard.clear()
    assert comes_in(region, packets.arp(MACS[ROUTER_OUT_THERE], ROUTER_OUT_THERE, address)) == []
    (reply,) = [packet for packet in heard if packet.get("arp_op") == 2]
    own_mac = FLOATING.mac_address if address == FLOATING.floating_ip_address else GATEWAY.mac_address
    assert (reply["arp_sha"], reply["arp_spa"]) == (mac(own_mac), prefix(address).value)
    assert reply["eth_dst"] == mac(MACS[ROUTER_OUT_THERE])


def test_answers_to_its_own_questions_go_to_the_agent(region: Region) -> None:
    said = packets.arp(MACS[NEAR], NEAR, "203.0.113.5", op=2, dst=GATEWAY.mac_address)
    assert comes_in(region, said) == []
    (found,) = region.nodes["hv1"].bridges["int"].punted
    assert found["arp_spa"] == prefix(NEAR).value


def test_an_unknown_next_hop_is_resolved(region: Region) -> None:
    assert sent(region, B2, "203.0.113.77") == []
    (found,) = region.nodes["hv1"].bridges["int"].punted
    assert found[HANDED_UP] == Why.UNKNOWN_NEXT_HOP
    assert found["ipv4_src"] == prefix("203.0.113.5").value


def test_the_gateways_address_answers_ping(region: Region) -> None:
    heard = region.wires["public"].heard
    heard.clear()
    asked = packets.ping(MACS[NEAR], GATEWAY.mac_address, NEAR, "203.0.113.5")
    assert comes_in(region, asked) == []
    (reply,) = [packet for packet in heard if packet.get("icmpv4_type") == 0]
    assert (reply["ipv4_src"], reply["ipv4_dst"]) == (asked["ipv4_dst"], asked["ipv4_src"])


def test_without_snat_it_is_routed(region: Region) -> None:
    region.create(replace(R, enable_snat=False))
    region.settle()
    (packet,) = sent(region, B2, SOMEBODY)
    assert packet["ipv4_src"] == prefix(own(B2)).value
    assert region.ids_of(comes_in(region, answer(own(B2)))) == [B2.id]


def test_a_gateway_that_moves_takes_all_along(region: Region) -> None:
    region.create(FLOATING, replace(GATEWAY, host_id="hv3"))
    region.settle()
    region.nodes["hv3"].rendering.learn(OUTSIDE.id, ROUTER_OUT_THERE, MACS[ROUTER_OUT_THERE])
    region.settle()
    for frm in (B1, B2, R2):
        (packet,) = sent(region, frm, SOMEBODY)
        assert packet["eth_src"] == mac((FLOATING if frm is B2 else GATEWAY).mac_address)
    assert region.ids_of(comes_in(region, answer("203.0.113.50"))) == [B2.id]
    left = (str(flow) for flow in region.nodes["hv1"].bridges["int"].flows.values())
    assert not [flow for flow in left if "nat=Nat(src=" in flow and "src=None, dst=None" not in flow]


def test_a_gateway_that_is_nowhere_leads_nowhere(region: Region) -> None:
    region.create(replace(GATEWAY, host_id=""))
    region.settle()
    assert sent(region, B1, SOMEBODY) == []
    assert region.nodes["hv1"].bridges["int"].punted[-1][HANDED_UP] == Why.NO_ROUTE


def test_down_it_lets_nothing_out_or_in(region: Region) -> None:
    region.create(FLOATING, replace(R, admin_state_up=False))
    region.settle()
    assert sent(region, B1, SOMEBODY) == []
    assert comes_in(region, answer("203.0.113.50")) == []


def test_a_next_hop_is_known_again_when_the_gateway_is_back(region: Region) -> None:
    region.create(replace(GATEWAY, host_id=""))
    region.settle()
    region.create(GATEWAY)
    region.settle()
    assert len(sent(region, B1, SOMEBODY)) == 1


def test_two_tenants_with_the_same_addresses(region: Region) -> None:
    """Each router has a zone of its own."""
    green, other = network(4), router(2)
    twin = port(12, green, "10.0.0.10")
    second = gateway(2, other, OUTSIDE, "hv1", "203.0.113.6")
    region.create(green, other, twin, second, interface(4, other, green, "10.0.0.1"), subnet(green, "10.0.0.0/24"))
    region.plug("hv1", twin)
    region.settle()
    sent(region, B1, SOMEBODY)
    by = interface(4, other, green).mac_address
    heard = region.wires["public"].heard
    heard.clear()
    region.send(twin, packets.udp(twin.mac_address, by, "10.0.0.10", SOMEBODY, 1000, 53))
    assert [packet["ipv4_src"] for packet in heard] == [prefix("203.0.113.6").value]
    assert region.ids_of(comes_in(region, answer("203.0.113.5"))) == [B1.id]
    assert region.ids_of(comes_in(region, answer("203.0.113.6", dst=second.mac_address))) == [twin.id]


def test_the_zone_is_found_again(region: Region) -> None:
    node = region.nodes["hv1"]
    before = dict(node.bridges["int"].flows)
    node.restart()
    for address, its_mac in MACS.items():
        node.rendering.learn(OUTSIDE.id, address, its_mac)
    node.settle()
    assert node.bridges["int"].flows == before


def test_to_the_gateways_node_by_its_own_mac(region: Region) -> None:
    """Over the overlay as over a VLAN, where switches must not see the router's."""
    heard = region.wires["physnet1"].heard
    heard.clear()
    sent(region, R2, SOMEBODY)
    assert [packet["eth_dst"] for packet in heard] == [wire_mac("hv1", TO_RED.id)]


class TestIpv6:
    """Routed as it is, in both directions."""

    NEXT, FAR = "2001:db8::1", "2001:db8:ffff::7"

    @pytest.fixture
    def region(self, region: Region) -> Region:
        made = region
        made.create(
            replace(
                GATEWAY, fixed_ips=(*GATEWAY.fixed_ips, FixedIp(subnet(OUTSIDE, "2001:db8::/64").id, "2001:db8::5"))
            ),
            subnet(OUTSIDE, "2001:db8::/64", gateway_ip=self.NEXT),
            subnet(BLUE, "fd00:a::/64"),
            interface(1, R, BLUE, "10.0.0.1", "fd00:a::1"),
            *(port(n, BLUE, f"10.0.0.{n}", f"fd00:a::{n}") for n in (10, 11)),
        )
        made.settle()
        made.nodes["hv1"].rendering.learn(OUTSIDE.id, self.NEXT, MACS[ROUTER_OUT_THERE])
        made.settle()
        return made

    @pytest.mark.parametrize("frm", [B1, B2])
    def test_out_and_back(self, region: Region, frm: Port) -> None:
        heard = region.wires["public"].heard
        heard.clear()
        own6 = f"fd00:a::{10 if frm is B1 else 11}"
        region.send(frm, packets.udp(frm.mac_address, TO_BLUE.mac_address, own6, self.FAR, 1000, 53))
        (packet,) = heard
        assert (packet["ipv6_src"], packet["ipv6_dst"]) == (prefix(own6).value, prefix(self.FAR).value)
        assert (packet["eth_src"], packet["eth_dst"]) == (mac(GATEWAY.mac_address), mac(MACS[ROUTER_OUT_THERE]))
        back = packets.udp(MACS[ROUTER_OUT_THERE], GATEWAY.mac_address, self.FAR, own6, 53, 1000)
        assert region.ids_of(comes_in(region, back)) == [frm.id]

    def test_questions_and_answers_on_the_wire_go_to_the_agent(self, region: Region) -> None:
        """Of others it hears nothing."""
        punted = region.nodes["hv1"].bridges["int"].punted
        punted.clear()
        for target in ("2001:db8::5", "fe80::f816:3eff:feee:1", "2001:db8::9"):
            assert comes_in(region, packets.solicit(MACS[NEAR], "2001:db8::9", target, sll=MACS[NEAR])) == []
        assert [packet["nd_target"] for packet in punted] == [
            prefix("2001:db8::5").value,
            prefix("fe80::f816:3eff:feee:1").value,
        ]
        punted.clear()
        said = packets.advertise(MACS[NEAR], "2001:db8::9", "2001:db8::9", tll=MACS[NEAR], dst=GATEWAY.mac_address)
        assert comes_in(region, said) == []
        assert len(punted) == 1

    def test_its_address_answers_ping(self, region: Region) -> None:
        heard = region.wires["public"].heard
        region.nodes["hv1"].rendering.learn(OUTSIDE.id, "2001:db8::9", MACS[NEAR])
        region.settle()
        heard.clear()
        asked = packets.ping6(MACS[NEAR], GATEWAY.mac_address, "2001:db8::9", "2001:db8::5")
        assert comes_in(region, {**asked, "ip_ttl": 64}) == []
        (reply,) = [packet for packet in heard if packet.get("icmpv6_type") == 129]
        assert reply["ipv6_dst"] == asked["ipv6_src"]


def test_what_conntrack_cannot_translate_does_not_leave(region: Region) -> None:
    """It keeps its own address: by SNAT only what is translated goes out."""
    bridge = region.nodes["hv1"].bridges["int"]
    number = region.nodes["hv1"].rendering._memo.get(("number", R.id))
    invalid = {ROUTER: number, "eth_type": 0x0800, "ipv4_src": prefix(own(B1)).value, "ct_state": 0x30, "vlan_vid": 0}
    found = bridge._lookup(INT["outside_egress"].id, invalid)
    assert found is not None
    assert found.actions == ()
    translated = bridge._lookup(INT["outside_egress"].id, {**invalid, "ct_state": 0x21})
    assert translated is None or translated.actions


def test_what_could_not_be_translated_does_not_get_out(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open vSwitch lets it go on with the address that it has, as new, where no other one is free (decision 0444)."""
    assert sent(region, B1, SOMEBODY)
    monkeypatch.setattr(Conntrack, "translate", lambda _, zone, packet, nat: packet)
    assert sent(region, B1, SOMEBODY, udp_src=2000) == []
    assert sent(region, B2, SOMEBODY, udp_src=2000) == [], "from another node neither"


FREE = port(30, OUTSIDE, "203.0.113.30", port_security_enabled=False)
OTHER = port(31, OUTSIDE, "203.0.113.31")
SIX = "2001:db8::5"


@pytest.mark.parametrize("node", ["hv1", "hv3"])
@pytest.mark.parametrize("address", ["203.0.113.5", "203.0.113.50", "203.0.113.51", SIX])
def test_no_vm_outside_says_that_it_has_a_gateways_address_or_a_floating_ip(
    region: Region, node: str, address: str
) -> None:
    """Beside the gateway and on a node without it: neither without port security nor with an address pair."""
    both = (*GATEWAY.fixed_ips, FixedIp("six", SIX))
    unled = floating_ip(2, router(7), OUTSIDE, "203.0.113.51", "")
    region.create(replace(GATEWAY, fixed_ips=both), FLOATING, unled, FREE)
    paired = replace(
        OTHER, allowed_address_pairs=tuple(AddressPair(net, OTHER.mac_address) for net in ("0.0.0.0/0", "::/0"))
    )
    region.create(paired)
    region.plug(node, FREE, paired)
    region.settle()
    heard = region.wires["public"].heard
    for one in (FREE, paired):
        for said in claims(one.mac_address, "2001:db8::77" if ":" in address else "203.0.113.77"):
            heard.clear()
            region.send(one, said)
            assert heard, "so that it can go wrong"
        for said in claims(one.mac_address, address):
            heard.clear()
            assert not region.send(one, said)
            assert not heard
    for own in (GATEWAY.mac_address, FLOATING.mac_address):
        heard.clear()
        region.send(FREE, {**packets.udp(own, packets.BROADCAST, "203.0.113.30", "203.0.113.255", 9, 9)})
        assert not heard, "nor anything as from the gateway's MAC, or the floating IP's"


def test_a_floating_ip_that_goes_may_be_a_vms(region: Region) -> None:
    region.create(FLOATING, FREE)
    region.plug("hv3", FREE)
    region.settle()
    del region.floating_ips[FLOATING.id]
    region.settle()
    said = packets.arp(FREE.mac_address, "203.0.113.50", "203.0.113.50")
    region.wires["public"].heard.clear()
    region.send(FREE, said)
    assert region.wires["public"].heard
