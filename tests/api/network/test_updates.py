"""Updates that are refused."""

from typing import Any

import pytest

from .conftest import Api, refused


@pytest.mark.parametrize("values", [{"id": "x"}, {"status": "DOWN"}, {"project_id": "blue"}, {"tenant_id": "red"}])
def test_what_cannot_be_written(api: Api, values: Any) -> None:
    network = api.network()
    answer = api("alice", "PUT", f"/networks/{network['id']}", {"network": values})
    assert refused(answer) == (400, "HTTPBadRequest")
    assert answer.json()["NeutronError"]["message"] == f"Cannot update read-only attribute {next(iter(values))}"


def test_conflicts(api: Api) -> None:
    network = api.network(cidr="10.0.0.0/24")
    port = api.make("alice", "port", network_id=network["id"])
    subnet = port["fixed_ips"][0]["subnet_id"]
    group = port["security_groups"][0]
    assert refused(api("alice", "DELETE", f"/networks/{network['id']}")) == (409, "NetworkInUse")
    assert refused(api("alice", "DELETE", f"/subnets/{subnet}")) == (409, "SubnetInUse")
    assert refused(api("alice", "DELETE", f"/security-groups/{group}")) == (409, "SecurityGroupInUse")
    same = {"port": {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.0.0.2"}]}}
    assert refused(api("alice", "POST", "/ports", same)) == (409, "IpAddressAlreadyAllocated")
    same = {"port": {"network_id": network["id"], "mac_address": port["mac_address"]}}
    assert refused(api("alice", "POST", "/ports", same)) == (409, "MacAddressInUse")
