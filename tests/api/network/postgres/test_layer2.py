"""Segments, bindings and trunks over PostgreSQL: the same tests, and races for one port."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from netweft.api.app import routes
from netweft.settings import ServerSettings
from netweft.store import Store

from ..conftest import authenticate
from ..l2.test_port_bindings import port, test_a_move
from ..l2.test_segments import (
    api,
    test_an_external_network_is_seen_by_all_and_made_by_admins,
    test_ranges_are_admins_business,
    test_ranges_are_refused_in_neutrons_words,
    test_refusals_are_neutrons_and_leave_nothing_behind,
)
from ..l2.test_trunks import ports, sub, test_a_trunks_life

__all__ = [
    "api",
    "port",
    "ports",
    "test_a_move",
    "test_a_trunks_life",
    "test_an_external_network_is_seen_by_all_and_made_by_admins",
    "test_ranges_are_admins_business",
    "test_ranges_are_refused_in_neutrons_words",
    "test_refusals_are_neutrons_and_leave_nothing_behind",
]
pytestmark = pytest.mark.postgres


class Alice:
    def __init__(self, store: Store) -> None:
        app = Starlette(routes=routes(store, authenticate, ServerSettings()))
        headers = {"X-Auth-Token": "alice"}
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://netweft.test/v2.0", headers=headers
        )

    async def make(self, member: str, **values: Any) -> Any:
        answer = await self._client.post(f"/{member}s", json={member: values})
        assert answer.status_code == 201, answer.text
        return answer.json()[member]

    async def status(self, method: str, path: str, body: Any = None) -> int:
        return (await self._client.request(method, path, json=body)).status_code

    async def get(self, path: str) -> Any:
        return (await self._client.get(path)).json()


async def test_a_port_that_two_trunks_want_is_part_of_one(store: Store) -> None:
    alice = Alice(store)
    network = await alice.make("network")
    parents = [await alice.make("port", network_id=network["id"]) for _ in range(2)]
    trunks = [await alice.make("trunk", port_id=parent["id"]) for parent in parents]
    for number in range(5):
        wanted = await alice.make("port", network_id=network["id"])
        body = {"sub_ports": [sub(wanted, 10 + number)]}
        paths = [f"/trunks/{trunk['id']}/add_subports" for trunk in trunks]
        answers = await asyncio.gather(
            *(alice.status("PUT", path, body) for path in paths), alice.status("DELETE", f"/ports/{wanted['id']}")
        )
        if answers[2] == 204:
            assert answers[:2] == [404, 404]
        else:
            assert sorted(answers[:2]) == [200, 409]
    held = [one["port_id"] for trunk in (await alice.get("/trunks"))["trunks"] for one in trunk["sub_ports"]]
    assert len(held) == len(set(held))
    owned = [port["id"] for port in (await alice.get("/ports?device_owner=trunk:subport"))["ports"]]
    assert sorted(owned) == sorted(held)
