"""Facts about Neutron that clients rely on: what it refuses and in which words, what it makes of values, who may."""

from typing import Any

import pytest

from netweft.store import Object

from .conftest import BLUE, Api, refused

NO_DHCP = "incompatible with DHCP"


def post(api: Api, member: str, who: str = "alice", **values: Any) -> Any:
    return api(who, "POST", f"/{member.replace('_', '-')}s", {member: values})


# -- subnets and their MTU


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("10.0.0.0/31", NO_DHCP),
        ("10.0.0.0/32", NO_DHCP),
        ("fd00::/127", NO_DHCP),
        ("224.0.0.0/8", "Multicast"),
        ("ff02::/64", "Multicast"),
        ("127.0.0.0/8", "Loopback"),
        ("127.5.0.0/16", "Loopback"),
        ("0.0.0.0/8", "0.0.0.0"),
        ("::/64", "'::' is not supported"),
    ],
)
def test_subnets_that_cannot_be(api: Api, cidr: str, words: str) -> None:
    subnet = {"network_id": api.network()["id"], "ip_version": 6 if ":" in cidr else 4, "cidr": cidr}
    answer = post(api, "subnet", **subnet)
    assert refused(answer) == (400, "InvalidInput")
    assert words in answer.json()["NeutronError"]["message"]
    without = post(api, "subnet", **subnet, enable_dhcp=False)
    if cidr == "::/64":
        assert refused(without) == (400, "InvalidInput")
    else:
        path = f"/subnets/{without.json()['subnet']['id']}"
        assert refused(api("alice", "PUT", path, {"subnet": {"enable_dhcp": True}})) == (400, "InvalidInput")


@pytest.mark.parametrize("cidr", ["169.254.7.0/24", "fe80::/64", "10.0.0.0/30", "fd00::/126"])
def test_subnets_that_can(api: Api, cidr: str) -> None:
    version = 6 if ":" in cidr else 4
    assert post(api, "subnet", network_id=api.network()["id"], ip_version=version, cidr=cidr).status_code == 201


def test_a_network_carries_what_its_subnets_need(api: Api) -> None:
    narrow = api.network(mtu=67)
    four = {"network_id": narrow["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
    six = {"network_id": narrow["id"], "ip_version": 6, "cidr": "fd00::/64"}
    assert refused(post(api, "subnet", **four)) == (409, "NetworkMTUSubnetConflict")
    path = f"/networks/{narrow['id']}"
    for mtu, status in ((68, 200), (1, 200), (1279, 200)):  # without a subnet, any
        assert api("alice", "PUT", path, {"network": {"mtu": mtu}}).status_code == status
    assert refused(post(api, "subnet", **six)) == (409, "NetworkMTUSubnetConflict")
    assert post(api, "subnet", **four).status_code == 201
    assert refused(api("alice", "PUT", path, {"network": {"mtu": 67}})) == (409, "NetworkMTUSubnetConflict")
    assert api("alice", "PUT", path, {"network": {"mtu": 1280}}).status_code == 200
    assert post(api, "subnet", **six).status_code == 201
    answer = api("alice", "PUT", path, {"network": {"mtu": 1279}})
    assert refused(answer) == (409, "NetworkMTUSubnetConflict")
    assert answer.json()["NeutronError"]["message"].endswith("a minimum of 1280")


# -- values in one form


def test_host_bits_do_not_stay(api: Api) -> None:
    network = api.network()
    subnet = api.make("alice", "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.77/24")
    assert (subnet["cidr"], subnet["gateway_ip"]) == ("10.0.0.0/24", "10.0.0.1")
    assert [one["id"] for one in api.get("alice", "/subnets?cidr=10.0.0.9/24")["subnets"]] == [subnet["id"]]
    pool = api.make("alice", "subnetpool", name="p", prefixes=["10.5.5.5/16"])
    assert pool["prefixes"] == ["10.5.0.0/16"]
    offices = api.make("alice", "address_group", addresses=["10.1.2.3/16", "FD00::1/64"])
    assert offices["addresses"] == ["10.1.0.0/16", "fd00::/64"]
    path = f"/address-groups/{offices['id']}"
    same = {"addresses": ["10.1.9.9/16"]}
    assert refused(api("alice", "PUT", f"{path}/add_addresses", same)) == (400, "AddressesAlreadyExist")
    left = api("alice", "PUT", f"{path}/remove_addresses", same).json()["address_group"]
    assert left["addresses"] == ["fd00::/64"]


def test_rules_are_found_by_what_they_mean(api: Api) -> None:
    group = api.make("alice", "security_group")
    wanted = {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"}
    rule = api.make("alice", "security_group_rule", **wanted, remote_ip_prefix="10.1.2.3")
    rest = api.make("alice", "security_group_rule", **wanted, port_range_min=1, port_range_max=65535)
    assert (rest["port_range_min"], rest["port_range_max"]) == (None, None)
    for query in ("normalized_cidr=10.1.2.3/32", "remote_ip_prefix=10.1.2.3"):
        (one,) = api.get("alice", f"/security-group-rules?{query}")["security_group_rules"]
        assert one["id"] == rule["id"]
    either = api.get("alice", f"/security-group-rules?protocol=0&security_group_id={group['id']}")
    assert {one["direction"] for one in either["security_group_rules"]} == {"egress"}


def test_a_ports_mac_may_be_a_groups_and_not_nobodys(api: Api) -> None:
    network = api.network()
    for nobody in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"):
        answer = post(api, "port", network_id=network["id"], mac_address=nobody)
        assert refused(answer) == (400, "HTTPBadRequest")
    answer = post(api, "port", "admin", network_id=network["id"], mac_address="01-00-5E-00-00-12")
    assert answer.json()["port"]["mac_address"] == "01:00:5e:00:00:12"


def test_a_port_without_a_mac_gets_a_new_one(api: Api) -> None:
    port = post(api, "port", "ann", network_id=api.network()["id"], mac_address=None).json()["port"]
    path, other = f"/ports/{port['id']}", {"port": {"mac_address": None}}
    again = api("ann", "PUT", path, other).json()["port"]["mac_address"]
    assert again not in (None, port["mac_address"])
    assert again[:8] == port["mac_address"][:8]
    api("nova", "PUT", path, {"port": {"binding:host_id": "hv1"}})
    assert refused(api("ann", "PUT", path, other)) == (409, "PortBound")


def test_address_pairs_are_no_groups(api: Api) -> None:
    network = api.network(who="ann")
    for address in ("224.0.0.1", "ff02::1", "232.1.0.0/16", "128.0.0.0/1", "ff00::/8"):
        pairs = [{"ip_address": address}]
        answer = post(api, "port", "ann", network_id=network["id"], allowed_address_pairs=pairs)
        assert refused(answer) == (400, "HTTPBadRequest")
        assert "multicast" in answer.json()["NeutronError"]["message"]
    every = [{"ip_address": "0.0.0.0/0"}, {"ip_address": "::/0"}]
    answer = post(api, "port", "ann", network_id=network["id"], allowed_address_pairs=every)
    assert len(answer.json()["port"]["allowed_address_pairs"]) == 2


def test_the_data_plane_status_is_what_an_admin_says(api: Api) -> None:
    port = api.make("alice", "port", network_id=api.network()["id"])
    assert port["data_plane_status"] is None
    path, down = f"/ports/{port['id']}", {"port": {"data_plane_status": "DOWN"}}
    assert refused(api("alice", "PUT", path, down)) == (403, "PolicyNotAuthorized")
    assert api("admin", "PUT", path, down).json()["port"]["data_plane_status"] == "DOWN"
    assert api.get("alice", path)["port"]["data_plane_status"] == "DOWN"
    assert refused(api("admin", "PUT", path, {"port": {"data_plane_status": "BUILD"}})) == (400, "HTTPBadRequest")
    assert api("admin", "PUT", path, {"port": {"data_plane_status": None}}).status_code == 200


def test_prefix_lengths_are_texts_and_filtered_by_number(api: Api) -> None:
    pool = api.make("alice", "subnetpool", name="p", prefixes=["10.0.0.0/8"], min_prefixlen=16, default_quota=512)
    path = f"/subnetpools/{pool['id']}"
    lengths = {"min_prefixlen": "16", "default_prefixlen": "16", "max_prefixlen": "32"}
    for shown in (pool, api.get("alice", path)["subnetpool"], api.get("alice", "/subnetpools")["subnetpools"][0]):
        assert lengths.items() <= shown.items()
        assert shown["default_quota"] == 512
    assert api.get("alice", f"{path}?fields=min_prefixlen") == {"subnetpool": {"min_prefixlen": "16"}}
    assert len(api.get("alice", "/subnetpools?min_prefixlen=16")["subnetpools"]) == 1
    changed = api("alice", "PUT", path, {"subnetpool": {"min_prefixlen": "12"}}).json()["subnetpool"]
    assert changed["min_prefixlen"] == "12"


# -- security groups


def test_default_rules_are_described_as_neutrons(api: Api) -> None:
    templates = api.get("alice", "/default-security-group-rules")["default_security_group_rules"]
    assert {(one["direction"], one["description"]) for one in templates} == {
        (direction, f"Legacy default SG rule for {direction} traffic") for direction in ("egress", "ingress")
    }
    (default,) = api.get("alice", "/security-groups")["security_groups"]
    assert {rule["description"] for rule in default["security_group_rules"]} == {None}


def test_a_groups_own_rules_count(api: Api) -> None:
    api.get("alice", "/security-groups")  # the default one, with four
    api("admin", "PUT", "/quotas/red", {"quota": {"security_group_rule": 7}})
    group = api.make("alice", "security_group")
    assert refused(post(api, "security_group", name="one too many")) == (409, "OverQuota")
    assert api.get("alice", "/quotas/red/details")["quota"]["security_group_rule"]["used"] == 6
    rule = {"security_group_id": group["id"], "direction": "ingress"}
    assert post(api, "security_group_rule", **rule).status_code == 201
    assert refused(post(api, "security_group_rule", **rule, protocol="tcp")) == (409, "OverQuota")


def test_a_full_quota_does_not_keep_anybody_from_looking(api: Api) -> None:
    api("admin", "PUT", "/quotas/red", {"quota": {"security_group_rule": 0}})
    assert api.get("alice", "/security-groups")["security_groups"] == []
    network = api.network()
    assert refused(post(api, "port", network_id=network["id"])) == (409, "OverQuota")


def test_only_an_admin_deletes_a_default_group(api: Api) -> None:
    (default,) = api.get("alice", "/security-groups")["security_groups"]
    path = f"/security-groups/{default['id']}"
    port = api.make("alice", "port", network_id=api.network()["id"])
    for who in ("alice", "admin"):
        assert refused(api(who, "DELETE", path)) == (409, "SecurityGroupInUse")
    api("alice", "DELETE", f"/ports/{port['id']}")
    assert refused(api("alice", "DELETE", path)) == (409, "SecurityGroupCannotRemoveDefault")
    assert api.get("alice", path)["security_group"] == default
    assert api("admin", "DELETE", path).status_code == 204
    (again,) = api.get("alice", "/security-groups")["security_groups"]
    assert (again["name"], again["id"] != default["id"]) == ("default", True)


def test_groups_that_track_and_groups_that_do_not_are_not_on_one_port(api: Api) -> None:
    tracks = api.make("alice", "security_group")["id"]
    tracks_not = api.make("alice", "security_group", stateful=False)["id"]
    network = api.network()["id"]
    both: Object = {"security_groups": [tracks, tracks_not]}
    assert refused(post(api, "port", network_id=network, **both)) == (409, "SecurityGroupConflict")
    port = api.make("alice", "port", network_id=network, security_groups=[tracks_not])
    path = f"/ports/{port['id']}"
    assert refused(api("alice", "PUT", path, {"port": both})) == (409, "SecurityGroupConflict")
    assert api("alice", "PUT", path, {"port": {"security_groups": [tracks]}}).status_code == 200


def test_how_many_times_a_project_may_share(api: Api) -> None:
    assert api.get("adam", "/quotas/red")["quota"]["rbac_policy"] == 10
    api("admin", "PUT", "/quotas/red", {"quota": {"rbac_policy": 1}})
    entry = {"object_type": "network", "action": "access_as_shared", "target_tenant": BLUE}

    def share() -> Any:
        body = {"rbac_policy": entry | {"object_id": api.network()["id"]}}
        return api("alice", "POST", "/rbac-policies", body)

    assert share().status_code == 201
    assert refused(share()) == (409, "OverQuota")
    assert api.get("alice", "/quotas/red/details")["quota"]["rbac_policy"]["used"] == 1
