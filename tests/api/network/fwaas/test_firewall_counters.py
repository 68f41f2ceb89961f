"""How often firewall rules have decided: told by nodes that have them, shown to whoever sees the rule."""

from tests.api.network.conftest import Api, refused

from netweft.control.l3 import counters
from netweft.model.counting import Counted
from netweft.store import Object, Store

from .stage import group, interface, path_of, policy, rule


def tell(store: Store, node: str, one: Object, packets: int, life: int = 1) -> int:
    """How many were taken."""
    said = Counted(kind="firewall_rules", id=one["id"], life=life, packets_in=packets, bytes_in=100 * packets)
    with store.write() as tx:
        return counters.report(tx, node, [said])


def hits(api: Api, one: Object, who: str = "alice") -> int:
    found = api.get(who, f"/netweft/counters/{one['id']}")["counter"]
    assert (found["object_type"], found["packets_out"]) == ("firewall_rule", 0)
    assert found["bytes_in"] == 100 * found["packets_in"]
    packets: int = found["packets_in"]
    return packets


def plug(api: Api, network_id: str, host: str) -> Object:
    values = {"network_id": network_id, "binding:host_id": host, "project_id": "red", "device_owner": "compute:nova"}
    return api.make("admin", "port", **values)


def test_of_a_vms_port(api: Api, store: Store) -> None:
    port = plug(api, api.network("alice", cidr="10.0.0.0/24")["id"], "hv1")
    one, unused = rule(api), rule(api)
    group(api, ports=[port["id"]], egress_firewall_policy_id=policy(api, "alice", one)["id"])
    assert hits(api, one) == 0
    assert tell(store, "hv1", one, 5) == 1
    assert tell(store, "hv2", one, 7) == 0, "it has not got the port"
    assert tell(store, "hv1", unused, 7) == 0
    assert hits(api, one) == 5
    assert tell(store, "hv1", one, 2, life=2) == 1
    assert hits(api, one) == 7, "what was told before does not go"
    assert refused(api("bob", "GET", f"/netweft/counters/{one['id']}")) == (404, "CountersNotFound")
    told = api.get("alice", "/netweft/counters?object_type=firewall_rule")["counters"]
    assert {each["id"] for each in told} >= {one["id"], unused["id"]}


def test_of_an_interface_everywhere_where_it_is_routed(api: Api, store: Store) -> None:
    """Also behind a second router, from whose networks a packet's host routes all the way."""
    way, beyond = interface(api), interface(api, cidr="10.2.0.0/24")
    networks = [api.get("alice", f"/ports/{one['port_id']}")["port"]["network_id"] for one in (way, beyond)]
    link = api.make("alice", "port", network_id=networks[1], fixed_ips=[{"ip_address": "10.2.0.9"}])
    body = {"port_id": link["id"]}
    assert api("alice", "PUT", f"/routers/{way['id']}/add_router_interface", body).status_code == 200
    one = rule(api)
    group(api, ports=[beyond["port_id"]], ingress_firewall_policy_id=policy(api, "alice", one)["id"])
    assert tell(store, "hv1", one, 1) == 0
    plug(api, networks[0], "hv1")
    assert tell(store, "hv1", one, 1) == 1
    plug(api, api.network("alice", cidr="10.3.0.0/24")["id"], "hv2")
    assert tell(store, "hv2", one, 1) == 0, "nothing leads there"
    assert hits(api, one) == 1


def test_to_look_at_counters_makes_no_default_group(api: Api) -> None:
    assert api.get("alice", "/netweft/counters?object_type=firewall_rule")["counters"] == []
    assert api.get("admin", "/netweft/counters")["counters"] == []
    assert len(api.names("alice", path_of("firewall_rule"))) == 4
