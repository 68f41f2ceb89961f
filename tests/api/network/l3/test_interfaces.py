"""Interfaces of routers: by subnet and by port, what is refused and in which words, and the ports that they are."""

from typing import Any

import pytest
from tests.api.network.conftest import BLUE, Api, refused
from tests.api.network.test_rbac import share

from netweft.store import Object, Store

BAD = (400, "BadRequest")
NOWHERE = "5283fb86-4c69-46d0-8ea0-43533bbee357"
INTERFACE = "network:router_interface"
HOST = "binding:host_id"


def subnet(api: Api, cidr: str, who: str = "alice", network: str = "", **values: Any) -> Object:
    network = network or api.make(who, "network")["id"]
    return api.make(who, "subnet", network_id=network, ip_version=6 if ":" in cidr else 4, cidr=cidr, **values)


def act(api: Api, router: Object, verb: str, who: str = "alice", **wanted: Any) -> Any:
    return api(who, "PUT", f"/routers/{router['id']}/{verb}_router_interface", wanted)


def add(api: Api, router: Object, who: str = "alice", **wanted: Any) -> Object:
    answer = act(api, router, "add", who, **wanted)
    assert answer.status_code == 200, answer.text
    told: Object = answer.json()
    return told


def remove(api: Api, router: Object, who: str = "alice", **wanted: Any) -> Object:
    answer = act(api, router, "remove", who, **wanted)
    assert answer.status_code == 200, answer.text
    told: Object = answer.json()
    return told


def port_of(api: Api, told: Object) -> Object:
    found: Object = api.get("admin", f"/ports/{told['port_id']}")["port"]
    return found


def said(answer: Any) -> str:
    message: str = answer.json()["NeutronError"]["message"]
    return message


@pytest.fixture
def router(api: Api) -> Object:
    return api.make("alice", "router")


def networks(store: Store, router: Object) -> list[str]:
    with store.read() as tx:
        kept = tx.get("routers", router["id"])
    assert kept
    found: list[str] = kept["netweft:networks"]
    return found


def test_by_subnet(api: Api, store: Store, router: Object) -> None:
    one = subnet(api, "10.0.0.0/24")
    told = add(api, router, subnet_id=one["id"])
    port = port_of(api, told)
    assert told == {
        "id": router["id"],
        "tenant_id": "red",
        "project_id": "red",
        "port_id": port["id"],
        "network_id": one["network_id"],
        "subnet_id": one["id"],
        "subnet_ids": [one["id"]],
    }
    known = {"device_owner": INTERFACE, "device_id": router["id"], "status": "ACTIVE", HOST: "", "name": ""}
    known |= {"security_groups": [], "port_security_enabled": False, "allowed_address_pairs": []}
    assert port | known == port
    assert port["fixed_ips"] == [{"subnet_id": one["id"], "ip_address": "10.0.0.1"}]
    assert networks(store, router) == [one["network_id"]]
    again = act(api, router, "add", subnet_id=one["id"])
    assert refused(again) == BAD
    assert said(again) == f"Bad router request: Router already has a port on subnet {one['id']}."
    gone = remove(api, router, subnet_id=one["id"])
    assert gone == told
    assert refused(api("admin", "GET", f"/ports/{port['id']}"))[0] == 404
    assert networks(store, router) == []
    assert refused(act(api, router, "remove", subnet_id=one["id"])) == (404, "RouterInterfaceNotFoundForSubnet")
    assert add(api, router, subnet_id=one["id"])["port_id"] != port["id"], "its address is free again"


def test_by_port(api: Api, store: Store, router: Object) -> None:
    one = subnet(api, "10.0.0.0/24")
    made = api.make("alice", "port", network_id=one["network_id"], name="mine", **{"binding:vnic_type": "normal"})
    assert made["security_groups"]
    bound = api("admin", "PUT", f"/ports/{made['id']}", {"port": {HOST: "hv9"}})
    assert bound.json()["port"][HOST] == "hv9"
    told = add(api, router, port_id=made["id"])
    assert (told["port_id"], told["subnet_ids"]) == (made["id"], [one["id"]])
    port = port_of(api, told)
    known = {"device_owner": INTERFACE, "device_id": router["id"], "status": "ACTIVE", HOST: "", "name": "mine"}
    known |= {"security_groups": [], "port_security_enabled": False, "fixed_ips": made["fixed_ips"]}
    assert port | known == port
    assert networks(store, router) == [one["network_id"]]
    in_use = act(api, api.make("alice", "router"), "add", port_id=made["id"])
    assert refused(in_use) == (409, "PortInUse")
    assert refused(act(api, router, "remove", port_id=NOWHERE)) == (404, "RouterInterfaceNotFound")
    wrong = act(api, router, "remove", port_id=made["id"], subnet_id=NOWHERE)
    assert refused(wrong) == (400, "SubnetMismatchForPort")
    assert remove(api, router, port_id=made["id"], subnet_id=one["id"])["port_id"] == made["id"]
    assert refused(api("alice", "GET", f"/ports/{made['id']}"))[0] == 404, "as in Neutron"
    assert networks(store, router) == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "Resource body required"),
        ({"name": "x"}, "Either subnet_id or port_id must be specified."),
        ({"subnet_id": "x"}, "'x' is not a valid UUID."),
        ({"port_id": None}, "'None' is not a valid UUID."),
        ({"port_id": NOWHERE, "subnet_id": NOWHERE}, "Cannot specify both subnet-id and port-id."),
    ],
)
def test_bodies(api: Api, router: Object, wanted: Object, words: str) -> None:
    answer = act(api, router, "add", **wanted)
    assert answer.status_code == 400
    assert said(answer).endswith(words)


def test_subnets_that_cannot_be_had(api: Api, router: Object) -> None:
    for who in ("alice", "admin"):
        assert refused(act(api, router, "add", who, subnet_id=NOWHERE)) == (404, "SubnetNotFound")
        assert refused(act(api, router, "add", who, port_id=NOWHERE)) == (404, "PortNotFound")
        assert refused(act(api, router, "remove", who, subnet_id=NOWHERE)) == (404, "SubnetNotFound")
    without = subnet(api, "10.0.0.0/24", gateway_ip=None)
    answer = act(api, router, "add", subnet_id=without["id"])
    assert said(answer) == "Bad router request: Subnet for router interface must have a gateway IP."
    elsewhere = subnet(api, "10.1.0.0/24", gateway_ip="10.2.0.1")
    assert refused(act(api, router, "add", subnet_id=elsewhere["id"])) == (400, "InvalidIpForSubnet")
    taken = subnet(api, "10.3.0.0/24")
    address = [{"ip_address": "10.3.0.1"}]
    assert api.make("alice", "port", network_id=taken["network_id"], fixed_ips=address)
    assert refused(act(api, router, "add", subnet_id=taken["id"])) == (409, "IpAddressAlreadyAllocated")
    assert api.get("admin", f"/ports?device_id={router['id']}")["ports"] == []


def test_ports_that_cannot_be_had(api: Api, router: Object) -> None:
    one = subnet(api, "10.0.0.0/24")
    used = api.make("alice", "port", network_id=one["network_id"], device_id="vm")
    assert refused(act(api, router, "add", port_id=used["id"])) == (409, "PortInUse")
    bare = api.make("alice", "port", network_id=one["network_id"], fixed_ips=[])
    assert said(act(api, router, "add", port_id=bare["id"])).endswith("Router port must have at least one fixed IP.")
    subnet(api, "10.1.0.0/24", network=one["network_id"])
    two = api.make(
        "alice",
        "port",
        network_id=one["network_id"],
        fixed_ips=[{"ip_address": "10.0.0.9"}, {"ip_address": "10.1.0.9"}],
    )
    answer = act(api, router, "add", port_id=two["id"])
    assert said(answer) == "Bad router request: Cannot have multiple IPv4 subnets on router port."
    parent = api.make("alice", "port", network_id=one["network_id"])
    assert api("alice", "POST", "/trunks", {"trunk": {"port_id": parent["id"]}}).status_code == 201
    assert refused(act(api, router, "add", port_id=parent["id"])) == (409, "PortInUseAsTrunkParent")


@pytest.mark.parametrize("cidr", ["10.0.0.0/24", "10.0.0.0/16", "10.0.0.128/25"])
def test_subnets_that_overlap(api: Api, router: Object, cidr: str) -> None:
    one, other = subnet(api, "10.0.0.0/24"), subnet(api, cidr)
    add(api, router, subnet_id=one["id"])
    answer = act(api, router, "add", subnet_id=other["id"])
    assert refused(answer) == BAD
    words = f"Cidr {cidr} of subnet {other['id']} overlaps with cidr 10.0.0.0/24 of subnet {one['id']}."
    assert said(answer) == f"Bad router request: {words}"
    port = api.make("alice", "port", network_id=other["network_id"])
    assert refused(act(api, router, "add", port_id=port["id"])) == BAD
    assert api.get("alice", f"/ports/{port['id']}")["port"]["device_id"] == ""
    assert add(api, api.make("alice", "router"), subnet_id=other["id"]), "another router is another world"


def test_several_routers_on_a_subnet(api: Api, router: Object) -> None:
    one, second = subnet(api, "10.0.0.0/24"), api.make("alice", "router")
    add(api, router, subnet_id=one["id"])
    assert refused(act(api, second, "add", subnet_id=one["id"])) == (409, "IpAddressAlreadyAllocated")
    port = api.make("alice", "port", network_id=one["network_id"])
    assert add(api, second, port_id=port["id"])["subnet_ids"] == [one["id"]]


def test_several_subnets_of_a_network(api: Api, store: Store, router: Object) -> None:
    """IPv4: a port each.  IPv6: all in one."""
    v4 = subnet(api, "10.0.0.0/24")
    network = v4["network_id"]
    other4 = subnet(api, "10.1.0.0/24", network=network)
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    v6 = [subnet(api, f"fd00:{n}::/64", network=network, **(modes if n else {})) for n in range(3)]
    told = [add(api, router, subnet_id=one["id"]) for one in (v4, other4, *v6)]
    ports = [one["port_id"] for one in told]
    assert len(set(ports)) == 3
    assert len(set(ports[2:])) == 1
    assert [one["subnet_ids"] for one in told] == [[one["id"]] for one in (v4, other4, *v6)]
    addresses = [fixed["ip_address"] for fixed in port_of(api, told[-1])["fixed_ips"]]
    assert addresses == ["fd00::1", "fd00:1::1", "fd00:2::1"]
    assert networks(store, router) == [network]
    second = api.make("alice", "port", network_id=network, fixed_ips=[{"subnet_id": v6[1]["id"]}])
    answer = act(api, router, "add", port_id=second["id"])
    assert "Only one IPv6 port from the same network subnet" in said(answer)
    assert remove(api, router, subnet_id=v6[0]["id"])["port_id"] == ports[2]
    assert len(port_of(api, told[-1])["fixed_ips"]) == 2
    assert refused(act(api, router, "remove", subnet_id=v6[0]["id"])) == (404, "RouterInterfaceNotFoundForSubnet")
    assert sorted(remove(api, router, port_id=ports[2])["subnet_ids"]) == sorted(one["id"] for one in v6[1:])
    assert networks(store, router) == [network], "the other two are there"


def test_an_interface_has_the_addresses_it_was_given_and_no_others(api: Api, router: Object) -> None:
    """SLAAC gives hosts theirs; the router's is what hosts are told."""
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    v4 = subnet(api, "10.0.0.0/24")
    subnet(api, "fd00:1::/64", network=v4["network_id"], **modes)
    told = add(api, router, subnet_id=v4["id"])
    subnet(api, "fd00:2::/64", network=v4["network_id"], **modes)
    assert [fixed["ip_address"] for fixed in port_of(api, told)["fixed_ips"]] == ["10.0.0.1"]
    new = {"port": {"mac_address": "fa:16:3e:00:00:77"}}
    changed = api("admin", "PUT", f"/ports/{told['port_id']}", new).json()["port"]
    assert [fixed["ip_address"] for fixed in changed["fixed_ips"]] == ["10.0.0.1"]


def test_ra_from_elsewhere(api: Api, router: Object) -> None:
    one = subnet(api, "fd00::/64", ipv6_address_mode="slaac")
    assert "configured to receive RAs from an external router" in said(act(api, router, "add", subnet_id=one["id"]))


def test_what_is_in_use(api: Api, router: Object) -> None:
    one = subnet(api, "10.0.0.0/24")
    told = add(api, router, subnet_id=one["id"])
    answer = api("alice", "DELETE", f"/routers/{router['id']}")
    assert refused(answer) == (409, "RouterInUse")
    assert said(answer) == f"Router {router['id']} has ports still attached: {told['port_id']}"
    assert refused(api("alice", "DELETE", f"/subnets/{one['id']}")) == (409, "SubnetInUse")
    assert refused(api("alice", "DELETE", f"/networks/{one['network_id']}")) == (409, "NetworkInUse")
    moved = api("alice", "PUT", f"/subnets/{one['id']}", {"subnet": {"gateway_ip": "10.0.0.254"}})
    assert refused(moved) == (409, "GatewayIpInUse")
    assert told["port_id"] in said(moved)
    for gateway in ("10.0.0.1", "10.0.0.254"):
        moved = api("alice", "PUT", f"/subnets/{one['id']}", {"subnet": {"gateway_ip": gateway}})
        assert moved.status_code == (200 if gateway == "10.0.0.1" else 409)
    remove(api, router, subnet_id=one["id"])
    moved = api("alice", "PUT", f"/subnets/{one['id']}", {"subnet": {"gateway_ip": None}})
    assert moved.status_code == 200
    assert api("alice", "DELETE", f"/subnets/{one['id']}").status_code == 204
    assert api("alice", "DELETE", f"/routers/{router['id']}").status_code == 204


def test_an_automatic_subnet_is_in_use_too(api: Api, router: Object) -> None:
    """Hosts' addresses go with such a subnet; a router's do not."""
    one = subnet(api, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    host = api.make("alice", "port", network_id=one["network_id"])
    add(api, router, subnet_id=one["id"])
    assert refused(api("alice", "DELETE", f"/subnets/{one['id']}")) == (409, "SubnetInUse")
    assert len(api.get("alice", f"/ports/{host['id']}")["port"]["fixed_ips"]) == 1
    remove(api, router, subnet_id=one["id"])
    assert api("alice", "DELETE", f"/subnets/{one['id']}").status_code == 204


def test_its_port_is_not_a_port_like_others(api: Api, router: Object) -> None:
    one = subnet(api, "10.0.0.0/24")
    told = add(api, router, subnet_id=one["id"])
    path = f"/ports/{told['port_id']}"
    deleted = api("admin", "DELETE", path)
    assert refused(deleted) == (409, "ServicePortInUse")
    assert said(deleted).endswith(f"cannot be deleted directly via the port API: has device owner {INTERFACE}.")
    for values, refusal in (
        ({"device_id": ""}, (409, "PortInUse")),
        ({"device_id": "vm"}, (409, "PortInUse")),
        ({"device_owner": "compute:nova"}, (409, "PortInUse")),
        ({HOST: "hv1"}, (409, "PortInUse")),
        ({"fixed_ips": [{"ip_address": "10.0.0.9"}]}, (400, "IPAddressChangeNotAllowed")),
        ({"fixed_ips": []}, (400, "IPAddressChangeNotAllowed")),
        ({"port_security_enabled": True}, (400, "InvalidInput")),
        ({"security_groups": [NOWHERE]}, (400, "PortSecurityAndIPRequiredForSecurityGroups")),
        ({"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}, (409, "AddressPairAndPortSecurityRequired")),
    ):
        assert refused(api("admin", "PUT", path, {"port": values})) == refusal, values
    same = {"name": "gw", "fixed_ips": [{"ip_address": "10.0.0.1"}], "device_id": router["id"], HOST: None}
    assert api("admin", "PUT", path, {"port": same}).json()["port"]["name"] == "gw"
    assert refused(api("admin", "POST", f"{path}/bindings", {"binding": {"host": "hv1"}}))[0] == 409
    sub = {"port_id": told["port_id"], "segmentation_type": "vlan", "segmentation_id": 5}
    parent = api.make("alice", "port", network_id=one["network_id"])
    trunk = {"trunk": {"port_id": parent["id"], "sub_ports": [sub]}}
    assert refused(api("alice", "POST", "/trunks", trunk)) == (409, "PortInUse")
    assert port_of(api, told)[HOST] == ""


@pytest.mark.parametrize("owner", ["network:router_gateway", INTERFACE, "network:floatingip"])
@pytest.mark.parametrize("who", ["alice", "admin"])
def test_users_make_no_router_interface_ports(api: Api, router: Object, owner: str, who: str) -> None:
    """Past all checks, of one's own router or another's; whether there is such a router is not told either."""
    network = subnet(api, "10.0.0.0/24", who)["network_id"]
    plain = api.make(who, "port", network_id=network)
    half = api.make(who, "port", network_id=network, device_owner=owner)
    for device in (router["id"], NOWHERE):
        made = {"network_id": network, "device_owner": owner, "device_id": device}
        answers = [
            api(who, "POST", "/ports", {"port": made}),
            api(who, "PUT", f"/ports/{plain['id']}", {"port": {"device_owner": owner, "device_id": device}}),
            api(who, "PUT", f"/ports/{half['id']}", {"port": {"device_id": device}}),
        ]
        assert {refused(answer) for answer in answers} == {(409, "DeviceIDNotOwnedByTenant")}
        assert len({said(answer) for answer in answers}) == 1
    assert api(who, "DELETE", f"/ports/{half['id']}").status_code == 204


def test_subnets_of_others(api: Api, router: Object) -> None:
    his = subnet(api, "10.0.0.0/24", "bob")
    assert refused(act(api, router, "add", subnet_id=his["id"])) == (404, "SubnetNotFound")
    everybodys = api.make("admin", "network", shared=True)["id"]
    shared = subnet(api, "10.1.0.0/24", "admin", everybodys)
    answer = act(api, router, "add", subnet_id=shared["id"])
    assert refused(answer) == BAD
    assert said(answer).endswith(f"subnet {shared['id']} is not owned by project making the request.")
    pooled = api.make("alice", "port", network_id=everybodys)
    assert add(api, router, port_id=pooled["id"])["network_id"] == everybodys, "any host's address will do"
    withdrawn = api("admin", "PUT", f"/networks/{everybodys}", {"network": {"shared": False}})
    assert refused(withdrawn) == (409, "InvalidSharedSetting"), "a router of hers is on it"
    assert add(api, api.make("admin", "router"), "admin", subnet_id=his["id"])


def test_a_network_shared_by_name(api: Api) -> None:
    hers = subnet(api, "10.0.0.0/24")
    network = {"id": hers["network_id"]}
    entry = share(api, "network", network, BLUE)
    his = api.make("bob", "router")
    told = add(api, his, "bob", subnet_id=hers["id"])
    assert port_of(api, told)["project_id"] == BLUE
    assert refused(api("alice", "DELETE", f"/rbac-policies/{entry['id']}")) == (409, "RbacPolicyInUse")
    remove(api, his, "bob", port_id=told["port_id"])
    assert api("alice", "DELETE", f"/rbac-policies/{entry['id']}").status_code == 204


def test_ports_of_others(api: Api, router: Object) -> None:
    hers = subnet(api, "10.0.0.0/24")
    share(api, "network", {"id": hers["network_id"]}, BLUE)
    guest = api.make("bob", "port", network_id=hers["network_id"])
    answer = act(api, router, "add", port_id=guest["id"])
    assert refused(answer) == (409, "DeviceIDNotOwnedByTenant"), "she sees it: it is on her network"
    unseen = api.make("bob", "port", network_id=api.network("bob", "10.5.0.0/24")["id"])
    assert refused(act(api, router, "add", port_id=unseen["id"])) == (404, "PortNotFound")
    assert add(api, router, "admin", port_id=unseen["id"])["project_id"] == BLUE


def test_an_address_out_of_the_pool_of_anothers_subnet(api: Api) -> None:
    network = api.make("admin", "network", shared=True)["id"]
    pools = [{"start": "10.0.0.100", "end": "10.0.0.200"}]
    his = subnet(api, "10.0.0.0/24", "admin", network, allocation_pools=pools)
    router = api.make("alice", "router")
    out = api.make("admin", "port", network_id=network, project_id="red", fixed_ips=[{"ip_address": "10.0.0.9"}])
    assert f"out of the allocation pool of subnet {his['id']}" in said(act(api, router, "add", port_id=out["id"]))
    assert add(api, router, "admin", port_id=out["id"])


def test_an_interface_on_an_external_network_is_no_gateway(api: Api) -> None:
    network = api.make("admin", "network", **{"router:external": True})["id"]
    outside = subnet(api, "192.0.2.0/24", "admin", network)
    hers = api.make("alice", "router")
    assert refused(act(api, hers, "add", subnet_id=outside["id"])) == BAD, "she sees it, and it is not hers"
    router = api.make("admin", "router")
    add(api, router, "admin", subnet_id=outside["id"])
    assert api.get("admin", f"/routers/{router['id']}")["router"]["external_gateway_info"] is None
    assert api("admin", "PUT", f"/networks/{network}", {"network": {"router:external": False}}).status_code == 200


def test_members_read_and_readers_do_not_touch(api: Api, router: Object) -> None:
    one = subnet(api, "10.0.0.0/24")
    assert refused(act(api, router, "add", "adam", subnet_id=one["id"])) == (403, "PolicyNotAuthorized")
    add(api, router, subnet_id=one["id"])
    (seen,) = api.get("adam", f"/ports?device_id={router['id']}")["ports"]
    assert seen["device_owner"] == INTERFACE
    assert refused(act(api, router, "remove", "adam", subnet_id=one["id"])) == (403, "PolicyNotAuthorized")
