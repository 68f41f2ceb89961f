"""A small region for the feed's convergence tests: what may be written, and what a node should see."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from tests.convergence.feed_events import Advance, Delete, Join, Leave, Lose, Put, Receive, Restart

from netweft.control.l2.placing import AHEAD
from netweft.control.l3.associations import LEADING
from netweft.feed import objects
from netweft.feed.objects import Row
from netweft.feed.relevance import AHEAD_ON, FLOATING_ON, RowKey
from netweft.model import Key, Object, key_of
from netweft.model.fwaas import FIREWALL_GROUP, PLACES, SOURCE_ADDRESSES
from netweft.model.router import ANSWERS_HOSTS, ANSWERS_ON, GATEWAY_HOSTS
from netweft.model.router import NETWORKS as ROUTED

NODES = ("hv1", "hv2", "hv3")
NETWORKS = ("n1", "n2", "n3")
GROUPS = ("g1", "g2", "g3")
ADDRESS_GROUPS = ("a1", "a2")
POLICIES = ("q1", "q2")
ROUTERS = ("r1", "r2")
FIREWALLS = ("w1", "w2")  # groups and policies
FIREWALL_RULES = ("u1", "u2", "u3")

_node = st.sampled_from(NODES)
_policy = st.sampled_from([None, None, *POLICIES])
_network_rows = st.builds(
    lambda id, mtu, policy: {
        "id": id,
        "name": id,
        "mtu": mtu,
        "provider:network_type": "vxlan",
        "status": "ACTIVE",
        "qos_policy_id": policy,
    },
    st.sampled_from(NETWORKS),
    st.sampled_from([1450, 9000]),
    _policy,
)
_subnet_rows = st.builds(
    lambda number, network, gateway, servers: {
        "id": f"s{number}",
        "network_id": network,
        "ip_version": 4,
        "cidr": f"10.0.{number}.0/24",
        "gateway_ip": gateway,
        "enable_dhcp": True,
        "dns_nameservers": servers,
        "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"} for _ in servers],
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
    },
    st.integers(1, 3),
    st.sampled_from(NETWORKS),
    st.sampled_from([None, "10.0.0.1"]),
    st.sampled_from([[], ["10.0.0.2"]]),
)
_ahead = st.lists(st.sampled_from([*NODES, "hv9"]), max_size=2, unique=True)


def _elsewhere(ahead: list[str], host: str) -> list[Row]:
    """Inactive bindings: not where the active one is."""
    return [{"binding:host_id": other} for other in ahead if other != host]


_firewall = st.sampled_from([None, None, *FIREWALLS])
_port_rows = st.builds(
    lambda number, network, host, ahead, mac, status, groups, pairs, policy, leading, firewall: {
        "id": f"p{number}",
        "network_id": network,
        "mac_address": mac,
        "fixed_ips": [{"subnet_id": "s1", "ip_address": f"10.0.1.{number}"}],
        "binding:host_id": host,
        AHEAD: _elsewhere(ahead, host),
        "status": status,
        "device_owner": "",
        "device_id": None,
        "security_groups": groups,
        "allowed_address_pairs": pairs,
        "qos_policy_id": policy,
        LEADING: leading,
        FIREWALL_GROUP: firewall,
    },
    st.integers(1, 6),
    st.sampled_from(NETWORKS),
    st.sampled_from(["", *NODES, "hv9"]),
    _ahead,
    st.sampled_from(["fa:16:3e:00:00:01", "fa:16:3e:00:00:02"]),
    st.sampled_from(["ACTIVE", "DOWN"]),
    st.lists(st.sampled_from(GROUPS), max_size=2, unique=True),
    st.sampled_from([[], [{"ip_address": "10.9.0.0/16", "mac_address": "fa:16:3e:00:00:01"}]]),
    _policy,
    st.sampled_from([[], [], ["f1"], ["f2", "f3"]]),
    _firewall,
)
_interface_rows = st.builds(
    lambda number, network, router, mac, answers, firewall: {
        "id": f"p{number}",
        "network_id": network,
        "mac_address": mac,
        "fixed_ips": [{"subnet_id": "s1", "ip_address": f"10.0.1.{number}"}],
        "binding:host_id": "",
        "status": "ACTIVE",
        "device_owner": "network:router_interface",
        "device_id": router,
        ANSWERS_ON: next(iter(answers), ""),
        ANSWERS_HOSTS: answers,
        FIREWALL_GROUP: firewall,
        "admin_state_up": True,
    },
    st.integers(5, 9),
    st.sampled_from(NETWORKS),
    st.sampled_from(ROUTERS),
    st.sampled_from(["fa:16:3e:00:00:01", "fa:16:3e:00:00:02"]),
    st.lists(st.sampled_from(NODES), max_size=2, unique=True),
    _firewall,
)
_gateway_rows = st.builds(
    lambda number, network, router, order: {
        "id": f"p{number}",
        "network_id": network,
        "mac_address": "fa:16:3e:00:00:01",
        "fixed_ips": [{"subnet_id": "s1", "ip_address": f"10.0.1.{number}"}],
        "binding:host_id": next(iter(order), ""),
        GATEWAY_HOSTS: order,
        "device_owner": "network:router_gateway",
        "device_id": router,
    },
    st.integers(8, 11),
    st.sampled_from(NETWORKS),
    st.sampled_from(ROUTERS),
    st.lists(st.sampled_from(NODES), max_size=2, unique=True),
)
_floating_rows = st.builds(
    lambda number, router, fixed, policy: {
        "id": f"f{number}",
        "router_id": router,
        "floating_network_id": "n3",
        "floating_ip_address": f"203.0.113.{number}",
        "fixed_ip_address": fixed,
        "port_id": fixed and "p1",
        "qos_policy_id": policy,
    },
    st.integers(1, 3),
    st.sampled_from([None, *ROUTERS]),
    st.sampled_from([None, "10.0.1.1"]),
    _policy,
)
_router_rows = st.builds(
    lambda id, networks, up, routes: {
        "id": id,
        "name": id,
        "admin_state_up": up,
        "routes": routes,
        "external_gateway_info": {"enable_snat": False} if up and routes else None,
        ROUTED: networks,
    },
    st.sampled_from(ROUTERS),
    st.lists(st.sampled_from(NETWORKS), max_size=2, unique=True),
    st.booleans(),
    st.sampled_from([[], [{"destination": "192.0.2.0/24", "nexthop": "10.0.1.9"}]]),
)
_group_rows = st.builds(
    lambda id, stateful: {"id": id, "stateful": stateful},
    st.sampled_from(GROUPS),
    st.booleans(),
)
_rule_rows = st.builds(
    lambda number, group, remote: {
        "id": f"r{number}",
        "security_group_id": group,
        "direction": "ingress",
        "ethertype": "IPv6",
        "protocol": "icmp",
        **remote,
    },
    st.integers(1, 5),
    st.sampled_from(GROUPS),
    st.one_of(
        st.sampled_from(GROUPS).map(lambda id: {"remote_group_id": id}),
        st.sampled_from(ADDRESS_GROUPS).map(lambda id: {"remote_address_group_id": id}),
        st.just({"remote_ip_prefix": "fd00::/8", "remote_group_id": None}),
    ),
)
_address_group_rows = st.builds(
    lambda id, addresses: {"id": id, "addresses": addresses},
    st.sampled_from(ADDRESS_GROUPS),
    st.sampled_from([[], ["10.1.0.0/16", "fd00::/8"]]),
)
_firewall_rows = st.builds(
    lambda id, ingress, egress: {
        "id": id,
        "admin_state_up": True,
        "ingress_firewall_policy_id": ingress,
        "egress_firewall_policy_id": egress,
    },
    *(st.sampled_from(FIREWALLS), _firewall, _firewall),
)
_firewall_policy_rows = st.builds(
    lambda id, rules: {"id": id, "firewall_rules": rules, PLACES: list(range(7, 7 + len(rules)))},
    st.sampled_from(FIREWALLS),
    st.lists(st.sampled_from(FIREWALL_RULES), max_size=3, unique=True),
)
_firewall_rule_rows = st.builds(
    lambda id, action, source: {"id": id, "action": action, "ip_version": 4, SOURCE_ADDRESSES: source},
    st.sampled_from(FIREWALL_RULES),
    st.sampled_from(["allow", "deny"]),
    st.sampled_from([None, *ADDRESS_GROUPS]),
)
_policy_rows = st.builds(
    lambda id, kbps: {"id": id, "rules": [{"id": "x", "type": "bandwidth_limit", "max_kbps": kbps}] if kbps else []},
    st.sampled_from(POLICIES),
    st.sampled_from([0, 1000, 2000]),
)
_trunk_rows = st.builds(
    lambda number, host, ahead, vlans: {
        "id": f"t{number}",
        "port_id": f"p{number}",
        "admin_state_up": True,
        "sub_ports": [{"port_id": f"p{vlan}", "segmentation_type": "vlan", "segmentation_id": vlan} for vlan in vlans],
        "binding:host_id": host,
        AHEAD: _elsewhere(ahead, host),
    },
    st.integers(1, 2),
    st.sampled_from(["", *NODES]),
    _ahead,
    st.lists(st.integers(3, 6), max_size=2, unique=True),
)
_agent_rows = st.builds(
    lambda host, ip, type, wired: {
        "id": f"{type} of {host}",
        "host": host,
        "agent_type": type,
        "configurations": {"tunnel_ip": ip, "tunnel_types": ["vxlan"], "floating_ips": wired},
    },
    _node,
    st.sampled_from([None, "192.0.2.1", "192.0.2.2"]),
    st.sampled_from(["Open vSwitch agent", "Open vSwitch agent", "DHCP agent"]),
    st.sampled_from([[], ["public"]]),
)
_puts = st.one_of(
    st.builds(Put, st.just("networks"), _network_rows),
    st.builds(Put, st.just("subnets"), _subnet_rows),
    st.builds(Put, st.just("ports"), _port_rows),
    st.builds(Put, st.just("ports"), _port_rows),
    st.builds(Put, st.just("ports"), _interface_rows),
    st.builds(Put, st.just("ports"), _gateway_rows),
    st.builds(Put, st.just("floatingips"), _floating_rows),
    st.builds(Put, st.just("routers"), _router_rows),
    st.builds(Put, st.just("trunks"), _trunk_rows),
    st.builds(Put, st.just("agents"), _agent_rows),
    st.builds(Put, st.just("security_groups"), _group_rows),
    st.builds(Put, st.just("security_group_rules"), _rule_rows),
    st.builds(Put, st.just("security_group_rules"), _rule_rows),
    st.builds(Put, st.just("address_groups"), _address_group_rows),
    st.builds(Put, st.just("firewall_groups"), _firewall_rows),
    st.builds(Put, st.just("firewall_policies"), _firewall_policy_rows),
    st.builds(Put, st.just("firewall_rules"), _firewall_rule_rows),
    st.builds(Put, st.just("policies"), _policy_rows),
    st.builds(Put, st.just("users"), st.just({"id": "u1"})),
)
_deletes = _puts.map(lambda put: Delete(put.kind, put.row["id"]))
_sessions = st.one_of(
    st.builds(Join, _node, st.booleans()),
    st.builds(Leave, _node),
    st.builds(Lose, _node),
)
_flow = st.one_of(st.just(Advance()), st.just(Advance()), st.builds(Receive, _node))
_restart = st.just(Restart())
_any = st.sampled_from([_puts] * 8 + [_deletes] * 4 + [_flow] * 6 + [_sessions] * 3 + [_restart]).flatmap(lambda s: s)
events = st.lists(_any, min_size=20, max_size=80)


@dataclass
class Region:
    """What was written, in memory; as the feed reads it."""

    rows: dict[RowKey, Row] = field(default_factory=dict)
    log: list[RowKey] = field(default_factory=list)
    questions: list[tuple[str, str]] = field(default_factory=list)

    def write(self, event: Put | Delete) -> None:
        key = (event.kind, event.row["id"] if isinstance(event, Put) else event.id)
        before = self.rows.pop(key, None)
        if isinstance(event, Put):
            self.rows[key] = event.row
        elif before is None:
            return
        self.log.append(key)
        self.log.extend(groups_of(before, self.rows.get(key)))

    def find(self, kind: str, by: str, values: Iterable[str]) -> list[Row]:
        wanted = set(values)
        self.questions.append((kind, by))
        if by.endswith("[]"):
            return [row for row in self.of(kind) if wanted.intersection(row.get(by[:-2], ()))]
        if by == AHEAD_ON:
            return [row for row in self.of(kind) if wanted & hosts_ahead(row)]
        return [row for row in self.of(kind) if row.get(by) in wanted]

    def of(self, kind: str) -> list[Row]:
        rows = [row for (k, _), row in self.rows.items() if k == kind]
        if kind != "security_groups":
            return rows
        rules = self.of("security_group_rules")
        return [
            {**row, "security_group_rules": [rule for rule in rules if rule["security_group_id"] == row["id"]]}
            for row in rows
        ]


def groups_of(*rows: Row | None) -> list[RowKey]:
    """The groups that are written when one of their rules is."""
    return [("security_groups", row["security_group_id"]) for row in rows if row and "security_group_id" in row]


def hosts_ahead(row: Row) -> set[str]:
    return {binding["binding:host_id"] for binding in row.get(AHEAD, ())}


def should_see(region: Region, node: str) -> dict[Key, Object]:
    """In the words of the issue, with nothing incremental about it."""
    bound = [row for row in region.of("ports") if row["binding:host_id"] == node]
    active = [row for row in bound if not objects.gateway(row)]  # a gateway's port has no VIF, whatever is in its row
    ahead = [row for row in region.of("ports") if node in hosts_ahead(row)]
    own = active + ahead
    gateways = [row for row in region.of("ports") if objects.gateway(row) and node in row[GATEWAY_HOSTS]]
    answering = [row for row in region.of("ports") if node in row.get(ANSWERS_HOSTS, ()) and objects.answering(row)]
    led = {row["device_id"] for row in (*gateways, *answering)}
    networks, routers = reached(region, {row["network_id"] for row in (*own, *gateways, *answering)}, led)
    peers = [
        row for row in region.of("ports") if row["network_id"] in networks and row["binding:host_id"] not in ("", node)
    ]
    outside = [row for row in region.of("ports") if objects.gateway_port(row) and row["device_id"] in routers]
    hosts = {row["binding:host_id"] for row in (*peers, *outside)} - {"", node}
    hosts |= {host for row in outside for host in row[GATEWAY_HOSTS]} - {node}
    hosts |= {host for row in answering for host in row[ANSWERS_HOSTS]} - {node}
    seen: list[Object | None] = [objects.port(row) for row in active]
    seen += [objects.port_ahead(row) for row in ahead]
    seen += [
        objects.trunk(row) for row in region.of("trunks") if row["binding:host_id"] == node or node in hosts_ahead(row)
    ]
    leading = {id for row in own for id in row.get(LEADING) or ()}
    behind = {row["device_id"] for row in gateways}
    floating = [row for row in region.of("floatingips") if row["id"] in leading or row["router_id"] in behind]
    floating = [row for row in floating if objects.floating_ip(row)]
    wires = networks | {row["floating_network_id"] for row in floating}
    seen += [objects.floating_ip(row) for row in floating]
    seen += [objects.network(row) for row in region.of("networks") if row["id"] in wires]
    seen += [objects.subnet(row) for row in region.of("subnets") if row["network_id"] in wires]
    interfaces = [row for row in region.of("ports") if objects.router_port(row) and row["network_id"] in networks]
    seen += map(objects.router_port, interfaces)
    seen += [objects.router(row) for row in region.of("routers") if row["id"] in routers]
    seen += [objects.gateway_port(row) for row in outside]
    plugged = {row["network_id"] for row in own}
    seen += [objects.floating_address(row) for row in region.of("floatingips") if row[FLOATING_ON] in plugged]
    seen += [objects.peer(row) for row in peers]
    seen += [objects.named_port(row) for row in region.of("ports") if row["network_id"] in networks]
    seen += [objects.node(row) for row in region.of("agents") if row["host"] in hosts]
    seen += firewall(region, own)
    seen += firewalls(region, {row.get(FIREWALL_GROUP) for row in (*own, *interfaces)})
    policies = {
        row.get("qos_policy_id")
        for row in (*own, *floating, *(row for row in region.of("networks") if row["id"] in wires))
    }
    seen += [objects.qos_policy(row) for row in region.of("policies") if row["id"] in policies]
    return {key_of(obj): obj for obj in seen if obj is not None}


def reached(region: Region, networks: set[str], routers: set[str]) -> tuple[set[str], set[str]]:
    """These networks and those that routers lead to; the routers, these and those on the networks."""
    ports = [row for row in region.of("ports") if objects.router_port(row) and row["network_id"] in networks]
    routers = routers | {row["device_id"] for row in ports}
    more = networks | {net for row in region.of("routers") if row["id"] in routers for net in row[ROUTED]}
    return (networks, routers) if more == networks else reached(region, more, routers)


def firewall(region: Region, own: list[Row]) -> list[Object | None]:
    """The groups of these ports, and whom their rules name."""
    here = {group for row in own for group in row.get("security_groups", ())}
    rules = [rule for rule in region.of("security_group_rules") if rule["security_group_id"] in here]
    groups = [row for row in region.of("security_groups") if row["id"] in here]
    there = {row["id"] for row in groups}
    named = [rule for rule in rules if rule["security_group_id"] in there]
    remote = {rule.get("remote_group_id") for rule in named}
    prefixes = {rule.get("remote_address_group_id") for rule in named}
    return [
        *map(objects.security_group, groups),
        *(
            objects.group_member({**row, "security_groups": [group]})
            for row in region.of("ports")
            for group in row.get("security_groups", ())
            if group in remote
        ),
        *(objects.address_group(row) for row in region.of("address_groups") if row["id"] in prefixes),
    ]


def firewalls(region: Region, groups: set[str | None]) -> list[Object | None]:
    """These groups (FWaaS), their policies, the rules of those, and the addresses that they name."""
    here = [row for row in region.of("firewall_groups") if row["id"] in groups]
    named = {row[f"{way}_firewall_policy_id"] for row in here for way in ("ingress", "egress")}
    policies = [row for row in region.of("firewall_policies") if row["id"] in named]
    ids = {id for row in policies for id in row["firewall_rules"]}
    rules = [row for row in region.of("firewall_rules") if row["id"] in ids]
    sources = {row[SOURCE_ADDRESSES] for row in rules}
    return [
        *map(objects.firewall_group, here),
        *map(objects.firewall_policy, policies),
        *map(objects.firewall_rule, rules),
        *(objects.address_group(row) for row in region.of("address_groups") if row["id"] in sources),
    ]
