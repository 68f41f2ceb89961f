"""VLANs of racks: there while somebody behind a VTEP needs them; and ports that are bound through them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pytest

from netweft.control.l2 import binding, hosts
from netweft.control.l2.dynamic_segments import DYNAMIC, DynamicSegments
from netweft.control.l2.segments import ID, TYPE
from netweft.feed import objects
from netweft.model import NodeFacts
from netweft.plugins.mechanisms import Link, View, vetoes
from netweft.settings import ServerSettings
from netweft.store import Object

from ..conftest import Cloud, MakeCloud

RANGES = ("rack1:100:101",)
VXLAN = {TYPE: "vxlan"}
HOST, VIF = "binding:host_id", "binding:vif_type"


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    return make_cloud(vlan_ranges=RANGES)


def follow(cloud: Cloud, owner: str, *networks: Object) -> dict[str, str]:
    dynamic, wanted = DynamicSegments(ServerSettings(vlan_ranges=RANGES)), {one["id"]: "rack1" for one in networks}
    return cloud.store.run(partial(dynamic.follow, owner=owner, wanted=wanted))


def vlans(cloud: Cloud, network: Object) -> list[int]:
    return [one[ID] for one in cloud.get("networks", network).get(DYNAMIC, [])]


def test_a_network_has_a_vlan_while_anybody_needs_it(cloud: Cloud) -> None:
    one, other, third = (cloud.network(**VXLAN) for _ in range(3))
    assert follow(cloud, "switch:a", one, other) == {}
    assert (vlans(cloud, one), vlans(cloud, other)) in (([100], [101]), ([101], [100]))
    (why,) = follow(cloud, "switch:b", one, third).values()
    assert why == f"no VLAN is left on physical network rack1 for network {third['id']}"
    assert follow(cloud, "switch:a", other) == {}
    assert len(vlans(cloud, one)) == 1  # the other switch's
    follow(cloud, "switch:a")
    assert follow(cloud, "switch:b", one, third) == {}
    follow(cloud, "switch:b")
    assert [vlans(cloud, network) for network in (one, other, third)] == [[], [], []]


def test_it_goes_with_the_network_and_is_sent_to_nodes_after_its_own(cloud: Cloud) -> None:
    network = cloud.network(**VXLAN)
    follow(cloud, "switch:a", network)
    told = objects.network(cloud.get("networks", network))
    assert [(one.network_type, one.physical_network) for one in told.segments] == [("vxlan", None), ("vlan", "rack1")]
    cloud.delete("networks", network)
    assert follow(cloud, "switch:a") == {}
    again = [cloud.network(**VXLAN) for _ in range(2)]
    assert follow(cloud, "switch:a", *again) == {}


class Vtep:
    """The switch that hv9 is behind, while that is so."""

    name, neighbourly = "switch:vtep1", frozenset({"hv9"})
    rack = "rack1"

    def can_bind(self, host: str, network: object, links: Sequence[Link]) -> None:
        return None

    def ends(self, links: Sequence[Link]) -> bool:
        return False

    def rack_of(self, host: str) -> str:
        return self.rack if host in self.neighbourly else ""

    def racked(self, view: View) -> Mapping[str, str]:
        return {}

    def answered(self, view: View) -> frozenset[str]:
        return frozenset()


@pytest.fixture
def vtep() -> Iterator[Vtep]:
    made, owner = Vtep(), object()
    vetoes.know(owner, [made])  # type: ignore[list-item]
    yield made
    vetoes.forget(owner)


def connect(cloud: Cloud, node: str, **facts: object) -> None:
    with cloud.store.write() as tx:
        binding.node_connected(tx, node, NodeFacts(**facts))  # type: ignore[arg-type]


def test_a_port_on_a_host_without_tunnels_is_bound_through_its_switch(cloud: Cloud, vtep: Vtep) -> None:
    connect(cloud, "hv1", tunnel_ip="192.0.2.1")
    connect(cloud, "hv9", bridge_mappings={"rack1": "br-eth1"})
    port = cloud.port(cloud.network(**VXLAN))

    def bind(host: str) -> tuple[str, str]:
        updated = cloud.update("ports", cloud.get("ports", port), **{HOST: host})
        peer = objects.peer(cloud.get("ports", port))
        return updated[VIF], peer.host_id if peer else ""

    assert bind("hv9") == ("ovs", vtep.name)
    assert bind("hv1") == ("ovs", "hv1")
    assert bind("hv9") == ("ovs", vtep.name)
    vtep.rack = ""  # the cable was moved
    with cloud.store.write() as tx:
        binding.bind_again(tx, "hv9")
    assert cloud.get("ports", port)[VIF] == hosts.FAILED
    vtep.rack = "rack2"  # to where the host has no bridge
    assert bind("hv9")[0] == hosts.FAILED
