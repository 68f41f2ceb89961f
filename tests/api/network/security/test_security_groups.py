"""Security groups, rules, templates and address groups as clients see them: whose they are, what is said of them."""

from typing import Any

import pytest

from netweft.control.security import protocols
from netweft.model.protocols import NUMBERS
from netweft.store import Object

from ..conftest import BLUE, Api, refused

FORBIDDEN = (403, "PolicyNotAuthorized")


def make_rule(api: Api, who: str, group: Object, **values: Any) -> Object:
    return api.make(who, "security_group_rule", security_group_id=group["id"], **{"direction": "ingress"} | values)


def try_rule(api: Api, who: str, group: Object, **values: Any) -> tuple[int, str]:
    rule = {"security_group_id": group["id"], "direction": "ingress"} | values
    return refused(api(who, "POST", "/security-group-rules", {"security_group_rule": rule}))


def names_and_numbers() -> list[tuple[str, str]]:
    known = [(name, "IPv6" if name.startswith(("ipv6", "icmpv6")) else "IPv4") for name in NUMBERS]
    return [*known, *((str(number), "IPv6") for number in (6, 58, 200, 255))]


@pytest.mark.parametrize(("protocol", "ethertype"), names_and_numbers())
def test_any_protocol_by_name_or_number(api: Api, protocol: str, ethertype: str) -> None:
    group = api.make("alice", "security_group", name="web")
    rule = make_rule(api, "alice", group, protocol=protocol.upper(), ethertype=ethertype.lower())
    assert (rule["protocol"], rule["ethertype"]) == (protocols.canonical(protocol, ethertype), ethertype)


@pytest.mark.parametrize("protocol", [None, "any", "ANY", 0, "0"])
def test_any_protocol_at_all(api: Api, protocol: str | int | None) -> None:
    group = api.make("alice", "security_group", name="web")
    assert make_rule(api, "alice", group, protocol=protocol)["protocol"] is None
    assert try_rule(api, "alice", group, protocol=None) == (409, "SecurityGroupRuleExists")
    assert try_rule(api, "alice", group, protocol="ip") == (409, "SecurityGroupRuleExists")


def test_a_prefix_is_shown_as_it_was_given_and_as_it_is_meant(api: Api) -> None:
    group = api.make("alice", "security_group", name="web")
    rule = make_rule(api, "alice", group, remote_ip_prefix="10.1.2.3/16")
    assert (rule["remote_ip_prefix"], rule["normalized_cidr"]) == ("10.1.2.3/16", "10.1.0.0/16")
    assert make_rule(api, "alice", group, remote_ip_prefix="10.9.9.9")["remote_ip_prefix"] == "10.9.9.9/32"
    (found,) = api.get("alice", "/security-group-rules?normalized_cidr=10.1.0.0/16")["security_group_rules"]
    assert found["id"] == rule["id"]


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"direction": "sideways"}, (400, "HTTPBadRequest")),
        ({"protocol": "pigeon"}, (400, "SecurityGroupRuleInvalidProtocol")),
        (
            {"protocol": "dccp", "port_range_min": 80, "port_range_max": 80},
            (400, "SecurityGroupInvalidProtocolForPort"),
        ),
        ({"protocol": "136", "port_range_min": 80, "port_range_max": 80}, (400, "SecurityGroupInvalidProtocolForPort")),
        ({"protocol": "tcp", "port_range_min": "x"}, (400, "HTTPBadRequest")),
        ({"remote_ip_prefix": "10.0.0.0/40"}, (400, "HTTPBadRequest")),
        ({"protocol": "icmp", "port_range_min": 300}, (400, "SecurityGroupInvalidIcmpValue")),
    ],
)
def test_what_makes_no_sense(api: Api, values: Any, refusal: tuple[int, str]) -> None:
    assert try_rule(api, "alice", api.make("alice", "security_group"), **values) == refusal


def test_icmp_refusals_name_the_field_as_neutron_does(api: Api) -> None:
    rule = {"security_group_id": api.make("alice", "security_group")["id"], "direction": "ingress", "protocol": "icmp"}
    answer = api("alice", "POST", "/security-group-rules", {"security_group_rule": rule | {"port_range_min": 300}})
    message = "Invalid value for ICMP type (port_range_min) 300. It must be 0 to 255."
    assert answer.json()["NeutronError"]["message"] == message


def test_nobody_touches_or_names_what_is_anothers(api: Api) -> None:
    hers, his = api.make("alice", "security_group"), api.make("bob", "security_group")
    offices = api.make("alice", "address_group", name="offices", addresses=["10.1.0.0/16"])
    assert try_rule(api, "bob", hers) == (404, "SecurityGroupNotFound")
    assert try_rule(api, "bob", his, remote_group_id=hers["id"]) == (404, "SecurityGroupNotFound")
    assert try_rule(api, "bob", his, remote_address_group_id=offices["id"]) == (404, "AddressGroupNotFound")
    rule = make_rule(api, "admin", hers)
    assert api.get("alice", f"/security-group-rules/{rule['id']}")["security_group_rule"] == rule
    assert refused(api("bob", "GET", f"/security-group-rules/{rule['id']}"))[0] == 404
    for action in ("add_addresses", "remove_addresses"):
        answer = api("bob", "PUT", f"/address-groups/{offices['id']}/{action}", {"addresses": ["10.2.0.0/16"]})
        assert refused(answer) == (404, "AddressGroupNotFound")


def test_a_port_names_each_group_once(api: Api) -> None:
    group, network = api.make("alice", "security_group")["id"], api.network("alice")["id"]
    port = api.make("alice", "port", network_id=network, security_groups=[group])
    twice = {"port": {"security_groups": [group, group]}}
    assert refused(api("alice", "PUT", f"/ports/{port['id']}", twice)) == (400, "HTTPBadRequest")


def test_an_address_group(api: Api) -> None:
    group = api.make("alice", "address_group", name="offices", addresses=["10.1.0.0/16"])
    alone = {"addresses": ["10.200.200.200"]}
    assert refused(api("alice", "POST", "/address-groups", {"address_group": alone})) == (400, "HTTPBadRequest")
    answer = api("alice", "PUT", f"/address-groups/{group['id']}/remove_addresses", alone)
    assert refused(answer) == (404, "AddressesNotFound")
    path = f"/address-groups/{group['id']}"
    body = {"addresses": ["10.2.0.0/16", "fd00::/8"]}
    added = api("alice", "PUT", f"{path}/add_addresses", {"address_group": body}).json()["address_group"]
    assert added["addresses"] == ["10.1.0.0/16", "10.2.0.0/16", "fd00::/8"]
    assert added["revision_number"] == group["revision_number"] + 1
    left = api("alice", "PUT", f"{path}/remove_addresses", body).json()["address_group"]
    assert left["addresses"] == ["10.1.0.0/16"]
    assert refused(api("alice", "PUT", f"{path}/remove_addresses", body)) == (404, "AddressesNotFound")
    again = {"addresses": ["10.1.0.0/16"]}
    assert refused(api("alice", "PUT", f"{path}/add_addresses", again)) == (400, "AddressesAlreadyExist")
    for wrong in ({}, {"addresses": "10.0.0.0/8"}, {"addresses": ["10.1.2"]}, {"addresses": [5]}):
        assert refused(api("alice", "PUT", f"{path}/add_addresses", wrong)) == (400, "HTTPBadRequest")
    assert refused(api("alice", "PUT", path, {"address_group": again})) == (400, "HTTPBadRequest")
    assert api("alice", "PUT", path, {"address_group": {"name": "homes"}}).json()["address_group"]["name"] == "homes"
    assert api("alice", "DELETE", path).status_code == 204


def test_templates_are_seen_by_all_and_changed_by_admins(api: Api) -> None:
    templates = api.get("bob", "/default-security-group-rules")["default_security_group_rules"]
    assert sorted((one["direction"], one["ethertype"], one["remote_group_id"]) for one in templates) == sorted(
        [
            ("egress", "IPv4", None),
            ("egress", "IPv6", None),
            ("ingress", "IPv4", "PARENT"),
            ("ingress", "IPv6", "PARENT"),
        ],
        key=str,
    )
    ssh = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    body = {"default_security_group_rule": ssh}
    assert refused(api("alice", "POST", "/default-security-group-rules", body)) == FORBIDDEN
    made = api.make("admin", "default_security_group_rule", **ssh)
    assert (made["used_in_default_sg"], made["used_in_non_default_sg"]) == (False, True)
    assert refused(api("bob", "DELETE", f"/default-security-group-rules/{made['id']}")) == FORBIDDEN
    group = api.make("bob", "security_group", name="web")
    answer = api.get("bob", f"/security-groups/{group['id']}")["security_group"]
    assert {rule["port_range_min"] for rule in answer["security_group_rules"]} == {None, 22}
    assert {rule["project_id"] for rule in answer["security_group_rules"]} == {BLUE}
    assert api("admin", "DELETE", f"/default-security-group-rules/{made['id']}").status_code == 204


def test_only_the_projects_default_group_is_called_default(api: Api) -> None:
    for name in ("default", "Default"):
        body = {"security_group": {"name": name}}
        assert refused(api("alice", "POST", "/security-groups", body)) == (409, "SecurityGroupDefaultAlreadyExists")
    (default,) = api.get("alice", "/security-groups")["security_groups"]
    rules = api.get("alice", "/security-group-rules?belongs_to_default_sg=true")["security_group_rules"]
    assert {rule["security_group_id"] for rule in rules} == {default["id"]}
