"""Each resource, verb and attribute, tried by everybody, beside Neutron's rules: 404 for what they may not see, 403 for
what they see and may not do, anything else for what they may.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from netweft.api.app import resources
from netweft.api.attributes import Resource
from netweft.api.resources.qos import RULE_TYPES
from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.settings import ServerSettings
from netweft.store import Object, Store

from .conftest import PEOPLE, YELLOW, Api
from .neutron_rules import NEUTRON, rule

pytestmark = pytest.mark.slow

SETTINGS = ServerSettings(vlan_ranges=("physnet1:100:199",))
OWNER, NETWORKS_OWNER, SHARED_WITH = "red", "green", YELLOW
# those whose success changes things for others come last
EVERYBODY = ["bob", "carol", "alf", "adam", "ned", "nick", "nora", "alice", "ann", "nova", "admin"]


class World(NamedTuple):
    """A network of green's; all that is red's on it and beside it; yellow has a share of what can be shared."""

    api: Api
    network: str
    subnet: str
    group: str
    address_group: str
    policy: str
    pool: str
    outside: str = ""
    label: str = ""

    def make(self, member: str, **values: Any) -> Object:
        paths = {"policy": "qos/policies", "rbac_policy": "rbac-policies", "metering_label": "metering/metering-labels"}
        path = paths.get(member, f"{member.replace('_', '-')}s")
        answer = self.api("admin", "POST", f"/{path}", {member: values})
        assert answer.status_code == 201, answer.text
        made: Object = answer.json()[member]
        return made


@pytest.fixture
def world(make_api: Callable[..., Api], store: Store) -> World:
    with store.write() as tx:
        for host in ("hv1", "hv2"):
            binding.node_connected(tx, host, NodeFacts(tunnel_ip="192.0.2.1"))
    api = make_api(vlan_ranges=SETTINGS.vlan_ranges)
    w = World(api, "", "", "", "", "", "")
    for project in (OWNER, NETWORKS_OWNER):
        unlimited = dict.fromkeys(("rbac_policy", "security_group", "firewall_group", "firewall_policy"), -1)
        assert api("admin", "PUT", f"/quotas/{project}", {"quota": unlimited}).status_code == 200
    network = w.make("network", project_id=NETWORKS_OWNER, name="n")["id"]
    w = w._replace(
        network=network,
        subnet=w.make("subnet", network_id=network, project_id=OWNER, ip_version=4, cidr="10.0.0.0/16")["id"],
        group=w.make("security_group", project_id=OWNER, name="g")["id"],
        address_group=w.make("address_group", project_id=OWNER, name="a", addresses=["10.1.0.0/24"])["id"],
        policy=w.make("policy", project_id=OWNER, name="q")["id"],
        pool=w.make("subnetpool", project_id=OWNER, name="p", prefixes=["10.2.0.0/16"])["id"],
        outside=w.make("network", name="out", **{"router:external": True})["id"],
        label=w.make("metering_label", project_id=OWNER)["id"],
    )
    w.make("subnet", network_id=w.outside, ip_version=4, cidr="192.0.2.0/24")
    for type, id in (
        ("network", w.network),
        ("security_group", w.group),
        ("address_group", w.address_group),
        ("qos_policy", w.policy),
    ):
        values = {"object_type": type, "object_id": id, "action": "access_as_shared", "target_tenant": SHARED_WITH}
        w.make("rbac_policy", project_id=OWNER, **values)
    return w


# -- who is who to an object


class Hung(NamedTuple):
    """Whose an object is, and what it hangs on.  shared, external: the object itself."""

    project: str
    shared: bool = False
    network: bool = False
    group: str = ""


THEIRS = {
    "network": Hung(NETWORKS_OWNER, shared=True),
    "subnet": Hung(OWNER, network=True),
    "port": Hung(OWNER, network=True),
    "security_group": Hung(OWNER, shared=True),
    "security_group_rule": Hung(OWNER, group=OWNER),
    "address_group": Hung(OWNER, shared=True),
    "address_scope": Hung(OWNER, shared=True),
    "policy": Hung(OWNER, shared=True),
    "network_segment_range": Hung("nobody's"),
    "flavor": Hung("nobody's"),
    "service_profile": Hung("nobody's"),
    "default_security_group_rule": Hung("nobody's"),
}


def may(who: str, action: str, hung: Hung, value: Any = None) -> bool:
    context = PEOPLE[who]
    mine = context.project_id
    related = {
        "own": mine == hung.project,
        "net": hung.network and mine == NETWORKS_OWNER,
        "sg": mine == hung.group,
    }
    holds = {
        "shared": hung.shared and mine == SHARED_WITH,
        "net-shared": hung.network and mine == SHARED_WITH,
        "external": False,
        "net-external": False,
        "no-device": not str(value).startswith("network:"),
        "no-wildcard": value != "*",
    }
    for word in rule(action):
        relation, _, role = word.rpartition(":")
        if holds.get(word, (not relation or related[relation]) and role in context.roles):
            return True
    return False


def may_give(who: str, action: str, name: str, value: Any, hung: Hung) -> bool:
    """An object's verb with one attribute."""
    parts = (
        {f"{action}:{name}:{key}" for one in value if isinstance(one, dict) for key in one}
        if isinstance(value, list)
        else ()
    )
    asked = [action, f"{action}:{name}", *(part for part in parts if part in NEUTRON)]
    return all(may(who, one, hung, value) for one in asked)


# -- what is tried


def new(w: World, member: str, project: str, number: int) -> Object:
    """What makes one more of these, with nothing in it that needs a right of its own."""
    bodies: dict[str, Object] = {
        "network": {},
        "subnet": {"network_id": w.network, "ip_version": 4, "cidr": f"10.{100 + number}.0.0/24"},
        "subnetpool": {"name": "p", "prefixes": ["10.3.0.0/16"]},
        "address_scope": {"ip_version": 4},
        "port": {"network_id": w.network},
        "trunk": {},
        "router": {},
        "flavor": {"service_type": "L3_ROUTER_NAT"},
        "service_profile": {"driver": "netweft"},
        "metering_label": {},
        "metering_label_rule": {
            "metering_label_id": w.label,
            "direction": "egress",
            "remote_ip_prefix": f"10.{100 + number}.0.0/24",
        },
        "floatingip": {"floating_network_id": w.outside},
        "security_group": {"name": "g"},
        "security_group_rule": {"security_group_id": w.group, "direction": "ingress", "protocol": str(number + 140)},
        "default_security_group_rule": {"direction": "ingress", "protocol": str(number + 140)},
        "address_group": {"name": "a"},
        "firewall_group": {},
        "firewall_policy": {},
        "firewall_rule": {},
        "log": {"resource_type": "firewall_group"},
        "policy": {"name": "q"},
        "rbac_policy": {
            "object_type": "network",
            "object_id": w.network,
            "action": "access_as_shared",
            "target_tenant": f"aaaaaaaa-0000-4000-8000-{number:012}",
        },
        "network_segment_range": {"network_type": "gre", "minimum": 5000 + number, "maximum": 5000 + number},
    }
    unowned = member in ("default_security_group_rule", "flavor", "service_profile")
    return bodies[member] | ({} if unowned else {"project_id": project})


VALUES: dict[str, Any] = {
    "name": "x",
    "description": "x",
    "admin_state_up": False,
    "port_security_enabled": False,
    "mac_address": "fa:16:3e:00:00:99",
    "device_id": "x",
    "device_owner": "network:dhcp",
    "security_groups": [],
    "allowed_address_pairs": [{"ip_address": "10.0.9.9", "mac_address": "fa:16:3e:00:00:98"}],
    "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}],
    "qos_policy_id": None,
    "binding:host_id": "hv1",
    "binding:profile": {"a": "b"},
    "binding:vnic_type": "direct",
    "numa_affinity_policy": "legacy",
    "device_profile": "x",
    "tags": ["x"],
    "data_plane_status": "DOWN",
    "dns_name": "web",
    "dns_domain": "corp.test.",
    "service_types": ["compute:x"],
    "shared": True,
    "is_default": True,
    "netweft:nat66": True,
    "router:external": True,
    "mtu": 1300,
    "vlan_transparent": True,
    "segments": [{"provider:network_type": "gre"}],
    "provider:network_type": "gre",
    "provider:physical_network": "physnet1",
    "provider:segmentation_id": 77,
    "gateway_ip": None,
    "allocation_pools": [],
    "dns_nameservers": ["10.0.0.53"],
    "host_routes": [],
    "enable_dhcp": False,
    "prefixes": ["10.2.0.0/15"],
    "min_prefixlen": 20,
    "max_prefixlen": 30,
    "default_prefixlen": 25,
    "default_quota": 5,
    "stateful": False,
    "excluded": True,
    "enabled": False,
    "driver": "netweft",
    "metainfo": "x",
    "service_profiles": [],
    "flavor_id": None,
    "availability_zone_hints": [],
    "address_scope_id": None,
    "addresses": ["10.9.0.0/24"],
    "target_tenant": "*",
    "routes": [],
    "distributed": True,
    "ha": True,
    "enable_default_route_bfd": True,
    "enable_default_route_ecmp": True,
    "audited": True,
    "ports": [],
    "firewall_rules": [],
    "ingress_firewall_policy_id": None,
    "egress_firewall_policy_id": None,
    "resource_type": "firewall_group",
    "resource_id": None,
    "target_id": None,
    "event": "DROP",
    "minimum": 4000,
    "maximum": 4001,
}
# those that a body needs to be one, or that are the same by another name
ELSEWHERE = {
    *(
        "network_id",
        "project_id",
        "tenant_id",
        "ip_version",
        "cidr",
        "port_id",
        "fixed_ip_address",
        "floating_network_id",
        "subnet_id",
        "sub_ports",
        "object_type",
        "object_id",
    ),
    *("action", "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix"),
    *("remote_group_id", "remote_address_group_id", "security_group_id", "subnetpool_id", "prefixlen"),
    *("use_default_subnetpool", "ipv6_ra_mode", "ipv6_address_mode", "network_type", "physical_network"),
    *("used_in_default_sg", "used_in_non_default_sg", "service_type"),
    *("metering_label_id", "source_ip_prefix", "destination_ip_prefix"),
    *("source_ip_address", "destination_ip_address", "source_port", "destination_port"),
    *("netweft:source_address_group_id", "netweft:destination_address_group_id"),
}


def value_of(w: World, name: str, verb: str) -> Any:
    if name == "external_gateway_info":
        return {"network_id": w.outside}
    if name == "floating_ip_address":
        return "192.0.2.99"
    if name == "fixed_ips":
        return [{"subnet_id": w.subnet, "ip_address": "10.0.7.7" if verb == "create" else "10.0.7.8"}]
    return VALUES[name]


def described(store: Store) -> Iterator[Resource]:
    yield from (one for one in resources(store, SETTINGS) if one.member != "agent")


def theirs(w: World, resource: Resource, number: int) -> Object:
    """One more of red's (a network: of green's)."""
    project = NETWORKS_OWNER if resource.member == "network" else OWNER
    body = new(w, resource.member, project, number)
    if resource.member == "trunk":
        body |= {"port_id": w.make("port", network_id=w.network, project_id=project)["id"]}
    answer = w.api("admin", "POST", f"/{resource.path}", {resource.member: body})
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()[resource.member]
    if resource.member in ("network", "security_group", "address_group", "address_scope", "policy"):
        type = "qos_policy" if resource.member == "policy" else resource.member
        values = {"object_type": type, "object_id": made["id"], "action": "access_as_shared"}
        w.make("rbac_policy", project_id=OWNER, target_tenant=SHARED_WITH, **values)
    return made


def hung(resource: Resource) -> Hung:
    return THEIRS.get(resource.member, Hung(OWNER))


def answers(allowed: bool, seen: bool, status: int) -> bool:
    return status not in (401, 403, 404) if allowed else status == (403 if seen else 404)


MEMBERS = [
    *("flavor", "service_profile", "metering_label", "metering_label_rule"),
    *("network", "subnet", "subnetpool", "address_scope", "port", "trunk", "router", "floatingip", "security_group"),
    "security_group_rule",
    *("default_security_group_rule", "address_group", "policy", "rbac_policy", "network_segment_range"),
    *("firewall_group", "firewall_policy", "firewall_rule", "log"),
]


def test_all_are_tried(store: Store) -> None:
    assert sorted(one.member for one in described(store)) == sorted(MEMBERS)


@pytest.fixture
def resource(store: Store, world: World, request: pytest.FixtureRequest) -> Resource:
    return next(one for one in described(store) if one.member == request.param)


each = pytest.mark.parametrize("resource", MEMBERS, indirect=True)


@each
def test_reading(world: World, resource: Resource) -> None:
    member, path = resource.member, f"/{resource.path}"
    id = theirs(world, resource, 1)["id"]
    wrong = []
    for who in EVERYBODY:
        allowed = may(who, f"get_{member}", hung(resource))
        answer = world.api(who, "GET", f"{path}/{id}")
        if answer.status_code != (200 if allowed else 404):
            wrong.append((who, "show", answer.status_code))
        listed = world.api.get(who, path)[resource.collection]
        if (id in {one["id"] for one in listed}) is not allowed:
            wrong.append((who, "list", 200))
        if world.api(who, "GET", f"{path}?marker={id}").status_code != (200 if allowed else 404):
            wrong.append((who, "marker", answer.status_code))
        shown = answer.json()[member] if allowed else {}
        for name in shown:
            rule = f"get_{member}:{name}"
            if rule in NEUTRON and name != "status_detail" and not may(who, rule, hung(resource)):
                wrong.append((who, f"shown {name}", 200))
    assert wrong == []


@each
def test_writing(world: World, resource: Resource) -> None:
    member, path = resource.member, f"/{resource.path}"
    wrong = []
    for number, who in enumerate(EVERYBODY):
        id = theirs(world, resource, number)["id"]
        seen = may(who, f"get_{member}", hung(resource))

        def expect(verb: str, *request: Any, allowed: bool, seen: bool = seen, who: str = who) -> None:
            answer = world.api(who, *request)
            if not answers(allowed, seen, answer.status_code):
                wrong.append((who, verb, answer.status_code, allowed))

        if "tags" in resource.attributes:
            world.api("admin", "PUT", f"{path}/{id}/tags/a")
            for method, verb, tail in (("PUT", "update", "/a"), ("PUT", "update", ""), ("DELETE", "delete", "/a")):
                allowed = may(who, f"{verb}_{member}:tags", hung(resource))
                expect(f"{verb} tags{tail}", method, f"{path}/{id}/tags{tail}", {"tags": ["a"]}, allowed=allowed)
            allowed = may(who, f"delete_{member}:tags", hung(resource))
            expect("delete tags", "DELETE", f"{path}/{id}/tags", allowed=allowed)
        if "update" in resource.actions:
            for name, attribute in resource.attributes.items():
                if attribute.put and name not in ELSEWHERE:
                    value = value_of(world, name, "update")
                    allowed = may_give(who, f"update_{member}", name, value, hung(resource))
                    expect(f"update {name}", "PUT", f"{path}/{id}", {member: {name: value}}, allowed=allowed)
        allowed = may(who, f"delete_{member}", hung(resource))
        expect("delete", "DELETE", f"{path}/{id}", allowed=allowed)
    assert wrong == []


@each
def test_making(world: World, resource: Resource) -> None:
    """For oneself, on green's network, in red's group."""
    member, path = resource.member, f"/{resource.path}"
    wrong = []
    for number, who in enumerate(EVERYBODY):
        project = PEOPLE[who].project_id or ""
        mine = hung(resource)._replace(project=project)
        parent = {"port": "network", "subnet": "network", "security_group_rule": "security_group"}.get(member)
        seen = parent is None or who == "nova" or may(who, f"get_{parent}", THEIRS[parent])
        base = new(world, member, project, number)
        if member == "trunk":
            base["port_id"] = world.make("port", network_id=world.network, project_id=project)["id"]
        if member == "rbac_policy":
            base["object_id"] = world.make("network", project_id=project)["id"]
        cases: list[Object] = [{}]
        cases += [
            {name: value_of(world, name, "create")}
            for name, attribute in resource.attributes.items()
            if attribute.post and name not in ELSEWHERE and not (member == "network_segment_range" and name == "shared")
        ]
        for more in cases:
            name = next(iter(more), "name")
            allowed = may_give(who, f"create_{member}", name, more.get(name, ""), mine)
            answer = world.api(who, "POST", path, {member: base | more})
            if not answers(allowed, seen, answer.status_code):
                wrong.append((who, more, answer.status_code, answer.text))
            elif answer.status_code == 201:
                world.api("admin", "DELETE", f"{path}/{answer.json()[member]['id']}")
    assert wrong == []


# -- what is part of something


REFUSED_ANYHOW = "seen or not"  # as Neutron does where it asks before it looks


class Part(NamedTuple):
    """sees: the rule without which it is not there."""

    rule: str
    of: str
    method: str
    path: str
    body: Any = None
    sees: str = ""


def qos_parts(w: World) -> Iterator[Part]:
    values = {
        "bandwidth_limit": {"max_kbps": 10},
        "dscp_marking": {"dscp_mark": 8},
        "minimum_bandwidth": {"min_kbps": 1},
        "packet_rate_limit": {"max_kpps": 5},
    }
    for type in RULE_TYPES:
        path = f"/qos/policies/{w.policy}/{type}_rules"
        id = w.api("admin", "POST", path, {f"{type}_rule": values[type]}).json()[f"{type}_rule"]["id"]
        sees, name = f"get_policy_{type}_rule", f"policy_{type}_rule"
        yield Part(f"create_{name}", "policy", "POST", path, {f"{type}_rule": values[type]}, REFUSED_ANYHOW)
        for one in (f"{path}/{id}", f"/qos/alias_{type}_rules/{id}"):
            yield Part(sees, "policy", "GET", one, sees=sees)
            yield Part(f"update_{name}", "policy", "PUT", one, {f"{type}_rule": values[type]}, sees)
            yield Part(f"delete_{name}", "policy", "DELETE", one, None, sees)


def forwarding_parts(w: World) -> Iterator[Part]:
    inside = w.make("network", project_id=OWNER)["id"]
    subnet = w.make("subnet", network_id=inside, project_id=OWNER, ip_version=4, cidr="10.9.0.0/24")["id"]
    outside = {"external_gateway_info": {"network_id": w.outside}}
    router = w.make("router", project_id=OWNER, **outside)["id"]
    added = w.api("admin", "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    assert added.status_code == 200, added.text
    port = w.make("port", network_id=inside, project_id=OWNER)
    floating_ip = w.make("floatingip", floating_network_id=w.outside, project_id=OWNER)["id"]
    path, name = f"/floatingips/{floating_ip}/port_forwardings", "floatingip_port_forwarding"
    leads = {"internal_port_id": port["id"], "internal_ip_address": port["fixed_ips"][0]["ip_address"]}
    body = {"port_forwarding": {**leads, "protocol": "tcp", "internal_port": 1, "external_port": 1}}
    made = w.api("admin", "POST", path, body)
    assert made.status_code == 201, made.text
    one = f"{path}/{made.json()['port_forwarding']['id']}"
    yield Part(f"create_{name}", "floatingip", "POST", path, body)
    yield Part(f"get_{name}", "floatingip", "GET", path)
    yield Part(f"get_{name}", "floatingip", "GET", one)
    yield Part(f"update_{name}", "floatingip", "PUT", one, {"port_forwarding": {"description": "d"}})
    yield Part(f"delete_{name}", "floatingip", "DELETE", one)


def parts(w: World) -> Iterator[Part]:
    yield from forwarding_parts(w)
    port = w.make("port", network_id=w.network, project_id=OWNER)["id"]
    made = w.api("admin", "POST", f"/ports/{port}/bindings", {"binding": {"host": "hv1"}})
    assert made.status_code == 201, made.text
    trunk = w.make("trunk", project_id=OWNER, port_id=w.make("port", network_id=w.network, project_id=OWNER)["id"])
    sees, bindings = "get_port_binding", f"/ports/{port}/bindings"
    yield Part("create_port_binding", "port", "POST", bindings, {"binding": {"host": "hv2"}})
    yield Part(sees, "port", "GET", f"{bindings}/hv1", sees=sees)
    yield Part("update_port_binding", "port", "PUT", f"{bindings}/hv1", {"binding": {"vnic_type": "normal"}}, sees)
    yield Part("activate", "port", "PUT", f"{bindings}/hv1/activate", None, sees)
    yield Part("get_subports", "trunk", "GET", f"/trunks/{trunk['id']}/get_subports")
    router = f"/routers/{w.make('router', project_id=OWNER)['id']}"
    for verb in ("add", "remove"):
        yield Part(f"{verb}_router_interface", "router", "PUT", f"{router}/{verb}_router_interface", {"x": "x"})
        routes: Object = {"router": {"routes": []}}
        yield Part(f"{verb}_extraroutes", "router", "PUT", f"{router}/{verb}_extraroutes", routes)
    for verb in ("add", "remove"):
        yield Part(f"{verb}_subports", "trunk", "PUT", f"/trunks/{trunk['id']}/{verb}_subports", {"sub_ports": []})
        path = f"/address-groups/{w.address_group}/{verb}_addresses"
        yield Part(f"{verb}_addresses", "address_group", "PUT", path, {"addresses": []})
    yield from qos_parts(w)


def test_parts(world: World) -> None:
    wrong, deleted = [], set()
    tried = list(parts(world))
    for part in sorted(tried, key=lambda part: part.method == "DELETE"):
        whole = THEIRS.get(part.of, Hung(OWNER))
        for who in EVERYBODY:
            seen = part.sees == REFUSED_ANYHOW or may(who, part.sees or f"get_{part.of}", whole)
            allowed = may(who, part.rule, whole)
            status = world.api(who, part.method, part.path, part.body).status_code
            if (part.method, status) == ("DELETE", 204):
                deleted.add(part.rule)
            if not answers(allowed, seen, status) and not (status == 404 and part.rule in deleted):
                wrong.append((who, part.method, part.path, status))
    assert wrong == []
    assert deleted == {part.rule for part in tried if part.method == "DELETE"}
    assert {part.rule for part in tried} >= {name for name in NEUTRON if "policy_" in name and name.endswith("rule")}


def test_quotas_and_use(world: World) -> None:
    for who in EVERYBODY:
        api = world.api
        admin = PEOPLE[who].is_admin
        assert api(who, "GET", f"/quotas/{PEOPLE[who].project_id}").status_code == 200
        for path in ("/quotas", "/quotas/violet", "/quotas/violet/details", "/quotas/violet/default"):
            assert (api(who, "GET", path).status_code == 200) is admin, (who, path)
        assert (api(who, "PUT", "/quotas/violet", {"quota": {"port": 1}}).status_code == 200) is admin
        assert (api(who, "DELETE", "/quotas/violet").status_code == 204) is admin
        used = api.get(who, "/network-ip-availabilities")["network_ip_availabilities"]
        assert bool(used) is (who in ("admin", "nova"))
        status = api(who, "GET", f"/network-ip-availabilities/{world.network}").status_code
        assert status == (200 if who in ("admin", "nova") else 404)
