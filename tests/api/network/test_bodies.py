"""Bodies that are not what they should be: the right refusal, and nothing changed."""

from collections.abc import Iterator
from typing import Any

import pytest

from netweft.store import Store

from .conftest import Api, MakeApi, refused


@pytest.fixture(autouse=True)
def nothing_changes(api: Api, store: Store) -> Iterator[None]:
    def revision() -> int:
        with store.read() as tx:
            return tx.revision()

    before = revision()
    yield
    assert revision() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"null", b"{}", b"\xff\xfe", b"[" * 2000])
def test_what_is_no_json_object(api: Api, content: bytes) -> None:
    answer = api.client.request("POST", "/v2.0/networks", content=content, headers={"X-Auth-Token": "alice"})
    assert refused(answer) == (400, "HTTPBadRequest")


@pytest.mark.parametrize(
    "body",
    [
        {"network": []},
        {"network": None},
        {"networks": {}},
        {"networks": []},
        {"networks": [3]},
        {"port": {}},
        {"network": {}, "more": 1},
        {"network": {"name": 5}},
        {"network": {"name": "x" * 256}},
        {"network": {"name": "a\x00b"}},
        {"network": {"admin_state_up": "perhaps"}},
        {"network": {"shared": []}},
        {"network": {"id": "5283fb86-4c69-46d0-8ea0-43533bbee357"}},
        {"network": {"status": "ACTIVE"}},
        {"network": {"mtu": -1}},
        {"network": {"mtu": 10**30}},
        {"network": {"project_id": "red", "tenant_id": "blue"}},
        {"network": {"project_id": "blue"}},
    ],
)
def test_networks_that_cannot_be(api: Api, body: Any) -> None:
    assert refused(api("alice", "POST", "/networks", body)) == (400, "HTTPBadRequest")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/networks", {"network": {"colour": "red"}}, "Unrecognized attribute(s) 'colour'"),
        ("/ports", {"port": {}}, "Failed to parse request. Required attribute 'network_id' not specified"),
        ("/networks", {"network": {"status": "UP"}}, "Attribute 'status' not allowed in POST"),
        ("/networks", {"network": {"name": 5}}, "Invalid input for name. Reason: '5' is not a valid string."),
        (
            "/networks",
            {"network": {"provider:physical_network": None}},
            "Invalid input for provider:physical_network. Reason: 'None' is not a valid string.",
        ),
    ],
)
def test_the_words(api: Api, path: str, body: Any, message: str) -> None:
    assert api("alice", "POST", path, body).json()["NeutronError"]["message"] == message


@pytest.mark.parametrize(
    "values",
    [
        {"cidr": "10.0.0.0"},
        {"cidr": "nonsense"},
        {"cidr": 7},
        {"ip_version": 5},
        {"gateway_ip": "10.0.0.300"},
        {"allocation_pools": [{"start": "10.0.0.1"}]},
        {"allocation_pools": [{"start": "10.0.0.1", "end": "10.0.0.2", "more": 1}]},
        {"allocation_pools": "10.0.0.1-10.0.0.9"},
        {"dns_nameservers": ["example.org"]},
        {"dns_nameservers": ["9.9.9.9", "9.9.9.9"]},
        {"host_routes": [{"destination": "10.0.0.0/8"}]},
        {"host_routes": [{"destination": "10.1.0.0/8", "nexthop": "10.0.0.9"}]},
        {"host_routes": [{"destination": "127.0.0.0/8", "nexthop": "10.0.0.9"}]},
        {"ipv6_ra_mode": "always"},
    ],
)
def test_subnets_that_cannot_be(api: Api, values: Any) -> None:
    subnet = {"network_id": "5283fb86-4c69-46d0-8ea0-43533bbee357", "ip_version": 4, "cidr": "10.0.0.0/24"} | values
    assert refused(api("alice", "POST", "/subnets", {"subnet": subnet})) == (400, "HTTPBadRequest")


@pytest.mark.parametrize(
    "values",
    [
        {"network_id": "nonsense"},
        {"mac_address": "fa:16:3e:00:00"},
        {"mac_address": "FF-FF-FF-FF-FF-FF"},
        {"mac_address": 7},
        {"fixed_ips": {"ip_address": "10.0.0.1"}},
        {"fixed_ips": [{}]},
        {"fixed_ips": [{"ip_address": "10.0.0.1"}, {"ip_address": "10.0.0.1"}]},
        {"fixed_ips": [{"ip_address": "10.0.0.1", "subnet": "x"}]},
        {"security_groups": ["web"]},
        {"allowed_address_pairs": [{"mac_address": "fa:16:3e:00:00:01"}]},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.300"}]},
        {"allowed_address_pairs": [{"ip_address": "10.0.0.3", "mac_address": "01:00:5e:00:00:01"}]},
        {"binding:vnic_type": "magic"},
        {"binding:profile": "x"},
    ],
)
def test_ports_that_cannot_be(api: Api, values: Any) -> None:
    port = {"network_id": "5283fb86-4c69-46d0-8ea0-43533bbee357"} | values
    assert refused(api("admin", "POST", "/ports", {"port": port})) == (400, "HTTPBadRequest")


def test_a_body_that_is_too_large(make_api: MakeApi) -> None:
    api = make_api(max_body_bytes=1000)
    answer = api("alice", "POST", "/networks", {"network": {"name": "x" * 1000}})
    assert answer.status_code == 413


def test_a_network_that_is_not_there(api: Api) -> None:
    port = {"network_id": "5283fb86-4c69-46d0-8ea0-43533bbee357"}
    assert refused(api("alice", "POST", "/ports", {"port": port})) == (404, "NetworkNotFound")
    assert refused(api("admin", "POST", "/ports", {"port": port})) == (404, "NetworkNotFound")
