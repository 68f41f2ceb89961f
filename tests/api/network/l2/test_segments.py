"""Provider attributes, several segments, ranges, external networks: who may, what comes back, what is refused."""

from typing import Any

import pytest

from ..conftest import Api, MakeApi, refused

TYPE, PHYSICAL, ID = "provider:network_type", "provider:physical_network", "provider:segmentation_id"
RANGE = {"network_type": "vlan", "physical_network": "physnet1", "minimum": 200, "maximum": 209}


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    return make_api(vlan_ranges=("physnet1:100:109",), vni_ranges=("7:9",))


def create(api: Api, who: str = "admin", **values: Any) -> tuple[int, str]:
    return refused(api(who, "POST", "/networks", {"network": values}))


def test_an_admin_says_which_segment_and_nobody_else_sees_it(api: Api) -> None:
    network = api.make("admin", "network", shared=True, **{TYPE: "vlan", PHYSICAL: "physnet1", ID: 100})
    assert [network[name] for name in (TYPE, PHYSICAL, ID)] == ["vlan", "physnet1", 100]
    assert not api.get("alice", f"/networks/{network['id']}")["network"].keys() & {TYPE, PHYSICAL, ID, "segments"}
    assert create(api, "alice", **{TYPE: "vxlan"}) == (403, "PolicyNotAuthorized")
    assert create(api, "alice", segments=[{TYPE: "vxlan"}]) == (403, "PolicyNotAuthorized")


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        ({TYPE: "vlan", PHYSICAL: "physnet1", ID: 100}, (409, "VlanIdInUse")),
        ({TYPE: "flat", PHYSICAL: "public"}, (409, "FlatNetworkInUse")),
        ({TYPE: "geneve", ID: 8}, (409, "TunnelIdInUse")),
        ({TYPE: "vlan", PHYSICAL: "physnet1", ID: 4095}, (400, "InvalidInput")),
        ({TYPE: "vlan", PHYSICAL: "nowhere", ID: 5}, (400, "InvalidInput")),
        ({TYPE: "vlan", PHYSICAL: "physnet1", ID: "five"}, (400, "HTTPBadRequest")),
        ({"segments": [{TYPE: "vxlan", "colour": "red"}]}, (400, "HTTPBadRequest")),
        ({"segments": [{TYPE: "vxlan"}], TYPE: "vxlan"}, (400, "SegmentsSetInConjunctionWithProviders")),
        ({"mtu": 1451}, (400, "InvalidInput")),
    ],
)
def test_refusals_are_neutrons_and_leave_nothing_behind(
    api: Api, values: dict[str, Any], answer: tuple[int, str]
) -> None:
    api.make("admin", "network", **{TYPE: "vlan", PHYSICAL: "physnet1", ID: 100})
    api.make("admin", "network", **{TYPE: "flat", PHYSICAL: "public"})
    api.make("admin", "network", **{TYPE: "geneve", ID: 8})
    before = api.get("admin", "/networks")
    assert create(api, **values) == answer
    assert api.get("admin", "/networks") == before


def test_no_ids_left_is_no_fault_of_the_client(api: Api) -> None:
    for _ in range(3):
        api.make("alice", "network")
    assert create(api, "alice") == (503, "NoNetworkAvailable")


def test_several_segments(api: Api) -> None:
    network = api.make("admin", "network", segments=[{TYPE: "vlan", PHYSICAL: "physnet1"}, {TYPE: "gre", ID: 5}])
    assert network["segments"] == [
        {TYPE: "vlan", PHYSICAL: "physnet1", ID: 100},
        {TYPE: "gre", PHYSICAL: None, ID: 5},
    ]
    assert api.get("admin", f"/networks/{network['id']}")["network"]["segments"] == network["segments"]


def test_an_external_network_is_seen_by_all_and_made_by_admins(api: Api) -> None:
    assert create(api, "alice", **{"router:external": True}) == (403, "PolicyNotAuthorized")
    network = api.network("admin", "198.51.100.0/24", name="public", **{"router:external": True})
    assert api.names("alice", "/networks?router:external=True") == ["public"]
    api.network("alice", "10.0.0.0/24")
    subnets = {one["cidr"]: one["router:external"] for one in api.get("alice", "/subnets")["subnets"]}
    assert subnets == {"198.51.100.0/24": True, "10.0.0.0/24": False}
    (public,) = api.get("bob", "/subnets?router:external=true&fields=id&fields=cidr")["subnets"]
    assert public["cidr"] == "198.51.100.0/24"
    assert api("bob", "GET", f"/subnets/{public['id']}").status_code == 200
    changed = api("bob", "PUT", f"/subnets/{public['id']}", {"subnet": {"name": "mine"}})
    assert refused(changed) == (403, "PolicyNotAuthorized")
    answer = api("alice", "POST", "/ports", {"port": {"network_id": network["id"]}})
    assert refused(answer) == (403, "PolicyNotAuthorized")
    changed = api("alice", "PUT", f"/networks/{network['id']}", {"network": {"name": "mine"}})
    assert refused(changed) == (403, "PolicyNotAuthorized")
    api("admin", "PUT", f"/networks/{network['id']}", {"network": {"router:external": False}})
    assert api.names("bob", "/networks") == api.names("bob", "/subnets") == []
    assert api("bob", "GET", f"/subnets/{public['id']}").status_code == 404


def test_vlan_transparency_is_set_once(api: Api) -> None:
    network = api.make("alice", "network", vlan_transparent=True)
    assert network["vlan_transparent"] is True
    assert api.make("alice", "network")["vlan_transparent"] is None
    answer = api("alice", "PUT", f"/networks/{network['id']}", {"network": {"vlan_transparent": False}})
    assert answer.status_code == 400
    assert len(api.get("alice", "/networks?vlan_transparent=True")["networks"]) == 1


def ranges(api: Api, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get("admin", f"/network_segment_ranges{query}")["network_segment_ranges"]
    return found


def make_range(api: Api, who: str = "admin", **values: Any) -> Any:
    return api(who, "POST", "/network_segment_ranges", {"network_segment_range": RANGE | values})


def test_ranges_are_admins_business(api: Api) -> None:
    assert len(ranges(api)) == 5  # one of VLANs, one of each kind of tunnel
    assert api.get("alice", "/network_segment_ranges") == {"network_segment_ranges": []}
    assert refused(make_range(api, "alice")) == (403, "PolicyNotAuthorized")
    made = make_range(api, name="more", shared=False, project_id="red").json()["network_segment_range"]
    assert (made["default"], made["shared"], made["project_id"]) == (False, False, "red")
    assert (made["used"], made["available"]) == ({}, list(range(200, 210)))
    assert api("alice", "GET", f"/network_segment_ranges/{made['id']}").status_code == 404
    assert [one["name"] for one in ranges(api, "?network_type=vlan&physical_network=physnet1&name=more")] == ["more"]


def test_ranges_are_refused_in_neutrons_words(api: Api) -> None:
    made = make_range(api).json()["network_segment_range"]
    assert refused(make_range(api, minimum=209, maximum=300)) == (409, "NetworkSegmentRangeOverlaps")
    assert refused(make_range(api, minimum=300, maximum=5000)) == (400, "NetworkVlanRangeError")
    assert refused(make_range(api, minimum=0)) == (400, "HTTPBadRequest")
    api.make("admin", "network", **{TYPE: "vlan", PHYSICAL: "physnet1", ID: 205})
    path = f"/network_segment_ranges/{made['id']}"
    assert refused(api("admin", "DELETE", path)) == (409, "NetworkSegmentRangeReferencedByProject")
    smaller = {"network_segment_range": {"maximum": 204}}
    assert refused(api("admin", "PUT", path, smaller)) == (409, "NetworkSegmentRangeReferencedByProject")
    default = next(one for one in ranges(api) if one["default"])
    answer = api("admin", "DELETE", f"/network_segment_ranges/{default['id']}")
    assert refused(answer) == (400, "NetworkSegmentRangeDefaultReadOnly")
