"""Who gets a connection to a VIP, how it looks there, and how the answer looks, asked of fake switches."""

from collections import Counter
from itertools import product

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.routing.test_flows import B1, B2, BLUE, G1, R1, R2, RED, TO_BLUE, TO_RED, R, own, region

from netweft.dataplane.openflow.flow import Ct, Flow, Multipath
from netweft.dataplane.openflow.meters import DropMeter
from netweft.model import (
    AddressGroup,
    AddressPair,
    BandwidthLimit,
    Listener,
    LoadBalancer,
    Member,
    Pool,
    Port,
    Proxy,
    QosPolicy,
    SecurityGroup,
    SecurityGroupRule,
)
from netweft.model.load_balancer import SessionPersistence, Vip
from netweft.services.addresses import mac, prefix
from netweft.services.fields import BALANCED_ZONE, Limit, outside_meter
from netweft.services.lb.wiring import number_of
from netweft.services.pipeline import INT, RECIRCULATIONS
from netweft.testing import packets
from netweft.testing.region import Region
from netweft.testing.switch import Packet

__all__ = ["region"]

VIPS = {4: "10.0.0.100", 6: "fd00:a::100"}
ID = "{:08x}-8888-4000-8000-000000000000"
LB = LoadBalancer(
    id=ID.format(1),
    vip_address=VIPS[4],
    vip_port_id=ID.format(2),
    vip_network_id=BLUE.id,
    vip_mac_address="fa:16:3e:bb:00:01",
    vips=(Vip(VIPS[4], "v4"), Vip(VIPS[6], "v6")),
)
POOL = Pool(id=ID.format(3), load_balancer_id=LB.id, protocol="TCP", lb_algorithm="ROUND_ROBIN")
LISTENER = Listener(id=ID.format(4), load_balancer_id=LB.id, protocol="TCP", protocol_port=80, default_pool_id=POOL.id)


def member(number: int, of: Port, version: int = 4, **more: object) -> Member:
    made = Member(
        id=ID.format(0x100 * version + number),
        pool_id=POOL.id,
        load_balancer_id=LB.id,
        address=own(of, version),
        protocol_port=8080,
    )
    return replace(made, **more)


def balanced(region: Region, *members: Member, pool: Pool = POOL, listener: Listener = LISTENER) -> Region:
    versions = sorted({prefix(one.address).version for one in members})
    vips = tuple(Vip(VIPS[version], f"v{version}") for version in versions)
    region.create(replace(LB, vip_address=vips[0].ip_address, vips=vips), pool, listener, *members)
    region.settle()
    return region


def proxied(region: Region) -> Region:
    """The VIP leads to HAProxy on hv1 and hv2, where it starts; there are two more that it does not lead to."""
    proxies = [
        Proxy(
            id=port.id,
            load_balancer_id=LB.id,
            network_id=BLUE.id,
            mac_address=port.mac_address,
            fixed_ips=port.fixed_ips,
            host_id=host,
            status=status,
        )
        for port, host, status in (
            (B1, "hv1", "ACTIVE"),
            (B2, "hv2", "BUILD"),
            (replace(B2, id=ID.format(71)), "hv3", "DOWN"),
            (replace(B2, id=ID.format(72)), "", "BUILD"),
        )
    ]
    region.create(replace(LB, vips=(Vip(VIPS[4], "v4"),)), replace(LISTENER, protocol="HTTP"), *proxies)
    region.settle()
    return region


def to_vip(frm: Port, version: int = 4, sport: int = 40000, dport: int = 80) -> Packet:
    by = LB.vip_mac_address if frm.network_id == BLUE.id else TO_RED.mac_address
    ends = own(frm, version), VIPS[version]
    return {**packets.tcp(frm.mac_address, by, *ends, sport, dport), "ip_ttl": 64}


def answer(frm: Port, to: Port, version: int = 4, dport: int = 40000) -> Packet:
    by = to.mac_address
    if frm.network_id != to.network_id:
        by = (TO_BLUE if frm.network_id == BLUE.id else TO_RED).mac_address
    return {**packets.tcp(frm.mac_address, by, own(frm, version), own(to, version), 8080, dport), "ip_ttl": 64}


PAIRS = [pair for pair in product((B1, R1, R2), (B1, B2, R1, R2)) if pair[0] != pair[1]]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("client", "at"), PAIRS)
def test_there_and_back(region: Region, client: Port, at: Port, version: int) -> None:
    """Both ends' groups see the right addresses: what is tracked says so."""
    balanced(region, member(1, at, version))
    for _ in range(2):
        (there,) = region.send(client, to_vip(client, version))
        assert region.ids_of([there]) == [at.id]
        assert there.packet[f"ipv{version}_dst"] == prefix(own(at, version)).value
        assert there.packet[f"ipv{version}_src"] == prefix(own(client, version)).value
        assert there.packet["tcp_dst"] == 8080
        (back,) = region.send(at, answer(at, client, version))
        assert region.ids_of([back]) == [client.id]
        assert back.packet[f"ipv{version}_src"] == prefix(VIPS[version]).value
        assert back.packet["tcp_src"] == 80
        assert back.packet["eth_dst"] == mac(client.mac_address)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("at", [B1, R1, R2], ids=["in the VIP's network", "in another", "on another node"])
def test_a_client_with_the_mac_of_an_address_pair(region: Region, at: Port, version: int) -> None:
    """VRRP: what is for such a MAC goes to all that may have it; on the client's node each copy comes from the VIP."""
    virtual, shared = {4: "10.0.0.77", 6: "fd00:a::77"}, "00:00:5e:00:01:07"
    pairs = tuple(AddressPair(virtual[each], shared) for each in virtual)
    for one in (B1, B2):
        region.create(replace(one, allowed_address_pairs=pairs))
    balanced(region, member(1, at, version))
    says = packets.tcp(shared, LB.vip_mac_address, virtual[version], VIPS[version], 40000, 80)
    client = B2 if at == B1 else B1
    (there,) = region.send(client, {**says, "ip_ttl": 64})
    assert region.ids_of([there]) == [at.id]
    by = shared if at.network_id == BLUE.id else TO_RED.mac_address
    reply = packets.tcp(at.mac_address, by, own(at, version), virtual[version], 8080, 40000)
    copies = region.send(at, {**reply, "ip_ttl": 64})
    heard = [one.packet for one in copies if region.ids_of([one]) == [client.id]]
    assert [(one[f"ipv{version}_src"], one["tcp_src"]) for one in heard] == [(prefix(VIPS[version]).value, 80)]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("at", [B1, R1], ids=["in the VIP's network", "in another"])
def test_a_member_that_is_its_own_client(region: Region, at: Port, version: int) -> None:
    balanced(region, member(1, at, version))
    (there,) = region.send(at, to_vip(at, version))
    assert region.ids_of([there]) == [at.id]
    vip = prefix(VIPS[version]).value
    assert (there.packet[f"ipv{version}_src"], there.packet["tcp_src"]) == (vip, 40000)
    by = LB.vip_mac_address if at.network_id == BLUE.id else TO_RED.mac_address
    says = {**packets.tcp(at.mac_address, by, own(at, version), VIPS[version], 8080, 40000), "ip_ttl": 64}
    (back,) = region.send(at, says)
    assert region.ids_of([back]) == [at.id]
    assert (back.packet[f"ipv{version}_src"], back.packet["tcp_src"], back.packet["tcp_dst"]) == (vip, 80, 40000)


def test_a_connection_stays_while_members_come_and_go(region: Region) -> None:
    first = member(1, B2)
    balanced(region, first)
    region.send(B1, to_vip(B1))
    balanced(region, replace(first, weight=0), member(2, R2))
    assert region.receivers(B1, to_vip(B1)) == [B2.id], "drained: it keeps what it has"
    assert region.receivers(B1, to_vip(B1, sport=40001)) == [R2.id], "and gets no new ones"
    balanced(region, replace(first, operating_status="ERROR"), member(2, R2))
    assert region.receivers(B1, to_vip(B1, sport=40002)) == [R2.id]


def test_the_same_choice_on_every_node(region: Region) -> None:
    balanced(region, member(1, B2), member(2, R2), member(3, R1))
    number = number_of(POOL.id)
    chosen = [
        {key: flow.actions for key, flow in node.bridges["int"].flows.items() if ("reg3", number, None) in flow.match}
        for node in region.nodes.values()
    ]
    assert chosen[0] and all(one == chosen[0] for one in chosen)


def test_connections_are_spread_by_weight(region: Region) -> None:
    balanced(region, member(1, B2, weight=3), member(2, R2))
    got = Counter(one for port in range(400) for one in region.receivers(B1, to_vip(B1, sport=port + 1024)))
    assert 240 < got[B2.id] < 350
    assert got[B2.id] + got[R2.id] == 400


@pytest.mark.parametrize(
    "how", [{"lb_algorithm": "SOURCE_IP"}, {"session_persistence": SessionPersistence(type="SOURCE_IP")}]
)
def test_a_client_stays_with_its_member(region: Region, how: dict[str, object]) -> None:
    balanced(region, member(1, B2), member(2, R2), pool=replace(POOL, **how))
    assert len({one for port in range(50) for one in region.receivers(B1, to_vip(B1, sport=port + 1024))}) == 1


@pytest.mark.parametrize(
    ("version", "netmask", "together"),
    [(4, None, 1), (4, "255.255.255.240", 16), (4, "0.0.0.0", 64), (6, "ffff:" * 7 + "fff0", 16), (6, "::", 64)],
)
def test_clients_of_one_network_stay_together(region: Region, version: int, netmask: str | None, together: int) -> None:
    """As `persistence_granularity` says.  Members see each as who it is."""
    kept = SessionPersistence(type="SOURCE_IP", persistence_granularity=netmask)
    pool = replace(POOL, session_persistence=kept)
    region.create(replace(B1, port_security_enabled=False))
    balanced(region, member(1, B2, version), member(2, R2, version), pool=pool)
    first = prefix({4: "10.0.0.128", 6: "fd00:a::80"}[version]).value
    found = []
    for number in range(64):
        own = {f"ipv{version}_src": first + number}
        (one,) = region.send(B1, {**to_vip(B1, version), **own})
        assert one.packet.items() >= own.items()
        found.append(region.ids_of([one])[0])
    assert len(set(found)) == (1 if together == 64 else 2)
    assert all(len(set(found[at : at + together])) == 1 for at in range(0, 64, together))


def test_backups_are_for_when_nobody_else_is_there(region: Region) -> None:
    first, backup = member(1, B2), member(2, R2, backup=True)
    balanced(region, first, backup)
    assert {one for port in range(20) for one in region.receivers(B1, to_vip(B1, sport=port + 1024))} == {B2.id}
    balanced(region, replace(first, operating_status="ERROR"), backup)
    assert {one for port in range(20) for one in region.receivers(B1, to_vip(B1, sport=port + 2024))} == {R2.id}


@pytest.mark.parametrize(
    "off",
    [
        replace(LB, admin_state_up=False),
        replace(LISTENER, admin_state_up=False),
        replace(POOL, admin_state_up=False),
        member(1, B2, admin_state_up=False),
        member(1, B2, operating_status="OFFLINE"),
        replace(LISTENER, allowed_cidrs=("10.0.0.11/32", "fd00:a::/64")),
    ],
    ids=["balancer", "listener", "pool", "member", "never healthy", "not allowed"],
)
def test_nobody_gets_it(region: Region, off: LoadBalancer | Listener | Pool | Member) -> None:
    balanced(region, member(1, B2))
    region.create(off)
    region.settle()
    assert region.receivers(B1, to_vip(B1)) == []


def test_only_listeners_are_listened_to(region: Region) -> None:
    balanced(region, member(1, B2), listener=replace(LISTENER, allowed_cidrs=("10.0.0.0/28", "10.0.0.8/29")))
    assert region.receivers(B1, to_vip(B1)) == [B2.id]
    assert region.receivers(B1, to_vip(B1, dport=81)) == []
    stranger = packets.tcp(G1.mac_address, LB.vip_mac_address, own(G1, 4), VIPS[4], 1024, 80)
    assert region.receivers(G1, stranger) == [], "another network with the same addresses"


def rule(**what: object) -> SecurityGroupRule:
    return replace(SecurityGroupRule(id=ID.format(70), direction="ingress", ethertype="IPv4", protocol=6), **what)


FRIENDS = SecurityGroup(id=ID.format(71))


@pytest.mark.parametrize(
    ("rules", "passes"),
    [
        ([], ""),
        ([rule()], "tcp from both"),
        ([rule(protocol=None)], "tcp from both, ping"),
        ([rule(protocol=1)], "ping"),
        ([rule(protocol=1, port_range_min=8, port_range_max=0)], "ping"),
        ([rule(protocol=1, port_range_min=3)], ""),
        ([rule(ethertype="IPv6")], ""),
        ([rule(direction="egress")], ""),
        ([rule(protocol=17)], ""),
        ([rule(port_range_min=79, port_range_max=81)], "tcp from both"),
        ([rule(port_range_min=81, port_range_max=90)], ""),
        ([rule(remote_ip_prefix=f"{own(B1, 4)}/32")], "tcp"),
        ([rule(remote_group_id=FRIENDS.id)], "tcp"),
        ([rule(remote_address_group_id=ID.format(72))], "tcp"),
        ([rule(remote_group_id=ID.format(99))], ""),
    ],
)
def test_a_vips_groups_say_who_may(region: Region, rules: list[SecurityGroupRule], passes: str) -> None:
    """B1 is the friend.  As for members of the VIP's network, so for those behind a router."""
    group, addresses = ID.format(73), AddressGroup(id=ID.format(72), addresses=(f"{own(B1, 4)}/32",))
    region.create(replace(B1, security_groups=(*B1.security_groups, FRIENDS.id)), FRIENDS, addresses)
    balanced(region, member(1, B2))
    region.create(replace(LB, vips=(Vip(VIPS[4], "v4"),), vip_sg_ids=(group,)))
    region.settle()
    assert not region.receivers(B1, to_vip(B1)), "its group is not known yet"
    region.create(SecurityGroup(id=group, rules=tuple(rules)))
    region.settle()
    asks = {**packets.ping(B1.mac_address, LB.vip_mac_address, own(B1, 4), VIPS[4]), "ip_ttl": 64}
    heard = [
        "tcp" if region.receivers(B1, to_vip(B1)) == [B2.id] else "",
        "from both" if region.receivers(R1, to_vip(R1)) == [B2.id] else "",
        "ping" if region.send(B1, asks) else "",
    ]
    assert [bool(one) for one in heard] == ["tcp" in passes, "from both" in passes, "ping" in passes]
    if not rules:
        return
    region.create(SecurityGroup(id=group))
    region.settle()
    assert not region.receivers(B1, to_vip(B1)), "nor does who has a connection"


@pytest.mark.parametrize("loses", [False, True], ids=["userspace", "kernel"])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("client", [B1, R1])
def test_the_vip_answers(region: Region, client: Port, version: int, loses: bool) -> None:
    """Also where vswitchd makes the answer of the ping for the kernel's datapath, and so its state is lost once."""
    balanced(region, member(1, B2), member(2, B2, 6))
    for node in region.nodes.values():
        node.bridges["int"].conntrack.loses = loses
    by = LB.vip_mac_address if client.network_id == BLUE.id else TO_RED.mac_address
    make = packets.ping if version == 4 else packets.ping6
    (reply,) = region.send(client, {**make(client.mac_address, by, own(client, version), VIPS[version]), "ip_ttl": 64})
    assert region.ids_of([reply]) == [client.id]
    assert reply.packet[f"ipv{version}_src"] == prefix(VIPS[version]).value
    if version == 4 and client is B1:
        (said,) = region.send(B1, packets.arp(B1.mac_address, own(B1, 4), VIPS[4]))
        assert said.packet["arp_sha"] == mac(LB.vip_mac_address)


def test_nobody_else_has_the_vip(region: Region) -> None:
    """Not even who may say anything."""
    balanced(region, member(1, B2))
    open_ = replace(B1, port_security_enabled=False)
    region.create(open_)
    region.settle()
    claim = packets.arp(open_.mac_address, VIPS[4], VIPS[4])
    assert region.send(open_, claim) == []


def test_what_a_member_says_by_itself_is_not_the_vips(region: Region) -> None:
    balanced(region, member(1, B2))
    (there,) = region.send(B2, answer(B2, B1))
    assert there.packet["ipv4_src"] == prefix(own(B2, 4)).value
    region.send(B1, packets.tcp(B1.mac_address, B2.mac_address, own(B1, 4), own(B2, 4), 40000, 8080))
    (back,) = region.send(B2, answer(B2, B1))
    assert back.packet["ipv4_src"] == prefix(own(B2, 4)).value, "asked directly, it answers as itself"


def test_each_network_of_clients_has_a_zone_of_its_own(region: Region) -> None:
    balanced(region, member(1, B2))
    region.send(B1, to_vip(B1))
    region.send(R1, to_vip(R1))
    node = region.nodes["hv1"]
    vlans = {node.rendering.vlans.assigned[net.id] for net in (BLUE, RED)}
    zones = {key[0] for key in node.bridges["int"].conntrack.connections}
    assert {BALANCED_ZONE | vlan for vlan in vlans} <= zones


def test_all_of_it_goes(region: Region) -> None:
    before = {name: set(node.bridges["int"].flows) for name, node in region.nodes.items()}
    balanced(region, member(1, B2), member(2, R2), member(1, B2, 6))
    region.balancing.clear()
    region.settle()
    assert {name: set(node.bridges["int"].flows) for name, node in region.nodes.items()} == before


def test_a_router_that_comes_later_is_used(region: Region) -> None:
    """A restart knows no more than what came bit by bit."""
    region.routers.pop(R.id)
    region.router_ports.clear()
    region.settle()
    balanced(region, member(1, R2))
    assert region.receivers(B1, to_vip(B1)) == []
    region.create(R, TO_BLUE, TO_RED)
    region.settle()
    assert region.receivers(B1, to_vip(B1, sport=40009)) == [R2.id]
    node = region.nodes["hv1"]
    flows = dict(node.bridges["int"].flows.items())
    node.restart()
    assert dict(node.bridges["int"].flows.items()) == flows


def recirculations(region: Region, frm: Port, packet: Packet) -> int:
    """On the client's node: how often conntrack gives it back.  Open vSwitch 3.1 does so six times at most."""
    bridge = region.nodes["hv1"].bridges["int"]
    bridge.counted.clear()
    assert region.receivers(frm, packet)
    actions = (action for flow in bridge.counted for action in flow.actions)
    return sum(isinstance(action, Ct) and action.table is not None for action in actions)


def test_recirculations(region: Region) -> None:
    balanced(region, member(1, B2))
    assert recirculations(region, B1, to_vip(B1)) == RECIRCULATIONS["the first packet of it"]
    known = RECIRCULATIONS["to a VIP by a guarded port, and on to another node"]
    assert recirculations(region, B1, to_vip(B1)) == known
    back = RECIRCULATIONS["a member's answer, on the node of a guarded port that has asked a VIP"]
    assert recirculations(region, B2, answer(B2, B1)) == back


def test_recirculations_of_who_is_led_to_itself(region: Region) -> None:
    balanced(region, member(1, B1))
    first = RECIRCULATIONS["to a VIP by a member that is led to itself, the first packet"]
    assert recirculations(region, B1, to_vip(B1)) == first
    says = packets.tcp(B1.mac_address, LB.vip_mac_address, own(B1, 4), VIPS[4], 8080, 40000)
    assert recirculations(region, B1, {**says, "ip_ttl": 64}) == RECIRCULATIONS["its answer to itself"]


def in_table(region: Region, name: str) -> list[Flow]:
    """Of hv1, but for what becomes of what no flow matches."""
    flows = region.nodes["hv1"].bridges["int"].flows.values()
    return [flow for flow in flows if flow.table == INT[name].id and flow.priority]


def hashes(region: Region) -> int:
    return sum(isinstance(action, Multipath) for flow in in_table(region, "balance_state") for action in flow.actions)


def chosen(region: Region, *by: Port) -> tuple[int, ...]:
    """How many flows of hv1 lead new connections to each of these."""
    given = [str(flow.actions) for flow in in_table(region, "members")]
    return tuple(sum(f"dst={prefix(own(port, 4)).value}," in one for one in given) for port in by)


def test_haproxy_on_a_node_that_this_one_has_lost_gets_nothing_new(region: Region) -> None:
    """Known connections are led there still; where all are lost, all get some.  One that starts is as one that is up;
    one that is down, or waits for a host, gets none."""
    proxied(region)
    node = region.nodes["hv1"]
    for lost, slots in (((), (8, 8)), (("hv2",), (1, 0)), (("hv1", "hv2"), (8, 8)), ((), (8, 8))):
        node.rendering.lose(frozenset(lost))
        region.settle()
        assert chosen(region, B1, B2) == slots, lost


def test_who_is_alone_needs_no_slots(region: Region) -> None:
    """Nor a hash, by which each connection would be another one to the datapath's cache."""
    ports = [member(1, B1), member(2, B2)]
    balanced(region, ports[0])
    assert chosen(region, B1, B2) == (1, 0)
    assert hashes(region) == 0
    region.create(replace(ports[0], weight=0), ports[1])
    region.settle()
    assert chosen(region, B1, B2) == (0, 1)
    assert hashes(region) == 0
    region.create(ports[0])
    region.settle()
    assert chosen(region, B1, B2) == (128, 128)
    assert len(in_table(region, "members")) == 256
    assert hashes(region) == 1


def test_a_vip_is_no_member_of_itself(region: Region) -> None:
    """Packets would go round until Open vSwitch gives them up."""
    balanced(region, replace(member(1, B2), address=VIPS[4], protocol_port=80))
    assert region.send(B1, to_vip(B1)) == []


def test_nobody_answers_for_a_vip_or_a_member(region: Region) -> None:
    """Port security: neither may a stranger speak as either of them."""
    balanced(region, member(1, B2))
    region.send(B1, to_vip(B1))
    stranger = replace(B2, id=ID.format(99), mac_address="fa:16:3e:00:00:99", fixed_ips=())
    region.create(stranger)
    region.plug("hv2", stranger)
    region.settle()
    for source, port in ((VIPS[4], 80), (own(B2, 4), 8080)):
        said = packets.tcp(stranger.mac_address, B1.mac_address, source, own(B1, 4), port, 40000)
        assert region.send(stranger, said) == []


@pytest.mark.parametrize("by_network", [False, True])
def test_a_policy_limits_what_a_vip_hears_and_says(region: Region, by_network: bool) -> None:
    """On each node that has clients; the network's, where the VIP has none."""
    sides = (("ingress", 500), ("egress", 1000))
    limits = tuple(BandwidthLimit(max_kbps=kbps, direction=direction) for direction, kbps in sides)
    policy = QosPolicy(id=ID.format(200), bandwidth_limits=limits)
    region.create(policy, replace(BLUE, qos_policy_id=policy.id if by_network else None))
    balanced(region, member(1, R2))
    vip = replace(LB, vips=(Vip(VIPS[4], "v4"),), vip_qos_policy_id=None if by_network else policy.id)
    region.create(vip)
    region.settle()
    hears, says = (outside_meter(LB.id, limit) for limit in (Limit.INGRESS_BANDWIDTH, Limit.EGRESS_BANDWIDTH))
    for node in region.nodes.values():
        made = {one.id: one.rate for one in node.applied.values() if isinstance(one, DropMeter)}
        assert (made[hears], made[says]) == (500, 1000)
        flows = [(flow.table, str(flow)) for flow in node.bridges["int"].flows.values()]
        assert [table for table, text in flows if f"meter:{hears}" in text] == [INT["switching"].id]
        assert {table for table, text in flows if f"meter:{says}" in text} == {INT["from_member"].id}
    assert region.receivers(B1, to_vip(B1)) == [R2.id]
    (back,) = region.send(R2, answer(R2, B1))
    assert back.packet["ipv4_src"] == prefix(VIPS[4]).value
    region.nodes["hv1"].rendering.set_abilities(meters=False, lengths=True, nic_problems={})
    region.settle()
    assert not any("meter" in str(flow) for flow in region.nodes["hv1"].bridges["int"].flows.values())
