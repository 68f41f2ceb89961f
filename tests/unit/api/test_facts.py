"""Our descriptions against the facts about Neutron's, which lie beside the checkout: every attribute, every flag.

Where we differ on purpose it is said here, and nowhere else.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from netweft.api.attributes import REQUIRED, UNSET, Attribute
from netweft.api.checks import Invalid
from netweft.api.extensions import EXTENSIONS
from netweft.api.resources import agent, flavors, qos
from netweft.api.resources.fwaas import firewall, log
from netweft.api.resources.ipam import address_scope, subnet, subnetpool
from netweft.api.resources.l2 import network, network_segment_range, port, trunk
from netweft.api.resources.l3 import conntrack_helpers, floatingip, metering, port_forwardings, router
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
    "bindings": port.BINDING,
    "port_forwardings": port_forwardings.ATTRIBUTES,
    "conntrack_helpers": conntrack_helpers.ATTRIBUTES,
    "metering_labels": metering.LABELS,
    "metering_label_rules": metering.RULES,
    "logs": log.LOG,
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
    ("bindings", "host", "allow_put"): "a binding is of one host: another host's is another binding",
    **{
        (collection, name, flag): "as everywhere else"
        for collection, name in (("bindings", "project_id"), ("metering_label_rules", "tenant_id"))
        for flag in ("is_filter", "is_sort_key")
    },
    ("metering_label_rules", "source_ip_prefix", "allow_put"): "Neutron has no update of these rules either",
    ("metering_label_rules", "destination_ip_prefix", "allow_put"): "Neutron has no update of these rules either",
    **{
        ("port_forwardings", f"{side}_{what}", "default"): "one of both is asked for, and the other one follows"
        for side in ("internal", "external")
        for what in ("port", "port_range")
    },
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
    if fact.get("allow_post") and not DIFFERENT.keys() & {
        (collection, name, "allow_post"),
        (collection, name, "default"),
    }:
        assert ours.default == default(name, fact)


def default(name: str, fact: dict[str, Any]) -> Any:
    if "default" not in fact:
        return UNSET if name in ("tenant_id", "project_id") else REQUIRED  # filled in from the token
    return UNSET if fact["default"] == {"unset": True} else fact["default"]


SOME_ID = "5283fb86-4c69-46d0-8ea0-43533bbee357"


def values(kind: str, bounds: Any) -> tuple[list[Any], list[Any]]:
    """What a validator of Neutron's takes, and what it refuses."""
    taken: list[Any] = []
    refused: list[Any] = []
    match kind.removesuffix("_or_none"):
        case "type:string" | "type:name_string":
            longest = bounds or 10
            taken, refused = (
                ["", "text", "true", "x" * longest],
                [5, True, [], {}, *(["x" * (bounds + 1)] if bounds else [])],
            )
        case "type:not_empty_name_string":
            taken, refused = ["text"], ["", " ", 5]
        case "type:values" if isinstance(bounds, list):
            taken, refused = bounds, ["magic", [], {}]
        case "type:uuid":
            taken, refused = [SOME_ID], ["", "text", 5, [], {}]
        case "type:uuid_list":
            taken, refused = [[], [SOME_ID]], ["text", 5, {}, ["text"], [SOME_ID, SOME_ID]]
        case "type:range":
            least, most = bounds
            taken, refused = [least, most, str(most)], ["", "text", [], {}, least - 1, most + 1]
        case "type:port_range":
            least, most = bounds or (0, 65535)
            taken, refused = [str(least), f"{least}:{most}"], ["81:80", "text", [], {}, str(least - 1), str(most + 1)]
        case "type:non_negative":
            taken, refused = [0, 5, "5"], [-1, "text", [], {}]
        case "type:mac_address":
            taken, refused = ["fa:16:3e:00:00:01"], ["", "text", "10.0.0.1", 5]
        case "type:dns_host_name":
            taken = ["", "web-1", "Web1", "web1.openstacklocal.", "1", "a" * 63]
            refused = [5, None, "web_1", "-web", "web-", "a..b", ".", "a" * 64, "a.1", "x." * 127 + "xx", "wéb"]
        case "type:fip_dns_host_name":
            taken, refused = ["", "web-1", "a.b"], [5, "web.", "web_1", "a..b", "a" * 64, "x." * 126 + "x"]
        case "type:dns_domain_name":
            taken, refused = ["", "example.org.", "EXAMPLE.org."], [5, "example.org", "a..", ".", "a_b.", "a.1."]
        case "type:ip_address":
            taken, refused = ["10.0.0.1", "2001:db8::1"], ["", "text", 5, "10.0.0.0/24"]
        case "type:ip_or_subnet":
            taken, refused = ["10.0.0.1", "10.0.0.0/24"], ["", "text", 5]
        case "type:subnet":
            taken, refused = ["10.0.0.0/24", "10.0.0.1/24"], ["", "text", 5, "10.0.0.1"]
        case "type:subnet_list":
            taken, refused = [[], ["10.0.0.0/24"]], ["text", 5, {}, ["text"], ["10.0.0.0/24"] * 2]
        case "type:nameservers":
            taken, refused = [[], ["10.0.0.1"]], ["10.0.0.1", 5, {}, ["text"], ["10.0.0.1"] * 2]
        case "type:hostroutes":
            route = {"destination": "10.0.0.0/24", "nexthop": "10.0.0.1"}
            taken, refused = [[], [route]], ["text", 5, {}, ["text"], [{"destination": "10.0.0.0/24"}], [route, route]]
        case "type:ip_pools":
            pool = {"start": "10.0.0.1", "end": "10.0.0.2"}
            taken, refused = [[], [pool]], ["text", 5, ["text"], [{"start": "10.0.0.1"}], [pool | {"more": 1}]]
        case "type:fixed_ips":
            taken, refused = [[], [{"ip_address": "10.0.0.1"}]], ["text", 5, ["text"], [{"ip_address": "text"}]]
        case "type:allowed_address_pairs":
            taken, refused = [[], [{"ip_address": "10.0.0.1"}]], ["text", 5, ["text"], [{"mac_address": "text"}]]
        case "type:availability_zone_hint_list":
            taken, refused = [[], ["nova"]], ["text", 5, {}, ["x" * 256]]
        case "type:dict" | "type:dict_or_nodata":
            taken, refused = [{}], ["text", 5]
    return ([*taken, None], refused) if kind.endswith("_or_none") else (taken, refused)


CHECKED = [
    (collection, name, *values(kind, bounds))
    for collection, name, fact in ATTRIBUTES
    if fact["allow_post"] or fact["allow_put"]
    for kind, bounds in (fact.get("validate") or {}).items()
]
# (collection, attribute) -> why a value is taken that Neutron's validator refuses, or the other way round
OTHER_VALUES = {
    **{
        (collection, "tenant_id"): "as long as everywhere else"
        for collection in OURS
        if collection.startswith("firewall_")
    },
    ("minimum_bandwidth_rules", "direction"): "what comes to a VM has passed the uplink already",
    ("conntrack_helpers", "helper"): "made a string first, whatever it is",
}


@pytest.mark.parametrize(
    ("collection", "name", "taken", "refused"), CHECKED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_values_are_taken_and_refused_as_neutron_does(
    collection: str, name: str, taken: list[Any], refused: list[Any]
) -> None:
    ours: Attribute = OURS[collection][name]
    if (collection, name) in OTHER_VALUES:
        return
    for value in taken:
        ours.check(value)
    for value in refused:
        with pytest.raises(Invalid):
            ours.check(value)


CONVERTED: dict[str, tuple[list[tuple[Any, Any]], list[Any]]] = {
    "convert_to_boolean": ([("true", True), ("False", False), (1, True), ("0", False)], ["text", 2, [], {}, None]),
    "convert_to_boolean_if_not_none": ([("true", True), ("0", False)], ["text", 2, [], {}]),
    "convert_none_to_empty_list": ([(None, [])], []),
}


@pytest.mark.parametrize(
    ("collection", "name", "fact"), ATTRIBUTES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_values_are_kept_as_neutron_keeps_them(collection: str, name: str, fact: dict[str, Any]) -> None:
    if not (fact["allow_post"] or fact["allow_put"]):
        return
    ours: Attribute = OURS[collection][name]
    kept, refused = CONVERTED.get((fact.get("convert_to") or {}).get("callable", ""), ([], []))
    for value, as_kept in kept:
        found = ours.check(value)
        assert (found, type(found)) == (as_kept, type(as_kept)), value
    for value in refused:
        with pytest.raises(Invalid):
            ours.check(value)


@pytest.mark.parametrize("alias", sorted(EXTENSIONS.keys() - WITHOUT_FACTS))
def test_an_extension_has_the_name_and_the_date_that_clients_know(alias: str) -> None:
    fact = facts()[alias]
    name, _, updated = EXTENSIONS[alias]
    assert (name, updated) == (fact["name"], fact["updated_timestamp"])


def test_the_documents_say_why_an_extension_is_not_there() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
    absent = set(re.findall(r"`([\w-]+)`", page.partition("## Extensions that are not there")[2]))
    assert facts().keys() - EXTENSIONS.keys() <= absent
    assert not absent & EXTENSIONS.keys()


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
