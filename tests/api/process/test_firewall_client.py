"""The stock client on FWaaS v2: `openstack firewall group ...`; and openstacksdk."""

from typing import Any

import pytest
from tests.api.process.client import stock_client, stock_client_tried
from tests.api.process.conftest import Server

pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


def test_firewalls(running: Server) -> None:
    admin = running.openrc()
    create = "firewall group rule create -f json"
    web, ssh, rest, policy, *_, ports = stock_client(
        admin,
        f"{create} web --protocol tcp --destination-port 80:90 --action allow --enable-rule",
        f"{create} ssh --protocol tcp --destination-port 22 --action reject --source-ip-address 10.0.0.0/8",
        f"{create} rest --protocol any --ip-version 6 --action deny --disable-rule",
        "firewall group policy create -f json --firewall-rule web --firewall-rule rest --description d guard",
        "network create -f json fwnet",
        "subnet create -f json --network fwnet --subnet-range 10.77.0.0/24 fwsub",
        "router create -f json fwrouter",
        "router add subnet fwrouter fwsub",
        "port list -f json --router fwrouter",
    )
    assert (web["Action"], web["Destination Port"], web["Protocol"]) == ("allow", "80:90", "tcp")
    assert (ssh["Action"], ssh["Source IP Address"]) == ("reject", "10.0.0.0/8")
    assert (rest["Enabled"], rest["IP Version"], rest["Protocol"]) == (False, 6, None)
    assert policy["Firewall Rules"] == [web["ID"], rest["ID"]]
    (port,) = ports
    made, shown, groups, policies, rules = stock_client(
        admin,
        f"firewall group create -f json --ingress-firewall-policy guard --port {port['ID']} g",
        "firewall group policy add rule --insert-after web guard ssh",
        "firewall group policy show -f json guard",
        "firewall group list -f json",
        "firewall group policy list -f json",
        "firewall group rule list -f json",
    )
    assert (made["Ports"], made["Ingress Policy ID"], made["State"]) == ([port["ID"]], policy["ID"], True)
    assert shown["Firewall Rules"] == [web["ID"], ssh["ID"], rest["ID"]]
    assert {one["Name"] for one in groups} >= {"default", "g"}
    assert {one["Name"] for one in policies} >= {"default ingress", "default egress", "guard"}
    assert {one["Name"] for one in rules} >= {"web", "ssh", "rest", "default egress ipv6"}
    problems = stock_client_tried(admin, "firewall group rule delete ssh", "firewall group delete g")[1]
    assert f"Firewall rule {ssh['ID']} is being used" in problems
    assert f"Firewall group {made['ID']} is still active" in problems
    after, unset = stock_client(
        admin,
        "firewall group policy remove rule guard ssh",
        "firewall group rule set --action deny --name blocked web",
        "firewall group policy set --audited guard",
        "firewall group set --disable --description x g",
        f"firewall group unset --port {port['ID']} --ingress-firewall-policy g",
        "firewall group policy show -f json guard",
        "firewall group show -f json g",
        "firewall group delete g",
        "firewall group policy delete guard",
        "firewall group rule delete blocked ssh rest",
    )
    assert (after["Firewall Rules"], after["Audited"]) == ([web["ID"], rest["ID"]], True)
    assert (unset["Ports"], unset["Ingress Policy ID"], unset["State"], unset["Status"]) == (
        [],
        None,
        False,
        "INACTIVE",
    )


def test_the_sdk(sdk: Any) -> None:
    first, second = (sdk.create_firewall_rule(name=name, action="allow", protocol="udp") for name in "ab")
    policy = sdk.create_firewall_policy(name="p", firewall_rules=[first.id])
    sdk.insert_rule_into_policy(policy, second.id, insert_before=first.id)
    assert sdk.get_firewall_policy(policy.id).firewall_rules == [second.id, first.id]
    sdk.remove_rule_from_policy(policy, first.id)
    assert sdk.find_firewall_policy("p").firewall_rules == [second.id]
    group = sdk.create_firewall_group(name="s", egress_firewall_policy_id=policy.id)
    assert (group.status, group.ports, group.shared) == ("INACTIVE", [], False)
    assert [one.id for one in sdk.firewall_groups(name="s")] == [group.id]
    assert sdk.update_firewall_rule(first, enabled=False).enabled is False
    sdk.delete_firewall_group(group)
    sdk.delete_firewall_policy(policy)
    for rule in (first, second):
        sdk.delete_firewall_rule(rule)
    assert list(sdk.firewall_policies(name="p")) == []


def test_what_is_unset_and_shared(running: Server) -> None:
    admin = running.openrc()
    web, _, policy, *_, port = stock_client(
        admin,
        "firewall group rule create -f json w --protocol tcp --source-port 1:9 --destination-port 80 --action allow "
        "--source-ip-address 10.0.0.0/8 --destination-ip-address 10.1.0.0/16 --share --enable-rule",
        "firewall group rule create -f json v",
        "firewall group policy create -f json --firewall-rule w --firewall-rule v --audited p",
        "network create -f json fwnet2",
        "port create -f json --network fwnet2 --device-owner compute:nova fwport",
    )
    problems = stock_client_tried(admin, "firewall group policy set --share p")[1]
    assert "Before sharing firewall policy" in problems
    bare, less, group = stock_client(
        admin,
        "firewall group rule unset --source-port --destination-port --source-ip-address --destination-ip-address w",
        "firewall group policy unset --firewall-rule v --audited p",
        "firewall group policy set --share p",
        f"firewall group create -f json --egress-firewall-policy p --port {port['id']} --share g2",
        "firewall group rule show -f json w",
        "firewall group policy show -f json p",
        "firewall group show -f json g2",
    )[-3:]
    assert {bare[name] for name in ("Source Port", "Destination Port", "Source IP Address")} == {None}
    assert (less["Firewall Rules"], less["Audited"], less["Shared"]) == ([web["ID"]], False, True)
    assert (group["Shared"], group["Ports"], group["Egress Policy ID"]) == (True, [port["id"]], policy["ID"])
    problems = stock_client_tried(admin, "firewall group rule set --no-share w", "firewall group policy delete p")[1]
    assert f"Firewall rule {web['ID']} is being used" in problems
    assert f"Firewall policy {policy['ID']} is being used" in problems
    empty, off = stock_client(
        admin,
        "firewall group policy set --no-firewall-rule p",
        "firewall group rule set --no-share --disable-rule w",
        "firewall group set --no-share g2",
        "firewall group unset --all-port --egress-firewall-policy g2",
        "firewall group policy set --no-share p",
        "firewall group policy show -f json p",
        "firewall group rule show -f json w",
        "firewall group delete g2",
        "firewall group policy delete p",
        "firewall group rule delete w v",
    )
    assert (empty["Firewall Rules"], empty["Shared"]) == ([], False)
    assert (off["Shared"], off["Enabled"]) == (False, False)
