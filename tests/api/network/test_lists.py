"""Filters, fields, sorting and pages of lists."""

from typing import Any

import pytest

from .conftest import Api, refused


@pytest.fixture
def ports(api: Api) -> list[dict[str, Any]]:
    network = api.network(cidr="10.0.0.0/24")
    return api.make_many(
        "alice",
        "port",
        [
            {"network_id": network["id"], "name": f"p{n}", "device_id": f"vm{n % 2}", "admin_state_up": n < 3}
            for n in range(5)
        ],
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=p1", ["p1"]),
        ("name=p1&name=p4", ["p1", "p4"]),
        ("device_id=vm1", ["p1", "p3"]),
        ("device_id=vm0&admin_state_up=false", ["p4"]),
        ("admin_state_up=True&device_id=vm0", ["p0", "p2"]),
        ("fixed_ips=ip_address%3D10.0.0.3", ["p1"]),
        ("fixed_ips=ip_address%3D10.0.0.3&fixed_ips=ip_address%3D10.0.0.4", ["p1", "p2"]),
        ("name=", []),
        ("tenant_id=red&name=p0", ["p0"]),
        ("project_id=blue", []),
        ("status=DOWN&name=p0", ["p0"]),
    ],
)
def test_filters(api: Api, ports: list[dict[str, Any]], query: str, expected: list[str]) -> None:
    assert sorted(api.names("alice", f"/ports?{query}")) == expected


def test_filters_on_what_is_linked(api: Api, ports: list[dict[str, Any]]) -> None:
    group, subnet, mac = ports[0]["security_groups"][0], ports[0]["fixed_ips"][0]["subnet_id"], ports[2]["mac_address"]
    assert len(api.names("alice", f"/ports?security_groups={group}")) == 5
    assert len(api.names("alice", f"/ports?fixed_ips=subnet_id%3D{subnet}")) == 5
    assert api.names("alice", f"/ports?mac_address={mac.upper()}") == ["p2"]
    assert api.names("alice", f"/ports?network_id={ports[0]['network_id']}&id={ports[3]['id']}") == ["p3"]


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "binding:profile=x",
        "admin_state_up=perhaps",
        "sort_key=colour",
        "sort_key=fixed_ips",
        "sort_key=name&sort_dir=up",
        "sort_key=name&sort_key=id&sort_dir=asc&sort_dir=asc&sort_dir=asc",
        "limit=-1",
        "limit=many",
        "page_reverse=perhaps",
        "fixed_ips=10.0.0.3",
    ],
)
def test_questions_that_make_no_sense(api: Api, query: str) -> None:
    assert refused(api("alice", "GET", f"/ports?{query}")) == (400, "HTTPBadRequest")


def test_fields(api: Api, ports: list[dict[str, Any]]) -> None:
    (found,) = api.get("alice", "/ports?name=p1&fields=id&fields=tenant_id&fields=nonsense")["ports"]
    assert found == {"id": ports[1]["id"], "tenant_id": "red"}
    assert api.get("alice", f"/ports/{ports[1]['id']}?fields=name") == {"port": {"name": "p1"}}
    group = ports[0]["security_groups"][0]
    assert api.get("alice", f"/security-groups/{group}?fields=name")["security_group"] == {"name": "default"}
    rules = api.get("alice", f"/security-groups/{group}?fields=security_group_rules")["security_group"]
    assert len(rules["security_group_rules"]) == 4


def test_sorting(api: Api, ports: list[dict[str, Any]]) -> None:
    assert api.names("alice", "/ports?sort_key=name&sort_dir=desc") == ["p4", "p3", "p2", "p1", "p0"]
    query = "sort_key=device_id&sort_dir=desc&sort_key=name&sort_dir=asc"
    assert api.names("alice", f"/ports?{query}") == ["p1", "p3", "p0", "p2", "p4"]
    assert api.names("alice", "/ports?sort_key=device_id&sort_key=name") == ["p0", "p2", "p4", "p1", "p3"]


def test_walking_forward_and_back_by_the_links(api: Api, ports: list[dict[str, Any]]) -> None:
    page = api.get("alice", "/ports?sort_key=name&limit=2")
    pages = [page]
    while follow := link(page, "next"):
        page = api.client.request("GET", follow, headers={"X-Auth-Token": "alice"}).json()
        pages.append(page)
    assert [[port["name"] for port in page["ports"]] for page in pages] == [["p0", "p1"], ["p2", "p3"], ["p4"]]
    back = link(pages[2], "previous")
    assert back
    page = api.client.request("GET", back, headers={"X-Auth-Token": "alice"}).json()
    assert [port["name"] for port in page["ports"]] == ["p2", "p3"]


def link(page: Any, rel: str) -> str | None:
    return next((link["href"] for link in page.get("ports_links", ()) if link["rel"] == rel), None)


def test_pages_have_links_only_on_request(api: Api, ports: list[dict[str, Any]]) -> None:
    assert api.get("alice", "/ports").keys() == {"ports"}
    assert api.get("alice", "/ports?limit=0").keys() == {"ports"}
    assert link(api.get("alice", "/ports?limit=9"), "next") is None


def test_a_marker_that_is_not_there(api: Api) -> None:
    assert refused(api("alice", "GET", "/ports?limit=2&marker=nowhere")) == (404, "PortNotFound")


def test_pages_without_ids_lead_on_all_the_same(api: Api, ports: list[dict[str, Any]]) -> None:
    seen, path = [], "/ports?fields=name&limit=2&sort_key=name&sort_dir=asc"
    while path:
        answer = api("alice", "GET", path).json()
        assert all(set(port) == {"name"} for port in answer["ports"])
        seen += [port["name"] for port in answer["ports"]]
        following = [link["href"] for link in answer["ports_links"] if link["rel"] == "next"]
        path = following[0].partition("/v2.0")[2] if following else ""
    assert seen == [port["name"] for port in ports]
