"""The API over PostgreSQL: the life of each resource once more, and many requests at the same time."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from netweft.api.app import routes
from netweft.settings import ServerSettings
from netweft.store import Store

from ..conftest import Api, authenticate
from ..ipam.test_subnetpools import pool, test_its_life, test_no_two_overlap, test_the_default_one
from ..security.test_security_groups import test_an_address_group, test_templates_are_seen_by_all_and_changed_by_admins
from ..test_any_input import (
    resources,
    sent,
    test_a_nested_profile,
    test_bodies,
    test_changes_of_what_is_there,
    test_questions,
    test_questions_with_large_numbers,
    test_what_was_a_fault_once,
)
from ..test_crud import test_if_match, test_the_life_of_an_object
from ..test_explain import test_by_name, test_everything_is_named, test_the_facts_of_a_port, there
from ..test_lists import ports, test_filters, test_walking_forward_and_back_by_the_links
from ..test_policy import test_what_belongs_to_others_is_not_there
from ..test_qos import test_a_port_shows_its_own_policy_and_its_networks, test_a_rules_life
from ..test_rbac import test_a_network_is_used_by_those_it_is_shared_with, test_what_is_shared_is_seen_and_not_touched
from ..test_tags import networks, test_lists

__all__ = [
    "networks",
    "pool",
    "ports",
    "resources",
    "sent",
    "test_a_nested_profile",
    "test_a_network_is_used_by_those_it_is_shared_with",
    "test_a_port_shows_its_own_policy_and_its_networks",
    "test_a_rules_life",
    "test_an_address_group",
    "test_bodies",
    "test_by_name",
    "test_changes_of_what_is_there",
    "test_everything_is_named",
    "test_filters",
    "test_if_match",
    "test_its_life",
    "test_lists",
    "test_no_two_overlap",
    "test_questions",
    "test_questions_with_large_numbers",
    "test_templates_are_seen_by_all_and_changed_by_admins",
    "test_the_default_one",
    "test_the_facts_of_a_port",
    "test_the_life_of_an_object",
    "test_walking_forward_and_back_by_the_links",
    "test_what_belongs_to_others_is_not_there",
    "test_what_is_shared_is_seen_and_not_touched",
    "test_what_was_a_fault_once",
    "there",
]
pytestmark = pytest.mark.postgres


async def test_many_at_once_on_two_servers(postgres_url: str) -> None:
    """No address, no MAC and no VNI twice; a full subnet is full; the default group is one."""
    stores = [Store.open(postgres_url) for _ in range(2)]
    apps = [Starlette(routes=routes(store, authenticate, ServerSettings())) for store in stores]
    clients = [
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://netweft.test/v2.0", headers={"X-Auth-Token": "alice"}
        )
        for app in apps
    ]
    made = await asyncio.gather(*(clients[n % 2].post("/networks", json={"network": {}}) for n in range(10)))
    network = made[0].json()["network"]["id"]
    subnet = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/27"}
    assert (await clients[0].post("/subnets", json={"subnet": subnet})).status_code == 201
    body = {"port": {"network_id": network}}
    answers = await asyncio.gather(*(clients[n % 2].post("/ports", json=body) for n in range(40)))
    found = [answer.json()["port"] for answer in answers if answer.status_code == 201]
    assert sorted(answer.status_code for answer in answers) == [201] * 29 + [409] * 11
    assert len({port["fixed_ips"][0]["ip_address"] for port in found}) == 29
    assert len({port["mac_address"] for port in found}) == 29
    assert len({group for port in found for group in port["security_groups"]}) == 1
    with stores[0].read() as tx:
        assert len({one["provider:segmentation_id"] for one in tx.query("networks")}) == 10
    for client, store in zip(clients, stores, strict=True):
        await client.aclose()
        await asyncio.to_thread(store.close)


async def test_many_subnets_at_once_of_one_pool(postgres_url: str) -> None:
    """On two servers: no two overlap, and when the pool is empty those that are left hear of it."""
    stores = [Store.open(postgres_url) for _ in range(2)]
    apps = [Starlette(routes=routes(store, authenticate, ServerSettings())) for store in stores]
    headers = {"X-Auth-Token": "alice"}
    clients = [
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://netweft.test/v2.0", headers=headers)
        for app in apps
    ]
    body = {"subnetpool": {"name": "p", "prefixes": ["10.0.0.0/21"], "default_prefixlen": 24}}
    pool = (await clients[0].post("/subnetpools", json=body)).json()["subnetpool"]["id"]
    networks = (await clients[0].post("/networks", json={"networks": [{}] * 12})).json()["networks"]
    wanted = [{"network_id": one["id"], "ip_version": 4, "subnetpool_id": pool} for one in networks]
    answers = await asyncio.gather(
        *(clients[n % 2].post("/subnets", json={"subnet": one}) for n, one in enumerate(wanted))
    )
    made = [answer.json()["subnet"]["cidr"] for answer in answers if answer.status_code == 201]
    assert sorted(made) == [f"10.0.{n}.0/24" for n in range(8)]
    assert sorted(answer.status_code for answer in answers) == [201] * 8 + [409] * 4
    for client, store in zip(clients, stores, strict=True):
        await client.aclose()
        await asyncio.to_thread(store.close)


def test_reading_waits_for_nobody(store: Store, api: Api) -> None:
    network = api.network()
    with store.write() as tx:
        tx.lock("networks", network["id"])
        assert api("alice", "GET", f"/networks/{network['id']}").status_code == 200


async def test_a_network_that_goes_while_ports_come(postgres_url: str) -> None:
    """Whoever is second hears why; nobody hears of a fault of ours, and nothing is left half done."""
    store = Store.open(postgres_url)
    app = Starlette(routes=routes(store, authenticate, ServerSettings()))
    transport = httpx.ASGITransport(app)
    headers = {"X-Auth-Token": "alice"}
    async with httpx.AsyncClient(transport=transport, base_url="http://netweft.test/v2.0", headers=headers) as client:
        for _ in range(8):
            id = (await client.post("/networks", json={"network": {}})).json()["network"]["id"]
            body = {"port": {"network_id": id}}
            *made, gone = await asyncio.gather(
                *(client.post("/ports", json=body) for _ in range(3)), client.delete(f"/networks/{id}")
            )
            assert {answer.status_code for answer in made} <= {201, 404}
            assert gone.status_code == (204 if all(answer.status_code == 404 for answer in made) else 409)
    await asyncio.to_thread(store.close)
