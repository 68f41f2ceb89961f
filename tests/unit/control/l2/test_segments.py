"""Which segment carries a network: what may be asked for, in Neutron's words, and what plain users get."""

import pytest

from netweft.control.errors import InvalidInput, Refused
from netweft.control.l2.segments import (
    FlatNetworkInUse,
    NoNetworkAvailable,
    SegmentsContainDuplicateEntry,
    SegmentsSetInConjunctionWithProviders,
    TunnelIdInUse,
    VlanIdInUse,
)
from netweft.settings import SettingsError
from netweft.store import Object

from ..conftest import Cloud, MakeCloud

TYPE, PHYSICAL, ID = "provider:network_type", "provider:physical_network", "provider:segmentation_id"


def provider(type: str, physical: str | None = None, id: int | None = None) -> Object:
    named = {TYPE: type, PHYSICAL: physical, ID: id}
    return {name: value for name, value in named.items() if value is not None}


def segment(network: Object) -> tuple[object, ...]:
    return tuple(network[name] for name in (TYPE, PHYSICAL, ID))


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    return make_cloud(
        vlan_ranges=("physnet1:100:101", "physnet2"),
        flat_networks=("public", "physnet1"),
        physical_network_mtus=("physnet2:9000",),
    )


@pytest.mark.parametrize(
    ("asked", "given", "mtu"),
    [
        (provider("vlan", "physnet1", 7), ("vlan", "physnet1", 7), 1500),
        (provider("vlan", "physnet1"), ("vlan", "physnet1", 100), 1500),
        (provider("vlan"), ("vlan", "physnet1", 100), 1500),
        (provider("vlan", "physnet2", 4094), ("vlan", "physnet2", 4094), 9000),
        (provider("flat", "public"), ("flat", "public", None), 1500),
        (provider("vxlan"), ("vxlan", None, 1), 1450),
        (provider("geneve", id=5), ("geneve", None, 5), 1450),
        (provider("gre", id=2**32 - 1), ("gre", None, 2**32 - 1), 1458),
        (provider("stt", id=2**63 - 1), ("stt", None, 2**63 - 1), 1428),
        (provider("local"), ("local", None, None), 1500),
    ],
)
def test_what_an_admin_requests(cloud: Cloud, asked: Object, given: tuple[object, ...], mtu: int) -> None:
    network = cloud.network(**asked)
    assert (segment(network), network["mtu"]) == (given, mtu)


def test_what_cuts_itself_may_have_larger_frames_than_the_underlay(cloud: Cloud) -> None:
    assert cloud.network(**provider("stt"), mtu=9000)["mtu"] == 9000
    with pytest.raises(InvalidInput, match="maximum is 9000"):
        cloud.network(**provider("stt"), mtu=9001)
    with pytest.raises(InvalidInput, match="maximum is 1450"):
        cloud.network(**provider("vxlan"), mtu=9000)


@pytest.mark.parametrize(("type", "mtu"), [("vxlan", 1430), ("geneve", 1430), ("gre", 1438), ("stt", 1408)])
def test_an_ipv6_underlay_takes_20_bytes_more(make_cloud: MakeCloud, type: str, mtu: int) -> None:
    assert make_cloud(overlay_ip_version=6).network(**provider(type))["mtu"] == mtu


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (provider("vlan", "physnet1", 0), "segmentation_id out of range .1 through 4094."),
        (provider("vlan", "physnet1", 4095), "segmentation_id out of range .1 through 4094."),
        (provider("vlan", "nowhere", 5), "physical_network 'nowhere' unknown for vlan provider network"),
        (provider("vlan", id=5), "segmentation_id requires physical_network for vlan provider network"),
        (provider("flat", "nowhere"), "physical_network 'nowhere' unknown for flat provider network"),
        (provider("flat"), "physical_network required for flat provider network"),
        (provider("flat", "public", 5), "segmentation_id prohibited for flat provider network"),
        (provider("vxlan", "physnet1"), "physical_network specified for vxlan network"),
        (provider("vxlan", id=2**24), "segmentation_id out of range"),
        (provider("gre", id=0), "segmentation_id out of range"),
        (provider("local", id=5), "segmentation_id prohibited for local provider network"),
        (provider("pigeon"), "network_type value 'pigeon' not supported"),
        ({ID: 5}, "network_type required"),
        ({"segments": [provider("vxlan"), {ID: 5}]}, "network_type required"),
    ],
)
def test_what_cannot_be(cloud: Cloud, asked: Object, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        cloud.network(**asked)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (provider("vlan", "physnet1", 100), VlanIdInUse),
        (provider("flat", "public"), FlatNetworkInUse),
        (provider("vxlan", id=9), TunnelIdInUse),
        (provider("geneve", id=9), TunnelIdInUse),
    ],
)
def test_one_segment_carries_one_network(cloud: Cloud, asked: Object, refusal: type[Refused]) -> None:
    first = cloud.network(**asked)
    with pytest.raises(refusal):
        cloud.network(**asked)
    with pytest.raises(refusal):
        cloud.network(segments=[provider("local"), asked])
    cloud.delete("networks", first)
    cloud.network(**asked)


def test_the_same_number_elsewhere_is_another_segment(cloud: Cloud) -> None:
    for asked in (provider("vlan", "physnet1", 100), provider("vlan", "physnet2", 100), provider("vxlan", id=100)):
        cloud.network(**asked)
    cloud.network(**provider("geneve", id=100))
    cloud.network(**provider("flat", "physnet1"))


def test_a_network_of_several_segments(cloud: Cloud) -> None:
    network = cloud.network(
        segments=[provider("vlan", "physnet1"), provider("vxlan", id=7), provider("vlan", "physnet1")]
    )
    assert [segment(one) for one in network["segments"]] == [
        ("vlan", "physnet1", 100),
        ("vxlan", None, 7),
        ("vlan", "physnet1", 101),
    ]
    assert TYPE not in network
    assert network["mtu"] == 1450
    with pytest.raises(TunnelIdInUse):
        cloud.network(**provider("vxlan", id=7))
    cloud.delete("networks", network)
    cloud.network(**provider("vxlan", id=7))


def test_segments_are_named_once_and_in_one_way(cloud: Cloud) -> None:
    twice = [provider("vlan", "physnet1", 5), provider("vlan", "physnet1", 5)]
    with pytest.raises(SegmentsContainDuplicateEntry):
        cloud.network(segments=twice)
    with pytest.raises(SegmentsSetInConjunctionWithProviders):
        cloud.network(segments=twice[:1], **provider("vxlan"))


def test_plain_users_get_the_first_type_that_has_an_id_left(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(
        tenant_network_types=("flat", "vlan", "gre", "local"),
        vlan_ranges=("physnet2:7:7", "physnet3", "physnet1:5:5"),
        vni_ranges=("gre:3:3", "1:100"),
    )
    assert [segment(cloud.network()) for _ in range(4)] == [
        ("vlan", "physnet1", 5),
        ("vlan", "physnet2", 7),
        ("gre", None, 3),
        ("local", None, None),
    ]


def test_a_vlan_outside_the_ranges_is_not_given_to_plain_users_when_it_comes_back(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(tenant_network_types=("vlan",), vlan_ranges=("physnet1:5:5",))
    cloud.delete("networks", cloud.network(**provider("vlan", "physnet1", 6)))
    cloud.network()
    with pytest.raises(NoNetworkAvailable):
        cloud.network()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"tenant_network_types": ("pigeon",)}, "tenant_network_types: there is no segment type pigeon"),
        ({"vlan_ranges": ("p:1:5", "p:5:9")}, "vlan_ranges: 5:9 overlaps 1:5"),
        ({"vlan_ranges": ("p:9:5",)}, "vlan_ranges: 9:5 is no range within 1 to 4094"),
        ({"vlan_ranges": ("p:1:4095",)}, "vlan_ranges: 1:4095 is no range within 1 to 4094"),
        ({"vni_ranges": ("1:5", "2:3")}, "vni_ranges: 2:3 overlaps 1:5"),
        ({"vni_ranges": ("vxlan:1:16777216",)}, "vni_ranges: 1:16777216 is no range within 1 to 16777215 .vxlan."),
    ],
)
def test_settings_that_cannot_be(make_cloud: MakeCloud, settings: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        make_cloud(**settings)
