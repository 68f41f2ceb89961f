"""Nothing that a caller is told depends on what they may not see: two worlds that differ in that alone answer alike.

The worlds' ids and times are drawn alike, so that what is the same in both has the same id.
"""

import random
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from tests.examples import examples

from netweft.api.app import resources, routes
from netweft.api.attributes import Resource
from netweft.control import standard
from netweft.control.l2 import binding
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.settings import ServerSettings
from netweft.store import Object, Store

from .conftest import BLUE, Api, authenticate
from .fwaas.stage import PLURALS

RED = "red"
SETTINGS = ServerSettings(vlan_ranges=("physnet1:100:199",))
CALLERS = ["alice", "adam", "ann"]


class World(NamedTuple):
    api: Api
    seen: dict[str, str]
    hidden: dict[str, str]


class Ids:
    """Of what is seen, and of what is not, from sources of their own."""

    def __init__(self, hidden_seed: int) -> None:
        self.hidden = False
        self._sources = {False: random.Random(1), True: random.Random(hidden_seed)}

    def __call__(self) -> uuid.UUID:
        return uuid.UUID(int=self._sources[self.hidden].getrandbits(128), version=4)


class Facts(NamedTuple):
    """What differs, and is not for red to see."""

    seed: int
    host: str
    trouble: str
    vni: int
    name: str
    copies: int


ONE = Facts(seed=2, host="hv1", trouble="br-eth7 of hv1 is away", vni=111, name="aaa", copies=1)
OTHER = Facts(seed=3, host="hv2", trouble="eth9 carries no VLAN 9", vni=222, name="zzz", copies=3)


def post(api: Api, member: str, **values: Any) -> Object:
    special = {"policy": "qos/policies", "rbac_policy": "rbac-policies"}
    special |= {name: f"fwaas/{plural}" for name, plural in PLURALS.items()}
    path = special.get(member, f"{member.replace('_', '-')}s")
    answer = api("admin", "POST", f"/{path}", {member: values})
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()[member]
    return made


def others(api: Api, facts: Facts, network: str, outside: str) -> dict[str, str]:
    """Blue's, and an admin's; some of it on networks that are shared with red, or external."""
    made: dict[str, str] = {}
    for _ in range(facts.copies):
        named = {"project_id": BLUE, "name": facts.name, "description": facts.name}
        own = post(api, "network", **named, **{"provider:network_type": "vxlan"})["id"]
        port = post(api, "port", network_id=own, **named)["id"]
        group = post(api, "security_group", **named)["id"]
        policy = post(api, "policy", **named)["id"]
        firewall_rule = post(api, "firewall_rule", **named)["id"]
        firewall_policy = post(api, "firewall_policy", firewall_rules=[firewall_rule], **named)["id"]
        rules = f"/qos/policies/{policy}/bandwidth_limit_rules"
        rule = api("admin", "POST", rules, {"bandwidth_limit_rule": {"max_kbps": facts.vni}})
        made |= {
            "network": own,
            "port": port,
            "security_group": group,
            "policy": policy,
            "qos_rule": rule.json()["bandwidth_limit_rule"]["id"],
            "subnet": post(api, "subnet", network_id=own, ip_version=4, cidr=f"10.{facts.vni}.0.0/24", **named)["id"],
            "subnetpool": post(api, "subnetpool", prefixes=["10.0.0.0/8"], **named)["id"],
            "trunk": post(api, "trunk", port_id=port, **named)["id"],
            "router": _router(api, BLUE, own, facts.name),
            "floatingip": post(api, "floatingip", floating_network_id=outside, project_id=BLUE)["id"],
            "address_group": post(api, "address_group", addresses=["10.0.0.0/8"], **named)["id"],
            "firewall_rule": firewall_rule,
            "firewall_policy": firewall_policy,
            "firewall_group": post(api, "firewall_group", egress_firewall_policy_id=firewall_policy, **named)["id"],
            "guest": post(api, "port", network_id=network, **named)["id"],
            "rbac_policy": post(
                api,
                "rbac_policy",
                project_id=BLUE,
                object_type="security_group",
                object_id=group,
                action="access_as_shared",
                target_tenant=str(uuid.UUID(int=facts.seed)),
            )["id"],
        }
    api("admin", "PUT", f"/quotas/{BLUE}", {"quota": {"port": facts.vni}})
    return made


def _router(api: Api, project: str, network: str, name: str) -> str:
    """With an interface on the subnet of this network."""
    made: str = post(api, "router", project_id=project, name=name)["id"]
    port = post(api, "port", network_id=network, project_id=project, mac_address="fa:16:3e:02:00:01")["id"]
    added = api("admin", "PUT", f"/routers/{made}/add_router_interface", {"port_id": port})
    assert added.status_code == 200, added.text
    return made


def _floating_ip(api: Api, network: str) -> str:
    """At an address that does not depend on how many others there are."""
    made = post(api, "floatingip", project_id=RED, floating_network_id=network, floating_ip_address="192.0.2.222")
    return str(made["id"])


def make_world(store: Store, ids: Ids, facts: Facts) -> World:
    api = Api(Starlette(routes=routes(store, authenticate, SETTINGS)))
    with store.write() as tx:
        for number, host in enumerate(("hv1", "hv2")):
            binding.node_connected(tx, host, NodeFacts(tunnel_ip=f"192.0.2.{number}"))
    for who in CALLERS:
        for path in ("/security-groups", "/fwaas/firewall_groups"):
            api(who, "GET", path)  # makes the default group
    shared = post(api, "network", project_id="green", name="shared", shared=True)["id"]
    post(api, "subnet", network_id=shared, ip_version=4, cidr="10.5.0.0/16", name="s", project_id="green")
    outside = post(api, "network", project_id="green", name="outside", **{"router:external": True})["id"]
    post(api, "subnet", network_id=outside, ip_version=4, cidr="192.0.2.0/24", name="o", project_id="green")
    segment = {"provider:network_type": "vxlan", "provider:segmentation_id": facts.vni}
    ids.hidden = True
    hidden = others(api, facts, shared, outside)
    ids.hidden = False
    named = {"project_id": RED, "name": "mine"}
    network = post(api, "network", **named, **segment)["id"]
    subnet = post(api, "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24", **named)["id"]
    group = post(api, "security_group", **named)["id"]
    ports = [
        post(
            api,
            "port",
            network_id=at,
            mac_address=f"fa:16:3e:01:00:0{number}",
            fixed_ips=[{"ip_address": address}],
            security_groups=[group],
            **named,
            **{"binding:host_id": facts.host, "binding:profile": {"slot": facts.name}},
        )["id"]
        for number, (at, address) in enumerate(((network, "10.0.0.9"), (network, "10.0.0.8"), (shared, "10.5.0.9")))
    ]
    with store.write() as tx:
        binding.report_ports(tx, facts.host, [PortStatus(ports[0], PortState.DOWN, facts.trouble)], complete=False)
    seen = {
        "network": network,
        "shared": shared,
        "subnet": subnet,
        "security_group": group,
        **{f"port{number}": id for number, id in enumerate(ports)},
        "trunk": post(api, "trunk", port_id=ports[1], **named)["id"],
        "router": _router(api, RED, network, "mine"),
        "outside": outside,
        "floatingip": _floating_ip(api, outside),
        "policy": post(api, "policy", **named)["id"],
        "subnetpool": post(api, "subnetpool", prefixes=["10.0.0.0/8"], **named)["id"],
        "address_group": post(api, "address_group", addresses=["10.0.0.0/8"], **named)["id"],
        "firewall_rule": post(api, "firewall_rule", **named)["id"],
        "firewall_policy": post(api, "firewall_policy", **named)["id"],
        "firewall_group": post(api, "firewall_group", **named)["id"],
    }
    ids.hidden = True
    hidden |= {f"{name} too": id for name, id in others(api, facts, shared, outside).items()}
    ids.hidden = False
    return World(api, seen, hidden)


@pytest.fixture(scope="module")
def worlds(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    made, stores = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standard, "now", lambda: "2026-11-28T00:00:00Z")
        for facts in (ONE, OTHER):
            store = Store.open(f"sqlite:///{shutil.copy(template, tmp_path_factory.mktemp(facts.name))}")
            ids = Ids(facts.seed)
            patch.setattr(uuid, "uuid4", ids)
            made.append(make_world(store, ids, facts))
            stores.append(store)
    yield made[0], made[1]
    for store in stores:
        store.close()


def described() -> list[Resource]:
    store = Store.open("sqlite://")
    try:
        return resources(store, SETTINGS)
    finally:
        store.close()


@pytest.fixture(scope="module")
def words(worlds: tuple[World, World]) -> dict[str, list[str]]:
    """What requests are made of."""
    one, other = worlds
    assert one.seen == other.seen
    assert not set(one.hidden.values()) & set(other.hidden.values())
    ids = [*one.seen.values(), *one.hidden.values(), *other.hidden.values(), str(uuid.UUID(int=7))]
    facts = [str(value) for facts in (ONE, OTHER) for value in (*facts, f"slot={facts.name}")]
    return {
        "collections": [resource.path for resource in described()],
        "ids": ids,
        "names": sorted({name for resource in described() for name in resource.attributes}),
        "values": [
            *ids,
            *facts,
            BLUE,
            RED,
            "green",
            "mine",
            "true",
            "false",
            "vxlan",
            "ovs",
            "ACTIVE",
            "DOWN",
            "10.0.0.9",
            "",
        ],
        "parts": [
            "tags",
            "bindings",
            "get_subports",
            "bandwidth_limit_rules",
            "tags/x",
            "bindings/hv1",
            "details",
            "default",
            "insert_rule",
            "remove_rule",
        ],
    }


def alike(worlds: tuple[World, World], who: str, *request: Any) -> httpx.Response:
    first, second = (world.api(who, *request) for world in worlds)
    assert (first.status_code, first.text) == (second.status_code, second.text), request
    assert first.status_code < 500
    return first


many = settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(st.data())
def test_questions(worlds: tuple[World, World], words: dict[str, list[str]], data: st.DataObject) -> None:
    draw = data.draw
    value = st.sampled_from(words["values"])
    name = st.sampled_from(words["names"])
    pair = st.one_of(
        st.tuples(name, value),
        st.tuples(st.just("sort_key"), name),
        st.tuples(st.just("marker"), st.sampled_from(words["ids"])),
        st.tuples(st.just("fields"), name),
        st.tuples(
            st.sampled_from(["limit", "page_reverse", "sort_dir", "tags", "not-tags-any"]),
            st.sampled_from(["1", "2", "true", "desc"]),
        ),
        st.tuples(
            st.just("fixed_ips"), st.sampled_from(["ip_address=10.5.0.9", "ip_address_substr=10.5", "subnet_id=x"])
        ),
    )
    path = "/" + draw(st.sampled_from([*words["collections"], "network-ip-availabilities", "quotas"]))
    if draw(st.booleans()):
        path += "/" + draw(st.sampled_from([*words["ids"], BLUE, RED]))
        if draw(st.booleans()):
            path += "/" + draw(st.sampled_from(words["parts"]))
    query = "&".join(f"{key}={text}" for key, text in draw(st.lists(pair, max_size=3)))
    alike(worlds, draw(st.sampled_from(CALLERS)), "GET", f"{path}?{query}")


def test_each_attribute_alone(worlds: tuple[World, World], words: dict[str, list[str]]) -> None:
    """By filter, by sort key, by field; and from each marker."""
    told = set()
    for resource in described():
        path = f"/{resource.path}"
        for name in resource.attributes:
            facts = (ONE.name, ONE.host, ONE.vni)
            for query in (f"sort_key={name}&fields=id", f"fields={name}", *(f"{name}={fact}" for fact in facts)):
                told.add(alike(worlds, "alice", "GET", f"{path}?{query}").status_code)
        for id in (id for name, id in worlds[0].hidden.items() if not name.endswith("too")):
            for asked in (f"{path}?marker={id}", f"{path}?marker={id}&sort_key=name", f"{path}/{id}"):
                told.add(alike(worlds, "alice", "GET", asked).status_code)
    assert told == {200, 400, 404}


BODIES: list[tuple[str, str, Object]] = [
    ("POST", "/ports", {"port": {"network_id": "?"}}),
    ("POST", "/ports", {"port": {"network_id": "network", "security_groups": ["?"]}}),
    ("POST", "/ports", {"port": {"network_id": "network", "qos_policy_id": "?"}}),
    ("POST", "/ports", {"port": {"network_id": "network", "fixed_ips": [{"subnet_id": "?"}]}}),
    ("POST", "/ports", {"port": {"network_id": "network", "project_id": "?"}}),
    ("PUT", "/ports/port0", {"port": {"security_groups": ["?"]}}),
    ("PUT", "/ports/port0", {"port": {"qos_policy_id": "?"}}),
    ("PUT", "/ports/port0", {"port": {"fixed_ips": [{"subnet_id": "?"}]}}),
    ("PUT", "/ports/port2", {"port": {"mac_address": "fa:16:3e:00:02:00"}}),
    ("PUT", "/networks/network", {"network": {"qos_policy_id": "?"}}),
    ("POST", "/subnets", {"subnet": {"network_id": "?", "ip_version": 4, "cidr": "10.9.0.0/24"}}),
    ("POST", "/subnets", {"subnet": {"network_id": "network", "ip_version": 4, "subnetpool_id": "?"}}),
    ("POST", "/trunks", {"trunk": {"port_id": "?"}}),
    (
        "PUT",
        "/trunks/trunk/add_subports",
        {"sub_ports": [{"port_id": "?", "segmentation_type": "vlan", "segmentation_id": 5}]},
    ),
    ("PUT", "/trunks/trunk/remove_subports", {"sub_ports": [{"port_id": "?"}]}),
    *(
        ("PUT", f"/routers/router/{verb}_router_interface", {name: "?"})
        for verb in ("add", "remove")
        for name in ("subnet_id", "port_id")
    ),
    ("POST", "/routers", {"router": {"external_gateway_info": {"network_id": "?"}}}),
    ("PUT", "/routers/router", {"router": {"external_gateway_info": {"network_id": "?"}}}),
    ("POST", "/floatingips", {"floatingip": {"floating_network_id": "?"}}),
    ("POST", "/floatingips", {"floatingip": {"floating_network_id": "outside", "port_id": "?"}}),
    ("POST", "/floatingips", {"floatingip": {"floating_network_id": "outside", "subnet_id": "?"}}),
    ("PUT", "/floatingips/floatingip", {"floatingip": {"port_id": "?"}}),
    ("PUT", "/floatingips/?", {"floatingip": {"port_id": None}}),
    ("PUT", "/floatingips/?/tags/x", {}),
    ("DELETE", "/floatingips/?", {}),
    ("PUT", "/routers/?/add_router_interface", {"subnet_id": "subnet"}),
    ("PUT", "/routers/?/remove_router_interface", {"subnet_id": "subnet"}),
    ("PUT", "/routers/?/add_extraroutes", {"router": {"routes": []}}),
    ("PUT", "/ports/port0", {"port": {"device_owner": "network:router_interface", "device_id": "?"}}),
    ("POST", "/security-group-rules", {"security_group_rule": {"security_group_id": "?", "direction": "ingress"}}),
    *(
        (
            "POST",
            "/security-group-rules",
            {"security_group_rule": {"security_group_id": "security_group", "direction": "ingress", name: "?"}},
        )
        for name in ("remote_group_id", "remote_address_group_id")
    ),
    *(
        (
            "POST",
            "/rbac-policies",
            {
                "rbac_policy": {
                    "object_type": type,
                    "object_id": "?",
                    "action": "access_as_shared",
                    "target_tenant": str(uuid.UUID(int=9)),
                }
            },
        )
        for type in ("network", "security_group", "address_group", "qos_policy")
    ),
    *(
        (method, f"/{path}/?{part}", {member: {"name": "x"}})
        for path, member in (
            ("networks", "network"),
            ("subnets", "subnet"),
            ("ports", "port"),
            ("trunks", "trunk"),
            ("routers", "router"),
            ("subnetpools", "subnetpool"),
            ("security-groups", "security_group"),
            ("address-groups", "address_group"),
            ("qos/policies", "policy"),
        )
        for method, part in (
            ("PUT", ""),
            ("DELETE", ""),
            ("PUT", "/tags/x"),
            ("DELETE", "/tags"),
            ("DELETE", "/tags/x"),
        )
    ),
    ("DELETE", "/security-group-rules/?", {}),
    ("DELETE", "/rbac-policies/?", {}),
    ("PUT", "/rbac-policies/?", {"rbac_policy": {"target_tenant": str(uuid.UUID(int=9))}}),
    ("PUT", "/address-groups/?/add_addresses", {"addresses": ["10.0.0.0/24"]}),
    ("PUT", "/address-groups/?/remove_addresses", {"addresses": ["10.0.0.0/8"]}),
    *(
        (method, f"/qos/{path}", {"bandwidth_limit_rule": {"max_kbps": 5}})
        for method in ("PUT", "DELETE", "GET")
        for path in ("alias_bandwidth_limit_rules/?", "policies/policy/bandwidth_limit_rules/?")
    ),
    ("POST", "/qos/policies/?/bandwidth_limit_rules", {"bandwidth_limit_rule": {"max_kbps": 5}}),
    ("POST", "/ports/?/bindings", {"binding": {"host": "hv1"}}),
    ("POST", "/ports/port0/bindings", {"binding": {"host": "hv1"}}),
    ("PUT", "/ports/port0/bindings/hv1/activate", {}),
    ("DELETE", "/ports/port0/bindings/hv1", {}),
    ("PUT", "/networks/network", {"network": {"provider:segmentation_id": ONE.vni}}),
]


def test_what_names_something_unseen(worlds: tuple[World, World]) -> None:
    """It is refused like what is not there at all; but for the id, in the same words."""
    one, _ = worlds
    nowhere = str(uuid.UUID(int=7))
    unseen = [id for name, id in one.hidden.items() if not name.endswith("too")]

    def filled(value: Any, id: str) -> Any:
        if isinstance(value, dict):
            return {name: filled(inner, id) for name, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner, id) for inner in value]
        return id if value == "?" else one.seen.get(value, value)

    for method, path, body in BODIES:
        asked = "/".join(one.seen.get(part, part) for part in path.split("/"))
        of_nothing = None
        for id in [nowhere, *unseen]:
            request = (method, asked.replace("?", id), filled(body, id))
            answer = alike(worlds, "ann", *request)
            assert answer.status_code >= 400, request
            told = answer.text.replace(id, "?")
            of_nothing = of_nothing or told
            assert told == of_nothing, request


def test_there_is_something_to_hide(worlds: tuple[World, World]) -> None:
    """An admin is told what differs."""
    one, other = worlds
    for path in (f"/ports/{one.seen['port0']}", f"/networks/{one.seen['network']}", "/ports?name=aaa"):
        assert one.api("admin", "GET", path).text != other.api("admin", "GET", path).text
    assert ONE.trouble in one.api("admin", "GET", f"/ports/{one.seen['port0']}").text
    told = one.api("alice", "GET", f"/ports/{one.seen['port0']}").json()["port"]["status_detail"]
    assert told
    assert ONE.host not in told
