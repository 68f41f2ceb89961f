"""Firewall groups: which ports they are for, whose policies they have, the one each project has, and their status."""

from typing import Any

import pytest
from tests.api.network.conftest import BLUE, Api, refused

from netweft.control.fwaas import status
from netweft.model.fwaas import FIREWALL_GROUP
from netweft.store import Object, Store

from .stage import act, ask, change, changed, delete, group, interface, path_of, policy, rule, shown, vm_port

MEMBER = "firewall_group"


def kept(store: Store, id: str) -> Any:
    """The group that a port is in."""
    with store.read() as tx:
        port = tx.get("ports", id)
    return port and port.get(FIREWALL_GROUP)


def test_the_life_of_a_group(api: Api, store: Store) -> None:
    port, other = vm_port(api)["id"], interface(api)["port_id"]
    way_in, way_out = policy(api), policy(api)
    made = group(
        api,
        name="g",
        description="d",
        ports=[port, other],
        ingress_firewall_policy_id=way_in["id"],
        egress_firewall_policy_id=way_out["id"],
    )
    said = {name: value for name, value in made.items() if name not in ("id", "created_at", "updated_at")}
    assert said == {
        "name": "g",
        "description": "d",
        "ports": [port, other],
        "admin_state_up": True,
        "shared": False,
        "ingress_firewall_policy_id": way_in["id"],
        "egress_firewall_policy_id": way_out["id"],
        "status": "PENDING_CREATE",
        "project_id": "red",
        "tenant_id": "red",
        "tags": [],
        "revision_number": 1,
    }
    assert shown(api, "alice", MEMBER, made) == made
    assert kept(store, port) == kept(store, other) == made["id"]
    after = changed(api, "alice", MEMBER, made, ports=[other], name="h")
    assert (after["ports"], after["name"], after["revision_number"]) == ([other], "h", 2)
    assert (kept(store, port), kept(store, other)) == (None, made["id"])
    assert refused(delete(api, "alice", MEMBER, made)) == (409, "FirewallGroupInUse")
    assert changed(api, "alice", MEMBER, made, ports=[])["status"] == "INACTIVE"
    assert delete(api, "alice", MEMBER, made).status_code == 204
    assert refused(api("alice", "GET", path_of(MEMBER, made["id"]))) == (404, "FirewallGroupNotFound")
    assert refused(delete(api, "alice", MEMBER, made)) == (404, "FirewallGroupNotFound")


def settle(store: Store) -> list[str]:
    """As if the nodes had said that they have everything.  Returns what was pending."""
    with store.write() as tx:
        waiting = status.pending(tx)
        for id in waiting:
            change = status.change_under_way(tx.glance, id)
            assert change is not None
            status.in_place(tx, id, change)
    return waiting


def test_a_status_says_what_there_is_to_do(api: Api, store: Store) -> None:
    port = vm_port(api)["id"]
    made = group(api, ports=[port])
    assert made["status"] == "INACTIVE", "no policy"
    assert settle(store) == []
    made = changed(api, "alice", MEMBER, made, egress_firewall_policy_id=policy(api)["id"])
    assert made["status"] == "PENDING_CREATE", "it was never in place"
    assert settle(store) == [made["id"]]
    assert shown(api, "alice", MEMBER, made)["status"] == "ACTIVE"
    assert changed(api, "alice", MEMBER, made, admin_state_up=False)["status"] == "DOWN"
    assert [one["id"] for one in api.get("alice", f"{path_of(MEMBER)}?status=DOWN")["firewall_groups"]] == [made["id"]]
    assert changed(api, "alice", MEMBER, made, ports=[])["status"] == "INACTIVE", "nothing that could be down"


def test_a_port_has_one_group(api: Api, store: Store) -> None:
    port, free = vm_port(api)["id"], interface(api)["port_id"]
    first, second = group(api, ports=[port]), group(api)
    taken = (409, "FirewallGroupPortInUse")
    assert refused(ask(api, "alice", MEMBER, ports=[free, port])) == taken
    assert refused(change(api, "alice", MEMBER, second, ports=[free, port])) == taken
    assert kept(store, free) is None, "nothing half done"
    assert shown(api, "alice", MEMBER, second)["ports"] == []
    assert changed(api, "alice", MEMBER, first, ports=[port])["ports"] == [port], "its own"
    changed(api, "alice", MEMBER, first, ports=[])
    assert changed(api, "alice", MEMBER, second, ports=[port])["ports"] == [port]


@pytest.mark.parametrize("owner", ["", "network:dhcp", "baremetal:none", "trunk:subport"])
def test_only_ports_of_vms_and_routers(api: Api, owner: str) -> None:
    port = vm_port(api)
    api("admin", "PUT", f"/ports/{port['id']}", {"port": {"device_owner": owner}})
    assert refused(ask(api, "alice", MEMBER, ports=[port["id"]])) == (409, "FirewallGroupPortInvalid")


def test_a_port_whose_owner_changes_stays_where_it_is(api: Api) -> None:
    """Nova clears the owner when a VM lets go of a port: no request that names it must fail for that."""
    port, other = vm_port(api), interface(api)["port_id"]
    made = group(api, ports=[port["id"]])
    api("alice", "PUT", f"/ports/{port['id']}", {"port": {"device_owner": "", "device_id": ""}})
    assert changed(api, "alice", MEMBER, made, ports=[port["id"], other])["ports"] == [port["id"], other]


def test_others_ports(api: Api) -> None:
    shared = api.network("bob", cidr="10.0.0.0/24")
    api.make("bob", "rbac_policie") if False else None
    theirs = vm_port(api, "bob", shared)["id"]
    assert refused(ask(api, "alice", MEMBER, ports=[theirs])) == (404, "PortNotFound"), "it is not seen"
    assert refused(ask(api, "admin", MEMBER, ports=[theirs])) == (409, "FirewallGroupPortInvalidProject")
    assert ask(api, "admin", MEMBER, ports=[theirs], project_id=BLUE).status_code == 201
    own = group(api)
    assert refused(change(api, "alice", MEMBER, own, ports=[theirs])) == (404, "PortNotFound")
    unknown = "00000000-0000-4000-8000-000000000000"
    assert refused(ask(api, "admin", MEMBER, ports=[unknown])) == (404, "PortNotFound")


def test_the_owner_of_a_network_has_no_say_over_others_ports_on_it(api: Api) -> None:
    network = api.network("alice", cidr="10.0.0.0/24")
    entry = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared", "target_tenant": BLUE}
    assert api("alice", "POST", "/rbac-policies", {"rbac_policy": entry}).status_code == 201
    theirs = vm_port(api, "bob", network)["id"]
    assert api("alice", "GET", f"/ports/{theirs}").status_code == 200
    assert refused(ask(api, "alice", MEMBER, ports=[theirs])) == (409, "FirewallGroupPortInvalidProject")


def test_a_port_that_goes_leaves_its_group(api: Api) -> None:
    port, way = vm_port(api), interface(api)
    made = group(api, ports=[port["id"], way["port_id"]])
    assert api("alice", "DELETE", f"/ports/{port['id']}").status_code == 204
    assert shown(api, "alice", MEMBER, made)["ports"] == [way["port_id"]]
    body = {"port_id": way["port_id"]}
    assert api("alice", "PUT", f"/routers/{way['id']}/remove_router_interface", body).status_code == 200
    assert shown(api, "alice", MEMBER, made)["ports"] == []


def test_policies_are_the_projects_or_shared(api: Api) -> None:
    theirs = policy(api, "bob")
    for name in ("ingress_firewall_policy_id", "egress_firewall_policy_id"):
        assert refused(ask(api, "alice", MEMBER, **{name: theirs["id"]})) == (404, "FirewallPolicyNotFound")
        assert refused(ask(api, "admin", MEMBER, **{name: theirs["id"]})) == (404, "FirewallPolicyConflict")
    everybodys = policy(api, "admin", shared=True)
    made = group(api, ingress_firewall_policy_id=everybodys["id"])
    assert refused(delete(api, "admin", "firewall_policy", everybodys)) == (409, "FirewallPolicyInUse")
    assert refused(change(api, "admin", "firewall_policy", everybodys, shared=False)) == (409, "FirewallPolicyInUse")
    changed(api, "alice", MEMBER, made, ingress_firewall_policy_id=None)
    assert changed(api, "admin", "firewall_policy", everybodys, shared=False)["shared"] is False
    assert delete(api, "admin", "firewall_policy", everybodys).status_code == 204


def test_whatever_changes_what_a_group_does_makes_it_pending(api: Api, store: Store) -> None:
    one, other = rule(api), rule(api)
    way = policy(api, "alice", one)
    made, free = group(api, ports=[vm_port(api)["id"]], ingress_firewall_policy_id=way["id"]), group(api)
    settle(store)

    def after(answer: Any) -> list[str]:
        assert answer.status_code == 200, answer.text
        now = shown(api, "alice", MEMBER, made)["status"]
        waiting = settle(store)
        assert now == ("PENDING_UPDATE" if waiting else "ACTIVE")
        return waiting

    assert after(act(api, "alice", way, "insert_rule", firewall_rule_id=other["id"])) == [made["id"]]
    assert after(change(api, "alice", "firewall_rule", other, action="allow")) == [made["id"]]
    assert after(change(api, "alice", "firewall_rule", other, action="allow")) == [], "nothing has changed"
    assert after(change(api, "alice", "firewall_rule", other, name="n", description="d")) == []
    assert after(change(api, "alice", "firewall_policy", way, audited=True)) == []
    assert after(act(api, "alice", way, "remove_rule", firewall_rule_id=other["id"])) == [made["id"]]
    assert after(change(api, "alice", "firewall_rule", other, action="deny")) == [], "it is not its rule any more"
    assert after(change(api, "alice", MEMBER, made, name="n")) == []
    assert after(change(api, "alice", MEMBER, made, egress_firewall_policy_id=policy(api)["id"])) == [made["id"]]
    assert after(change(api, "alice", MEMBER, free, ingress_firewall_policy_id=way["id"])) == [], "it has no port"


def test_what_nodes_say_of_an_older_change_settles_nothing(api: Api, store: Store) -> None:
    way = policy(api)
    made = group(api, ports=[vm_port(api)["id"]], ingress_firewall_policy_id=way["id"])
    with store.read() as tx:
        before = status.change_under_way(tx, made["id"])
    assert before is not None
    act(api, "alice", way, "insert_rule", firewall_rule_id=rule(api)["id"])
    with store.write() as tx:
        status.in_place(tx, made["id"], before)
    assert shown(api, "alice", MEMBER, made)["status"] == "PENDING_UPDATE"


# -- the one that each project has


def default_group(api: Api, who: str = "alice") -> Object:
    (found,) = api.get(who, f"{path_of(MEMBER)}?name=default")["firewall_groups"]
    made: Object = found
    return made


def test_each_project_has_a_default_group(api: Api) -> None:
    made = default_group(api)
    assert (made["description"], made["status"], made["ports"]) == ("Default firewall group", "INACTIVE", [])
    policies = {one["id"]: one for one in api.get("alice", path_of("firewall_policy"))["firewall_policies"]}
    rules = {one["id"]: one for one in api.get("alice", path_of("firewall_rule"))["firewall_rules"]}
    for way, action in (("ingress", "deny"), ("egress", "allow")):
        its = policies.pop(made[f"{way}_firewall_policy_id"])
        assert (its["name"], its["audited"], its["shared"]) == (f"default {way}", False, False)
        for version, id in zip((4, 6), its["firewall_rules"], strict=True):
            one = rules.pop(id)
            assert (one["name"], one["action"], one["ip_version"]) == (f"default {way} ipv{version}", action, version)
            assert (one["protocol"], one["source_ip_address"], one["enabled"]) == (None, None, True)
            assert one["firewall_policy_id"] == [its["id"]]
    assert policies == rules == {}
    assert default_group(api, "bob")["id"] != made["id"]
    assert api.names("alice", path_of(MEMBER)) == ["default"]


@pytest.mark.parametrize("member", ["firewall_policy", "firewall_rule", "firewall_group"])
def test_it_is_there_whatever_is_looked_at_first(api: Api, member: str) -> None:
    assert api.names("alice", path_of(member)) != []
    assert api.names("alice", path_of(MEMBER)) == ["default"]


def test_it_comes_with_the_first_group(api: Api) -> None:
    group(api, name="g")
    assert sorted(api.names("alice", path_of(MEMBER))) == ["default", "g"]


def test_its_name_is_nobody_elses(api: Api) -> None:
    reserved = (409, "FirewallDefaultParameterExists")
    assert refused(ask(api, "alice", MEMBER, name="default")) == reserved
    assert refused(change(api, "alice", MEMBER, group(api), name="default")) == reserved
    for name in ("default ingress", "default egress"):
        assert refused(ask(api, "alice", "firewall_policy", name=name)) == reserved
        assert refused(change(api, "alice", "firewall_policy", policy(api), name=name)) == reserved


def test_what_may_be_changed_of_it(api: Api) -> None:
    made, port = default_group(api), vm_port(api)["id"]
    kept = (409, "FirewallDefaultObjectUpdateRestricted")
    for changes in ({"name": "mine"}, {"admin_state_up": False}, {"ingress_firewall_policy_id": None}):
        assert refused(change(api, "alice", MEMBER, made, **changes)) == kept
    assert refused(change(api, "admin", MEMBER, made, name="mine")) == kept
    its = {"id": made["ingress_firewall_policy_id"]}
    assert refused(change(api, "admin", "firewall_policy", its, description="mine")) == kept
    assert changed(api, "alice", MEMBER, made, ports=[port])["status"] == "PENDING_CREATE"
    assert changed(api, "admin", MEMBER, made, admin_state_up=False)["status"] == "DOWN"


def test_an_admin_may_delete_it_and_it_is_made_again(api: Api) -> None:
    made, port = default_group(api), vm_port(api)["id"]
    assert refused(delete(api, "alice", MEMBER, made)) == (409, "FirewallGroupCannotRemoveDefault")
    changed(api, "alice", MEMBER, made, ports=[port])
    assert refused(delete(api, "admin", MEMBER, made)) == (409, "FirewallGroupInUse")
    changed(api, "alice", MEMBER, made, ports=[])
    assert delete(api, "admin", MEMBER, made).status_code == 204
    with_it = [api.names("admin", f"{path_of(m)}?project_id=nobody") for m in ("firewall_policy", "firewall_rule")]
    assert [len(names) for names in with_it] == [2, 4], "an admin makes another project's"
    again = default_group(api)
    assert again["id"] != made["id"]
    assert len(api.names("alice", path_of("firewall_rule"))) == 4, "the old ones are gone"


def test_rules_of_a_default_policy_can_be_replaced(api: Api) -> None:
    its = {"id": default_group(api)["ingress_firewall_policy_id"]}
    one = rule(api, action="allow", protocol="tcp", destination_port="22")
    answer = act(api, "alice", its, "insert_rule", firewall_rule_id=one["id"])
    assert answer.json()["firewall_rules"][0] == one["id"]
