"""Whatever is sent, nearly right or not at all: an answer, or a refusal in Neutron's form; never a fault of ours."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from netweft.api import app
from netweft.api.attributes import Attribute, Resource
from netweft.server.connection import LINE_BYTES
from netweft.settings import ServerSettings
from netweft.store import Store

from .conftest import Api
from .fwaas.stage import make as make_firewall

WORDS = ["", "default", "any", "tcp", "icmp", "ingress", "IPv6", "vlan", "vxlan", "flat", "physnet1", "slaac", "shared"]
WORDS += [
    "10.0.0.0/24",
    "10.0.0.9",
    "::/0",
    "fd00::1",
    "fe80::1",
    "0.0.0.0/0",
    "fa:16:3e:00:00:01",
    "\ud800",
    "☃" * 255,
    "9" * 5000,
    "١٧",
    "²",
]
THERE = (
    "networks",
    "subnets",
    "ports",
    "security_groups",
    "firewall_rules",
    "firewall_policies",
    "firewall_groups",
    "logs",
)  # of each of these there is one, see `sent`
NUMBERS = [-1, 0, 1, 4, 6, 68, 4094, 4095, 65535, 65536, 2**31, 2**53, 2**63, 2**64, 10**400, 1.5, -0.0]
COMMON = settings(
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Sent:
    """Values for bodies: ids of what is there among them, so that some requests get far."""

    def __init__(self, resources: Mapping[str, Resource], ids: list[str]) -> None:
        words = st.sampled_from([*WORDS, *ids]) | st.text(max_size=5)
        leaves = st.none() | st.booleans() | st.sampled_from(NUMBERS) | words
        keys = st.sampled_from(["subnet_id", "ip_address", "port_id", "start", "end", "destination", "nexthop", "x"])
        recursive = st.recursive(
            leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=6
        )
        some_twice = st.lists(st.sampled_from(ids), min_size=1, max_size=4)
        self.value = recursive | some_twice | st.integers(10, 900).map(_nested)
        self.resources = resources
        self.ids = ids

    def body(self, resource: Resource, *, put: bool) -> st.SearchStrategy[Any]:
        def allowed(attribute: Attribute) -> bool:
            return attribute.put if put else attribute.post

        names = [name for name, attribute in resource.attributes.items() if allowed(attribute)]
        some = st.lists(st.sampled_from(names), max_size=5, unique=True) if names else st.just([])
        item = some.flatmap(lambda chosen: st.fixed_dictionaries(dict.fromkeys(chosen, self.value)))
        right = item.map(lambda item: {resource.member: item if put else self.completed(resource, item)})
        return right | st.lists(item, max_size=2).map(lambda items: {resource.collection: items}) | self.value

    def completed(self, resource: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Else nearly all would lack what is required."""
        required = {"network_id": self.ids[0], "ip_version": 4, "cidr": "10.1.0.0/24", "direction": "ingress"}
        required |= {"port_id": self.ids[2], "network_type": "vxlan", "minimum": 5, "maximum": 9, "name": "n"}
        required |= {"security_group_id": self.ids[3], "action": "access_as_shared", "target_tenant": "*"}
        required |= {"object_type": "network", "object_id": self.ids[0], "prefixes": ["10.0.0.0/8"]}
        return {name: value for name, value in required.items() if name in resource.attributes} | item


def _matching(number: str) -> bytes:
    return b"revision_number=" + number.encode(errors="surrogatepass")


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.fixture
def resources(store: Store) -> dict[str, Resource]:
    return {resource.collection: resource for resource in app.resources(store, ServerSettings())}


@pytest.fixture
def sent(api: Api, resources: dict[str, Resource]) -> Sent:
    network = api.network("admin", "10.0.0.0/24")
    port = api.make("admin", "port", network_id=network["id"])
    ids = [network["id"], port["fixed_ips"][0]["subnet_id"], port["id"], port["security_groups"][0]]
    rule = make_firewall(api, "admin", "firewall_rule", protocol="tcp", destination_port="80")
    policy = make_firewall(api, "admin", "firewall_policy", firewall_rules=[rule["id"]], audited=True)
    group = make_firewall(api, "admin", "firewall_group", ingress_firewall_policy_id=policy["id"])
    log = api("admin", "POST", "/log/logs", {"log": {"resource_type": "firewall_group"}}).json()["log"]
    ids += [rule["id"], policy["id"], group["id"], log["id"]]
    return Sent(resources, ids)


def answered(api: Api, method: str, path: str, content: str | bytes = b"", matching: bytes = b"") -> None:
    """Whatever it was: what is there can still be listed."""
    raw = content if isinstance(content, bytes) else content.encode()
    headers = {"X-Auth-Token": b"admin"} | ({"If-Match": matching} if matching else {})
    answer = api.client.request(method, f"/v2.0{path}", content=raw, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["NeutronError"].keys() == {"type", "message", "detail"}
    elif method != "GET":
        collection = path.rpartition("/")[0] if method == "PUT" else path
        assert api("admin", "GET", collection).status_code == 200


@COMMON
@given(data=st.data())
def test_bodies(api: Api, sent: Sent, data: st.DataObject) -> None:
    resource = data.draw(st.sampled_from(sorted(sent.resources.values(), key=lambda resource: resource.member)))
    put = data.draw(st.booleans())
    body = json.dumps(data.draw(sent.body(resource, put=put)))
    if put:
        answered(api, "PUT", f"/{resource.path}/{data.draw(st.sampled_from(sent.ids))}", body)
    else:
        answered(api, "POST", f"/{resource.path}", body)


@COMMON
@given(data=st.data())
def test_changes_of_what_is_there(api: Api, sent: Sent, data: st.DataObject) -> None:
    """Each with an id of its own kind, and what is sent is mostly of the right shape: so these get furthest."""
    collection, id = data.draw(st.sampled_from([*zip(THERE, sent.ids, strict=True)]))
    names = [name for name, attribute in sent.resources[collection].attributes.items() if attribute.put]
    values = data.draw(st.dictionaries(st.sampled_from(names), sent.value, min_size=1, max_size=2))
    matched = data.draw(st.just(b"") | st.sampled_from([*WORDS, *map(str, NUMBERS)]).map(_matching))
    path = f"/{sent.resources[collection].path}/{id}"
    answered(api, "PUT", path, json.dumps({sent.resources[collection].member: values}), matched)


@COMMON
@given(data=st.data())
def test_questions(api: Api, sent: Sent, data: st.DataObject) -> None:
    resource = data.draw(st.sampled_from(sorted(sent.resources.values(), key=lambda resource: resource.member)))
    names = st.sampled_from(
        [*resource.attributes, "limit", "marker", "sort_key", "sort_dir", "fields", "page_reverse", "x"]
    )
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    values = (
        texts
        | st.sampled_from([str(number) for number in NUMBERS])
        | st.sampled_from([*sent.ids, *resource.attributes])
    )
    pairs = data.draw(st.lists(st.tuples(names, values), max_size=3))
    keys = [name for name, attribute in resource.attributes.items() if attribute.sort]
    pairs += [("sort_key", key) for key in data.draw(st.lists(st.sampled_from(keys), max_size=30))] if keys else []
    name, value = data.draw(names), data.draw(values)
    pairs += [(name, f"{value}{n}") for n in range(data.draw(st.sampled_from([0, 0, 1, 60, 1200])))]
    question = "&".join(f"{name}={quote(value)}" for name, value in pairs)[:LINE_BYTES]  # a longer one is not read
    answered(api, "GET", f"/{resource.path}?{question}")


@pytest.mark.parametrize("question", [f"revision_number={2**64}", f"limit={2**64}", f"limit={'9' * 5000}", "mtu=-1e9"])
def test_questions_with_large_numbers(api: Api, question: str) -> None:
    answered(api, "GET", f"/networks?{question}")


def test_what_was_a_fault_once(api: Api, sent: Sent) -> None:
    network, _, port, group, *_ = sent.ids
    nines, nobody = "9" * 5000, "6e657477-6566-7472-616e-676573000000"
    for number in (nines, "١", "²"):
        answered(api, "PUT", f"/networks/{network}", '{"network": {"name": "n"}}', _matching(number))
        for protocol in (number, f"0{number}"):
            rule = {"security_group_id": group, "direction": "ingress", "protocol": protocol}
            answer = api("admin", "POST", "/security-group-rules", {"security_group_rule": rule})
            assert answer.status_code == 400, answer.text
    answered(api, "POST", "/security-group-rules", f'{{"security_group_rule": {{"protocol": {nines}}}}}')
    sortable = [name for name, attribute in sent.resources["networks"].attributes.items() if attribute.sort]
    keys = "&".join(f"sort_key={key}" for key in sortable * 4)
    answer = api("admin", "GET", f"/networks?{keys}&marker={network}")
    assert (answer.status_code, answer.json()["networks"]) == (200, [])
    answered(api, "GET", "/networks?tags=" + ",".join(f"t{n}" for n in range(1000)))
    answer = api("admin", "PUT", f"/ports/{port}", {"port": {"security_groups": [group, group]}})
    assert answer.status_code == 400, "a port names a group once"
    for name in ("remote_group_id", "remote_address_group_id"):
        template = {"direction": "ingress", name: nobody}
        answer = api("admin", "POST", "/default-security-group-rules", {"default_security_group_rule": template})
        assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("depth", [20, 40, 200, 900])
def test_a_nested_profile(api: Api, sent: Sent, depth: int) -> None:
    """It can be stored when it can be shown: nothing that is too deep for one of the two is taken."""
    answer = api("admin", "PUT", f"/ports/{sent.ids[2]}", {"port": {"binding:profile": _nested(depth)}})
    assert answer.status_code == (200 if depth <= 20 else 400), answer.text
    assert api("admin", "GET", "/ports").status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"port":' * 50_000,
        '{"network": {"name": "a", "name": 3}}',
        '{"network": {"name": "\\ud800"}}',
        '{"network": {"mtu": 1e999}}',
        '{"network": {"mtu": NaN}}',
        '{"networks": [' + ",".join(['{"name": 1}'] * 5000) + "]}",
        '{"network": {"name": "\\u0000"}}',
        b"\xff\xfe{}",
        b"",
    ],
    ids=range(10),
)
@pytest.mark.parametrize("path", ["/networks", "/ports", "/security-groups"])
def test_what_is_hardly_json(api: Api, path: str, content: str | bytes) -> None:
    answered(api, "POST", path, content)
