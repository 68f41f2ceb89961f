"""A network for who asks for any: what it takes, what is made, whose it is, and what is refused."""

from typing import Any

import pytest

from netweft.control.auto_allocation import WITHOUT_ROUTER

from .conftest import BLUE, Api, refused

FAILED = (409, "AutoAllocationFailure")
FORBIDDEN = (403, "PolicyNotAuthorized")


def ask(api: Api, who: str = "alice", project: str = "red", query: str = "") -> Any:
    return api(who, "GET", f"/auto-allocated-topology/{project}{query}")


def dry_run(api: Api, who: str = "alice", project: str = "None") -> Any:
    return ask(api, who, project, "?fields=dry-run")


def make_pool(api: Api, prefix: str = "10.0.0.0/8", length: int = 26, **values: Any) -> Any:
    values = {
        "name": "p",
        "prefixes": [prefix],
        "default_prefixlen": length,
        "is_default": True,
        "shared": True,
    } | values
    return api.make("admin", "subnetpool", **values)


@pytest.fixture
def ready(api: Api) -> None:
    public = api.make("admin", "network", name="public", is_default=True, **{"router:external": True})
    api.make("admin", "subnet", network_id=public["id"], ip_version=4, cidr="192.0.2.0/24")
    make_pool(api)
    make_pool(api, "fd00::/48", 64)


def test_what_is_missing_is_said(api: Api) -> None:
    for answer in (dry_run(api), ask(api)):
        assert refused(answer) == FAILED
        message = "Deployment error: No default router:external network."
        assert answer.json()["NeutronError"]["message"] == message
    api.make("admin", "network", is_default=True, **{"router:external": True})
    make_pool(api, "10.9.0.0/16", shared=False)  # is not for them
    assert dry_run(api).json()["NeutronError"]["message"] == "Deployment error: No default subnetpools defined."
    message = "Deployment error: Unable to provide project private network."
    assert ask(api).json()["NeutronError"]["message"] == message
    assert api.names("alice", "/networks?name=auto_allocated_network") == []


def test_a_dry_run_makes_nothing(api: Api, ready: None) -> None:
    for project in ("None", "red"):
        shown = {"id": "dry-run=pass", "project_id": "red", "tenant_id": "red"}
        assert dry_run(api, "adam", project).json() == {"auto_allocated_topology": shown}
    assert api.names("alice", "/networks?router:external=false") == []
    assert refused(ask(api, query="?fields=id")) == (400, "HTTPBadRequest")


def test_a_network_with_a_subnet_of_each_default_pool(api: Api, ready: None) -> None:
    shown = ask(api).json()["auto_allocated_topology"]
    assert (shown["project_id"], shown["tenant_id"]) == ("red", "red")
    network = api.get("alice", f"/networks/{shown['id']}")["network"]
    assert (network["name"], network["admin_state_up"], network["shared"]) == ("auto_allocated_network", True, False)
    subnets = api.get("alice", f"/subnets?network_id={shown['id']}&sort_key=ip_version")["subnets"]
    assert [(one["name"], one["cidr"], one["project_id"]) for one in subnets] == [
        ("auto_allocated_subnet_v4", "10.0.0.0/26", "red"),
        ("auto_allocated_subnet_v6", "fd00::/64", "red"),
    ]
    assert ask(api).json() == ask(api, "adam", "None").json() == {"auto_allocated_topology": shown}
    assert ask(api, "bob", BLUE).json()["auto_allocated_topology"]["id"] != shown["id"]
    assert len(api.make("alice", "port", network_id=shown["id"])["fixed_ips"]) == 2


def router(api: Api) -> Any:
    (found,) = api.get("alice", "/routers?name=auto_allocated_router")["routers"]
    return found


def interfaces(api: Api, id: str) -> set[str]:
    ports = api.get("alice", f"/ports?device_id={id}&device_owner=network:router_interface")["ports"]
    return {fixed["ip_address"] for port in ports for fixed in port["fixed_ips"]}


def test_a_router_leads_outside(api: Api, ready: None) -> None:
    id = ask(api).json()["auto_allocated_topology"]["id"]
    made = router(api)
    (public,) = api.get("admin", "/networks?name=public")["networks"]
    assert (made["project_id"], made["external_gateway_info"]["network_id"]) == ("red", public["id"])
    assert interfaces(api, made["id"]) == {"10.0.0.1", "fd00::1"}
    ask(api)
    assert router(api)["id"] == made["id"]
    port = api.make("alice", "port", network_id=id)
    floating = api.make("alice", "floatingip", floating_network_id=public["id"], port_id=port["id"])
    path = "/auto-allocated-topology/red"
    assert refused(api("alice", "DELETE", path)) == (409, "RouterInterfaceInUseByFloatingIP")
    for one in (f"/floatingips/{floating['id']}", f"/ports/{port['id']}"):
        assert api("alice", "DELETE", one).status_code == 204
    other = api.network("alice", "10.200.0.0/24")
    (subnet,) = api.get("alice", f"/subnets?network_id={other['id']}")["subnets"]
    add = f"/routers/{made['id']}/add_router_interface"
    assert api("alice", "PUT", add, {"subnet_id": subnet["id"]}).status_code == 200
    assert refused(api("alice", "DELETE", path)) == (409, "RouterInUse"), "somebody uses it for more"
    assert interfaces(api, made["id"]) == {"10.0.0.1", "fd00::1", "10.200.0.1"}, "and it is as it was"
    remove = f"/routers/{made['id']}/remove_router_interface"
    assert api("alice", "PUT", remove, {"subnet_id": subnet["id"]}).status_code == 200
    assert api("alice", "DELETE", path).status_code == 204
    assert api.get("alice", "/routers")["routers"] == []


def test_no_address_outside_makes_nothing(api: Api, ready: None) -> None:
    api("admin", "PUT", "/quotas/red", {"quota": {"router": 0}})
    assert refused(ask(api)) == (409, "OverQuota")
    api("admin", "DELETE", "/quotas/red")
    (public,) = api.get("admin", "/networks?name=public")["networks"]
    (subnet,) = public["subnets"]
    none = {"subnet": {"allocation_pools": [{"start": "192.0.2.9", "end": "192.0.2.9"}]}}
    assert api("admin", "PUT", f"/subnets/{subnet}", none).status_code == 200
    api.make("admin", "port", network_id=public["id"])
    assert refused(ask(api)) == (409, "IpAddressGenerationFailure")
    assert api.names("alice", "/networks?router:external=false") == []
    assert api.get("alice", "/routers")["routers"] == []


def test_one_of_before_gets_its_router(api: Api, ready: None) -> None:
    first = ask(api).json()["auto_allocated_topology"]["id"]
    made = router(api)
    for address in interfaces(api, made["id"]):
        (port,) = api.get("alice", f"/ports?fixed_ips=ip_address={address}&device_id={made['id']}")["ports"]
        remove = f"/routers/{made['id']}/remove_router_interface"
        assert api("alice", "PUT", remove, {"port_id": port["id"]}).status_code == 200
    assert api("alice", "DELETE", f"/routers/{made['id']}").status_code == 204
    assert ask(api).json()["auto_allocated_topology"]["id"] == first
    assert api.get("alice", "/routers")["routers"] == [], "who takes it away wants none"
    said = {"network": {"description": WITHOUT_ROUTER}}
    assert api("alice", "PUT", f"/networks/{first}", said).status_code == 200
    assert ask(api).json()["auto_allocated_topology"]["id"] == first
    assert interfaces(api, router(api)["id"]) == {"10.0.0.1", "fd00::1"}
    assert api.get("alice", f"/networks/{first}")["network"]["description"] == ""


def test_it_goes_when_nobody_is_on_it(api: Api, ready: None) -> None:
    path = "/auto-allocated-topology/red"
    assert api("alice", "DELETE", path).status_code == 204, "there was none"
    first = ask(api).json()["auto_allocated_topology"]["id"]
    port = api.make("alice", "port", network_id=first)
    assert refused(api("alice", "DELETE", path)) == (409, "NetworkInUse")
    assert api("alice", "DELETE", f"/ports/{port['id']}").status_code == 204
    assert api("alice", "DELETE", path).status_code == 204
    assert api("alice", "GET", f"/networks/{first}").status_code == 404
    second = ask(api).json()["auto_allocated_topology"]["id"]
    assert refused(api("alice", "DELETE", f"/networks/{second}")) == (409, "NetworkInUse"), "by its router"
    assert api("alice", "DELETE", path).status_code == 204
    assert ask(api).json()["auto_allocated_topology"]["id"] not in (first, second)


def test_to_whom(api: Api, ready: None) -> None:
    path = "/auto-allocated-topology/red"
    for answer in (
        ask(api, "bob"),
        dry_run(api, "bob", "red"),
        api("bob", "DELETE", path),
        api("adam", "DELETE", path),
    ):
        assert refused(answer) == FORBIDDEN
    assert refused(ask(api, "adam")) == FORBIDDEN, "who may only read makes nothing"
    made = ask(api, "admin").json()["auto_allocated_topology"]
    assert api.get("alice", f"/networks/{made['id']}")["network"]["project_id"] == "red"
    assert ask(api, "adam").json()["auto_allocated_topology"] == made


def test_quotas_hold(api: Api, ready: None) -> None:
    api("admin", "PUT", "/quotas/red", {"quota": {"subnet": 1}})
    assert refused(ask(api)) == (409, "OverQuota")
    assert api.names("alice", "/networks?router:external=false") == []
