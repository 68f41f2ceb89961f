"""Ranges at run time: who draws from which, and what can no longer be changed."""

import pytest

from netweft.control.l2.segment_ranges import (
    NetworkSegmentRangeDefaultReadOnly,
    NetworkSegmentRangeNetTypeNotSupported,
    NetworkSegmentRangeOverlaps,
    NetworkSegmentRangeReferencedByProject,
    NetworkTunnelRangeError,
    NetworkVlanRangeError,
    PhysicalNetworkRequired,
)
from netweft.control.l2.segments import NoNetworkAvailable
from netweft.store import Object

from ..conftest import Cloud, MakeCloud

KIND = "network_segment_ranges"
ID = "provider:segmentation_id"


def ranges(cloud: Cloud) -> list[Object]:
    with cloud.store.read() as tx:
        return cloud.ranges.with_use(tx, tx.query(KIND))


def ids(cloud: Cloud, project: str, count: int) -> list[int]:
    return [cloud.network(project_id=project)[ID] for _ in range(count)]


@pytest.fixture
def cloud(make_cloud: MakeCloud) -> Cloud:
    return make_cloud(vni_ranges=("vxlan:10:14",))


def test_the_settings_make_the_default_ranges(make_cloud: MakeCloud) -> None:
    def shown(cloud: Cloud) -> list[tuple[object, ...]]:
        found = [tuple(r[n] for n in ("network_type", "physical_network", "minimum", "maximum")) for r in ranges(cloud)]
        return sorted(found, key=str)

    assert shown(make_cloud(vlan_ranges=("a:1:5",), vni_ranges=("vxlan:7:9",))) == [
        ("vlan", "a", 1, 5),
        ("vxlan", None, 7, 9),
    ]
    again = make_cloud(vlan_ranges=("b:1:5",), vni_ranges=("vxlan:7:9",))
    assert shown(again) == [("vlan", "b", 1, 5), ("vxlan", None, 7, 9)]
    assert all(range["default"] and range["shared"] for range in ranges(again))


def test_starting_again_changes_nothing(make_cloud: MakeCloud) -> None:
    def rows(cloud: Cloud) -> tuple[int, list[Object]]:
        with cloud.store.read() as tx:
            return tx.revision(), tx.query(KIND)

    assert rows(make_cloud()) == rows(make_cloud())


def test_a_project_has_its_own_range_first_and_nobody_else_does(cloud: Cloud) -> None:
    cloud.range("vxlan", 11, 12, shared=False, project_id="red")
    assert ids(cloud, "red", 3) == [11, 12, 10]
    assert ids(cloud, "blue", 2) == [13, 14]
    with pytest.raises(NoNetworkAvailable):
        cloud.network(project_id="blue")


def test_a_shared_range_adds_to_the_default_ones(cloud: Cloud) -> None:
    added = cloud.range("vxlan", 100, 101)
    assert added["project_id"] is None
    assert ids(cloud, "red", 7) == [10, 11, 12, 13, 14, 100, 101]


def test_a_range_makes_a_physical_network_known(cloud: Cloud) -> None:
    cloud.range("vlan", 5, 6, physical_network="new")
    network = cloud.network(**{"provider:network_type": "vlan", "provider:physical_network": "new"})
    assert network[ID] == 5


def test_what_is_used_and_by_whom(cloud: Cloud) -> None:
    ids(cloud, "red", 2)
    cloud.network(project_id="blue", **{"provider:network_type": "vxlan", ID: 14})
    (shown,) = ranges(cloud)
    assert (shown["used"], shown["available"]) == ({"10": "red", "11": "red", "14": "blue"}, [12, 13])


def test_a_range_in_use_stays(cloud: Cloud) -> None:
    added = cloud.range("vxlan", 100, 109)
    cloud.network(**{"provider:network_type": "vxlan", ID: 105})
    with pytest.raises(NetworkSegmentRangeReferencedByProject):
        cloud.delete(KIND, added)
    with pytest.raises(NetworkSegmentRangeReferencedByProject):
        cloud.update(KIND, added, maximum=104)
    assert cloud.update(KIND, added, minimum=105, maximum=106)["maximum"] == 106
    assert ids(cloud, "red", 6) == [10, 11, 12, 13, 14, 106]


def test_a_range_that_goes_takes_its_ids_along(cloud: Cloud) -> None:
    cloud.delete(KIND, cloud.range("vxlan", 100, 109))
    cloud.delete(KIND, cloud.range("vxlan", 10, 12, shared=False, project_id="red"))
    assert ids(cloud, "blue", 5) == [10, 11, 12, 13, 14]
    with pytest.raises(NoNetworkAvailable):
        cloud.network()


def test_default_ranges_are_not_changed_here(cloud: Cloud) -> None:
    (default,) = ranges(cloud)
    with pytest.raises(NetworkSegmentRangeDefaultReadOnly):
        cloud.update(KIND, default, maximum=20)
    with pytest.raises(NetworkSegmentRangeDefaultReadOnly):
        cloud.delete(KIND, default)


@pytest.mark.parametrize("bounds", [(100, 100), (95, 101), (101, 105), (109, 120), (90, 120)])
def test_ranges_do_not_overlap(cloud: Cloud, bounds: tuple[int, int]) -> None:
    there = cloud.range("vxlan", 100, 109)
    with pytest.raises(NetworkSegmentRangeOverlaps, match=there["id"]):
        cloud.range("vxlan", *bounds, shared=False, project_id="red")
    beside = cloud.range("vxlan", 200, 209)
    with pytest.raises(NetworkSegmentRangeOverlaps):
        cloud.update(KIND, beside, minimum=bounds[0], maximum=bounds[1])
    cloud.range("gre", *bounds)


def test_ranges_that_cannot_be(cloud: Cloud) -> None:
    with pytest.raises(NetworkSegmentRangeNetTypeNotSupported):
        cloud.range("flat", 1, 2)
    with pytest.raises(PhysicalNetworkRequired):
        cloud.range("vlan", 1, 2)
    for first, last in ((5, 4), (1, 4095)):
        with pytest.raises(NetworkVlanRangeError):
            cloud.range("vlan", first, last, physical_network="a")
    with pytest.raises(NetworkTunnelRangeError):
        cloud.range("vxlan", 1, 2**24)
    assert cloud.range("geneve", 1, 2, physical_network="ignored")["physical_network"] is None
