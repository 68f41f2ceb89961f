"""Our descriptions against the facts about Neutron's, which lie beside the checkout: every attribute, every flag.

Where we differ on purpose it is said here, and nowhere else.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from netweft.api.attributes import REQUIRED, UNSET, Attribute
from netweft.api.checks import Invalid
from netweft.api.extensions import EXTENSIONS
from netweft.api.resources import agent, flavors, qos
from netweft.api.resources.fwaas import firewall
from netweft.api.resources.ipam import address_scope, subnet, subnetpool
from netweft.api.resources.l2 import network, network_segment_range, port, trunk
from netweft.api.resources.l3 import floatingip, router
from netweft.api.resources.security import address_group, security_group

FACTS = Path(__file__).parents[4] / "shared" / "neutron-api" / "definitions.json"
pytestmark = pytest.mark.skipif(not FACTS.exists(), reason="the facts about Neutron are not beside the checkout")

OURS = {
    "networks": network.ATTRIBUTES,
    "subnets": subnet.ATTRIBUTES,
    "subnetpools": subnetpool.ATTRIBUTES,
    "address_scopes": address_scope.ATTRIBUTES,
    "flavors": flavors.FLAVOR,
    "service_profiles": flavors.PROFILE,
    "ports": port.ATTRIBUTES,
    "agents": agent.ATTRIBUTES,
    "network_segment_ranges": network_segment_range.ATTRIBUTES,
    "security_groups": security_group.GROUP,
    "security_group_rules": security_group.RULE,
    "address_groups": address_group.ATTRIBUTES,
    "trunks": trunk.ATTRIBUTES,
    "routers": router.ATTRIBUTES,
    "floatingips": floatingip.ATTRIBUTES,
    "policies": qos.ATTRIBUTES,
    "firewall_groups": firewall.GROUP,
    "firewall_policies": firewall.POLICY,
    "firewall_rules": firewall.RULE,
    **{known.collection: known.attributes for known in qos.RULE_TYPES.values()},
}
# what Neutron says of the resource itself; extensions add to that
BASE = ["network", "subnet", "subnetpool", "port", "agent"]
# aliases of which the file has no definition of its own
WITHOUT_FACTS = {
    "l3_agent_scheduler",
    "netweft-checks",
    "netweft-counters",
    "netweft-activity",
    "netweft-explain",
    "netweft-firewall-address-groups",
    "netweft-nat66",
    "netweft-trace",
    "netweft-status",
    "quota_details",
    "quotas",
    "rbac-policies",
    "security-group",
    "security-groups-default-rules",
    "standard-attr-description",
    "standard-attr-revisions",
    "standard-attr-tag",
    "standard-attr-timestamp",
    "subnet_allocation",
}
# attributes of a listed extension that are not there: Neutron hides them, or they are for what we do not have
ABSENT = {("subnets", "shared"), ("address_groups", "shared")}
# (collection, attribute, flag) -> why
DIFFERENT = {
    ("service_profiles", "id", "allow_post"): "said of the path below a flavor, which is no resource of its own here",
    ("trunks", "status", "is_sort_key"): "computed when asked for, from the ports",
    ("agents", "alive", "is_sort_key"): "computed when asked for: sort by heartbeat_timestamp",
    **{
        (collection, name, "is_sort_key"): "what they are sorted by was never written into their definition"
        for collection, attributes in OURS.items()
        if collection.startswith("firewall_")
        for name, attribute in attributes.items()
        if attribute.sort
    },
    **{
        (collection, "description", "is_filter"): "standard-attr-fwaas-v2 makes it one like all others"
        for collection in OURS
        if collection.startswith("firewall_")
    },
}


def facts() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = json.loads(FACTS.read_text())["extensions"]
    return loaded


def attribute_facts() -> list[tuple[str, str, dict[str, Any]]]:
    """collection, attribute, fact: of the resources and of the extensions that we say we have, one over the other."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    known = facts()
    for alias in [*BASE, *sorted(EXTENSIONS)]:
        parts = known.get(alias, {}).get("sub_resource_attribute_map") or {}
        resources = known.get(alias, {}).get("resource_attribute_map") or {}
        for collection, attributes in [
            *resources.items(),
            *((name, part["parameters"]) for name, part in parts.items()),
        ]:
            if collection in OURS:
                for name, fact in attributes.items():
                    merged[collection, name] = merged.get((collection, name), {}) | fact
    return [(*key, fact) for key, fact in merged.items() if key not in ABSENT]


ATTRIBUTES = attribute_facts() if FACTS.exists() else []


@pytest.mark.parametrize(
    ("collection", "name", "fact"), ATTRIBUTES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_attribute_is_as_neutron_has_it(collection: str, name: str, fact: dict[str, Any]) -> None:
    assert name in OURS[collection]
    ours = OURS[collection][name]
    for flag, value in {
        "allow_post": ours.post,
        "allow_put": ours.put,
        "is_filter": ours.filter,
        "is_sort_key": ours.sort,
    }.items():
        if (collection, name, flag) not in DIFFERENT:
            assert value == fact.get(flag, False), flag
    if fact.get("allow_post") and (collection, name, "allow_post") not in DIFFERENT:
        assert ours.default == default(name, fact)


def default(name: str, fact: dict[str, Any]) -> Any:
    if "default" not in fact:
        return UNSET if name in ("tenant_id", "project_id") else REQUIRED  # filled in from the token
    return UNSET if fact["default"] == {"unset": True} else fact["default"]


ACCEPTED: dict[str, list[Any]] = {
    "type:range": [],  # its bounds
    "type:uuid": ["5283fb86-4c69-46d0-8ea0-43533bbee357"],
    "type:name_string": ["", "text", "true", "10.0.0.1"],
    "type:mac_address": ["fa:16:3e:00:00:01"],
    "type:ip_address_or_none": [None, "10.0.0.1"],
    "type:subnet_or_none": [None, "10.0.0.0/24", "10.0.0.1/24"],
    "type:nameservers": [[], ["10.0.0.1"]],
    "type:dict_or_none": [None, {}],
}
REFUSED: dict[str, list[Any]] = {
    "type:range": [None, "", "text", [], {}],
    "type:uuid": [None, "", "text", 5, [], {}],
    "type:name_string": [None, 5, True, [], {}, "x" * 300],
    "type:mac_address": ["", "text", "10.0.0.1", 5],
    "type:ip_address_or_none": ["", "text", 5, "10.0.0.0/24"],
    "type:subnet_or_none": ["", "text", 5, "10.0.0.1"],
    "type:nameservers": ["10.0.0.1", 5, {}, ["text"]],
    "type:dict_or_none": ["text", 5, []],
}
CHECKED = [
    (c, n, f) for c, n, f in ATTRIBUTES if (f.get("validate") or {}).keys() & ACCEPTED.keys() and f["allow_post"]
]


@pytest.mark.parametrize(
    ("collection", "name", "fact"), CHECKED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_values_are_taken_and_refused_as_neutron_does(collection: str, name: str, fact: dict[str, Any]) -> None:
    ours: Attribute = OURS[collection][name]
    ((kind, bounds),) = fact["validate"].items()
    accepted, refused = ACCEPTED[kind], REFUSED[kind]
    if kind == "type:range":
        accepted, refused = [*bounds, str(bounds[1])], [*refused, bounds[0] - 1, bounds[1] + 1]
    for value in accepted:
        ours.check(value)
    for value in refused:
        with pytest.raises(Invalid):
            ours.check(value)


@pytest.mark.parametrize("alias", sorted(EXTENSIONS.keys() - WITHOUT_FACTS))
def test_an_extension_has_the_name_and_the_date_that_clients_know(alias: str) -> None:
    fact = facts()[alias]
    name, _, updated = EXTENSIONS[alias]
    assert (name, updated) == (fact["name"], fact["updated_timestamp"])


# of what one direction is done: what comes to a VM has passed the uplink already
ONE_WAY = {("minimum_bandwidth", "direction")}


@pytest.mark.parametrize("known", qos.RULE_TYPES.values(), ids=qos.RULE_TYPES)
def test_a_qos_rule_may_be_what_neutrons_may(known: qos.RuleType) -> None:
    for collection, name, fact in ATTRIBUTES:
        if collection == known.collection and name in known.values:
            ((kind, expected),) = fact["validate"].items()
            values = known.values[name]
            said = [values[0], values[-1]] if kind == "type:range" else sorted(values)
            assert said == (["egress"] if (known.type, name) in ONE_WAY else sorted(expected)), name


def test_the_words_of_enumerations() -> None:
    vnic = facts()["binding"]["resource_attribute_map"]["ports"]["binding:vnic_type"]["validate"]["type:values"]
    modes = facts()["subnet"]["resource_attribute_map"]["subnets"]["ipv6_ra_mode"]["validate"]["type:values"]
    for ours, words in ((port.ATTRIBUTES["binding:vnic_type"], vnic), (subnet.ATTRIBUTES["ipv6_ra_mode"], modes)):
        assert [ours.check(word) for word in words] == words
        with pytest.raises(Invalid):
            ours.check("magic")
