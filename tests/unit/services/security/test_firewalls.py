"""Firewalls (FWaaS) on VMs' and routers' ports, asked of fake switches that evaluate the real flows."""

import pytest
from msgspec.structs import replace

from netweft.dataplane.openflow.fields import PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Flow
from netweft.model import (
    AddressGroup,
    FirewallGroup,
    FirewallLog,
    FirewallPolicy,
    FirewallRule,
    Port,
    RouterPort,
    SecurityGroup,
)
from netweft.services.fields import OBJECT_MASK, Reason, cookie, owner
from netweft.services.pipeline import INT
from netweft.services.security import fragments
from netweft.testing import packets
from netweft.testing.region import ANYTHING, Region, interface, network, port, router, subnet
from netweft.testing.switch import Packet

BLUE, RED = network(1), network(2)
R = router(1)
GROUP = "000000f0-8888-4000-8000-000000000000"


def rule(number: int, action: str = "allow", **more: object) -> FirewallRule:
    return FirewallRule(id=f"{number:08x}-aaaa-4000-8000-000000000000", action=action, **more)  # type: ignore[arg-type]


def policy(number: int, *rules: FirewallRule) -> FirewallPolicy:
    return FirewallPolicy(id=f"{number:08x}-bbbb-4000-8000-000000000000", firewall_rules=tuple(one.id for one in rules))


def group(ingress: FirewallPolicy | None, egress: FirewallPolicy | None, **more: object) -> FirewallGroup:
    made = FirewallGroup(
        id=GROUP,
        ingress_firewall_policy_id=ingress.id if ingress else None,
        egress_firewall_policy_id=egress.id if egress else None,
    )
    return replace(made, **more)


WEB = rule(1, protocol=PROTO_TCP, destination_port_range_min=80, destination_port_range_max=80)
ALL = (rule(2), rule(3, ip_version=6))
OPEN = policy(1, *ALL)
ONLY_WEB = policy(2, WEB)


class Made:
    """B1 and R1 on hv1, B2 on hv2, R2 on hv2 or wherever `spread` says; a firewall on what is named."""

    def __init__(self, guarded: str = "router", *, secured: bool = True, spread: bool = True) -> None:
        more: dict[str, object] = {} if secured else {"port_security_enabled": False, "security_groups": ()}
        self.blue = port(10, BLUE, "10.0.0.10", "fd00:a::10", **more)
        self.red = port(20, RED, "10.0.1.20", "fd00:b::20", **more)
        self.near = port(11, BLUE, "10.0.0.11", "fd00:a::11", **more)
        self.to_blue: RouterPort = interface(1, R, BLUE, "10.0.0.1", "fd00:a::1")
        self.to_red: RouterPort = interface(2, R, RED, "10.0.1.1", "fd00:b::1")
        if guarded == "router":
            self.to_red = replace(self.to_red, firewall_group_id=GROUP)
        else:
            self.red = replace(self.red, firewall_group_id=GROUP)
        self.region = Region(nodes=2)
        self.region.create(BLUE, RED, R, self.to_blue, self.to_red, self.blue, self.red, self.near)
        for net, four, six in ((BLUE, "10.0.0.0/24", "fd00:a::/64"), (RED, "10.0.1.0/24", "fd00:b::/64")):
            self.region.create(subnet(net, four), subnet(net, six))
        self.region.plug("hv1", self.blue, self.near)
        self.region.plug("hv2" if spread else "hv1", self.red)

    def settle(self, *objects: object) -> "Made":
        self.region.create(*objects)  # type: ignore[arg-type]
        self.region.settle()
        return self

    def passes(self, frm: Port, to: Port, sport: int, dport: int, *, proto: str = "tcp", version: int = 4) -> bool:
        packet = made(self, frm, to, sport, dport, proto, version)
        return to.id in self.region.receivers(frm, packet)


def made(m: Made, frm: Port, to: Port, sport: int, dport: int, proto: str = "tcp", version: int = 4) -> Packet:
    at = 0 if version == 4 else 1
    by = m.to_blue if frm.network_id == BLUE.id else m.to_red
    mac = to.mac_address if frm.network_id == to.network_id else by.mac_address
    ends = [one.fixed_ips[at].ip_address for one in (frm, to)]
    packet = {**packets.udp(frm.mac_address, mac, ends[0], ends[1], sport, dport), "ip_ttl": 64}
    if proto == "tcp":
        packet = {name.replace("udp", "tcp"): value for name, value in packet.items()} | {"ip_proto": PROTO_TCP}
    return packet


@pytest.fixture(
    params=[
        *(("router", True, True), ("router", True, False), ("router", False, True)),
        *(("port", True, False), ("port", False, True)),
    ],
    ids=lambda found: f"{found[0]}{'' if found[1] else ' without port security'}{' across' if found[2] else ''}",
)
def m(request: pytest.FixtureRequest) -> Made:
    guarded, secured, spread = request.param
    return Made(guarded, secured=secured, spread=spread)


def test_only_what_a_rule_allows_comes_in_and_answers_go_out(m: Made) -> None:
    m.settle(WEB, ONLY_WEB, group(ONLY_WEB, None))
    assert not m.passes(m.blue, m.red, 1000, 81)
    assert not m.passes(m.red, m.blue, 80, 1000), "nobody asked"
    assert m.passes(m.blue, m.red, 1000, 80)
    assert m.passes(m.red, m.blue, 80, 1000)
    assert not m.passes(m.red, m.blue, 80, 1001)
    assert not m.passes(m.blue, m.red, 1000, 80, version=6)


def test_only_what_a_rule_allows_goes_out_and_answers_come_in(m: Made) -> None:
    m.settle(WEB, ONLY_WEB, group(None, ONLY_WEB))
    assert not m.passes(m.red, m.blue, 1000, 81)
    assert not m.passes(m.blue, m.red, 80, 1000)
    assert m.passes(m.red, m.blue, 1000, 80)
    assert m.passes(m.blue, m.red, 80, 1000)


def test_the_first_rule_decides(m: Made) -> None:
    deny, allow = rule(5, "deny", source_ip_address="10.0.0.10"), rule(6, source_ip_address="10.0.0.0/24")
    first, second = policy(3, deny, allow), policy(3, allow, deny)
    m.settle(deny, allow, first, group(first, None))
    assert not m.passes(m.blue, m.red, 1, 2)
    assert m.passes(m.near, m.red, 1, 2)
    m.settle(second)
    assert m.passes(m.blue, m.red, 1, 2)
    m.settle(first, replace(deny, enabled=False))
    assert m.passes(m.blue, m.red, 1, 2)


@pytest.mark.parametrize("closed", ["down", "no policy", "unknown policy", "unknown group", "unknown rule"])
def test_what_is_not_said_is_refused(m: Made, closed: str) -> None:
    m.settle(*ALL, OPEN, group(OPEN, OPEN))
    assert m.passes(m.blue, m.red, 1, 2)
    assert m.passes(m.red, m.blue, 3, 4, version=6)
    unknown = policy(9)
    match closed:
        case "down":
            m.settle(group(OPEN, OPEN, admin_state_up=False))
        case "no policy":
            m.settle(group(None, None))
        case "unknown policy":
            m.settle(group(unknown, unknown))
        case "unknown group":
            del m.region.firewalls[GROUP]
            m.settle()
        case _:
            m.settle(policy(1, rule(77), *ALL))
    for frm, to in ((m.blue, m.red), (m.red, m.blue)):
        assert not m.passes(frm, to, 1, 2)
        assert not m.passes(frm, to, 3, 4, version=6)


def test_a_rule_taken_away_ends_what_it_alone_allowed_and_answers(m: Made) -> None:
    other = rule(7, protocol=PROTO_UDP)
    both = policy(2, WEB, other)
    m.settle(WEB, other, both, group(both, None))
    assert m.passes(m.blue, m.red, 1000, 80)
    assert m.passes(m.blue, m.red, 5, 6, proto="udp")
    m.settle(policy(2, other))
    assert not m.passes(m.blue, m.red, 1000, 80)
    assert not m.passes(m.red, m.blue, 80, 1000)
    assert m.passes(m.red, m.blue, 6, 5, proto="udp"), "another rule's is not interrupted"
    m.settle(both)
    assert m.passes(m.blue, m.red, 1000, 80)
    assert m.passes(m.red, m.blue, 80, 1000)


def test_what_a_group_refuses_a_firewall_does_not_permit(m: Made) -> None:
    silent = SecurityGroup(id="000000aa-2222-4000-8000-000000000000", rules=ANYTHING.rules[2:])
    if not m.red.port_security_enabled:
        return
    m.settle(*ALL, OPEN, group(OPEN, OPEN), silent, replace(m.red, security_groups=(silent.id,)))
    assert not m.passes(m.blue, m.red, 1, 2)


def test_an_address_group_is_matched_by_a_bit(m: Made) -> None:
    few = AddressGroup(id="000000ab-9999-4000-8000-000000000000", addresses=("10.0.0.10/32", "fd00:a::/64"))
    deny, deny6 = (rule(20 + v, "deny", ip_version=v, source_address_group_id=few.id) for v in (4, 6))
    listed = policy(4, deny, deny6, *ALL)
    m.settle(few, deny, deny6, *ALL, listed, group(listed, OPEN), OPEN)
    assert not m.passes(m.blue, m.red, 1, 2)
    assert m.passes(m.near, m.red, 1, 2)
    assert not m.passes(m.near, m.red, 1, 2, version=6)
    m.settle(replace(few, addresses=("10.0.0.11/32",)))
    assert m.passes(m.blue, m.red, 3, 4)
    assert not m.passes(m.near, m.red, 1, 2)
    towards = rule(30, destination_address_group_id=few.id)
    m.settle(towards, policy(4, towards))
    assert not m.passes(m.blue, m.red, 5, 6)
    m.settle(replace(few, addresses=("10.0.1.20/32",)))
    assert m.passes(m.blue, m.red, 5, 6)


def test_within_a_network_a_routers_firewall_says_nothing() -> None:
    m = Made("router").settle(group(None, None))
    assert m.passes(m.blue, m.near, 1, 2)
    other = port(21, RED, "10.0.1.21")
    m.region.create(other)
    m.region.plug("hv1", other)
    m.settle()
    assert m.passes(other, m.red, 1, 2)
    assert not m.passes(other, m.blue, 1, 2)


@pytest.mark.parametrize("version", [4, 6])
def test_the_router_itself_answers_ping_whatever_its_firewall_says(m: Made, version: int) -> None:
    m.settle(group(OPEN, OPEN), *ALL, OPEN)
    if m.red.firewall_group_id is None:
        m.settle(group(None, None))
    make = packets.ping if version == 4 else packets.ping6
    at = 0 if version == 4 else 1
    target = m.to_red.fixed_ips[at].ip_address
    ask = {**make(m.red.mac_address, m.to_red.mac_address, m.red.fixed_ips[at].ip_address, target), "ip_ttl": 64}
    assert m.region.receivers(m.red, ask) == [m.red.id]


def test_what_is_rejected_is_handed_up_once_with_a_meter(m: Made) -> None:
    reject = rule(40, "reject", protocol=PROTO_TCP)
    named = policy(5, reject, *ALL)
    m.settle(reject, *ALL, named, group(named, named))
    assert not m.passes(m.blue, m.red, 1, 2)
    assert sum(len(node.bridges["int"].punted) for node in m.region.nodes.values()) == 1
    assert m.passes(m.blue, m.red, 1, 2, proto="udp")


@pytest.mark.parametrize("event", ["ACCEPT", "DROP", "ALL"])
def test_what_is_logged_is_handed_up_by_copies(m: Made, event: str) -> None:
    m.settle(WEB, ONLY_WEB, *ALL, OPEN, group(ONLY_WEB, OPEN, project_id="red"))
    log = FirewallLog(id="l", project_id="red", event=event)  # type: ignore[arg-type]
    m.settle(replace(log, project_id="blue"), replace(log, id="l2", target_id=m.blue.id))
    assert m.passes(m.blue, m.red, 1, 80) and not m.passes(m.blue, m.red, 1, 81) and not handed_up(m)
    m.settle(log)
    accepted, dropped = event != "DROP", event != "ACCEPT"
    assert m.passes(m.blue, m.red, 2, 80)
    assert handed_up(m) == accepted, "a new connection"
    assert m.passes(m.red, m.blue, 80, 2) and m.passes(m.blue, m.red, 2, 80)
    assert handed_up(m) == accepted, "and nothing more of it"
    assert not m.passes(m.blue, m.red, 2, 81)
    assert handed_up(m) == accepted + dropped
    m.settle(replace(log, resource_id="another"))
    assert not m.passes(m.blue, m.red, 3, 81)
    assert handed_up(m) == accepted + dropped


def test_what_a_group_refuses_is_not_in_a_firewalls_log() -> None:
    m = Made("port")
    silent = SecurityGroup(id="000000aa-2222-4000-8000-000000000000", rules=ANYTHING.rules[2:])
    log = FirewallLog(id="l", project_id="red")
    nothing = group(None, None, project_id="red")
    m.settle(nothing, silent, replace(m.red, security_groups=(silent.id,)), log)
    assert not m.passes(m.blue, m.red, 1, 2)
    assert handed_up(m) == 0


def test_security_groups_are_logged_without_a_firewall() -> None:
    m = Made("port")
    silent = SecurityGroup(id="000000aa-2222-4000-8000-000000000000", project_id="red", rules=ANYTHING.rules[2:])
    log = FirewallLog(id="l", project_id="red", resource_type="security_group")
    m.settle(silent, replace(m.red, security_groups=(silent.id,), firewall_group_id=None))
    m.settle(
        replace(log, project_id="blue"), replace(log, id="l2", resource_id="x"), replace(log, id="l3", target_id="y")
    )
    assert not m.passes(m.blue, m.red, 1, 2) and not handed_up(m)
    m.settle(log)
    assert not m.passes(m.blue, m.red, 1, 2) and handed_up(m) == 1
    assert m.passes(m.red, m.blue, 3, 4) and handed_up(m) == 2, "a new connection"
    assert m.passes(m.blue, m.red, 4, 3) and m.passes(m.red, m.blue, 3, 4) and handed_up(m) == 2, (
        "and nothing more of it"
    )
    m.settle(replace(log, event="ACCEPT"))
    assert not m.passes(m.blue, m.red, 1, 2) and handed_up(m) == 2


def handed_up(m: Made) -> int:
    return sum(len(node.bridges["int"].punted) for node in m.region.nodes.values())


def test_policies_cost_the_sum_of_rules_and_prefixes() -> None:
    few = AddressGroup(id="000000ab-9999-4000-8000-000000000000", addresses=tuple(f"10.9.{i}.0/24" for i in range(50)))
    rules = [rule(100 + i, "deny", protocol=i, source_address_group_id=few.id) for i in range(40)]
    named = policy(6, *rules)
    m = Made("router").settle(few, *rules, named, group(named, named))
    flows = [flow for flow in m.region.nodes["hv2"].bridges["int"].flows.values() if flow.table in _ASKED]
    made_of = [whose.reason for whose in (owner(flow.cookie) for flow in flows) if whose]
    assert made_of.count(Reason.FIREWALL_RULE) == 40
    assert made_of.count(Reason.ADDRESS_FIREWALL) == 50


def test_a_rule_put_between_others_is_one_flow_whatever_else_the_policy_has() -> None:
    rules = [rule(100 + number, "deny", protocol=number) for number in range(40)]
    ids = [one.id for one in rules]
    named = replace(policy(6, *rules[1:]), places=tuple(range(100, 490, 10)))
    m = Made("router").settle(*rules, named, group(named, named))
    before = asked_on(m)
    m.settle(
        replace(
            named,
            firewall_rules=(*ids[1:20], ids[0], *ids[20:]),
            places=(*range(100, 290, 10), 285, *range(290, 490, 10)),
        )
    )
    more = asked_on(m) - before
    assert len(more) == 1 and before <= asked_on(m)
    m.settle(replace(rules[3], action="reject"))
    assert len(asked_on(m) - before) == 2 and len(before - asked_on(m)) == 1


def test_ranges_of_both_ends_cost_the_sum_of_their_masks(m: Made) -> None:
    ends = {
        f"{end}_port_range_{of}": value
        for end in ("source", "destination")
        for of, value in (("min", 1), ("max", 65534))
    }
    deny, web = (
        rule(60, "deny", protocol=PROTO_TCP, **ends),
        replace(WEB, source_port_range_min=1000, source_port_range_max=2001),
    )
    named = policy(6, web, deny, *ALL)
    m.settle(web, deny, *ALL, named, OPEN, group(named, OPEN))
    assert not m.passes(m.blue, m.red, 1, 65534) and not m.passes(m.blue, m.red, 65534, 1)
    assert m.passes(m.blue, m.red, 0, 7) and m.passes(m.blue, m.red, 7, 65535)
    assert m.passes(m.blue, m.red, 2001, 80), "by the rule before it"
    assert not m.passes(m.blue, m.red, 2002, 80)
    assert m.passes(m.blue, m.red, 7, 7, proto="udp")
    made_for = [
        flow for flow in asked_on(m) if flow.cookie & OBJECT_MASK == cookie(Reason.FIREWALL_RULE, deny.id) & OBJECT_MASK
    ]
    assert len(made_for) == 61


@pytest.mark.parametrize("turned", [False, True])
def test_a_first_fragment_passes_as_its_datagram_would(m: Made, turned: bool) -> None:
    """In any order.  Without it the others are worth nothing (services/security/fragments)."""
    dns = rule(1, protocol=PROTO_UDP, destination_port_range_min=53, destination_port_range_max=53)
    named = policy(2, dns)
    m.settle(dns, named, group(named, None))

    def arrived(dport: int, *, hidden: bool = False, but_first: bool = False) -> tuple[int, int]:
        """First fragments, and others."""
        pieces = packets.fragments(made(m, m.blue, m.red, 1000 + dport, dport, "udp"), hidden=hidden)
        order = (pieces[1:] if but_first else pieces)[:: -1 if turned else 1]
        got = [one for piece in order for one in m.region.send(m.blue, piece) if m.region.ids_of([one]) == [m.red.id]]
        first = sum(one.packet["ip_frag"] == fragments.FIRST for one in got)
        return first, len(got) - first

    assert arrived(53) == (1, 2)
    assert arrived(54)[0] == 0
    assert arrived(53, hidden=True)[0] == 0
    assert arrived(53, but_first=True) == (0, 0)
    assert arrived(53) == (1, 2)


def test_a_rule_that_makes_no_sense_lets_nothing_pass() -> None:
    senseless = rule(50, "deny", source_ip_address="10.0.0.300")
    named = policy(6, WEB, senseless, *ALL)
    m = Made("port").settle(WEB, senseless, *ALL, named, OPEN, group(named, OPEN))
    assert m.passes(m.blue, m.red, 1, 80)
    assert not m.passes(m.blue, m.red, 1, 81)
    m.settle(replace(senseless, source_ip_address="10.0.0.30"))
    assert m.passes(m.blue, m.red, 1, 81)


def asked_on(m: Made) -> set[Flow]:
    return {flow for flow in m.region.nodes["hv2"].bridges["int"].flows.values() if flow.table in _ASKED}


_ASKED = {INT["address_sets"].id, INT["policy_rules"].id}
