"""What is asked for at the API, as the nodes hear of it: one small change each, and only where it is needed."""

from typing import Any

import pytest

from netweft.feed.interest import Interest, Update
from netweft.feed.reader import StoreReader
from netweft.model import (
    AddressGroup,
    AddressPair,
    BandwidthLimit,
    GroupMember,
    QosPolicy,
    SecurityGroup,
    SecurityGroupRule,
)
from netweft.store import Object, Store

from ..conftest import Api


class Followers:
    """Two nodes, and what the changes since the last look mean to them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._interest = Interest()
        with store.read() as tx:
            self._revision = tx.revision()
            self._interest.follow(StoreReader(tx), ["hv1", "hv2"])

    def news(self) -> dict[str, Update]:
        with self._store.read() as tx:
            changes = tx.changes(self._revision)
            self._revision = tx.revision()
            updates = self._interest.advance(StoreReader(tx), [(change.kind, change.id) for change in changes])
        return {node: update for node, update in updates.items() if update}


@pytest.fixture
def network(api: Api) -> Object:
    return api.network("alice", cidr="10.0.0.0/24")


def plug(api: Api, network: Object, host: str, *groups: Object, **values: Any) -> Object:
    ids = [group["id"] for group in groups]
    hosted = {"binding:host_id": host, "network_id": network["id"], "security_groups": ids, "project_id": "red"}
    return api.make("admin", "port", **hosted, **values)


def test_groups_rules_and_members(api: Api, store: Store, network: Object) -> None:
    web, db = api.make("alice", "security_group", name="web"), api.make("alice", "security_group", name="db")
    elsewhere = api.network("alice", cidr="10.1.0.0/24")
    front = plug(api, elsewhere, "hv2", web)
    plug(api, network, "hv1", db)
    nodes = Followers(store)

    said = {"direction": "ingress", "protocol": "tcp", "port_range_min": 1, "port_range_max": 9}
    rule = api.make("alice", "security_group_rule", security_group_id=db["id"], remote_group_id=web["id"], **said)
    told = nodes.news()["hv1"]
    group, member = told["security_group", db["id"]], told["group_member", f"{web['id']}/{front['id']}"]
    assert isinstance(group, SecurityGroup)
    assert (
        SecurityGroupRule(
            id=rule["id"],
            direction="ingress",
            ethertype="IPv4",
            protocol=6,
            port_range_min=1,
            port_range_max=9,
            remote_group_id=web["id"],
        )
        in group.rules
    )
    address = front["fixed_ips"][0]["ip_address"]
    assert member == GroupMember(group_id=web["id"], port_id=front["id"], ip_addresses=(address,))

    pair = [{"ip_address": "10.9.0.0/16"}]
    change = {"port": {"allowed_address_pairs": pair}}
    assert api("alice", "PUT", f"/ports/{front['id']}", change).status_code == 200
    (changed,) = nodes.news()["hv1"].values()
    assert isinstance(changed, GroupMember)
    assert changed.ip_addresses == (address,)
    assert changed.ranges == (AddressPair("10.9.0.0/16", front["mac_address"]),)

    more = api.make("alice", "port", network_id=elsewhere["id"], security_groups=[web["id"]])
    assert nodes.news().keys() == {"hv1"}
    assert api("alice", "DELETE", f"/ports/{more['id']}").status_code == 204
    assert nodes.news() == {"hv1": {("group_member", f"{web['id']}/{more['id']}"): None}}

    assert api("alice", "DELETE", f"/security-group-rules/{rule['id']}").status_code == 204
    told = nodes.news()["hv1"]
    assert told.keys() == {("security_group", db["id"]), ("group_member", f"{web['id']}/{front['id']}")}
    assert told["group_member", f"{web['id']}/{front['id']}"] is None


def test_a_group_that_goes_takes_others_rules_along(api: Api, store: Store, network: Object) -> None:
    gone, db = api.make("alice", "security_group", name="web"), api.make("alice", "security_group", name="db")
    values = {"security_group_id": db["id"], "direction": "ingress"}
    api.make("alice", "security_group_rule", remote_group_id=gone["id"], **values)
    plug(api, network, "hv1", db)
    nodes = Followers(store)
    assert api("alice", "DELETE", f"/security-groups/{gone['id']}").status_code == 204
    ((key, group),) = nodes.news()["hv1"].items()
    assert key == ("security_group", db["id"])
    assert isinstance(group, SecurityGroup)
    assert {rule.direction for rule in group.rules} == {"egress"}


def test_address_groups(api: Api, store: Store, network: Object) -> None:
    offices = api.make("alice", "address_group", addresses=["10.1.0.0/16"])
    group = api.make("alice", "security_group")
    values = {"security_group_id": group["id"], "direction": "ingress"}
    api.make("alice", "security_group_rule", remote_address_group_id=offices["id"], **values)
    plug(api, network, "hv1", group)
    plug(api, network, "hv2")
    nodes = Followers(store)
    body = {"addresses": ["10.2.0.0/16"]}
    assert api("alice", "PUT", f"/address-groups/{offices['id']}/add_addresses", body).status_code == 200
    expected = AddressGroup(id=offices["id"], addresses=("10.1.0.0/16", "10.2.0.0/16"))
    assert nodes.news() == {"hv1": {("address_group", offices["id"]): expected}}


def test_quality_of_service(api: Api, store: Store, network: Object) -> None:
    policy = api("admin", "POST", "/qos/policies", {"policy": {"name": "gold", "shared": True}}).json()["policy"]
    plug(api, network, "hv1", qos_policy_id=policy["id"])
    plug(api, network, "hv2")
    nodes = Followers(store)
    rules = f"/qos/policies/{policy['id']}/bandwidth_limit_rules"
    assert api("admin", "POST", rules, {"bandwidth_limit_rule": {"max_kbps": 1000}}).status_code == 201
    expected = QosPolicy(id=policy["id"], bandwidth_limits=(BandwidthLimit(max_kbps=1000),))
    assert nodes.news() == {"hv1": {("qos_policy", policy["id"]): expected}}

    change = {"network": {"qos_policy_id": policy["id"]}}
    assert api("alice", "PUT", f"/networks/{network['id']}", change).status_code == 200
    told = nodes.news()
    assert told["hv1"].keys() == {("network", network["id"])}
    assert told["hv2"].keys() == {("network", network["id"]), ("qos_policy", policy["id"])}
