"""Segments, MTU, and when a network can go."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from netweft.control.errors import ExternalNetworkInUse, InvalidInput, NetworkInUse, Refused
from netweft.control.l2.segments import NoNetworkAvailable, TunnelIdInUse

from ..conftest import Cloud, MakeCloud

TYPE, ID = "provider:network_type", "provider:segmentation_id"


def test_a_tenant_network_gets_a_vni_and_room_for_the_header(cloud: Cloud) -> None:
    network = cloud.network()
    assert (network[TYPE], network[ID], network["mtu"]) == ("vxlan", 1, 1450)
    assert (network["status"], network["revision_number"]) == ("ACTIVE", 1)


def test_a_vni_is_given_to_one_network_and_comes_back(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(vni_ranges=("7:8",))
    first, second = cloud.network(), cloud.network()
    assert [first[ID], second[ID]] == [7, 8]
    with pytest.raises(NoNetworkAvailable):
        cloud.network()
    cloud.delete("networks", first)
    assert cloud.network()[ID] == 7


def test_a_requested_vni_is_not_given_to_others(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(vni_ranges=("7:8",))
    asked = cloud.network(**{TYPE: "vxlan", ID: 7})
    assert asked[ID] == 7
    with pytest.raises(TunnelIdInUse):
        cloud.network(**{TYPE: "vxlan", ID: 7})
    assert cloud.network()[ID] == 8


def test_vnis_are_unique_when_many_ask_at_once(cloud: Cloud) -> None:
    with ThreadPoolExecutor(8) as threads:
        networks = list(threads.map(lambda _: cloud.network(), range(40)))
    assert sorted(network[ID] for network in networks) == list(range(1, 41))


@pytest.mark.parametrize(
    "values",
    [
        {TYPE: "carrier-pigeon"},
        {ID: 5},
        {TYPE: "vxlan", ID: 2**24},
        {TYPE: "vxlan", "provider:physical_network": "physnet1"},
        {TYPE: "local", ID: 5},
        {"mtu": 1451},
    ],
)
def test_segments_that_cannot_be(cloud: Cloud, values: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        cloud.network(**values)


def test_a_local_network_needs_no_id(cloud: Cloud) -> None:
    network = cloud.network(**{TYPE: "local"})
    assert (network[ID], network["mtu"]) == (None, 1500)


def test_a_smaller_mtu_may_be_set_and_unset(cloud: Cloud) -> None:
    network = cloud.network(mtu=1400)
    assert network["mtu"] == 1400
    assert cloud.update("networks", network, mtu=0)["mtu"] == 1450


def test_the_type_stays(cloud: Cloud) -> None:
    network = cloud.network()
    assert cloud.update("networks", network, **{TYPE: network[TYPE], ID: network[ID]})["revision_number"] == 2
    with pytest.raises(InvalidInput):
        cloud.update("networks", network, **{TYPE: "gre"})


def test_a_network_can_move_to_another_id(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(vni_ranges=("7:9",))
    network, other = cloud.network(), cloud.network()
    with pytest.raises(TunnelIdInUse):
        cloud.update("networks", network, **{ID: other[ID]})
    assert cloud.update("networks", network, **{ID: 9})[ID] == 9
    assert cloud.network()[ID] == 7
    with pytest.raises(NoNetworkAvailable):
        cloud.network()


def test_an_external_network_with_gateways_stays_external(cloud: Cloud) -> None:
    network = cloud.network(**{"router:external": True})
    gateway = cloud.port(network, device_owner="network:router_gateway")
    with pytest.raises(ExternalNetworkInUse):
        cloud.update("networks", network, **{"router:external": False})
    cloud.delete("ports", gateway)
    assert cloud.update("networks", network, **{"router:external": False})["router:external"] is False


def test_a_network_with_ports_stays_and_its_subnets_go_with_it(cloud: Cloud) -> None:
    network = cloud.network()
    subnet = cloud.subnet(network, "10.0.0.0/24")
    port = cloud.port(network)
    with pytest.raises(NetworkInUse, match=port["id"]):
        cloud.delete("networks", cloud.get("networks", network))
    cloud.delete("ports", port)
    cloud.delete("networks", cloud.get("networks", network))
    with cloud.store.read() as tx:
        assert tx.get("subnets", subnet["id"]) is None


def test_a_refusal_says_what_and_why() -> None:
    refusal: Refused = TunnelIdInUse(tunnel_id=5)
    assert refusal.type == "TunnelIdInUse"
    assert str(refusal) == "Unable to create the network. The tunnel ID 5 is in use."
