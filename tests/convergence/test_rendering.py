"""The dataplane depends on the state only, not on the way there: any order of plugging, creating, deleting, moving,
restarting, settling now or later, ends where a fresh start ends."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import examples

from netweft.model import (
    AddressGroup,
    FirewallGroup,
    FirewallPolicy,
    FirewallRule,
    HostRoute,
    Listener,
    LoadBalancer,
    Member,
    Network,
    Pool,
    SecurityGroup,
    SecurityGroupRule,
    SubPort,
    Trunk,
    key_of,
)
from netweft.services.kinds import ItemKey
from netweft.testing.node import FakeNode
from netweft.testing.region import ANYTHING, Region, interface, network, port, router, subnet

KINDS = ("vxlan", "gre", "geneve", "vlan", "flat", "local")
NETWORKS = [network(number, kind) for number, kind in enumerate(KINDS, 1)]
GROUPS = [ANYTHING.id, *(f"{number:08x}-2222" for number in (1, 2))]
PORTS = [
    port(number, NETWORKS[number % 6], f"10.0.0.{number}", f"2001:db8::{number}", security_groups=(GROUPS[number % 3],))
    for number in range(1, 12)
]
RULES = [
    SecurityGroupRule(id="a", direction="ingress", ethertype="IPv4", protocol=6, port_range_min=1, port_range_max=9),
    SecurityGroupRule(id="b", direction="ingress", ethertype="IPv4", remote_group_id=GROUPS[1]),
    SecurityGroupRule(id="c", direction="egress", ethertype="IPv6", remote_group_id=GROUPS[2]),
    SecurityGroupRule(id="d", direction="ingress", ethertype="IPv4", remote_group_id=GROUPS[2]),
    SecurityGroupRule(id="e", direction="ingress", ethertype="IPv4", remote_address_group_id="all"),
]
ROUTES = (HostRoute("192.0.2.0/24", "10.0.0.1"), HostRoute("2001:db8:1::/48", "2001:db8::1"))
CIDRS = ("10.0.0.0/24", "2001:db8::/64")
NODES = ("hv1", "hv2", "hv3")

FIREWALL_RULES = [f"{number:08x}-cccc" for number in range(4)]
POLICY_IDS = [f"{number:08x}-dddd" for number in range(2)]
FIREWALL_GROUPS = [f"{number:08x}-eeee" for number in range(2)]

port_numbers = st.integers(0, len(PORTS) - 1)
firewall_numbers = st.integers(0, len(FIREWALL_RULES) - 1)
firewall_events = st.one_of(
    st.tuples(
        st.just("firewall rule"), firewall_numbers, st.sampled_from(["allow", "deny", "reject"]), st.integers(0, 4)
    ),
    st.tuples(
        st.just("policy"), st.integers(0, 1), st.lists(firewall_numbers, max_size=4, unique=True), st.integers(0, 5)
    ),
    st.tuples(st.just("firewall"), st.integers(0, 1), st.sampled_from([None, 0, 1]), st.booleans()),
    st.tuples(st.just("delete firewall"), st.sampled_from([*FIREWALL_RULES, *POLICY_IDS, *FIREWALL_GROUPS])),
    st.tuples(st.just("guard"), port_numbers, st.sampled_from([None, *FIREWALL_GROUPS])),
    st.tuples(st.just("guard interface"), st.integers(0, 3), st.sampled_from([None, *FIREWALL_GROUPS])),
)
events = st.one_of(
    firewall_events,
    st.tuples(st.just("create"), port_numbers),
    st.tuples(st.just("delete"), port_numbers),
    st.tuples(st.just("plug"), port_numbers, st.sampled_from(NODES)),
    st.tuples(st.just("unplug"), port_numbers),
    st.tuples(st.just("wire ahead"), port_numbers, st.sampled_from(NODES)),
    st.tuples(st.just("activate"), port_numbers),
    st.tuples(st.just("trunk"), port_numbers, st.lists(port_numbers, max_size=3, unique=True)),
    st.tuples(st.just("create network"), st.integers(0, 5)),
    st.tuples(st.just("delete network"), st.integers(0, 5)),
    st.tuples(st.just("create subnet"), st.integers(0, 5), st.sampled_from(CIDRS), st.booleans(), st.booleans()),
    st.tuples(st.just("delete subnet"), st.integers(0, 5), st.sampled_from(CIDRS)),
    st.tuples(st.just("rules"), st.integers(1, 2), st.frozensets(st.integers(0, len(RULES) - 1)), st.booleans()),
    st.tuples(st.just("join"), port_numbers, st.frozensets(st.integers(0, 2))),
    st.tuples(st.just("router"), st.integers(0, 1), st.booleans(), st.booleans()),
    st.tuples(st.just("delete router"), st.integers(0, 1)),
    st.tuples(st.just("interface"), st.integers(0, 3), st.integers(0, 5)),
    st.tuples(st.just("delete interface"), st.integers(0, 3)),
    st.tuples(st.just("addresses"), st.frozensets(st.sampled_from(["10.0.0.1", "10.0.0.1/32", "10.0.0.0/8", "x"]))),
    st.tuples(st.just("balancer"), st.integers(0, 1), st.integers(0, 5), st.booleans()),
    st.tuples(
        st.just("member"), st.integers(0, 3), port_numbers, st.integers(0, 2), st.sampled_from(["ONLINE", "ERROR"])
    ),
    st.tuples(st.just("delete balancer"), st.integers(0, 1)),
    st.tuples(st.just("delete member"), st.integers(0, 3)),
    st.tuples(st.just("restart"), st.sampled_from(NODES)),
    st.tuples(st.just("settle")),
)


def do(region: Region, event: tuple[object, ...]) -> None:
    match event:
        case ("create", int(number)):
            region.create(PORTS[number])
        case ("delete", int(number)):
            region.ports.pop(PORTS[number].id, None)
            region.ahead.pop(PORTS[number].id, None)
        case ("plug", int(number), str(node)):
            unplug(region, number)
            region.plug(node, PORTS[number])
        case ("unplug", int(number)):
            unplug(region, number)
        case ("wire ahead", int(number), str(node)):
            ahead(region, number, node)
        case ("activate", int(number)):
            activate(region, number)
        case ("trunk", int(number), list(others)):
            trunk(region, number, others)
        case ("create network", int(number)):
            region.create(NETWORKS[number])
        case ("delete network", int(number)):
            region.networks.pop(NETWORKS[number].id, None)
        case ("create subnet", int(number), str(cidr), bool(enabled), bool(advertised)):
            mode = "slaac" if advertised and ":" in cidr else None
            region.create(subnet(NETWORKS[number], cidr, enable_dhcp=enabled, ipv6_ra_mode=mode))
        case ("delete subnet", int(number), str(cidr)):
            region.subnets.pop(subnet(NETWORKS[number], cidr).id, None)
        case ("rules", int(number), frozenset() as chosen, bool(stateful)):
            rules = tuple(RULES[n] for n in sorted(chosen))
            region.create(SecurityGroup(id=GROUPS[number], rules=rules, stateful=stateful))
        case ("join", int(number), frozenset() as chosen):
            if PORTS[number].id in region.ports:
                region.create(replace(PORTS[number], security_groups=tuple(GROUPS[n] for n in sorted(chosen))))
        case ("router", int(number), bool(up), bool(routes)):
            region.create(router(number, admin_state_up=up, routes=ROUTES if routes else ()))
        case ("delete router", int(number)):
            region.routers.pop(router(number).id, None)
        case ("interface", int(number), int(on)):
            region.create(interface(number, router(number % 2), NETWORKS[on], "10.0.0.254", "2001:db8::fe"))
        case ("delete interface", int(number)):
            region.router_ports.pop(interface(number, router(0), NETWORKS[0]).id, None)
        case ("addresses", frozenset() as chosen):
            region.create(AddressGroup(id="all", addresses=tuple(sorted(chosen))))
        case ("firewall rule", int(number), str(action), int(form)):
            region.create(firewall_rule(number, action, form))
        case ("policy", int(number), list(rules), int(first)):
            ids = tuple(FIREWALL_RULES[n] for n in rules)
            places = tuple(range(first, first + 2 * len(ids), 2)) if first else ()  # of an older server: none
            region.create(FirewallPolicy(id=POLICY_IDS[number], firewall_rules=ids, places=places))
        case ("firewall", int(number), policy, bool(up)):
            ingress = None if policy is None else POLICY_IDS[int(str(policy))]
            region.create(
                FirewallGroup(
                    id=FIREWALL_GROUPS[number],
                    admin_state_up=up,
                    ingress_firewall_policy_id=ingress,
                    egress_firewall_policy_id=POLICY_IDS[0],
                )
            )
        case ("delete firewall", str(id)):
            region.firewalls.pop(id, None)
        case ("guard", int(number), group):
            if PORTS[number].id in region.ports:
                region.create(replace(region.ports[PORTS[number].id], firewall_group_id=group))
        case ("guard interface", int(number), group):
            id = interface(number, router(0), NETWORKS[0]).id
            if id in region.router_ports:
                region.create(replace(region.router_ports[id], firewall_group_id=group))
        case ("balancer", int(number), int(on), bool(up)):
            region.create(*balancer(number, NETWORKS[on], up=up))
        case ("member", int(number), int(at), int(weight), str(status)):
            region.create(member(number, at, weight, status))
        case ("delete balancer", int(number)):
            for one in balancer(number, NETWORKS[0], up=True):
                region.balancing.pop(key_of(one), None)
        case ("delete member", int(number)):
            region.balancing.pop(key_of(member(number, 0, 1, "ONLINE")), None)
        case ("restart", str(node)):
            region.nodes[node].restart()
        case ("settle",):
            region.settle()


def firewall_rule(number: int, action: str, form: int) -> FirewallRule:
    """In forms that cost no flow, one, several, and those that name addresses; one makes no sense."""
    forms: tuple[dict[str, object], ...] = (
        {"enabled": False, "source_address_group_id": "all"},
        {"ip_version": 6},
        {"protocol": 6, "destination_port_range_min": 80, "destination_port_range_max": 90},
        {"source_address_group_id": "all", "destination_ip_address": "10.0.0.0/24"},
        {"source_ip_address": "x"},
    )
    return replace(FirewallRule(id=FIREWALL_RULES[number]), action=action, **forms[form])


def balancer(number: int, net: Network, *, up: bool) -> tuple[LoadBalancer, Pool, Listener]:
    id = f"{number:08x}-8888"
    of_it = LoadBalancer(
        id=id,
        vip_address=f"10.0.0.{200 + number}",
        vip_port_id=f"{id}-port",
        vip_network_id=net.id,
        vip_mac_address=f"fa:16:3e:bb:00:{number:02x}",
    )
    pool = Pool(id=f"{number:08x}-9999", load_balancer_id=id, protocol="TCP", lb_algorithm="ROUND_ROBIN")
    listener = Listener(
        id=f"{number:08x}-aaaa",
        load_balancer_id=id,
        protocol="TCP",
        protocol_port=80,
        default_pool_id=pool.id,
        admin_state_up=up,
    )
    return of_it, pool, listener


def member(number: int, at: int, weight: int, status: str) -> Member:
    """Of the first or the second balancer; several may say that they listen at one place."""
    of, pool, _ = balancer(number % 2, NETWORKS[0], up=True)
    return Member(
        id=f"{number:08x}-bbbb",
        pool_id=pool.id,
        load_balancer_id=of.id,
        address=PORTS[at].fixed_ips[0].ip_address,
        protocol_port=80,
        weight=weight,
        operating_status=status,
    )


def trunk(region: Region, number: int, others: list[int]) -> None:
    """As the server keeps it: nobody is sub-port twice, nor of itself."""
    id, parent = f"t{number % 2}", PORTS[number]
    taken = {sub.port_id for other in region.trunks.values() if other.id != id for sub in other.sub_ports}
    wanted = [sub for sub in others if sub != number and PORTS[sub].id not in taken]
    subs = tuple(SubPort(PORTS[sub].id, 100 + sub) for sub in wanted)
    region.create(Trunk(id=id, port_id=parent.id, sub_ports=subs, admin_state_up=len(others) < 3))


def ahead(region: Region, number: int, node: str) -> None:
    if region.bound.get(PORTS[number].id, node) != node and PORTS[number].id in region.ports:
        region.ahead[PORTS[number].id] = node
        region.nodes[node].plug(PORTS[number].id)


def activate(region: Region, number: int) -> None:
    node = region.ahead.pop(PORTS[number].id, None)
    if node:
        region.bound[PORTS[number].id] = node


def unplug(region: Region, number: int) -> None:
    region.bound.pop(PORTS[number].id, None)
    region.ahead.pop(PORTS[number].id, None)
    for node in region.nodes.values():
        node.unplug(PORTS[number].id)


@settings(max_examples=examples(150))
@given(st.lists(events, max_size=25))
def test_any_way_leads_to_the_state_of_a_fresh_start(sequence: list[tuple[object, ...]]) -> None:
    region = Region(nodes=3)
    for event in sequence:
        do(region, event)
    region.settle()
    for node in region.nodes.values():
        assert node.applied == fresh(node), node.name


@settings(max_examples=examples(50))
@given(st.lists(st.one_of(firewall_events, st.just(("restart", "hv1")), st.just(("settle",))), max_size=15))
def test_any_way_of_firewalls_alone(sequence: list[tuple[object, ...]]) -> None:
    """Where there are ports and a router for them."""
    region = Region(nodes=1)
    region.create(*NETWORKS[:2], router(0), ANYTHING, AddressGroup(id="all", addresses=("10.0.0.0/8",)))
    for number in (0, 1):
        region.create(PORTS[number], interface(2 * number, router(0), NETWORKS[(number + 1) % 2], f"10.0.{number}.254"))
        region.plug("hv1", PORTS[number])
    for number in (0, 1):
        do(region, ("policy", number, [number, 2], number))
        do(region, ("firewall", number, number, True))
        do(region, ("guard", number, FIREWALL_GROUPS[number]))
        do(region, ("guard interface", 2 * number, FIREWALL_GROUPS[1 - number]))
    for event in sequence:
        do(region, event)
    region.settle()
    assert region.nodes["hv1"].applied == fresh(region.nodes["hv1"])


def fresh(node: FakeNode) -> dict[ItemKey, object]:
    """What an agent without memory makes on a switch without flows, from the same view and the same Port rows."""
    other = FakeNode(node.name, node.host, vifs=dict(node.vifs), view=node.view, links=dict(node.links))
    other.settle()
    return dict(other.applied)
