"""What a client may make long: as much as Neutron lets it, and looked at only after who asks and for what."""

import time
from typing import Any

import pytest
from tests.api.network.conftest import Api, refused

from netweft.api import body, checks, encoding
from netweft.control.security import address_groups

NOWHERE = "00000000-0000-4000-8000-000000000000"
PAIRS = [{"ip_address": f"10.0.{number >> 8}.{number & 255}"} for number in range(4000)]
ROUTES = [{"destination": f"10.{n >> 8}.{n & 255}.0/24", "nexthop": "192.0.2.9"} for n in range(4000)]
SERVERS = [f"10.1.{number >> 8}.{number & 255}" for number in range(4000)]
TAGS = [f"t{number}" for number in range(16_000)]


def test_as_many_as_neutron_allows_and_no_more(api: Api) -> None:
    network = api.network(cidr="192.0.2.0/24")
    subnet = api.get("alice", "/subnets")["subnets"][0]["id"]
    port = api.make("alice", "port", network_id=network["id"])["id"]
    most: list[tuple[str, dict[str, Any], int, str]] = [
        (f"/ports/{port}", {"port": {"allowed_address_pairs": PAIRS}}, 10, "AllowedAddressPairExhausted"),
        (f"/subnets/{subnet}", {"subnet": {"host_routes": ROUTES}}, 20, "HostRoutesExhausted"),
        (f"/subnets/{subnet}", {"subnet": {"dns_nameservers": SERVERS}}, 5, "DNSNameServersExhausted"),
    ]
    for path, change, limit, refusal in most:
        ((member, ((name, values),)),) = ((m, tuple(c.items())) for m, c in change.items())
        for many, expected in ((limit, 200), (limit + 1, 400), (len(values), 400)):
            answer = api("alice", "PUT", path, {member: {name: values[:many]}})
            assert answer.status_code == expected, answer.text[:300]
        assert refused(answer) == (400, refusal)
        assert len(api.get("alice", path)[member][name]) == limit


def test_fifty_tags(api: Api) -> None:
    path = f"/networks/{api.network()['id']}/tags"
    assert api("alice", "PUT", path, {"tags": TAGS[:50]}).status_code == 200
    assert api("alice", "PUT", f"{path}/{TAGS[0]}").status_code == 201
    assert refused(api("alice", "PUT", f"{path}/more")) == (400, "HTTPBadRequest")
    assert refused(api("alice", "PUT", path, {"tags": TAGS[:51]})) == (400, "HTTPBadRequest")
    assert api("alice", "DELETE", f"{path}/{TAGS[0]}").status_code == 204
    assert api("alice", "PUT", f"{path}/more").status_code == 201


def test_tags_are_looked_at_after_existence_and_policy(api: Api) -> None:
    """bob does not see the network, adam may not change it."""
    path = f"/networks/{api.network()['id']}/tags"
    bad = {"tags": ["a", "a"]}
    assert refused(api("alice", "PUT", f"/networks/{NOWHERE}/tags", bad))[0] == 404
    assert refused(api("bob", "PUT", path, bad))[0] == 404
    assert refused(api("adam", "PUT", path, bad)) == (403, "PolicyNotAuthorized")
    assert refused(api("alice", "PUT", path, bad))[0] == 400


def test_so_many_at_once(api: Api) -> None:
    most: list[dict[str, str]] = [{}] * body.BULK
    assert refused(api("alice", "POST", "/networks", {"networks": [*most, {}]})) == (400, "HTTPBadRequest")
    assert api("admin", "POST", "/networks", {"networks": most}).status_code == 201


@pytest.mark.parametrize("name", ["tags", "tags-any", "not-tags", "not-tags-any"])
def test_tags_to_filter_by(api: Api, name: str) -> None:
    path = f"/networks/{api.network()['id']}/tags"
    api("alice", "PUT", path, {"tags": TAGS[:50]})
    found = len(api.get("alice", f"/networks?{name}={','.join(TAGS[:50] * 2)}")["networks"])
    assert found == (0 if name.startswith("not") else 1)
    assert refused(api("alice", "GET", f"/networks?{name}={','.join(TAGS[:51])}"))[0] == 400
    assert refused(api("alice", "GET", "/networks?" + "&".join(f"{name}={tag}" for tag in TAGS[:1200])))[0] == 400


def test_all_of_many_tags(api: Api) -> None:
    """Counted once each, however often they are named."""
    made = [api.network()["id"] for _ in range(3)]
    for id, tags in zip(made, (["a"], ["a", "b"], ["a", "b", "c"]), strict=True):
        api("alice", "PUT", f"/networks/{id}/tags", {"tags": tags})
    for query, expected in (("tags=a,b", made[1:]), ("tags=a,b,a&tags=b", made[1:]), ("not-tags=b,c", made[:2])):
        assert {one["id"] for one in api.get("alice", f"/networks?{query}")["networks"]} == set(expected)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.list_of(checks.string(), unique=True, most=100_000), [str(n) for n in range(50_000)]),
        (checks.list_of(checks.dictionary, unique=True, most=100_000), [{"a": str(n)} for n in range(50_000)]),
    ],
)
def test_what_is_there_twice_is_found_in_linear_time(check: checks.Check, value: list[Any]) -> None:
    """The quadratic one took minutes."""
    started = time.process_time()
    assert check(value) == value
    with pytest.raises(checks.Invalid, match="Duplicate"):
        check([*value, value[0]])
    assert time.process_time() - started < 10


def test_an_answer_does_not_repeat_all_that_was_sent(api: Api) -> None:
    answer = api("alice", "POST", "/networks", {"network": {"name": "x" * 500_000}})
    assert (answer.status_code, len(answer.content) < 1000) == (400, True)


def test_an_address_group_has_an_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_groups, "MOST", 1096)
    group = api.make("alice", "address_group", name="a")["id"]
    for third, (size, status) in enumerate(((1000, 200), (96, 200), (1, 400))):
        addresses = [f"10.{third}.{number >> 8}.{number & 255}/32" for number in range(size)]
        answer = api("alice", "PUT", f"/address-groups/{group}/add_addresses", {"addresses": addresses})
        assert answer.status_code == status, answer.text[:200]


def test_prefixes_of_a_pool_are_kept_in_it(api: Api) -> None:
    before = [f"10.{number}.0.0/24" for number in range(0, 200, 2)]
    pool = api.make("alice", "subnetpool", name="p", prefixes=before)["id"]
    for prefixes, status in (
        ([*before, "192.0.2.0/24"], 200),
        ([*before, "10.0.0.0/16"], 400),
        ([*before[1:], "192.0.2.0/24"], 400),
        (["10.0.0.0/8", "192.0.2.0/25", "192.0.2.128/25"], 200),
        (["10.0.0.0/8"], 400),
    ):
        body = {"subnetpool": {"prefixes": prefixes}}
        assert api("alice", "PUT", f"/subnetpools/{pool}", body).status_code == status, prefixes


@pytest.mark.parametrize(
    "body",
    [
        '{"port":{"tags":[' + ",".join(['""'] * 300_000) + "]}}",
        '{"port":{"tags":[' + ",".join(["[]"] * 300_000) + "]}}",
        '{"port":{' + ",".join(f'"{number}":0' for number in range(80_000)) + "}}",
    ],
    ids=["values", "lists", "keys"],
)
def test_a_body_of_many_parts_is_refused_before_it_is_taken_apart(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 MiB of lists took more than a second of everybody's time."""
    monkeypatch.setattr(encoding, "_decode", None)
    with pytest.raises(encoding.Malformed, match="too many parts"):
        encoding.decode(body.encode())


def test_the_largest_bodies_that_anybody_needs_are_read() -> None:
    pairs = [{"ip_address": f"10.0.0.{number}", "mac_address": "fa:16:3e:00:00:01"} for number in range(10)]
    fixed = [{"ip_address": f"10.0.1.{number}", "subnet_id": "s"} for number in range(10)]
    port = {"network_id": "n", "allowed_address_pairs": pairs, "fixed_ips": fixed, "name": "x" * 255}
    for sent in ({"ports": [port] * 100}, {"address_group": {"addresses": ["2001:db8::/64"] * 4096}}):
        assert encoding.decode(encoding.encode(sent)) == sent
