"""Trunks: what may be part of one, and that all of it goes where its port goes."""

from typing import Any

import pytest

from netweft.control.errors import InvalidInput, PortNotFound
from netweft.control.l2 import binding, placing, port_bindings
from netweft.control.l2.trunks import (
    DuplicateSubPort,
    ParentPortInUse,
    PortInUse,
    PortInUseAsSubPort,
    PortInUseAsTrunkParent,
    SubPortMtuGreaterThanTrunkPortMtu,
    SubPortNotFound,
    TrunkDisabled,
    TrunkPortInUse,
    with_details,
    with_status,
)
from netweft.model import NodeFacts, PortState, PortStatus
from netweft.store import Object

from ..conftest import Cloud, MakeCloud

HOST = "binding:host_id"


def sub(port: Object, id: int | None, type: str | None = "vlan") -> Object:
    given = {"port_id": port["id"], "segmentation_type": type, "segmentation_id": id}
    return {name: value for name, value in given.items() if value is not None}


def add(cloud: Cloud, trunk: Object, *sub_ports: Object) -> Object:
    with cloud.store.write() as tx:
        return cloud.trunks.add(tx, tx.lock_many("trunks", [trunk["id"]])[trunk["id"]], sub_ports)


def remove(cloud: Cloud, trunk: Object, *ports: Object) -> Object:
    with cloud.store.write() as tx:
        current = tx.lock_many("trunks", [trunk["id"]])[trunk["id"]]
        return cloud.trunks.remove(tx, current, [{"port_id": port["id"]} for port in ports])


def report(cloud: Cloud, node: str, *ports: Object, state: PortState = PortState.UP) -> dict[str, str]:
    with cloud.store.write() as tx:
        return binding.report_ports(tx, node, [PortStatus(port["id"], state) for port in ports], False)


def status(cloud: Cloud, trunk: Object) -> str:
    with cloud.store.read() as tx:
        (shown,) = with_status(tx, tx.query("trunks"))
    assert shown["id"] == trunk["id"]
    result: str = shown["status"]
    return result


def where(cloud: Cloud, *ports: Object) -> list[Any]:
    return [cloud.get("ports", port)[HOST] for port in ports]


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    cloud = make_cloud(vlan_ranges=("physnet1:100:109",))
    for number, node in enumerate(("hv1", "hv2"), 1):
        facts = NodeFacts(tunnel_ip=f"192.0.2.{number}", bridge_mappings={"physnet1": "br-eth1"})
        with cloud.store.write() as tx:
            binding.node_connected(tx, node, facts)
    return cloud


@pytest.fixture
def parent(cloud: Cloud) -> Object:
    return cloud.port(cloud.network())


@pytest.fixture
def subs(cloud: Cloud) -> list[Object]:
    return [cloud.port(cloud.network()) for _ in range(3)]


def test_a_trunk_and_its_sub_ports(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.trunk(parent, sub(subs[0], 10))
    assert trunk["sub_ports"] == [{"port_id": subs[0]["id"], "segmentation_type": "vlan", "segmentation_id": 10}]
    assert cloud.get("ports", subs[0])["device_owner"] == "trunk:subport"
    assert [each["segmentation_id"] for each in add(cloud, trunk, sub(subs[1], 20))["sub_ports"]] == [10, 20]
    left = remove(cloud, trunk, subs[0])
    assert [each["port_id"] for each in left["sub_ports"]] == [subs[1]["id"]]
    assert cloud.get("ports", subs[0])["device_owner"] == ""
    cloud.delete("trunks", left)
    for port in (parent, *subs):
        cloud.delete("ports", cloud.get("ports", port))


def test_a_sub_port_may_inherit_its_networks_vlan(cloud: Cloud, parent: Object) -> None:
    vlan = cloud.network(mtu=1400, **{"provider:network_type": "vlan", "provider:segmentation_id": None})
    trunk = cloud.trunk(parent, sub(cloud.port(vlan), None, "inherit"))
    assert trunk["sub_ports"][0].items() >= {"segmentation_type": "vlan", "segmentation_id": 100}.items()


def test_what_cannot_be_part_of_a_trunk(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.trunk(parent, sub(subs[0], 10))
    big = cloud.port(cloud.network(**{"provider:network_type": "local"}))
    cases: list[tuple[type[Exception], Object]] = [
        (DuplicateSubPort, sub(subs[1], 10)),
        (TrunkPortInUse, sub(subs[0], 20)),
        (ParentPortInUse, sub(parent, 20)),
        (PortNotFound, sub({"id": "nothing"}, 20)),
        (PortInUse, sub(cloud.port(cloud.network(), device_id="vm"), 20)),
        (SubPortMtuGreaterThanTrunkPortMtu, sub(big, 20)),
        (InvalidInput, sub(subs[1], None)),
        (InvalidInput, sub(subs[1], 20, None)),
        (InvalidInput, sub(subs[1], 20, "vxlan")),
        (InvalidInput, sub(subs[1], 0)),
        (InvalidInput, sub(subs[1], 4095)),
        (InvalidInput, sub(subs[1], None, "inherit")),
    ]
    for refusal, wrong in cases:
        with pytest.raises(refusal):
            add(cloud, trunk, sub(subs[2], 30), wrong)
    with pytest.raises(TrunkPortInUse):
        add(cloud, trunk, sub(subs[1], 20), sub(subs[1], 21))
    assert cloud.get("trunks", trunk)["sub_ports"] == trunk["sub_ports"]
    assert cloud.get("ports", subs[2])["device_owner"] == ""
    with pytest.raises(SubPortNotFound):
        remove(cloud, trunk, subs[1])


def test_a_port_is_part_of_one_trunk(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.trunk(parent, sub(subs[0], 10))
    with pytest.raises(ParentPortInUse):
        cloud.trunk(parent)
    with pytest.raises(TrunkPortInUse):
        cloud.trunk(subs[0])
    with pytest.raises(ParentPortInUse):
        cloud.trunk(subs[1], sub(parent, 10))
    with pytest.raises(PortInUseAsTrunkParent, match=trunk["id"]):
        cloud.delete("ports", cloud.get("ports", parent))
    with pytest.raises(PortInUseAsSubPort, match=trunk["id"]):
        cloud.delete("ports", cloud.get("ports", subs[0]))


def test_a_trunk_that_is_down_is_left_alone(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.update("trunks", cloud.trunk(parent, sub(subs[0], 10)), admin_state_up=False)
    with pytest.raises(TrunkDisabled):
        add(cloud, trunk, sub(subs[1], 20))
    with pytest.raises(TrunkDisabled):
        remove(cloud, trunk, subs[0])
    with pytest.raises(TrunkDisabled):
        cloud.delete("trunks", trunk)


def test_sub_ports_are_where_the_trunks_port_is(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.trunk(parent, sub(subs[0], 10))
    assert report(cloud, "hv1", parent) == {}
    assert where(cloud, parent, subs[0]) == ["hv1", "hv1"]
    assert cloud.get("trunks", trunk)[HOST] == "hv1"
    assert cloud.get("ports", subs[0])["binding:vif_type"] == "ovs"
    add(cloud, trunk, sub(subs[1], 20))
    assert where(cloud, subs[1]) == ["hv1"]
    cloud.update("ports", cloud.get("ports", parent), **{HOST: "hv2"})
    assert where(cloud, parent, subs[0], subs[1]) == ["hv2"] * 3
    remove(cloud, trunk, subs[0])
    assert where(cloud, subs[0], subs[1]) == ["", "hv2"]
    cloud.delete("trunks", cloud.get("trunks", trunk))
    assert where(cloud, subs[1]) == [""]


def test_a_trunk_moves_as_its_port_does(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.trunk(parent, sub(subs[0], 10))
    report(cloud, "hv1", parent)
    report(cloud, "hv1", subs[0])
    with cloud.store.write() as tx:
        port_bindings.create(tx, tx.lock_many("ports", [parent["id"]])[parent["id"]], {"host": "hv2"})
    with cloud.store.read() as tx:
        assert sorted(tx.held(placing.scope("hv2"))) == sorted([parent["id"], subs[0]["id"], trunk["id"]])
    assert report(cloud, "hv2", parent, subs[0]) == {}
    with cloud.store.write() as tx:
        port_bindings.activate(tx, tx.lock_many("ports", [parent["id"]])[parent["id"]], "hv2")
    assert where(cloud, parent, subs[0]) == ["hv2", "hv2"]
    assert status(cloud, trunk) == "ACTIVE"
    with cloud.store.write() as tx:
        port_bindings.delete(tx, tx.lock_many("ports", [parent["id"]])[parent["id"]], "hv1")
    with cloud.store.read() as tx:
        assert tx.held(placing.scope("hv1")) == {} == tx.held(placing.scope("hv2"))


def test_a_sub_port_goes_nowhere_alone(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    cloud.trunk(parent, sub(subs[0], 10))
    alone = cloud.get("ports", subs[0])
    with pytest.raises(PortInUseAsSubPort):
        cloud.update("ports", alone, **{HOST: "hv1"})
    with pytest.raises(PortInUseAsSubPort), cloud.store.write() as tx:
        port_bindings.create(tx, tx.lock_many("ports", [alone["id"]])[alone["id"]], {"host": "hv1"})
    denied = report(cloud, "hv1", alone)
    assert denied == {alone["id"]: "plugged in on hv1, but a sub-port of a trunk that is bound nowhere"}
    report(cloud, "hv2", parent)
    assert report(cloud, "hv1", alone) == {alone["id"]: "plugged in on hv1, but bound to hv2"}
    assert where(cloud, alone) == ["hv2"]


def test_the_status_is_that_of_all_ports_together(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.trunk(parent, sub(subs[0], 10))
    assert status(cloud, trunk) == "DOWN"
    report(cloud, "hv1", parent)
    assert status(cloud, trunk) == "BUILD"
    report(cloud, "hv1", subs[0])
    assert status(cloud, trunk) == "ACTIVE"
    cloud.update("trunks", cloud.get("trunks", trunk), admin_state_up=False)
    assert status(cloud, trunk) == "DOWN"


def test_a_trunks_port_says_what_it_carries(cloud: Cloud, parent: Object, subs: list[Object]) -> None:
    trunk = cloud.trunk(parent, sub(subs[0], 10))
    with cloud.store.read() as tx:
        shown = {port["id"]: port for port in with_details(tx, tx.query("ports"))}
    carried = sub(subs[0], 10) | {"mac_address": subs[0]["mac_address"]}
    assert shown[parent["id"]]["trunk_details"] == {"trunk_id": trunk["id"], "sub_ports": [carried]}
    assert "trunk_details" not in shown[subs[0]["id"]]
