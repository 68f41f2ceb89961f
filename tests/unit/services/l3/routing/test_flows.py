"""Who gets a routed packet, and how it looks, asked of fake switches that evaluate the real flows."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.packets.datagram import packet
from netweft.model import AddressPair, HostRoute, Network, Port, SecurityGroup, SecurityGroupRule
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import Prefix, mac, parsed, prefix, text
from netweft.services.fields import HANDED_UP, IN_PORT, Why
from netweft.services.l3.echo import cut_again
from netweft.testing import packets
from netweft.testing.region import ANYTHING, Region, interface, network, port, router, subnet
from netweft.testing.switch import Packet, cut

BLUE, RED, GREEN = network(1), network(2, "vlan"), network(3)
R = router(1)
TO_BLUE = interface(1, R, BLUE, "10.0.0.1", "fd00:a::1")
TO_RED = interface(2, R, RED, "10.0.1.1", "fd00:b::1")
B1, B2 = port(10, BLUE, "10.0.0.10", "fd00:a::10"), port(11, BLUE, "10.0.0.11", "fd00:a::11")
R1, R2 = port(20, RED, "10.0.1.20", "fd00:b::20"), port(21, RED, "10.0.1.21", "fd00:b::21")
G1 = port(30, GREEN, "10.0.0.10")


@pytest.fixture
def region() -> Region:
    """hv1: B1 R1 G1; hv2: B2; hv3: R2.  R joins BLUE and RED; GREEN has BLUE's range, and no router."""
    made = Region(nodes=3)
    made.create(BLUE, RED, GREEN, B1, B2, R1, R2, G1, R, TO_BLUE, TO_RED)
    made.create(subnet(BLUE, "10.0.0.0/24"), subnet(RED, "10.0.1.0/24"), subnet(GREEN, "10.0.0.0/24"))
    made.create(subnet(BLUE, "fd00:a::/64"), subnet(RED, "fd00:b::/64"))
    made.plug("hv1", B1, R1, G1)
    made.plug("hv2", B2)
    made.plug("hv3", R2)
    made.settle()
    return made


def own(one: Port, version: int) -> str:
    return next(f.ip_address for f in one.fixed_ips if prefix(f.ip_address).version == version)


def ping(frm: Port, to: str, *, version: int = 4, by: str = "", ttl: int = 64) -> Packet:
    """To an address elsewhere, by a router's MAC."""
    by = by or (TO_BLUE if frm.network_id == BLUE.id else TO_RED).mac_address
    make = packets.ping if version == 4 else packets.ping6
    return {**make(frm.mac_address, by, own(frm, version), to), "ip_ttl": ttl}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("frm", "to"), [(B1, R1), (B1, R2), (B2, R1), (B2, R2), (R1, B2), (R2, B1)])
def test_a_packet_is_routed_wherever_it_starts(region: Region, frm: Port, to: Port, version: int) -> None:
    (delivery,) = region.send(frm, ping(frm, own(to, version), version=version))
    assert region.ids_of([delivery]) == [to.id]
    assert delivery.packet["eth_src"] == source(region, frm, to)
    assert delivery.packet["eth_dst"] == mac(to.mac_address)
    assert delivery.packet["ip_ttl"] == 63
    assert delivery.packet["vlan_vid"] == 0


def source(region: Region, frm: Port, to: Port) -> int:
    """One MAC of the router wherever it is; on a physical wire one of the node's own."""
    if to.network_id == RED.id and region.bound[frm.id] != region.bound[to.id]:
        return wire_mac(region.bound[frm.id], TO_RED.id)
    return mac((TO_RED if to.network_id == RED.id else TO_BLUE).mac_address)


def test_nothing_is_routed_into_a_network_without_the_router(region: Region) -> None:
    assert region.send(B1, ping(B1, "10.0.9.9")) == []
    assert region.send(G1, ping(G1, own(R1, 4), by=TO_BLUE.mac_address)) == [], "it knows no such MAC"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("frm", "to"), [(B1, "near"), (B1, "far"), (B2, "far"), (R2, "near")])
def test_each_of_its_addresses_answers_ping(region: Region, frm: Port, to: str, version: int) -> None:
    near, far = (TO_BLUE, TO_RED) if frm.network_id == BLUE.id else (TO_RED, TO_BLUE)
    target = (near if to == "near" else far).fixed_ips[0 if version == 4 else 1].ip_address
    (delivery,) = region.send(frm, ping(frm, target, version=version))
    assert region.ids_of([delivery]) == [frm.id]
    assert delivery.packet[f"icmpv{version}_type"] == (0 if version == 4 else 129)
    assert delivery.packet[f"ipv{version}_src"] == prefix(target).value
    assert delivery.packet[f"ipv{version}_dst"] == prefix(own(frm, version)).value
    assert delivery.packet["eth_src"] == mac(near.mac_address)


@pytest.mark.parametrize(("stateful", "answered"), [(True, True), (False, False)])
def test_an_answer_of_its_own_needs_a_rule_of_stateless_groups_only(
    region: Region, *, stateful: bool, answered: bool
) -> None:
    """Nobody else gets one unasked: what B1 asks in B2's name is answered to B2, whose group lets nothing in."""
    out = tuple(rule for rule in ANYTHING.rules if rule.direction == "egress")
    closed = SecurityGroup(id="c0000000-0000-4000-8000-000000000000", rules=out, stateful=stateful)
    region.create(closed)
    shares = AddressPair(ip_address="10.0.0.11", mac_address=B1.mac_address)
    for one in (B1, B2):
        region.create(replace(one, security_groups=(closed.id,), allowed_address_pairs=(shares,) if one is B1 else ()))
    region.settle()
    assert region.receivers(B1, ping(B1, "10.0.0.1")) == [B1.id] * answered
    in_its_name = {**ping(B1, "10.0.0.1"), "ipv4_src": prefix("10.0.0.11").value}
    assert B2.id not in region.receivers(B1, in_its_name)


def test_its_link_local_address_answers_ping(region: Region) -> None:
    link_local = {"ipv6_src": prefix("fe80::f816:3eff:fe00:a").value, "ipv6_dst": TO_BLUE_LINK_LOCAL}
    (delivery,) = region.send(B1, {**ping(B1, "::1", version=6), **link_local})
    assert region.ids_of([delivery]) == [B1.id]
    assert (delivery.packet["ipv6_src"], delivery.packet["ipv6_dst"]) == (
        link_local["ipv6_dst"],
        link_local["ipv6_src"],
    )


TO_BLUE_LINK_LOCAL = prefix("fe80::f816:3eff:feff:1").value


VIRTUAL = "00:00:5e:00:01:07"


@pytest.mark.parametrize(
    ("pairs", "reached"),
    [
        ({R1: ""}, [R1.id]),
        ({R2: ""}, [R2.id]),
        ({R2: VIRTUAL}, [R2.id]),
        ({R1: VIRTUAL, R2: VIRTUAL}, [R1.id, R2.id]),
        ({R1: "", R2: ""}, []),
        ({}, []),
    ],
)
def test_an_address_of_a_pair_is_reached_where_it_is_sure_whose_it_is(
    region: Region, pairs: dict[Port, str], reached: list[str]
) -> None:
    for one, mac_address in pairs.items():
        pair = AddressPair(ip_address="10.0.1.77", mac_address=mac_address or one.mac_address)
        region.create(replace(one, allowed_address_pairs=(pair,)))
    region.settle()
    assert sorted(region.receivers(B1, ping(B1, "10.0.1.77"))) == reached
    for one in pairs:
        region.create(one)
    region.settle()
    assert region.receivers(B1, ping(B1, "10.0.1.77")) == []


def test_arp_for_its_address_is_answered_on_the_spot(region: Region) -> None:
    for frm, at in ((B1, TO_BLUE), (B2, TO_BLUE), (R2, TO_RED)):
        asked = packets.arp(frm.mac_address, own(frm, 4), at.fixed_ips[0].ip_address)
        (delivery,) = region.send(frm, asked)
        assert region.ids_of([delivery]) == [frm.id], "and nobody else hears of it"
        assert delivery.packet["arp_op"] == 2
        assert delivery.packet["arp_sha"] == mac(at.mac_address)


def punted(region: Region, node: str) -> list[Packet]:
    found = region.nodes[node].bridges["int"].punted
    found, region.nodes[node].bridges["int"].punted = found, []
    return found


def test_solicitations_for_its_address_go_to_the_agent(region: Region) -> None:
    assert region.send(B2, packets.solicit(B2.mac_address, own(B2, 6), "fd00:a::1", sll=B2.mac_address)) == []
    (asked,) = punted(region, "hv2")
    assert asked["nd_target"] == prefix("fd00:a::1").value


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("to", "ttl", "why"),
    [
        (None, 1, Why.TTL_EXCEEDED),
        ("elsewhere", 64, Why.NO_ROUTE),
        ("nobody", 64, Why.UNKNOWN_NEXT_HOP),
        ("router", 64, Why.NOT_LISTENING),
    ],
)
def test_what_cannot_be_delivered_is_handed_up(
    region: Region, version: int, to: str | None, ttl: int, why: Why
) -> None:
    addresses = {
        "elsewhere": ("192.0.2.1", "2001:db8::1"),
        "nobody": ("10.0.1.99", "fd00:b::99"),
        "router": ("10.0.1.1", "fd00:b::1"),
    }
    target = addresses[to][version == 6] if to else own(R1, version)
    packet = ping(B2, target, version=version, ttl=ttl)
    if to == "router":
        packet = packets.udp(B2.mac_address, TO_BLUE.mac_address, own(B2, version), target, 1000, 2000)
    assert region.send(B2, packet) == []
    (found,) = punted(region, "hv2")
    assert found[HANDED_UP] == why
    assert found[IN_PORT] & 0xFFFF == region.nodes["hv2"].vifs[B2.id].ofport
    assert found["eth_dst"] == mac(TO_BLUE.mac_address), "which interface it came to"


@pytest.mark.parametrize(
    "packet",
    [
        ping(B1, "169.254.1.1"),
        ping(B1, "224.0.0.5"),
        ping(B1, "255.255.255.255"),
        ping(B1, "127.0.0.1"),
        ping(B1, "fe80::1", version=6),
        ping(B1, "ff02::1", version=6),
        {**ping(B1, "fd00:b::20", version=6), "ipv6_src": prefix("fe80::f816:3eff:fe00:a").value},
    ],
)
def test_what_no_router_forwards(region: Region, packet: Packet) -> None:
    assert region.send(B1, packet) == []
    assert punted(region, "hv1") == []


def test_routes_of_its_owner(region: Region) -> None:
    """The longest prefix holds, whoever added it; a next hop that is no neighbour is no route."""
    routes = (
        HostRoute("192.0.2.0/24", "10.0.1.20"),
        HostRoute("192.0.2.128/25", "10.0.0.11"),
        HostRoute("0.0.0.0/0", "10.0.1.21"),
        HostRoute("198.51.100.0/24", "203.0.113.1"),
    )
    region.create(replace(R, routes=routes))
    region.settle()
    assert region.receivers(B1, ping(B1, "192.0.2.1")) == [R1.id]
    assert region.receivers(B1, ping(B1, "192.0.2.200")) == [B2.id], "it goes back where it came from"
    assert region.receivers(B1, ping(B1, "8.8.8.8")) == [R2.id]
    assert region.receivers(B1, ping(B1, "198.51.100.1")) == [R2.id]
    assert region.receivers(B1, ping(B1, own(R1, 4))) == [R1.id]


def test_switches_see_the_routers_mac_nowhere(region: Region) -> None:
    """But one of each node's own; the frames of VMs keep theirs."""
    wire = region.wires["physnet1"]
    wire.heard.clear()
    for frm in (B1, B2):
        region.send(frm, ping(frm, own(R2, 4)))
    region.send(R1, packets.ping(R1.mac_address, R2.mac_address, own(R1, 4), own(R2, 4)))
    assert [packet["eth_src"] for packet in wire.heard] == [
        wire_mac("hv1", TO_RED.id),
        wire_mac("hv2", TO_RED.id),
        mac(R1.mac_address),
    ]


def test_routers_in_a_chain(region: Region) -> None:
    second = router(2, routes=(HostRoute("10.0.0.0/24", "10.0.1.1"),))
    purple, p1 = network(4), port(40, network(4), "10.0.2.40")
    region.create(second, purple, p1, interface(3, second, RED, "10.0.1.2"), interface(4, second, purple, "10.0.2.1"))
    region.create(subnet(purple, "10.0.2.0/24"), replace(R, routes=(HostRoute("10.0.2.0/24", "10.0.1.2"),)))
    region.plug("hv3", p1)
    region.settle()
    (there,) = region.send(B2, ping(B2, "10.0.2.40"))
    assert region.ids_of([there]) == [p1.id]
    assert there.packet["ip_ttl"] == 62
    by = interface(4, second, purple).mac_address
    assert region.receivers(p1, ping(p1, own(B2, 4), by=by)) == [B2.id]
    (echo,) = region.send(B2, ping(B2, "10.0.2.1"))
    assert region.ids_of([echo]) == [B2.id]


def test_routes_in_a_circle_end(region: Region) -> None:
    second = router(2, routes=(HostRoute("0.0.0.0/0", "10.0.1.1"),))
    region.create(second, interface(3, second, RED, "10.0.1.2"))
    region.create(replace(R, routes=(HostRoute("0.0.0.0/0", "10.0.1.2"),)))
    region.settle()
    assert region.send(B2, ping(B2, "8.8.8.8", ttl=4)) == []
    (found,) = punted(region, "hv2")
    assert found[HANDED_UP] == Why.TTL_EXCEEDED


@pytest.mark.parametrize("down", ["router", "interface"])
def test_down_it_routes_nothing(region: Region, down: str) -> None:
    region.create(replace(R, admin_state_up=False) if down == "router" else replace(TO_RED, admin_state_up=False))
    region.settle()
    assert region.send(B1, ping(B1, own(R1, 4))) == []
    assert region.send(R1, ping(R1, own(B1, 4))) == []


def test_without_it_all_is_as_before(region: Region) -> None:
    fresh = Region(nodes=3)
    fresh.create(*(obj for obj in (BLUE, RED, GREEN, B1, B2, R1, R2, G1)), *region.subnets.values())
    fresh.plug("hv1", B1, R1, G1)
    fresh.plug("hv2", B2)
    fresh.plug("hv3", R2)
    fresh.settle()
    del region.routers[R.id]
    region.router_ports.clear()
    region.settle()
    for name, node in region.nodes.items():
        for role, bridge in node.bridges.items():
            assert len(bridge.flows) == len(fresh.nodes[name].bridges[role].flows)


def test_a_node_keeps_its_numbers_over_a_restart(region: Region) -> None:
    """Also of a network that it has no port on: RED, on hv2."""
    node = region.nodes["hv2"]
    node.unplug(B2.id)  # so that BLUE and RED would get other numbers, had they none yet
    region.settle()
    region.create(GREEN)
    region.plug("hv2", extra := port(60, GREEN))
    region.create(extra)
    region.settle()
    node.plug(B2.id)
    region.settle()
    before = dict(node.bridges["int"].flows)
    node.restart()
    assert node.bridges["int"].flows == before


def rules(*wanted: tuple[str, str | None]) -> SecurityGroup:
    found = (
        SecurityGroupRule(id=f"{direction} {kind} {other}", direction=direction, ethertype=kind, remote_group_id=other)
        for direction, other in wanted
        for kind in ("IPv4", "IPv6")
    )
    return SecurityGroup(id="0000eeee-2222-4000-8000-000000000000", rules=tuple(found))


@pytest.mark.parametrize("version", [4, 6])
def test_the_firewall_is_evaluated_at_both_ends(region: Region, version: int) -> None:
    """Answers to what B2 asks come back; R2 may not begin."""
    closed = rules(("egress", None))
    region.create(closed, replace(B2, security_groups=(closed.id,)))
    region.settle()
    answer = {f"icmpv{version}_type": 0 if version == 4 else 129}
    back = ping(R2, own(B2, version), version=version)
    assert region.send(R2, back) == []
    assert region.send(R2, {**back, **answer}) == [], "of what was never asked"
    assert region.receivers(B2, ping(B2, own(R2, version), version=version)) == [R2.id]
    assert region.receivers(R2, {**back, **answer}) == [B2.id]


def test_members_of_a_group_are_known_behind_a_router(region: Region) -> None:
    only = rules(("ingress", ANYTHING.id))
    region.create(only, replace(R2, security_groups=(only.id,)), replace(B2, security_groups=()))
    region.settle()
    assert region.receivers(B1, ping(B1, own(R2, 4))) == [R2.id]
    assert region.send(B2, ping(B2, own(R2, 4))) == []


def test_networks_that_are_wired_otherwise(region: Region) -> None:
    """All networks' types lead to each other."""
    nets: list[Network] = [network(50 + n, kind) for n, kind in enumerate(("local", "flat", "gre", "geneve"))]
    for n, net in enumerate(nets):
        one = port(50 + n, net, f"10.0.{50 + n}.5")
        region.create(net, one, subnet(net, f"10.0.{50 + n}.0/24"), interface(50 + n, R, net, f"10.0.{50 + n}.1"))
        region.plug("hv1", one)
    region.settle()
    for n in range(4):
        assert region.receivers(B1, ping(B1, f"10.0.{50 + n}.5")) == [port(50 + n, nets[n]).id]
        if n:
            assert region.receivers(B2, ping(B2, f"10.0.{50 + n}.5")) == [port(50 + n, nets[n]).id]


def test_what_is_out_of_reach_goes_no_other_way(region: Region) -> None:
    """A longer prefix that leads nowhere from here: the network is not wired on this node, or is down, or so is the
    interface; a shorter one leads to somebody else."""
    elsewhere = network(70, "vlan", "a wire that no node here has")
    interfaces = interface(70, R, elsewhere, "10.0.70.1", "fd00:70::1")
    routes = [HostRoute(to, by) for to, by in (("0.0.0.0/0", "10.0.1.20"), ("::/0", "fd00:b::20"))]
    by_it = [HostRoute(to, by) for to, by in (("192.0.2.0/24", "10.0.70.9"), ("2001:db8::/32", "fd00:70::9"))]
    region.create(elsewhere, interfaces, subnet(elsewhere, "10.0.70.0/24"), subnet(elsewhere, "fd00:70::/64"))
    region.create(replace(R, routes=(*routes, *by_it)))
    region.settle()
    assert region.receivers(B2, ping(B2, "8.8.8.8")) == [R1.id], "so that something can go wrong"
    wired = network(70)
    for change in ((), (replace(wired, admin_state_up=False),), (wired, replace(interfaces, admin_state_up=False))):
        region.create(*change)
        region.settle()
        for to in ("10.0.70.9", "192.0.2.1", "fd00:70::9", "2001:db8::1"):
            assert region.send(B2, ping(B2, to, version=6 if ":" in to else 4)) == []
            (found,) = punted(region, "hv2")
            assert found[HANDED_UP] == Why.NO_ROUTE
    region.create(replace(R, routes=(*routes, *by_it, HostRoute("192.0.2.0/24", "10.0.1.21"))))
    region.settle()
    assert region.receivers(B2, ping(B2, "192.0.2.1")) == [R2.id], "the one of two that can be reached"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("near", [True, False])
def test_a_ping_in_pieces_is_answered(region: Region, version: int, near: bool) -> None:
    own_addresses = (TO_BLUE if near else TO_RED).fixed_ips
    asked = ping(B1, own_addresses[version == 6].ip_address, version=version)
    pieces = [one for piece in packets.fragments(asked, 3) for one in region.send(B1, piece)]
    assert region.ids_of(pieces) == [B1.id] * 3
    assert [one.packet["ip_frag"] for one in pieces] == [1, 3, 3]
    assert pieces[0].packet[f"icmpv{version}_type"] == (0 if version == 4 else 129)
    assert {one.packet[f"ipv{version}_dst"] for one in pieces} == {asked[f"ipv{version}_src"]}


@pytest.mark.parametrize("version", [4, 6])
def test_one_that_conntrack_has_put_together_is_cut_by_the_agent(region: Region, version: int) -> None:
    """As the kernel's does.  Each piece is answered for itself, and nothing goes up again."""
    node = region.nodes["hv1"]
    bridge, router = node.bridges["int"], node.rendering.routers.get(R.id)
    bridge.conntrack.gives_whole = True
    asked = ping(B1, TO_BLUE.fixed_ips[version == 6].ip_address, version=version)
    assert [one for piece in packets.fragments(asked, 3) for one in region.send(B1, piece)] == []
    (whole,) = punted(region, "hv1")
    assert (whole[HANDED_UP], whole["ip_frag"]) == (Why.IN_PIECES, 0)
    assert router is not None
    bare = {name: value for name, value in whole.items() if not name.startswith(("reg", "ct_", "in_port"))}
    (said,) = cut_again(router, datagram(asked, version), whole)
    answers = [one for piece in cut(bare) for one in bridge.packet_out(piece, said.actions)]
    assert region.ids_of(answers) == [B1.id] * 3
    assert [one.packet["ip_frag"] for one in answers] == [1, 3, 3]
    assert answers[0].packet[f"icmpv{version}_type"] == (0 if version == 4 else 129)
    assert punted(region, "hv1") == []


def datagram(asked: Packet, version: int) -> bytes:
    """One that fits: it stays as it is."""
    ends = (parsed(text(Prefix(version, asked[f"ipv{version}_{end}"], None))) for end in ("src", "dst"))
    return packet((bytes(6), bytes(6)), (next(ends), next(ends)), 1 if version == 4 else 58, bytes(8))


FREE = port(12, BLUE, "10.0.0.12", "fd00:a::12", port_security_enabled=False, security_groups=())


def claims(mac_address: str, address: str) -> list[Packet]:
    """All ways to say that somebody has this address, to everybody."""
    if ":" in address:
        return [
            packets.advertise(mac_address, address, address, tll=mac_address),
            packets.solicit(mac_address, address, "fd00:a::250", sll=mac_address),
        ]
    return [packets.arp(mac_address, address, target, op=op) for op in (1, 2) for target in (address, "10.0.0.250")]


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00:a::1", text(Prefix(6, TO_BLUE_LINK_LOCAL, None))])
def test_announcements_of_its_address_by_others_are_dropped(region: Region, address: str) -> None:
    """Neither without port security nor with an address pair that has it within."""
    pairs = tuple(AddressPair(net, B2.mac_address) for net in ("10.0.0.0/24", "fd00:a::/64", "fe80::/10"))
    region.create(FREE, paired := replace(B2, allowed_address_pairs=pairs))
    region.plug("hv1", FREE)
    region.settle()
    harmless = {"10.0.0.1": "10.0.0.77"}.get(address, "fd00:a::77")
    for one, other in ((FREE, B2), (paired, FREE)):
        for said in claims(one.mac_address, harmless):
            assert other.id in region.receivers(one, said), "so that it can go wrong"
        for said in claims(one.mac_address, address):
            assert other.id not in region.receivers(one, said)
