"""Firewalls as the nodes hear of them: those of their ports, and of the routers' interfaces that they route for."""

from netweft.control.fwaas import places
from netweft.model import FirewallGroup, FirewallPolicy, FirewallRule, Port, RouterPort
from netweft.store import Object, Store

from ..conftest import Api
from ..l2.test_told_to_nodes import Followers
from .stage import act, changed, delete, group, interface, policy, rule


def bound(api: Api, network_id: str, host: str) -> Object:
    hosted = {"binding:host_id": host, "network_id": network_id, "project_id": "red", "device_owner": "compute:nova"}
    return api.make("admin", "port", **hosted)


def test_a_vm_ports_firewall_is_sent_to_its_node_and_each_change_alone(api: Api, store: Store) -> None:
    network = api.network("alice", cidr="10.0.0.0/24")
    port, other = bound(api, network["id"], "hv1"), bound(api, network["id"], "hv2")
    nodes = Followers(store)
    one = rule(api, protocol="tcp", destination_port="80", action="allow")
    way = policy(api, "alice", one)
    made = group(api, ingress_firewall_policy_id=way["id"])
    assert nodes.news() == {}, "nobody's port has it"

    changed(api, "alice", "firewall_group", made, ports=[port["id"]])
    told = nodes.news()
    assert told.keys() == {"hv1"}
    assert isinstance(moved := told["hv1"].pop(("port", port["id"])), Port)
    assert moved.firewall_group_id == made["id"]
    assert told["hv1"] == {
        ("firewall_group", made["id"]): FirewallGroup(
            id=made["id"], project_id="red", ingress_firewall_policy_id=way["id"]
        ),
        ("firewall_policy", way["id"]): FirewallPolicy(
            id=way["id"], firewall_rules=(one["id"],), places=tuple(places.spread(1))
        ),
        ("firewall_rule", one["id"]): FirewallRule(
            id=one["id"], action="allow", protocol=6, destination_port_range_min=80, destination_port_range_max=80
        ),
    }

    changed(api, "alice", "firewall_rule", one, enabled=False)
    assert list(nodes.news()["hv1"]) == [("firewall_rule", one["id"])]
    more = rule(api)
    act(api, "alice", way, "insert_rule", firewall_rule_id=more["id"])
    assert set(nodes.news()["hv1"]) == {("firewall_policy", way["id"]), ("firewall_rule", more["id"])}
    act(api, "alice", way, "remove_rule", firewall_rule_id=more["id"])
    assert nodes.news()["hv1"][("firewall_rule", more["id"])] is None
    for member, object in (("firewall_group", made), ("firewall_policy", way), ("firewall_rule", one)):
        changed(api, "alice", member, object, description="for people")
        assert nodes.news() == {}
    changed(api, "alice", "firewall_group", made, ports=[port["id"], other["id"]])
    told = nodes.news()
    assert told.keys() == {"hv2"}, "one port more elsewhere is nothing to this node"
    assert ("firewall_rule", one["id"]) in told["hv2"]


def test_an_interfaces_firewall_is_sent_to_all_nodes_that_route_for_it(api: Api, store: Store) -> None:
    way = interface(api)
    named = api.make("alice", "address_group", addresses=["192.0.2.0/24"])
    bound(api, api.get("alice", f"/ports/{way['port_id']}")["port"]["network_id"], "hv1")
    nodes = Followers(store)
    one = rule(api, **{"netweft:source_address_group_id": named["id"]})
    made = group(api, ports=[way["port_id"]], egress_firewall_policy_id=policy(api, "alice", one)["id"])
    told = nodes.news()
    assert told.keys() == {"hv1"}
    assert isinstance(its := told["hv1"][("router_port", way["port_id"])], RouterPort)
    assert its.firewall_group_id == made["id"]
    assert ("address_group", named["id"]) in told["hv1"]
    changed(api, "alice", "firewall_group", made, ports=[])
    gone = nodes.news()["hv1"]
    assert {key for key, object in gone.items() if object is None} == {
        ("firewall_group", made["id"]),
        ("firewall_policy", made["egress_firewall_policy_id"]),
        ("firewall_rule", one["id"]),
        ("address_group", named["id"]),
    }
    assert delete(api, "alice", "firewall_group", made).status_code == 204
