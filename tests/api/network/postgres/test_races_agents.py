"""A gateway is moved through agents on two servers, while agents are switched off and routers go."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.examples import rounds

from netweft.control.l2 import binding
from netweft.model import NodeFacts
from netweft.store import Store

from .region import Pair, Region, together, two_servers

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)
HOSTS = ("hv1", "hv2", "hv3")


@pytest.fixture(scope="module")
def pair(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Hosts are all that there are."""
    with two_servers(cluster, "race_of_agents", tmp_path_factory.mktemp("race_of_agents")) as pair:
        yield pair


@pytest.fixture
def store(database_url: str, servers: object) -> Iterator[Store]:
    found = Store.open(database_url)
    yield found
    found.close()


async def agents(region: Region, store: Store) -> dict[str, str]:
    """host -> its agent's id."""
    for number, host in enumerate(HOSTS):
        facts = NodeFacts(tunnel_ip=f"198.51.100.{number + 1}", bridge_mappings={"physnet9": "br-ex"})
        await asyncio.to_thread(store.run, lambda tx, host=host, facts=facts: binding.node_connected(tx, host, facts))
    return {one["host"]: one["id"] for one in await region.admin.get("/agents") if one["host"] in HOSTS}


async def network(region: Region) -> str:
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet9"}
    found = await region.admin.get("/networks?router:external=true")
    made = found[0] if found else await region.admin.make("network", **{"router:external": True}, **flat)
    if not found:
        await region.admin.make("subnet", network_id=made["id"], ip_version=4, cidr="10.0.0.0/8", enable_dhcp=False)
    return str(made["id"])


def move(region: Region, agent: str, router: str) -> Any:
    return region.admin("POST", f"/agents/{agent}/l3-routers", {"router_id": router})


async def where(region: Region, router: str) -> str:
    (port,) = await region.admin.get(f"/ports?device_id={router}")
    assert (port["status"] == "ACTIVE") == bool(port["binding:host_id"])
    return str(port["binding:host_id"])


async def test_moves_side_by_side(region: Region, store: Store) -> None:
    known, external = await agents(region, store), await network(region)
    for _ in range(ROUNDS):
        router = (await region.red.make("router", external_gateway_info={"network_id": external}))["id"]
        codes = await together(*(move(region, known[host], router) for host in HOSTS for _ in range(2)))
        assert set(codes) == {201}
        assert await where(region, router) in HOSTS
        off, moved, removed = await together(
            region.admin("PUT", f"/agents/{known['hv1']}", {"agent": {"admin_state_up": False}}),
            move(region, known["hv2"], router),
            region.admin("DELETE", f"/agents/{known['hv3']}/l3-routers/{router}"),
        )
        assert (off, moved) == (200, 201)
        assert removed in (204, 409)
        assert await where(region, router) in ("hv2", "hv3")
        on = region.admin("PUT", f"/agents/{known['hv1']}", {"agent": {"admin_state_up": True}})
        gone, moved, on_again = await together(
            region.red("DELETE", f"/routers/{router}"), move(region, known["hv1"], router), on
        )
        assert (gone, on_again) == (204, 200)
        assert moved in (201, 404)
        assert await region.admin.get(f"/ports?device_id={router}") == []
