"""Filters, tags, fields, sorting and pages of lists."""

from typing import Any

from tests.api.lb.conftest import Lb, refused

from netweft.api.lb.descriptions import KINDS


def names(lb: Lb, query: str) -> list[str]:
    return [one["name"] for one in lb.get(f"/loadbalancers?{query}")]


def test_lists(lb: Lb) -> None:
    subnet = lb.network()["id"]
    for name, tags in (("b", ["x", "y"]), ("a", ["x"]), ("c", [])):
        lb.balancer(vip_subnet_id=subnet, name=name, tags=tags, admin_state_up=name != "c")
    assert names(lb, "sort=name:desc") == ["c", "b", "a"]
    assert names(lb, "sort_key=name&sort_dir=asc") == ["a", "b", "c"]
    assert names(lb, "name=b") == ["b"]
    assert names(lb, "admin_state_up=false") == ["c"]
    assert names(lb, "operating_status=OFFLINE&sort=name") == ["c"]
    assert names(lb, "provisioning_status=ACTIVE&sort=name&tags=x,y") == ["b"]
    assert names(lb, "tags-any=x,y&sort=name") == ["a", "b"]
    assert names(lb, "not-tags=x,y&sort=name") == ["a", "c"]
    assert names(lb, "not-tags-any=x&sort=name") == ["c"]
    assert names(lb, f"vip_subnet_id={subnet}&sort=name") == ["a", "b", "c"]
    assert lb.get("/loadbalancers?fields=name&fields=id&name=a")[0].keys() == {"name", "id"}
    url, pages = "/loadbalancers?limit=2&sort=name", []
    while url:
        answer = lb.net.client.request(
            "GET", f"/load-balancer/v2.0/lbaas{url}", headers={"X-Auth-Token": "alice"}
        ).json()
        pages.append([one["name"] for one in answer["loadbalancers"]])
        following = [link["href"] for link in answer["loadbalancers_links"] if link["rel"] == "next"]
        url = following[0].partition("/lbaas")[2] if following else ""
    assert pages == [["a", "b"], ["c"]]
    for query in ("color=blue", "sort=color", "sort=name:up", "limit=x", "marker=nobody", "admin_state_up=perhaps"):
        assert refused(lb("alice", "GET", f"/loadbalancers?{query}"))[0] == 400, query


def test_every_attribute_that_can_be_filtered_by(lb: Lb) -> None:
    """A balancer's own values find it, and it alone."""
    subnet = lb.network()["id"]
    pool = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "name": "p"}
    member = {"address": "10.0.0.9", "protocol_port": 80, "name": "m", "monitor_port": 9, "monitor_address": "10.0.0.8"}
    monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1, "name": "h"}
    rule = {"type": "HEADER", "key": "k", "compare_type": "EQUAL_TO", "value": "v"}
    policies = [{"action": "REDIRECT_TO_URL", "redirect_url": "http://a/", "rules": [rule], "name": "y"}]
    pool |= {"members": [member], "healthmonitor": monitor}  # type: ignore[dict-item]
    listener = {"protocol": "HTTP", "protocol_port": 80, "name": "l", "default_pool": pool, "l7policies": policies}
    made: Any = lb.balancer(vip_subnet_id=subnet, name="b", listeners=[listener])
    pool_id, policy_id = made["pools"][0]["id"], made["listeners"][0]["l7policies"][0]["id"]
    parents = {"pools": pool_id, "l7policies": policy_id}
    for kind in KINDS:
        path = (
            f"/{kind.collection}"
            if kind.parent is None
            else f"/{kind.parent[1]}/{parents[kind.parent[1]]}/{kind.collection}"
        )
        (one,) = lb.get(path)
        for name, field in kind.fields.items():
            value = one.get(name)
            if field.filter and field.shown and value not in (None, ""):
                assert lb.get(f"{path}?{name}={value}") == [one], (kind.member, name)
            if field.sort and field.shown:
                assert lb.get(f"{path}?sort={name}:desc") == [one], (kind.member, name)
    assert len(lb.get(f"/pools?loadbalancer_id={made['id']}")) == 1
    assert lb.get("/pools?loadbalancer_id=12345678-0000-4000-8000-000000000000") == []
