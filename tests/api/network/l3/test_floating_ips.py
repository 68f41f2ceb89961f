"""Floating IPs: made, led to ports and away again, and everything that needs them or that they need."""

from typing import Any, NamedTuple

import pytest
from tests.api.network.conftest import BLUE, Api, refused
from tests.api.network.test_external import open_to
from tests.api.network.test_rbac import share

from netweft.store import Object

from .test_gateways import external, to
from .test_interfaces import act, add, said, subnet

BAD = (400, "BadRequest")
FORBIDDEN = (403, "PolicyNotAuthorized")
OWNER = "network:floatingip"
NOWHERE = "5283fb86-4c69-46d0-8ea0-43533bbee357"


class Place(NamedTuple):
    """An external network, and a router of red's between that and a subnet with a port."""

    outside: Object
    router: Object
    subnet: Object
    port: Object


def place(api: Api, outside: Object, cidr: str = "10.0.0.0/24", who: str = "alice") -> Place:
    inside = subnet(api, cidr, who)
    router = api.make(who, "router", **to(outside))
    add(api, router, who, subnet_id=inside["id"])
    return Place(outside, router, inside, api.make(who, "port", network_id=inside["network_id"]))


@pytest.fixture
def there(api: Api) -> Place:
    return place(api, external(api, "192.0.2.0/24"))


def try_make(api: Api, network: Object, who: str = "alice", **values: Any) -> Any:
    return api(who, "POST", "/floatingips", {"floatingip": {"floating_network_id": network["id"]} | values})


def make(api: Api, network: Object, who: str = "alice", **values: Any) -> Object:
    answer = try_make(api, network, who, **values)
    assert answer.status_code == 201, answer.text
    made: Object = answer.json()["floatingip"]
    return made


def change(api: Api, floating_ip: Object, who: str = "alice", **values: Any) -> Any:
    return api(who, "PUT", f"/floatingips/{floating_ip['id']}", {"floatingip": values})


def get(api: Api, floating_ip: Object) -> Object:
    found: Object = api.get("admin", f"/floatingips/{floating_ip['id']}")["floatingip"]
    return found


def leads(floating_ip: Object) -> tuple[Any, Any, Any]:
    return floating_ip["port_id"], floating_ip["fixed_ip_address"], floating_ip["router_id"]


FREE = (None, None, None)


def address(port: Object) -> str:
    found: str = port["fixed_ips"][0]["ip_address"]
    return found


def test_the_life_of_a_floating_ip(api: Api, there: Place) -> None:
    made = make(api, there.outside, description="d")
    assert made | {"project_id": "red", "tenant_id": "red", "status": "DOWN", "description": "d"} == made
    assert (leads(made), made["port_details"], made["distributed"]) == (FREE, None, True)
    assert not {"name", "subnet_id"} & made.keys()
    assert not [name for name in made if name.startswith("netweft:")]
    (port,) = api.get("admin", f"/ports?device_owner={OWNER}")["ports"]
    known = {"device_id": made["id"], "project_id": "", "status": "N/A", "security_groups": [], "binding:host_id": ""}
    assert port | known == port
    assert address(port) == made["floating_ip_address"]
    assert api.get("alice", "/ports?device_owner=network:floatingip")["ports"] == []
    led = change(api, made, port_id=there.port["id"]).json()["floatingip"]
    assert leads(led) == (there.port["id"], address(there.port), there.router["id"])
    assert led["status"] == "DOWN", "no data path has said anything"
    assert led["port_details"] == {
        name: api.get("alice", f"/ports/{there.port['id']}")["port"][name]
        for name in ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
    }
    assert led["revision_number"] == made["revision_number"] + 1
    same = change(api, made, port_id=there.port["id"], fixed_ip_address=address(there.port)).json()["floatingip"]
    assert same == led, "nothing changed"
    said_more = change(api, made, description="e").json()["floatingip"]
    assert (said_more["description"], leads(said_more)) == ("e", leads(led))
    listed = api.get("alice", f"/floatingips?port_id={there.port['id']}&router_id={there.router['id']}")["floatingips"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert leads(change(api, made, port_id=None).json()["floatingip"]) == FREE
    assert api("alice", "PUT", f"/floatingips/{made['id']}/tags/x").status_code == 201
    assert api("alice", "DELETE", f"/floatingips/{made['id']}").status_code == 204
    assert api.get("admin", f"/ports?device_owner={OWNER}")["ports"] == []
    assert refused(api("alice", "GET", f"/floatingips/{made['id']}")) == (404, "FloatingIPNotFound")


def test_an_empty_update_ends_where_it_leads(api: Api, there: Place) -> None:
    made = make(api, there.outside, port_id=there.port["id"], description="d")
    left = change(api, made).json()["floatingip"]
    assert (leads(left), left["description"]) == (FREE, "d")
    assert change(api, made).json()["floatingip"] == left, "and once more changes nothing"


def test_its_address(api: Api, there: Place) -> None:
    assert refused(try_make(api, there.outside, floating_ip_address="192.0.2.77")) == FORBIDDEN
    manager = make(api, there.outside, "ann", floating_ip_address="192.0.2.77")
    assert manager["floating_ip_address"] == "192.0.2.77"
    again = try_make(api, there.outside, "admin", floating_ip_address="192.0.2.77")
    assert refused(again) == (409, "IpAddressAlreadyAllocated")
    other = subnet(api, "198.51.100.0/24", "admin", there.outside["id"])
    assert make(api, there.outside, subnet_id=other["id"])["floating_ip_address"] == "198.51.100.2"
    both = try_make(api, there.outside, "admin", subnet_id=other["id"], floating_ip_address="192.0.2.78")
    assert refused(both) == (400, "InvalidIpForSubnet")
    assert refused(try_make(api, there.outside, "admin", floating_ip_address="10.0.0.9"))[0] == 400
    assert refused(try_make(api, there.outside, subnet_id=there.subnet["id"])) == (404, "SubnetNotFound")
    six = subnet(api, "2001:db8::/64", "admin", there.outside["id"])
    assert refused(try_make(api, there.outside, subnet_id=six["id"])) == (400, "ExternalIpAddressExhausted")
    assert "." in make(api, there.outside)["floating_ip_address"]
    left = {port["device_id"] for port in api.get("admin", f"/ports?device_owner={OWNER}")["ports"]}
    assert left == {one["id"] for one in api.get("admin", "/floatingips")["floatingips"]}, "nothing of those refused"


def test_networks_that_have_none(api: Api, there: Place) -> None:
    inside = {"id": there.subnet["network_id"]}
    answer = try_make(api, inside)
    assert refused(answer) == BAD
    assert said(answer) == f"Bad floatingip request: Network {inside['id']} is not a valid external network."
    six = external(api, "2001:db8::/64")
    assert said(try_make(api, six)).endswith(f"Network {six['id']} does not contain any IPv4 subnet.")
    for who in ("alice", "admin"):
        assert refused(try_make(api, {"id": NOWHERE}, who)) == (404, "NetworkNotFound")
    assert refused(try_make(api, api.network("bob"))) == (404, "NetworkNotFound")
    some = api.network("admin", "203.0.113.0/24")
    open_to(api, some, BLUE)
    assert refused(try_make(api, some)) == (404, "NetworkNotFound")
    assert make(api, some, "bob")["project_id"] == BLUE
    full = external(api)
    pools = [{"start": "198.51.100.9", "end": "198.51.100.9"}]
    subnet(api, "198.51.100.0/24", "admin", full["id"], allocation_pools=pools)
    make(api, full)
    assert refused(try_make(api, full)) == (409, "IpAddressGenerationFailure")


def test_made_for_a_port(api: Api, there: Place) -> None:
    made = make(api, there.outside, port_id=there.port["id"])
    assert (leads(made), made["revision_number"]) == ((there.port["id"], address(there.port), there.router["id"]), 1)
    assert get(api, made)["revision_number"] == 1
    second = try_make(api, there.outside, port_id=there.port["id"])
    assert refused(second) == (409, "FloatingIPPortAlreadyAssociated")
    assert f"using fixed IP {address(there.port)}, as that fixed IP already has a floating IP" in said(second)
    free = make(api, there.outside)
    assert refused(change(api, free, port_id=there.port["id"])) == (409, "FloatingIPPortAlreadyAssociated")
    other = api.make("alice", "port", network_id=there.subnet["network_id"])
    moved = change(api, made, port_id=other["id"]).json()["floatingip"]
    assert leads(moved)[:2] == (other["id"], address(other))
    assert change(api, free, port_id=there.port["id"]).status_code == 200, "its place is free"


def test_a_port_with_several_addresses(api: Api, there: Place) -> None:
    ips = [{"ip_address": "10.0.0.50"}, {"ip_address": "10.0.0.51"}]
    port = api.make("alice", "port", network_id=there.subnet["network_id"], fixed_ips=ips)
    answer = try_make(api, there.outside, port_id=port["id"])
    assert "has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address" in said(answer)
    one, other = (make(api, there.outside, port_id=port["id"], fixed_ip_address=one["ip_address"]) for one in ips)
    assert [leads(each)[1] for each in (one, other)] == ["10.0.0.50", "10.0.0.51"]
    clash = change(api, one, port_id=port["id"], fixed_ip_address="10.0.0.51")
    assert refused(clash) == (409, "FloatingIPPortAlreadyAssociated")
    change(api, other, port_id=None)
    moved = change(api, one, port_id=port["id"], fixed_ip_address="10.0.0.51")
    assert leads(moved.json()["floatingip"])[1] == "10.0.0.51"
    assert change(api, one, description="x").status_code == 200, "it stays where it is"


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ("10.0.0.77", "does not have fixed ip 10.0.0.77."),
        ("fd00::9", "Cannot process floating IP association with fd00::9, since that is not an IPv4 address."),
    ],
)
def test_addresses_that_a_port_does_not_have(api: Api, there: Place, fixed: str, words: str) -> None:
    free = make(api, there.outside)
    for answer in (
        try_make(api, there.outside, port_id=there.port["id"], fixed_ip_address=fixed),
        change(api, free, port_id=there.port["id"], fixed_ip_address=fixed),
    ):
        assert refused(answer) == BAD
        assert said(answer).endswith(words)
    for answer in (try_make(api, there.outside, fixed_ip_address=fixed), change(api, free, fixed_ip_address=fixed)):
        assert said(answer).endswith("fixed_ip_address cannot be specified without a port_id.")


def test_ports_that_it_cannot_lead_to(api: Api, there: Place) -> None:
    six = subnet(api, "fd00::/64")
    bare = api.make("alice", "port", network_id=six["network_id"])
    answer = try_make(api, there.outside, port_id=bare["id"])
    assert said(answer).endswith(f"floating IP to port {bare['id']} that has no fixed IPv4 addresses.")
    dhcp = api.make("alice", "port", network_id=there.subnet["network_id"], device_owner="network:dhcp")
    assert "unable to be assigned a floating IP" in said(try_make(api, there.outside, port_id=dhcp["id"]))
    apart = subnet(api, "10.7.0.0/24")
    lonely = api.make("alice", "port", network_id=apart["network_id"])
    answer = try_make(api, there.outside, port_id=lonely["id"])
    assert refused(answer) == (404, "ExternalGatewayForFloatingIPNotFound")
    assert said(answer) == (
        f"External network {there.outside['id']} is not reachable from subnet {apart['id']}.  "
        f"Therefore, cannot associate Port {lonely['id']} with a Floating IP."
    )
    elsewhere = api.make("alice", "router", **to(external(api, "203.0.113.0/24")))
    add(api, elsewhere, subnet_id=apart["id"])
    assert refused(try_make(api, there.outside, port_id=lonely["id"]))[0] == 404
    assert refused(try_make(api, there.outside, port_id=NOWHERE)) == (404, "PortNotFound")


def test_the_router_that_hosts_send_to(api: Api, there: Place) -> None:
    """Of several between the port and outside it is the one with the subnet's gateway address."""
    for _ in range(3):
        beside = api.make("alice", "router", **to(there.outside))
        port = api.make("alice", "port", network_id=there.subnet["network_id"])
        add(api, beside, port_id=port["id"])
    assert make(api, there.outside, port_id=there.port["id"])["router_id"] == there.router["id"]
    second = api.make("alice", "port", network_id=there.subnet["network_id"])
    act(api, there.router, "remove", subnet_id=there.subnet["id"])  # refused: it is needed
    assert make(api, there.outside, port_id=second["id"])["router_id"] == there.router["id"]


def test_what_it_needs(api: Api, there: Place) -> None:
    made = make(api, there.outside, port_id=there.port["id"])
    path = f"/routers/{there.router['id']}"
    other = external(api, "203.0.113.0/24")
    for values in ({"external_gateway_info": None}, to(other)):
        answer = api("alice", "PUT", path, {"router": values})
        assert refused(answer) == (409, "RouterExternalGatewayInUseByFloatingIp")
        assert there.outside["id"] in said(answer)
    assert api("alice", "PUT", path, {"router": to(there.outside)}).status_code == 200, "the same"
    for named in ({"subnet_id": there.subnet["id"]}, {"port_id": interface(api, there)}):
        assert refused(act(api, there.router, "remove", **named)) == (409, "RouterInterfaceInUseByFloatingIP")
    assert refused(api("alice", "DELETE", path)) == (409, "RouterInUse")
    beside = subnet(api, "10.1.0.0/24")
    add(api, there.router, subnet_id=beside["id"])
    assert act(api, there.router, "remove", subnet_id=beside["id"]).status_code == 200, "it needs the other one"
    assert refused(api("admin", "DELETE", f"/networks/{there.outside['id']}")) == (409, "NetworkInUse")
    change(api, made, port_id=None)
    assert act(api, there.router, "remove", subnet_id=there.subnet["id"]).status_code == 200
    assert api("alice", "PUT", path, {"router": {"external_gateway_info": {}}}).status_code == 200
    assert get(api, made)["router_id"] is None


def interface(api: Api, there: Place) -> str:
    (port,) = api.get("alice", f"/ports?device_id={there.router['id']}&network_id={there.subnet['network_id']}")[
        "ports"
    ]
    found: str = port["id"]
    return found


def test_its_port_goes_or_changes(api: Api, there: Place) -> None:
    made = make(api, there.outside, port_id=there.port["id"])
    path = f"/ports/{there.port['id']}"
    for ips in ([{"ip_address": "10.0.0.99"}], []):
        answer = api("alice", "PUT", path, {"port": {"fixed_ips": ips}})
        assert refused(answer) == BAD
        assert "because its original fixed_ip has been associated to a floating ip" in said(answer)
    more = [{"ip_address": address(there.port)}, {"ip_address": "10.0.0.99"}]
    assert api("alice", "PUT", path, {"port": {"fixed_ips": more}}).status_code == 200
    assert api("alice", "PUT", path, {"port": {"name": "x"}}).status_code == 200
    before = get(api, made)["revision_number"]
    assert api("alice", "DELETE", path).status_code == 204
    after = get(api, made)
    assert (leads(after), after["port_details"], after["revision_number"]) == (FREE, None, before + 1)
    assert api("alice", "DELETE", f"/routers/{there.router['id']}").status_code == 409
    again = api.make("alice", "port", network_id=there.subnet["network_id"])
    assert change(api, made, port_id=again["id"]).status_code == 200


def test_its_own_port_is_not_a_port_like_others(api: Api, there: Place) -> None:
    make(api, there.outside)
    (port,) = api.get("admin", f"/ports?device_owner={OWNER}")["ports"]
    path = f"/ports/{port['id']}"
    assert refused(api("admin", "DELETE", path)) == (409, "ServicePortInUse")
    moved = {"port": {"fixed_ips": [{"ip_address": "192.0.2.99"}]}}
    assert refused(api("admin", "PUT", path, moved)) == (400, "IPAddressChangeNotAllowed")
    assert refused(api("admin", "PUT", path, {"port": {"device_id": NOWHERE}})) == (409, "PortInUse")


def test_a_network_that_goes_or_is_external_no_more(api: Api) -> None:
    """What leads nowhere goes with it."""
    for verb, body in (("DELETE", None), ("PUT", {"network": {"router:external": False}})):
        outside = external(api, "192.0.2.0/24")
        there = place(api, outside)
        free, used = make(api, outside), make(api, outside, port_id=there.port["id"])
        path = f"/networks/{outside['id']}"
        assert api("admin", verb, path, body).status_code == 409
        assert get(api, free), "all or nothing"
        change(api, used, port_id=None)
        cleared: Object = {"router": {"external_gateway_info": {}}}
        assert api("alice", "PUT", f"/routers/{there.router['id']}", cleared).status_code == 200
        assert api("admin", verb, path, body).status_code < 300
        assert api.get("admin", "/floatingips")["floatingips"] == []
        assert api.get("admin", f"/ports?device_owner={OWNER}")["ports"] == []


def test_other_projects(api: Api, there: Place) -> None:
    hers = make(api, there.outside)
    path = f"/floatingips/{hers['id']}"
    for method, body in (("GET", None), ("PUT", {"floatingip": {"port_id": None}}), ("DELETE", None)):
        assert refused(api("bob", method, path, body)) == (404, "FloatingIPNotFound")
        if method != "GET":
            assert refused(api("adam", method, path, body)) == FORBIDDEN
    assert api.get("bob", "/floatingips")["floatingips"] == []
    his = place(api, there.outside, "10.3.0.0/24", "bob")
    for answer in (try_make(api, there.outside, port_id=his.port["id"]), change(api, hers, port_id=his.port["id"])):
        assert refused(answer) == (404, "PortNotFound")
    assert refused(try_make(api, there.outside, "adam")) == FORBIDDEN
    share(api, "network", {"id": there.subnet["network_id"]}, BLUE)
    guest = api.make("bob", "port", network_id=there.subnet["network_id"])
    for answer in (try_make(api, there.outside, port_id=guest["id"]), change(api, hers, port_id=guest["id"])):
        assert refused(answer) == BAD, "she sees it: it is on her network"
        assert said(answer).endswith("since that port is owned by a different project.")
    assert make(api, there.outside, "bob", port_id=guest["id"])["router_id"] == there.router["id"]


def test_an_admin_leads_it_to_anothers_port(api: Api, there: Place) -> None:
    theirs = make(api, there.outside, "admin", port_id=there.port["id"])
    assert theirs["project_id"] == "admins"
    answer = api("alice", "DELETE", f"/ports/{there.port['id']}")
    assert refused(answer) == (409, "FipAssociated")
    assert leads(get(api, theirs))[0] == there.port["id"]
    assert api("admin", "DELETE", f"/ports/{there.port['id']}").status_code == 204
    assert leads(get(api, theirs)) == FREE


def test_the_quota(api: Api, there: Place) -> None:
    assert api("admin", "PUT", "/quotas/red", {"quota": {"floatingip": 1}}).status_code == 200
    make(api, there.outside)
    assert refused(try_make(api, there.outside)) == (409, "OverQuota")
    assert api.get("admin", "/quotas/red/details")["quota"]["floatingip"]["used"] == 1
    assert len(api.get("admin", f"/ports?device_owner={OWNER}")["ports"]) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"router_id": NOWHERE},
        {"status": "ACTIVE"},
        {"name": "x"},
        {"port_id": "x"},
        {"floating_ip_address": "x"},
        {"x": 1},
    ],
)
def test_what_is_not_for_anybody_to_say(api: Api, there: Place, values: Object) -> None:
    assert refused(try_make(api, there.outside, "admin", **values)) == (400, "HTTPBadRequest")
    free = make(api, there.outside)
    assert refused(change(api, free, "admin", **values)) == (400, "HTTPBadRequest")


def test_distributed_is_kept(api: Api, there: Place) -> None:
    made = make(api, there.outside, distributed=False)
    assert made["distributed"] is False
    assert change(api, made, distributed=None).json()["floatingip"]["distributed"] is False
    assert change(api, made, distributed=True).json()["floatingip"]["distributed"] is True


def test_pools(api: Api, there: Place) -> None:
    subnet(api, "2001:db8::/64", "admin", there.outside["id"])
    some = api.network("admin", "203.0.113.0/24")
    open_to(api, some, BLUE)

    def seen(who: str) -> list[str]:
        return sorted(pool["cidr"] for pool in api.get(who, "/floatingip_pools")["floatingip_pools"])

    assert seen("alice") == ["192.0.2.0/24"]
    assert seen("bob") == seen("admin") == ["192.0.2.0/24", "203.0.113.0/24"]
    assert seen("alf") == []
    (pool,) = api.get("alice", "/floatingip_pools")["floatingip_pools"]
    assert pool["network_id"] == there.outside["id"]
    assert (pool["project_id"], pool["subnet_name"]) == ("red", "")
    assert api.get("alice", "/floatingip-pools?fields=cidr") == {"floatingip_pools": [{"cidr": "192.0.2.0/24"}]}


def test_their_aliases(api: Api) -> None:
    aliases = {one["alias"] for one in api.get("alice", "/extensions")["extensions"]}
    assert aliases >= {"fip-port-details", "floatingip-pools", "floating-ip-distributed"}
