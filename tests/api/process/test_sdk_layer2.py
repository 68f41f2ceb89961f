"""openstacksdk and the openstack command: segments and their ranges, bindings, trunks, with a real node session."""

from typing import Any

import httpx
import pytest
from openstack import exceptions
from tests.api.process.client import stock_client
from tests.api.process.conftest import Server
from tests.waiting import PATIENCE
from websockets.sync.client import connect

from netweft.model import NodeFacts, PortState, PortStatus
from netweft.wire import messages as wire

# the SDK warns of what it will itself remove
pytestmark = [pytest.mark.client, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def options() -> list[str]:
    return ["--vlan-ranges", "physnet1:100:109"]


def node(running: Server, name: str) -> Any:
    """A session of a node that can do VXLAN and physnet1."""
    answer = httpx.post(
        f"{running.url}/netweft/v1/nodes", json={"node": {"name": name}}, headers={"X-Auth-Token": running.token()}
    )
    token = answer.json()["node"]["token"]
    session = connect(
        f"{running.url.replace('http', 'ws')}{wire.FEED_PATH}", additional_headers={"Authorization": f"Bearer {token}"}
    )
    facts = NodeFacts(tunnel_ip=f"192.0.2.{name[-1]}", bridge_mappings={"physnet1": "br-eth1"})
    session.send(wire.encode(wire.Subscribe(node=name, facts=facts)))
    assert isinstance(wire.decode_downward(session.recv(timeout=PATIENCE)), wire.Snapshot)  # type: ignore[arg-type]
    return session


def test_segments_and_ranges(sdk: Any) -> None:
    network = sdk.create_network(provider_network_type="vlan", provider_physical_network="physnet1")
    assert (network.provider_segmentation_id, network.mtu) == (100, 1500)
    with pytest.raises(exceptions.ConflictException, match="VLAN 100 on physical network physnet1 is in use"):
        sdk.create_network(
            provider_network_type="vlan", provider_physical_network="physnet1", provider_segmentation_id=100
        )
    added = sdk.create_network_segment_range(
        name="r", network_type="vlan", physical_network="physnet1", minimum=200, maximum=201, shared=True
    )
    assert (added.available, added.used, added.default) == ([200, 201], {}, False)
    with pytest.raises(exceptions.ConflictException, match=added.id):
        sdk.create_network_segment_range(
            network_type="vlan", physical_network="physnet1", minimum=201, maximum=300, shared=True
        )
    assert sdk.update_network_segment_range(added, maximum=202).maximum == 202
    sdk.delete_network_segment_range(added)
    sdk.delete_network(network)


def test_a_trunk_moves_with_its_port(running: Server, sdk: Any) -> None:
    network = sdk.create_network(name="n")
    parent, sub = (sdk.create_port(network_id=network.id) for _ in range(2))
    tag = {"port_id": sub.id, "segmentation_type": "vlan", "segmentation_id": 10}
    trunk = sdk.create_trunk(port_id=parent.id, sub_ports=[tag])
    with node(running, "hv1") as here, node(running, "hv2"):
        here.send(wire.encode(wire.Report(revision=0, ports=(PortStatus(parent.id, PortState.UP),))))
        told = wire.decode_downward(here.recv(timeout=PATIENCE))
        assert isinstance(told, wire.Delta)
        assert {obj.id for obj in told.upserts if not hasattr(obj, "tunnel_ip")} >= {parent.id, sub.id, trunk.id}
        sdk.create_port_binding(parent, host="hv2", vnic_type="normal")
        assert {(one.host, one.status) for one in sdk.port_bindings(parent)} == {("hv1", "ACTIVE"), ("hv2", "INACTIVE")}
        sdk.activate_port_binding(parent, host="hv2")
        sdk.delete_port_binding(parent, "hv1")
    assert [sdk.get_port(port.id).binding_host_id for port in (parent, sub)] == ["hv2", "hv2"]
    with pytest.raises(exceptions.ConflictException, match="is currently a subport"):
        sdk.delete_port(sub)
    sdk.delete_trunk_subports(trunk, [{"port_id": sub.id}])
    assert sdk.get_trunk_subports(trunk)["sub_ports"] == []
    sdk.delete_trunk(trunk)


def test_the_openstack_command(running: Server) -> None:
    wanted = "--provider-network-type vlan --provider-physical-network physnet1 --provider-segment 7 --external"
    (made,) = stock_client(running.openrc(), f"network create {wanted} n -f json")
    assert (made["provider:segmentation_id"], made["router:external"]) == (7, True)
