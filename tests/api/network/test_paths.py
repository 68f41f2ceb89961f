"""Paths and bodies as clients write them: both spellings, tags of policies, bulks with names inside, empty pages."""

from typing import Any

import pytest
from starlette.routing import Route

from netweft.api.spellings import both

from .conftest import BLUE, Api, refused


@pytest.mark.parametrize(
    "collection",
    [
        "security_groups",
        "security_group_rules",
        "default_security_group_rules",
        "address_groups",
        "rbac_policies",
        "network_segment_ranges",
        "network_ip_availabilities",
        "qos/rule_types",
    ],
)
def test_every_collection_has_two_spellings(api: Api, collection: str) -> None:
    dashed = collection.replace("_", "-")
    assert api.get("admin", f"/{collection}") == api.get("admin", f"/{dashed}")


def test_every_route_has_them(api: Api) -> None:
    """All methods, members and actions; parameters stay what they are."""
    given = [Route("/v2.0/a-b/{c_d}/e_f", lambda request: request, methods=["PUT"])]
    assert {route.path for route in both(given) if isinstance(route, Route)} == {
        "/v2.0/a-b/{c_d}/e_f",
        "/v2.0/a-b/{c_d}/e-f",
        "/v2.0/a_b/{c_d}/e_f",
    }
    group = api.make("alice", "address_group")
    path = f"/address_groups/{group['id']}"
    assert api("alice", "PUT", f"{path}/add_addresses", {"addresses": ["10.0.0.0/8"]}).status_code == 200
    assert api("alice", "PUT", path, {"address_group": {"name": "n_a-m"}}).json()["address_group"]["name"] == "n_a-m"
    assert api("alice", "DELETE", path).status_code == 204
    group = api.make("alice", "security_group")
    assert api("alice", "PUT", f"/security_groups/{group['id']}/tags/a-b_c").status_code == 201
    assert api.get("alice", f"/security-groups/{group['id']}/tags") == {"tags": ["a-b_c"]}


def test_tags_of_policies_are_beside_them_too(api: Api) -> None:
    policy = api("admin", "POST", "/qos/policies", {"policy": {"name": "gold"}}).json()["policy"]
    path = f"/policies/{policy['id']}/tags"
    assert api("admin", "PUT", path, {"tags": ["a", "b"]}).json() == {"tags": ["a", "b"]}
    assert api("admin", "DELETE", f"{path}/a").status_code == 204
    assert api.get("admin", f"/qos{path}") == {"tags": ["b"]}
    assert refused(api("alice", "GET", path))[0] == 404


def test_a_bulk_may_have_the_names_inside(api: Api) -> None:
    body = {"networks": [{"network": {"name": "a"}}, {"name": "b"}]}
    made = api("alice", "POST", "/networks", body)
    assert (made.status_code, [one["name"] for one in made.json()["networks"]]) == (201, ["a", "b"])
    wrongs: list[Any] = [[{"network": "a"}], [{"network": {"nam": "a"}}], [{"network": {}, "name": "a"}], [[]], ["a"]]
    for wrong in wrongs:
        assert refused(api("alice", "POST", "/networks", {"networks": wrong})) == (400, "HTTPBadRequest")
    assert refused(api("alice", "POST", "/networks", {"network": {"network": {}}})) == (400, "HTTPBadRequest")
    forbidden = {"networks": [{"network": {"shared": True}}]}
    assert refused(api("alice", "POST", "/networks", forbidden)) == (403, "PolicyNotAuthorized")


def rels(page: Any) -> dict[str, str]:
    (links,) = (value for name, value in page.items() if name.endswith("_links"))
    return {link["rel"]: link["href"] for link in links}


def follow(api: Api, href: str) -> Any:
    return api.client.request("GET", href, headers={"X-Auth-Token": "alice"}).json()


def test_from_an_empty_page_the_way_leads_back_to_the_end(api: Api) -> None:
    api.make_many("alice", "network", [{"name": f"n{n}"} for n in range(4)])
    page = api.get("alice", "/networks?sort_key=name&limit=2")
    for _ in range(2):
        page = follow(api, rels(page)["next"])
    assert (page["networks"], set(rels(page))) == ([], {"previous"})
    page = follow(api, rels(page)["previous"])
    assert [one["name"] for one in page["networks"]] == ["n2", "n3"]
    for _ in range(2):
        page = follow(api, rels(page)["previous"])
    assert (page["networks"], set(rels(page))) == ([], {"next"})
    assert [one["name"] for one in follow(api, rels(page)["next"])["networks"]] == ["n0", "n1"]


def test_pages_of_what_is_worked_out(api: Api) -> None:
    """A filter on what is not kept takes nothing away from a page."""
    ports = [api.make("alice", "port", network_id=api.network()["id"]) for _ in range(5)]
    for n, port in enumerate(ports):
        api.make("alice", "trunk", name=f"t{n}", port_id=port["id"])
    api("admin", "PUT", f"/ports/{ports[0]['id']}", {"port": {"binding:host_id": "hv1"}})
    page = api.get("alice", "/trunks?sort_key=name&limit=2&status=DOWN")
    names = [[one["name"] for one in page["trunks"]]]
    while "next" in rels(page):
        page = follow(api, rels(page)["next"])
        names.append([one["name"] for one in page["trunks"]])
    assert names == [["t0", "t1"], ["t2", "t3"], ["t4"]]
    assert [one["name"] for one in follow(api, rels(page)["previous"])["trunks"]] == ["t2", "t3"]


@pytest.mark.parametrize("collection", ["security-groups", "security-group-rules"])
def test_a_list_by_project_makes_its_default_group(api: Api, collection: str) -> None:
    assert api.get("bob", f"/{collection}?project_id=red") == {collection.replace("-", "_"): []}
    for name in ("project_id", "tenant_id"):
        (found,) = api.get("admin", f"/{collection}?{name}=red").values()
        assert {one["project_id"] for one in found} == {"red"}
    (own,) = api.get("bob", f"/{collection}").values()
    assert {one["project_id"] for one in own} == {BLUE}
