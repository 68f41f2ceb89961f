"""What the firewall lets through, asked of fake switches; and that it is what the rules say, whatever they are."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.dataplane.openflow.fields import PROTO_TCP, PROTO_UDP
from netweft.model import AddressGroup, Port, SecurityGroup, SecurityGroupRule
from netweft.services.addresses import prefix
from netweft.services.numbers import Numbers
from netweft.services.pipeline import BridgeFlow
from netweft.services.security.port_masks import port_masks
from netweft.testing import packets
from netweft.testing.packets import BROADCAST
from netweft.testing.region import ANYTHING, Region, network, port
from netweft.testing.switch import Packet

NET = network(1)


def rule(number: int, direction: str = "ingress", ethertype: str = "IPv4", **more: object) -> SecurityGroupRule:
    return SecurityGroupRule(id=f"{number:08x}-3333", direction=direction, ethertype=ethertype, **more)  # type: ignore[arg-type]


def group(number: int, *rules: SecurityGroupRule, stateful: bool = True) -> SecurityGroup:
    return SecurityGroup(id=f"{number:08x}-2222-4000-8000-000000000000", rules=rules, stateful=stateful)


OUT = (rule(1, "egress"), rule(2, "egress", "IPv6"))
WEB = group(1, *OUT, rule(3, protocol=PROTO_TCP, port_range_min=80, port_range_max=80))
SILENT = group(2, *OUT)


def tcp(frm: Port, to: Port, sport: int, dport: int, version: int = 4) -> Packet:
    made = udp(frm, to, sport, dport, version)
    return {name.replace("udp", "tcp"): value for name, value in made.items()} | {"ip_proto": PROTO_TCP}


def udp(frm: Port, to: Port, sport: int, dport: int, version: int = 4) -> Packet:
    ends = [
        next(ip.ip_address for ip in one.fixed_ips if (":" in ip.ip_address) == (version == 6)) for one in (frm, to)
    ]
    return packets.udp(frm.mac_address, to.mac_address, ends[0], ends[1], sport, dport)


def made_of(*ports: Port, groups: tuple[SecurityGroup, ...], spread: bool) -> Region:
    region = Region(nodes=2)
    region.create(NET, *ports, *groups)
    for number, one in enumerate(ports):
        region.plug(f"hv{1 + number % 2 if spread else 1}", one)
    region.settle()
    return region


CLIENT = port(1, NET, "10.0.0.1", "2001:db8::1", security_groups=(SILENT.id,))
SERVER = port(2, NET, "10.0.0.2", "2001:db8::2", security_groups=(WEB.id,))


@pytest.fixture(params=[False, True], ids=["same host", "across hosts"])
def region(request: pytest.FixtureRequest) -> Iterator[Region]:
    yield made_of(CLIENT, SERVER, groups=(WEB, SILENT), spread=request.param)


def passes(region: Region, frm: Port, to: Port, packet: Packet) -> bool:
    return to.id in region.receivers(frm, packet)


def test_a_rule_lets_its_service_in_and_nothing_else(region: Region) -> None:
    assert passes(region, CLIENT, SERVER, tcp(CLIENT, SERVER, 1000, 80))
    assert not passes(region, CLIENT, SERVER, tcp(CLIENT, SERVER, 1000, 81))
    assert not passes(region, CLIENT, SERVER, udp(CLIENT, SERVER, 1000, 80))
    assert not passes(region, CLIENT, SERVER, tcp(CLIENT, SERVER, 1000, 80, 6)), "the rule says IPv4"


def test_answers_pass_and_only_answers(region: Region) -> None:
    answer = tcp(SERVER, CLIENT, 80, 1000)
    assert not passes(region, SERVER, CLIENT, answer), "nobody asked"
    assert passes(region, CLIENT, SERVER, tcp(CLIENT, SERVER, 1000, 80))
    assert passes(region, SERVER, CLIENT, answer)
    assert not passes(region, SERVER, CLIENT, tcp(SERVER, CLIENT, 80, 1001))


def test_a_rule_taken_away_ends_its_connections_and_back_again_they_go_on(region: Region) -> None:
    ask, answer = tcp(CLIENT, SERVER, 1000, 80), tcp(SERVER, CLIENT, 80, 1000)
    assert passes(region, CLIENT, SERVER, ask)
    assert passes(region, SERVER, CLIENT, answer)
    for allowed in (group(1, *OUT), WEB):
        region.create(allowed)
        region.settle()
        assert passes(region, CLIENT, SERVER, ask) == (allowed is WEB)
        assert passes(region, SERVER, CLIENT, answer) == (allowed is WEB)


def test_a_rule_more_interrupts_nothing(region: Region) -> None:
    ask, answer = tcp(CLIENT, SERVER, 1000, 80), tcp(SERVER, CLIENT, 80, 1000)
    assert passes(region, CLIENT, SERVER, ask)
    region.create(group(1, *WEB.rules, rule(9, protocol=PROTO_UDP)))
    region.settle()
    assert passes(region, SERVER, CLIENT, answer)
    assert passes(region, CLIENT, SERVER, ask)


def test_what_no_rule_is_needed_for(region: Region) -> None:
    arp = packets.arp(CLIENT.mac_address, "10.0.0.1", "10.0.0.2", dst=SERVER.mac_address)
    solicit = packets.solicit(CLIENT.mac_address, "2001:db8::1", "2001:db8::9", sll=CLIENT.mac_address)
    assert passes(region, CLIENT, SERVER, arp)
    assert passes(region, CLIENT, SERVER, solicit)


@pytest.mark.parametrize("to", ["255.255.255.255", "224.0.0.251", "239.255.255.250", "ff02::2", "10.0.0.99"])
def test_each_receiver_of_a_flooded_packet_is_evaluated(region: Region, to: str) -> None:
    other = port(3, NET, "10.0.0.3", security_groups=(ANYTHING.id,))
    free = port(4, NET, "10.0.0.4", security_groups=(), port_security_enabled=False)
    region.create(other, free)
    region.plug("hv1", other)
    region.plug("hv2", free)
    region.settle()
    shout = packets.udp(CLIENT.mac_address, BROADCAST, "2001:db8::1" if ":" in to else "10.0.0.1", to, 5, 5)
    assert region.receivers(CLIENT, shout) == sorted([other.id, free.id])
    remembered = any(node.bridges["int"].conntrack.connections for node in region.nodes.values())
    assert remembered == (to == "10.0.0.99"), "nobody answers from an address of many"


def test_no_group_and_an_unknown_group_are_closed() -> None:
    bare = port(3, NET, "10.0.0.3", security_groups=())
    lost = port(4, NET, "10.0.0.4", security_groups=("nobody knows it",))
    region = made_of(port(1, NET, "10.0.0.1"), bare, lost, groups=(), spread=False)
    for one in (bare, lost):
        assert region.receivers(region.ports[one.id], tcp(one, CLIENT, 1, 2)) == []
        assert not passes(region, CLIENT, one, tcp(CLIENT, one, 1, 2))


def test_stateless_groups_ask_their_rules_in_both_directions() -> None:
    plain = group(5, rule(6, "egress", protocol=PROTO_UDP), rule(7, protocol=PROTO_UDP, port_range_min=53,
                  port_range_max=53), stateless := rule(8, protocol=PROTO_TCP, port_range_min=80, port_range_max=80),
                  stateful=False)  # fmt: skip
    server = port(2, NET, "10.0.0.2", security_groups=(plain.id,))
    region = made_of(CLIENT, server, groups=(plain, SILENT), spread=False)
    assert passes(region, CLIENT, server, udp(CLIENT, server, 1000, 53))
    assert passes(region, server, CLIENT, udp(server, CLIENT, 53, 1000)), "the client is stateful: it is an answer"
    assert passes(region, CLIENT, server, tcp(CLIENT, server, 1000, stateless.port_range_min or 0))
    assert not passes(region, server, CLIENT, tcp(server, CLIENT, 80, 1000)), "no egress rule for it"


# what it costs


def flows_of(region: Region, node: str) -> list[BridgeFlow]:
    return [item for item in region.nodes[node].applied.values() if isinstance(item, BridgeFlow)]


def own_group(*more: SecurityGroupRule) -> SecurityGroup:
    inside = [rule(10 + number, "ingress", version, remote_group_id="00000007-2222-4000-8000-000000000000")
              for number, version in enumerate(("IPv4", "IPv6"))]  # fmt: skip
    return group(7, *OUT, *inside, *more)


def services(count: int) -> list[SecurityGroupRule]:
    return [rule(20 + n, protocol=PROTO_TCP, port_range_min=100 + n, port_range_max=100 + n) for n in range(count)]


def cluster(size: int) -> Region:
    mine = own_group(*services(2))
    members = [port(n, NET, f"10.0.{n >> 8}.{n & 255}", security_groups=(mine.id,)) for n in range(1, size + 1)]
    return made_of(*members, groups=(mine,), spread=False)


def test_200_ports_of_one_group_cost_at_most_15_flows_each() -> None:
    """Besides what a node has without any port; and each further one costs less."""
    without = len(flows_of(Region(), "hv1"))
    assert len(flows_of(cluster(200), "hv1")) <= 15 * 200 + without
    assert len(flows_of(cluster(200), "hv1")) - len(flows_of(cluster(100), "hv1")) <= 14 * 100


def test_a_member_more_is_one_flow_more_where_it_is_not() -> None:
    region = cluster(5)
    before = {item.flow.key for item in flows_of(region, "hv1")}
    far = port(99, NET, "10.0.0.99", security_groups=(own_group().id,))
    region.create(far)
    region.settle()
    after = {item.flow.key for item in flows_of(region, "hv1")}
    assert len(after - before) == 1
    assert not before - after


def test_a_rule_more_is_one_flow_more_whatever_the_size() -> None:
    region = cluster(20)
    region.create(own_group(*services(3)))
    node = region.nodes["hv1"]
    node.see(region.view_of("hv1"))
    assert len(node.rendering.refresh()) == 1


# the rules are what counts

PORTS = [
    port(n, NET, f"10.0.0.{n}", f"2001:db8::{n}", security_groups=groups, port_security_enabled=guarded)
    for n, groups, guarded in (
        (1, (group(1).id,), True),
        (2, (group(2).id,), True),
        (3, (group(1).id, group(2).id), True),
        (4, (group(3).id,), True),
        (5, (), False),
    )
]
NUMBERS = (0, 1, 2, 3, 79, 80, 81, 1023, 1024, 65535)
PREFIXES = {"IPv4": ["10.0.0.2/32", "10.0.0.0/30", "0.0.0.0/0"], "IPv6": ["2001:db8::2/128", "2001:db8::/126", "::/0"]}
ADDRESS_GROUP = AddressGroup(id="addresses", addresses=("10.0.0.1/32", "10.0.0.2/31", "2001:db8::/126"))


@st.composite
def rules(draw: st.DrawFn) -> SecurityGroupRule:
    ethertype = draw(st.sampled_from(["IPv4", "IPv6"]))
    protocol = draw(st.sampled_from([None, PROTO_TCP, PROTO_UDP, 1 if ethertype == "IPv4" else 58, 47]))
    ends: dict[str, object] = {}
    if protocol in (PROTO_TCP, PROTO_UDP) and draw(st.booleans()):
        low, high = sorted(draw(st.tuples(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))))
        ends = {"port_range_min": low, "port_range_max": high}
    elif protocol in (1, 58) and draw(st.booleans()):
        ends = {
            "port_range_min": draw(st.sampled_from([8, 128, 3])),
            "port_range_max": draw(st.sampled_from([None, 0])),
        }
    remote = draw(st.sampled_from(["", "prefix", "group", "addresses"]))
    if remote == "prefix":
        ends["remote_ip_prefix"] = draw(st.sampled_from(PREFIXES[ethertype]))
    elif remote == "group":
        ends["remote_group_id"] = group(draw(st.integers(1, 3))).id
    elif remote == "addresses":
        ends["remote_address_group_id"] = ADDRESS_GROUP.id
    number = draw(st.integers(1, 1 << 30))
    return rule(number, draw(st.sampled_from(["ingress", "egress"])), ethertype, protocol=protocol, **ends)


def permits(one: SecurityGroupRule, direction: str, packet: Packet, everybody: list[Port]) -> bool:
    """The oracle: one rule, as the API describes it."""
    version = 4 if one.ethertype == "IPv4" else 6
    remote = packet.get(f"ipv{version}_{'src' if direction == 'ingress' else 'dst'}")
    if one.direction != direction or remote is None or one.protocol not in (None, packet["ip_proto"]):
        return False
    low, high = one.port_range_min, one.port_range_max
    if one.protocol in (1, 58):
        icmp = (packet[f"icmpv{version}_type"], packet[f"icmpv{version}_code"])
        if any(wanted not in (None, actual) for wanted, actual in zip((low, high), icmp, strict=True)):
            return False
    elif low is not None and high is not None and not low <= packet.get("tcp_dst", packet.get("udp_dst", -1)) <= high:
        return False
    return in_remote(one, remote, everybody)


def in_remote(one: SecurityGroupRule, address: int, everybody: list[Port]) -> bool:
    named: list[str] = [one.remote_ip_prefix] if one.remote_ip_prefix else []
    if one.remote_group_id:
        named = [
            ip.ip_address for who in everybody if one.remote_group_id in who.security_groups for ip in who.fixed_ips
        ]
    elif one.remote_address_group_id:
        named = list(ADDRESS_GROUP.addresses)
    elif not one.remote_ip_prefix:
        return True
    version = 4 if one.ethertype == "IPv4" else 6
    ranges = [found for found in map(prefix, named) if found.version == version]
    return any(address == r.value if r.mask is None else address & r.mask == r.value for r in ranges)


def allowed(one: Port, direction: str, packet: Packet, groups: tuple[SecurityGroup, ...]) -> bool:
    if not one.port_security_enabled:
        return True
    asked = [found for found in groups if found.id in one.security_groups]
    return any(permits(rule, direction, packet, PORTS) for found in asked for rule in found.rules)


packet_kinds = st.sampled_from(["tcp", "udp", "ping", "ping6", "gre"])


def packet_of(kind: str, frm: Port, to: Port, version: int, number: int) -> Packet:
    if kind == "ping":
        return packets.ping(frm.mac_address, to.mac_address, frm.fixed_ips[0].ip_address, to.fixed_ips[0].ip_address)
    if kind == "ping6":
        return packets.ping6(frm.mac_address, to.mac_address, frm.fixed_ips[1].ip_address, to.fixed_ips[1].ip_address)
    if kind == "gre":
        frame = udp(frm, to, 1, 1, version)
        return {k: v for k, v in frame.items() if not k.startswith("udp")} | {"ip_proto": 47}
    return (tcp if kind == "tcp" else udp)(frm, to, 40000, number, version)


@settings(max_examples=examples(120))
@given(
    st.tuples(*(st.lists(rules(), max_size=4) for _ in range(3))),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.booleans(),
    st.lists(
        st.tuples(
            packet_kinds, st.integers(0, 4), st.integers(0, 4), st.sampled_from([4, 6]), st.sampled_from(NUMBERS)
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_the_verdict_is_what_the_rules_say(
    chosen: tuple[list[SecurityGroupRule], ...],
    stateful: list[bool],
    spread: bool,
    tries: list[tuple[str, int, int, int, int]],
) -> None:
    stateful[1] = stateful[0]  # one port has both groups, and they are not mixed
    groups = tuple(group(n + 1, *found, stateful=stateful[n]) for n, found in enumerate(chosen))
    for kind, frm, to, version, number in tries:
        if frm == to:
            continue
        region = Region(nodes=2)  # anew: what passed before makes answers
        region.create(NET, *PORTS, *groups, ADDRESS_GROUP)
        for place, one in enumerate(PORTS):
            region.plug(f"hv{1 + place % 2 if spread else 1}", one)
        region.settle()
        sender, receiver = PORTS[frm], PORTS[to]
        packet = packet_of(kind, sender, receiver, version, number)
        expected = allowed(sender, "egress", packet, groups) and allowed(receiver, "ingress", packet, groups)
        assert passes(region, sender, receiver, packet) == expected


@given(st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535))
def test_masks_are_exactly_the_range(low: int, high: int, number: int) -> None:
    low, high = sorted((low, high))
    masks = list(port_masks(low, high))
    exact = [(mask, 0xFFFF) if isinstance(mask, int) else (mask[0], mask[1] or 0) for mask in masks]
    hits = [value for value, mask in exact if number & mask == value]
    assert len(hits) == (low <= number <= high)
    assert len(masks) <= 30


def test_numbers_of_ids_with_equal_hashes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netweft.services.numbers._hash", lambda id, place=0: 5 + place)
    numbers = Numbers()
    assert numbers.use("b", 1) == {"b": 5}
    assert numbers.use("b", 1) == {}
    assert numbers.use("a", 1) == {"a": 5, "b": 6}
    assert numbers.use("a", -1) == {"a": None, "b": 5}
