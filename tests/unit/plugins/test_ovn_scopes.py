"""Address scopes on OVN: what may not be routed is dropped by policies, and what is in the scope outside keeps its
address."""

from typing import Any

from tests.unit.plugins.test_ovn import rows

from netweft.plugins.mechanisms import Row
from netweft.plugins.mechanisms.ovn import routing
from netweft.plugins.mechanisms.ovn.rows import GATEWAY, INTERFACE

ROUTER: Row = {"id": "r", "admin_state_up": True, "external_gateway_info": {"network_id": "out"}, "routes": []}


def wanted(**scopes: str | None) -> dict[str, Any]:
    """scopes: of IPv4, by network."""
    names = ("a", "b", "c", "out")
    networks = [{"id": name, "mtu": 1442, "ipv4_address_scope": scopes.get(name)} for name in names]
    subnets = [
        {"id": name, "network_id": name, "ip_version": 4, "cidr": f"10.{at}.0.0/24", "gateway_ip": f"10.{at}.0.1"}
        for at, name in enumerate(names)
    ]
    ports = [
        {"id": f"p-{name}", "network_id": name, "device_id": "r", "mac_address": f"fa:16:3e:00:00:0{at}"}
        | {"device_owner": GATEWAY if name == "out" else INTERFACE, "binding:host_id": ""}
        | {"fixed_ips": [{"subnet_id": name, "ip_address": f"10.{at}.0.1"}]}
        for at, name in enumerate(names)
    ]
    found = rows(networks=networks, subnets=subnets, ports=ports, routers=[ROUTER])
    return {name: one.value for name, one in routing.desired(found, {}, {})}


def matches(found: dict[str, Any]) -> list[str]:
    return sorted(one["match"] for name, one in found.items() if name.startswith("Logical_Router_Policy"))


def translated(found: dict[str, Any]) -> list[str]:
    return sorted(one["logical_ip"] for name, one in found.items() if name.startswith("NAT"))


def test_without_scopes_there_is_no_policy_and_all_is_translated() -> None:
    found = wanted()
    assert matches(found) == []
    assert translated(found) == ["10.0.0.0/24", "10.1.0.0/24", "10.2.0.0/24"]


def test_between_scopes_nothing_is_routed_and_none_is_one_as_well() -> None:
    assert matches(wanted(a="s", b="s")) == [
        'ip4 && outport == "lrp-p-a" && inport == {"lrp-p-c"}',
        'ip4 && outport == "lrp-p-b" && inport == {"lrp-p-c"}',
        'ip4 && outport == "lrp-p-c" && inport == {"lrp-p-a", "lrp-p-b"}',
    ]


def test_who_is_in_the_scope_outside_keeps_its_address() -> None:
    assert translated(wanted(a="s", b="other", out="s")) == ["10.1.0.0/24", "10.2.0.0/24"]
