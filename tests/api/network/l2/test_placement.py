"""What a port asks of Placement, in Neutron's form, to whom it is shown; and the one default external network."""

import uuid
from typing import Any

import pytest

from ..conftest import Api, MakeApi, refused
from ..test_qos import make_policy, make_rule


def asked(api: Api, port: Any, who: str = "admin") -> Any:
    return api.get(who, f"/ports/{port['id']}")["port"]["resource_request"]


def test_a_guaranteed_bandwidth_is_requested_with_the_nics_traits(make_api: MakeApi) -> None:
    api = make_api(vlan_ranges=["net-1:100:199"])
    policy = make_policy(api)
    rule = make_rule(api, policy, "minimum_bandwidth", min_kbps=500)
    make_rule(api, policy, "bandwidth_limit", max_kbps=1000)
    vlan = {"provider:network_type": "vlan", "provider:physical_network": "net-1"}
    wired, overlay = api.network("admin", **vlan), api.network("admin")
    for network, trait in ((wired, "CUSTOM_PHYSNET_NET_1"), (overlay, "CUSTOM_NETWORK_TUNNEL_PROVIDER")):
        values = {"network_id": network["id"], "qos_policy_id": policy["id"], "binding:vnic_type": "direct"}
        port = api.make("admin", "port", **values)
        id = str(uuid.uuid5(uuid.UUID(port["id"]), rule["id"]))
        group = {
            "id": id,
            "required": [trait, "CUSTOM_VNIC_TYPE_DIRECT"],
            "resources": {"NET_BW_EGR_KILOBIT_PER_SEC": 500},
        }
        assert port["resource_request"] == {"request_groups": [group], "same_subtree": [id]}
        assert asked(api, port) == port["resource_request"]
        (listed,) = api.get("admin", f"/ports?id={port['id']}&fields=resource_request")["ports"]
        assert listed == {"resource_request": port["resource_request"]}


def test_a_ports_own_policy_wins_over_its_networks(api: Api) -> None:
    least, none = make_policy(api), make_policy(api)
    make_rule(api, least, "minimum_bandwidth", min_kbps=7)
    network = api.network("admin", qos_policy_id=least["id"])
    port = api.make("admin", "port", network_id=network["id"])
    (group,) = port["resource_request"]["request_groups"]
    assert group["resources"] == {"NET_BW_EGR_KILOBIT_PER_SEC": 7}
    path = f"/ports/{port['id']}"
    api("admin", "PUT", path, {"port": {"qos_policy_id": none["id"]}})
    assert asked(api, port) is None
    assert asked(api, api.make("admin", "port", network_id=api.network("admin")["id"])) is None


def test_it_is_not_for_members(api: Api) -> None:
    policy = make_policy(api)
    make_rule(api, policy, "minimum_bandwidth", min_kbps=7)
    port = api.make("alice", "port", network_id=api.network()["id"], qos_policy_id=policy["id"])
    assert "resource_request" not in port
    assert api.get("alice", f"/ports/{port['id']}?fields=resource_request") == {"port": {}}
    assert refused(api("alice", "GET", "/ports?resource_request=x")) == (400, "HTTPBadRequest")


EXTERNAL: dict[str, Any] = {"router:external": True}


@pytest.fixture
def default(api: Api) -> Any:
    made = api.network("admin", is_default=True, **EXTERNAL)
    assert made["is_default"] is True
    return made


def test_there_is_one_default_external_network(api: Api, default: Any) -> None:
    other = api.network("admin", **EXTERNAL)
    exists = (409, "DefaultExternalNetworkExists")
    body = {"network": {"is_default": True} | EXTERNAL}
    assert refused(api("admin", "POST", "/networks", body)) == exists
    path = f"/networks/{other['id']}"
    answer = api("admin", "PUT", path, {"network": {"is_default": True}})
    assert refused(answer) == exists
    assert default["id"] in answer.json()["NeutronError"]["message"]
    assert [one["id"] for one in api.get("admin", "/networks?is_default=true")["networks"]] == [default["id"]]
    assert api("admin", "PUT", f"/networks/{default['id']}", {"network": {"is_default": False}}).status_code == 200
    assert api("admin", "PUT", path, {"network": {"is_default": True}}).json()["network"]["is_default"] is True


@pytest.mark.parametrize("way", [{"router:external": False}, None])
def test_a_default_that_goes_makes_room(api: Api, default: Any, way: Any) -> None:
    path = f"/networks/{default['id']}"
    if way is None:
        assert api("admin", "DELETE", path).status_code == 204
    else:
        assert api("admin", "PUT", path, {"network": way}).json()["network"]["is_default"] is False
        assert api("admin", "PUT", path, {"network": EXTERNAL}).json()["network"]["is_default"] is False
    assert api.network("admin", is_default=True, **EXTERNAL)["is_default"] is True


def test_what_leads_nowhere_is_no_default_and_only_an_admin_says_so(api: Api) -> None:
    inner = api.network("admin", is_default=True)
    assert inner["is_default"] is False
    path = f"/networks/{inner['id']}"
    assert api("admin", "PUT", path, {"network": {"is_default": True}}).json()["network"]["is_default"] is False
    for method, where in (("POST", "/networks"), ("PUT", f"/networks/{api.network()['id']}")):
        assert refused(api("alice", method, where, {"network": {"is_default": True}})) == (403, "PolicyNotAuthorized")
