"""Lists of what the store does not keep by itself are asked as all others: QoS rules, the availability of addresses."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.store import Object, Store

from .conftest import Api, refused
from .test_qos import make_policy, make_rule

AVAILABLE = "/network-ip-availabilities"
DIRECTED: dict[str, Object] = {"bandwidth_limit": {"max_kbps": 900}, "packet_rate_limit": {"max_kpps": 900}}


def rules(api: Api, type: str, **owner: Any) -> tuple[str, list[Object]]:
    """The path of its rules, and both there can be of a type, by their ids."""
    policy = make_policy(api, **owner)
    made = [make_rule(api, policy, type, direction=way, **DIRECTED[type]) for way in ("egress", "ingress")]
    return f"/qos/policies/{policy['id']}/{type}_rules", sorted(made, key=lambda rule: str(rule["id"]))


def asked(api: Api, path: str, query: str, who: str = "admin") -> tuple[list[Object], dict[str, str]]:
    """What is listed, and where the links lead."""
    answer = api.get(who, f"{path}?{query}")
    links = {link["rel"]: link["href"] for name in answer if name.endswith("_links") for link in answer[name]}
    (found,) = (value for name, value in answer.items() if not name.endswith("_links"))
    return found, links


def walk(api: Api, path: str, query: str, rel: str) -> list[list[Object]]:
    """Page by page, as the links lead."""
    pages: list[list[Object]] = []
    found, links = asked(api, path, query)
    while rel in links and len(pages) < 9:
        pages.append(found)
        found, links = asked(api, path, urlsplit(links[rel]).query)
    return [*pages, found]


@pytest.mark.parametrize("type", DIRECTED)
def test_qos_rules(api: Api, type: str) -> None:
    path, (first, second) = rules(api, type)
    assert asked(api, path, "") == ([first, second], {})
    assert walk(api, path, "limit=1", "next") == [[first], [second], []]
    assert walk(api, path, "limit=1&page_reverse=true", "previous") == [[second], [first], []]
    assert asked(api, path, f"marker={first['id']}")[0] == [second]
    assert asked(api, path, f"marker={second['id']}&page_reverse=1")[0] == [first]
    (name,) = DIRECTED[type]
    by_direction = sorted((first, second), key=lambda rule: str(rule["direction"]), reverse=True)
    assert asked(api, path, f"sort_key={name}&sort_key=direction&sort_dir=desc")[0] == by_direction
    assert walk(api, path, "sort_key=direction&sort_dir=desc&limit=1", "next") == [[one] for one in by_direction] + [[]]
    assert asked(api, path, "sort_key=id&sort_dir=desc")[0] == [second, first]
    assert asked(api, path, "fields=direction&limit=1")[0] == [{"direction": first["direction"]}]
    assert walk(api, path, f"direction={second['direction']}&limit=1", "next") == [[second], []]
    assert asked(api, path, f"direction=egress&direction=ingress&{name}=900")[0] == [first, second]
    assert asked(api, path, f"marker={first['id']}&direction={first['direction']}")[0] == []


@pytest.mark.parametrize(
    "query",
    ["limit=x", "limit=-1", "sort_key=colour", "sort_dir=up", "colour=red", "page_reverse=maybe", "max_kbps=many"],
)
def test_bad_requests(api: Api, query: str) -> None:
    path, _ = rules(api, "bandwidth_limit")
    assert refused(api("admin", "GET", f"{path}?{query}")) == (400, "HTTPBadRequest")
    if query != "max_kbps=many":
        assert refused(api("admin", "GET", f"{AVAILABLE}?{query}")) == (400, "HTTPBadRequest")


def test_a_marker_reveals_nothing_of_hidden_rules(api: Api) -> None:
    """Of another policy, of another type, of a policy that is only shared; or of none at all."""
    path, mine = rules(api, "bandwidth_limit", project_id="red", name="mine", shared=False)
    _, others = rules(api, "bandwidth_limit", name="admins", shared=False)
    other_type = make_rule(api, {"id": path.split("/")[3]}, "dscp_marking", dscp_mark=46)
    shared, hidden = rules(api, "bandwidth_limit", name="shared", shared=True)
    for who, at, marker in [
        ("alice", path, others[0]["id"]),
        ("admin", path, others[0]["id"]),
        ("alice", path, other_type["id"]),
        ("alice", path, "nosuch"),
        ("alice", shared, hidden[0]["id"]),
        ("alice", shared, "nosuch"),
    ]:
        answer = api(who, "GET", f"{at}?marker={marker}&sort_key=max_kbps")
        assert refused(answer) == (404, "QosRuleNotFound")
        assert answer.text.replace(marker, "?") == api(who, "GET", f"{at}?marker=none").text.replace("none", "?")
    assert asked(api, shared, "limit=1", "alice")[0] == []
    assert asked(api, path, f"marker={mine[0]['id']}", "alice")[0] == mine[1:]
    assert refused(api("bob", "GET", f"{path}?marker={mine[0]['id']}")) == (404, "QosPolicyNotFound")


def test_the_availability_of_addresses(api: Api) -> None:
    ids = sorted(one["id"] for one in api.make_many("alice", "network", [{"name": f"n{n}"} for n in range(5)]))
    for id in ids[1:4]:
        api.make("alice", "subnet", network_id=id, ip_version=4, cidr="10.0.0.0/24")

    def paged(query: str, rel: str = "next") -> list[list[str]]:
        return [[one["network_id"] for one in page] for page in walk(api, AVAILABLE, query, rel)]

    assert paged("") == [ids]
    assert paged("limit=2") == [ids[:2], ids[2:4], ids[4:]]
    assert paged("limit=2&page_reverse=True", "previous") == [ids[3:], ids[1:3], ids[:1]]
    assert paged("limit=4&sort_key=network_id&sort_dir=desc") == [ids[::-1][:4], ids[:1]]
    assert paged("limit=2&ip_version=4") == [ids[1:3], ids[3:4]]
    assert paged("limit=2&ip_version=6") == [[]]
    assert paged(f"ip_version=4&marker={ids[0]}") == [ids[1:4]]
    assert paged(f"ip_version=4&network_id={ids[0]}&network_id={ids[2]}") == [ids[2:3]]
    shown, links = asked(api, AVAILABLE, "limit=1&fields=used_ips")
    assert (shown, list(links)) == ([{"used_ips": 0}], ["next", "previous"])
    assert api.get("admin", f"{AVAILABLE}/{ids[0]}?fields=total_ips") == {"network_ip_availability": {"total_ips": 0}}
    assert refused(api("admin", "GET", f"{AVAILABLE}?marker=nosuch")) == (404, "NetworkNotFound")
    assert refused(api("admin", "GET", f"{AVAILABLE}?sort_key=used_ips")) == (400, "HTTPBadRequest")
    for marker in (ids[0], "nosuch"):
        assert asked(api, AVAILABLE, f"marker={marker}", "alice") == ([], {})


def test_a_ports_bindings(api: Api, store: Store) -> None:
    for number in (1, 2, 3):
        with store.write() as tx:
            binding.node_connected(tx, f"hv{number}", NodeFacts(tunnel_ip=f"192.0.2.{number}"))
    network = api.network("alice", "10.0.0.0/24")
    port = api.make(
        "admin", "port", network_id=network["id"], device_owner="compute:nova", **{"binding:host_id": "hv2"}
    )
    path = f"/ports/{port['id']}/bindings"
    for host in ("hv3", "hv1"):
        assert api("admin", "POST", path, {"binding": {"host": host}}).status_code == 201
    first, second, third = asked(api, path, "")[0]
    assert [one["host"] for one in (first, second, third)] == ["hv1", "hv2", "hv3"]
    assert walk(api, path, "limit=2", "next") == [[first, second], [third]]
    assert walk(api, path, "limit=2&page_reverse=true", "previous") == [[second, third], [first]]
    assert asked(api, path, "marker=hv2")[0] == [third]
    assert asked(api, path, "status=ACTIVE")[0] == [second]
    assert asked(api, path, "host=hv1&host=hv3&limit=1") == ([first], asked(api, path, "host=hv1&host=hv3&limit=1")[1])
    assert asked(api, path, "fields=host&status=INACTIVE")[0] == [{"host": "hv1"}, {"host": "hv3"}]
    assert refused(api("admin", "GET", f"{path}?marker=hv9")) == (404, "PortBindingNotFound")
    for query in ("colour=red", "sort_key=host", "limit=x", "profile=x"):
        assert refused(api("admin", "GET", f"{path}?{query}")) == (400, "HTTPBadRequest")
    for marker in ("hv1", "hv9"):  # she may not see any, and is not told which there are
        assert api("alice", "GET", f"{path}?marker={marker}").status_code == 404
    assert api.get("alice", path) == {"bindings": []}


def test_rule_types(api: Api) -> None:
    path = "/qos/rule-types"
    types, links = asked(api, path, "")
    assert (types, links) == (sorted(types, key=lambda one: str(one["type"])), {})
    assert walk(api, path, "limit=3", "next") == [types[:3], types[3:]]
    assert walk(api, path, "all_rules=true&limit=5", "next")[1:] == [[]]
    assert asked(api, path, f"marker={types[0]['type']}&limit=1")[0] == types[1:2]
    assert asked(api, path, "type=dscp_marking")[0] == [{"type": "dscp_marking"}]
    assert refused(api("alice", "GET", f"{path}?marker=nosuch")) == (404, "NotFound")
    for query in ("colour=red", "sort_key=type", "all_rules=perhaps"):
        assert refused(api("alice", "GET", f"{path}?{query}")) == (400, "HTTPBadRequest")
