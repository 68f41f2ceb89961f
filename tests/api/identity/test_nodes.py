"""Nodes' tokens: shown once, stored as a hash, void when rotated or removed."""

import asyncio

import pytest
from tests.api.identity.conftest import Alice, Caller

from netweft.plugins.identity.nodes import node_for_token
from netweft.store import Store

NODES = "/netweft/v1/nodes"


async def add(admin: Caller, name: str, *, rotate: bool = False) -> str:
    answer = await admin("POST", NODES, {"node": {"name": name, "rotate": rotate}})
    assert answer.status_code == 201
    assert answer.json()["node"]["name"] == name
    return str(answer.json()["node"]["token"])


async def node_of(store: Store, token: str) -> str | None:
    return await asyncio.to_thread(node_for_token, store, token)


async def test_a_token_is_for_one_node_until_it_is_rotated_or_removed(admin: Caller, store: Store) -> None:
    first, other = await add(admin, "hv1"), await add(admin, "hv2.example.org")
    assert [await node_of(store, token) for token in (first, other)] == ["hv1", "hv2.example.org"]
    assert (await admin("POST", NODES, {"node": {"name": "hv1"}})).status_code == 409
    second = await add(admin, "hv1", rotate=True)
    assert [await node_of(store, token) for token in (first, second)] == [None, "hv1"]
    assert [node["name"] for node in (await admin("GET", NODES)).json()["nodes"]] == ["hv1", "hv2.example.org"]
    assert [(await admin("DELETE", f"{NODES}/hv1")).status_code for _ in range(2)] == [204, 404]
    assert [await node_of(store, token) for token in (second, other)] == [None, "hv2.example.org"]


async def test_a_token_says_nothing_for_another_node(admin: Caller, store: Store) -> None:
    secret = (await add(admin, "hv1")).rpartition(".")[2]
    await add(admin, "hv2")
    for token in (secret, f"hv2.{secret}", "hv1.", "hv1", "", f"hv1.{secret}x"):
        assert await node_of(store, token) is None


async def test_neither_list_nor_database_knows_the_token(admin: Caller, store: Store) -> None:
    token = await add(admin, "hv1")
    with store.read() as tx:
        stored = str(tx.get("nodes", "hv1"))
    assert token.rpartition(".")[2] not in stored + (await admin("GET", NODES)).text


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 300, None, 5])
async def test_a_name_that_no_host_has(admin: Caller, name: object) -> None:
    answer = await admin("POST", NODES, {"node": {"name": name}})
    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == (400, "HTTPBadRequest")


async def test_only_admins(nobody: Caller, alice: Alice) -> None:
    assert [(await caller("GET", NODES)).status_code for caller in (nobody, alice.call)] == [401, 403]
