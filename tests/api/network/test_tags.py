"""Tags: of any resource, one by one and together, and lists that ask for them."""

import pytest

from .conftest import Api, refused


@pytest.fixture
def networks(api: Api) -> dict[str, str]:
    """name -> id; each has the tags that its name is made of."""
    made = {name: api.network(name=name)["id"] for name in ("a", "ab", "abc", "c")}
    for name, id in made.items():
        assert api("alice", "PUT", f"/networks/{id}/tags", {"tags": list(name)}).json() == {"tags": list(name)}
    return made


def test_one_by_one(api: Api) -> None:
    network = api.network()
    path = f"/networks/{network['id']}/tags"
    assert network["tags"] == []
    for tag in ("red", "blue", "red"):
        assert api("alice", "PUT", f"{path}/{tag}").status_code == 201
    assert api.get("alice", path) == {"tags": ["red", "blue"]}
    assert api("alice", "GET", f"{path}/red").status_code == 204
    assert api("alice", "DELETE", f"{path}/red").status_code == 204
    assert refused(api("alice", "GET", f"{path}/red")) == (404, "TagNotFound")
    assert refused(api("alice", "DELETE", f"{path}/red")) == (404, "TagNotFound")
    assert api.get("alice", f"/networks/{network['id']}")["network"]["tags"] == ["blue"]
    assert api("alice", "DELETE", path).status_code == 204
    assert api.get("alice", path) == {"tags": []}


def test_several_are_added(api: Api) -> None:
    path = f"/networks/{api.network()['id']}/tags"
    for tags in (["red", "blue"], ["blue", "green"]):
        answer = api("alice", "POST", path, {"tags": tags})
        assert (answer.status_code, answer.json()) == (201, {"tags": tags})
    assert api.get("alice", path) == {"tags": ["red", "blue", "green"]}
    assert refused(api("alice", "POST", path, {"tags": ["x,y"]})) == (400, "HTTPBadRequest")
    assert refused(api("alice", "POST", path, {"tags": [f"{n}" for n in range(50)]})) == (400, "HTTPBadRequest")
    assert refused(api("adam", "POST", path, {"tags": ["x"]})) == (403, "PolicyNotAuthorized")


def test_ports_come_with_tags(api: Api) -> None:
    network = {"network_id": api.network()["id"]}
    made = api.make_many("alice", "port", [network | {"tags": ["web"]}, network, network | {"tags": []}])
    assert [port["tags"] for port in made] == [["web"], [], []]
    assert len(api.get("alice", "/ports?tags=web")["ports"]) == 1
    for tags in (["x"] * 2, ["x,y"], "x"):
        assert refused(api("alice", "POST", "/ports", {"port": network | {"tags": tags}})) == (400, "HTTPBadRequest")
    changed = {"port": {"tags": ["other"]}}
    assert refused(api("alice", "PUT", f"/ports/{made[0]['id']}", changed)) == (400, "HTTPBadRequest")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tags=a", ["a", "ab", "abc"]),
        ("tags=a,b", ["ab", "abc"]),
        ("tags-any=b,c", ["ab", "abc", "c"]),
        ("not-tags=a,b", ["a", "c"]),
        ("not-tags-any=b,c", ["a"]),
        ("tags=a&not-tags=c", ["a", "ab"]),
    ],
)
def test_lists(api: Api, networks: dict[str, str], query: str, expected: list[str]) -> None:
    assert api.names("alice", f"/networks?{query}&sort_key=name") == expected


def test_what_cannot_be(api: Api) -> None:
    network = api.network()
    path = f"/networks/{network['id']}/tags"
    for tags in (["x,y"], [""], ["x"] * 2, [5], "x", ["x" * 256]):
        assert refused(api("alice", "PUT", path, {"tags": tags})) == (400, "HTTPBadRequest")
    assert refused(api("adam", "PUT", path, {"tags": ["x"]})) == (403, "PolicyNotAuthorized")
    assert refused(api("bob", "GET", path)) == (404, "NetworkNotFound")
    assert api.get("alice", path) == {"tags": []}
