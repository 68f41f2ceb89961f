"""Hosts come, go and take over, told to two servers, while routers get gateways: every order is right in the end."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.examples import rounds

from netweft.control.l2 import binding
from netweft.control.l3 import gateway_hosts
from netweft.model import NodeFacts
from netweft.store import Object, Query, Store

from .region import Pair, Region, Somebody, number, two_servers

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)
HOSTS = [f"hv{n}" for n in range(6)]


@pytest.fixture(scope="module")
def pair(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Hosts are all that there are."""
    with two_servers(cluster, "race_of_hosts", tmp_path_factory.mktemp("race_of_hosts")) as pair:
        yield pair


@pytest.fixture
def stores(database_url: str, servers: object) -> Iterator[list[Store]]:
    found = [Store.open(database_url) for _ in range(2)]
    yield found
    for store in found:
        store.close()


def facts(host: str, *, able: bool) -> NodeFacts:
    ip = f"198.51.100.{HOSTS.index(host) + 1}"
    return NodeFacts(tunnel_ip=ip, bridge_mappings={"physnet9": "br-ex"} if able else {})


async def comes(store: Store, host: str, *, able: bool = True) -> None:
    await asyncio.to_thread(store.run, lambda tx: binding.node_connected(tx, host, facts(host, able=able)))


async def goes(store: Store, host: str) -> None:
    await asyncio.to_thread(store.run, lambda tx: binding.node_gone(tx, host))


async def takes_over(store: Store, host: str, port_id: str) -> None:
    await asyncio.to_thread(store.run, lambda tx: gateway_hosts.taken_over(tx, host, port_id))


async def outside(region: Region) -> Object:
    flat = {"provider:network_type": "flat", "provider:physical_network": "physnet9"}
    found = await region.admin.get("/networks?router:external=true")
    if found:
        return dict(found[0])
    made = await region.admin.make("network", **{"router:external": True}, **flat)
    await region.admin.make("subnet", network_id=made["id"], ip_version=4, cidr="10.0.0.0/8", enable_dhcp=False)
    return dict(made)


def check(store: Store) -> None:
    """Each gateway has who is there and able, three at most, the first is where it is bound, and each is led to it."""
    with store.read() as tx:
        agents = tx.query("agents", Query({"binary": ["netweft-agent"]}))
        able = {a["host"] for a in agents if (a["configurations"].get("bridge_mappings") or {}).get("physnet9")}
        there = {a["host"] for a in agents if a["host"] in able and not (a["status_detail"] or "").startswith("disc")}
        ports = tx.query("ports", Query({"device_owner": ["network:router_gateway"]}))
        held = {host: set(tx.held(gateway_hosts.scope(host))) for host in HOSTS}
    assert ports
    for port in ports:
        order = gateway_hosts.order(port)
        assert port["binding:host_id"] == next(iter(order), "")
        assert set(order) <= able
        assert set(order[1:]) <= there
        assert len(order) == min(gateway_hosts.MOST, len(there | set(order[:1])))
        assert {host for host in HOSTS if port["id"] in held[host]} == set(order)


async def gateway(region: Region, who: Somebody) -> str:
    external, whose = await outside(region), {"project_id": who.project}
    router = await region.admin.make("router", external_gateway_info={"network_id": external["id"]}, **whose)
    (port,) = await region.admin.get(f"/ports?device_id={router['id']}")
    return str(port["id"])


async def test_all_come_at_once(region: Region, stores: list[Store]) -> None:
    """While routers get their gateways: none is left without one, no host out of an order that it should be in."""
    await outside(region)
    await region.admin("PUT", f"/quotas/{region.red.project}", {"quota": {"router": -1}})
    for _ in range(ROUNDS):
        for host in HOSTS:
            await comes(stores[0], host, able=False)
        coming = [comes(stores[n % 2], host) for n, host in enumerate(HOSTS)]
        await asyncio.gather(*coming, *(gateway(region, region.red) for _ in range(4)))
        check(stores[0])


async def test_come_go_and_take_over(region: Region, stores: list[Store]) -> None:
    chance = random.Random(number())
    await region.admin("PUT", f"/quotas/{region.red.project}", {"quota": {"router": -1}})
    for host in HOSTS:
        await comes(stores[0], host)
    ports = [await gateway(region, region.red) for _ in range(4)]
    for _ in range(ROUNDS):
        events = [gateway(region, region.red)]
        for n in range(12):
            store, host = stores[n % 2], chance.choice(HOSTS[1:])  # one stays
            match chance.randrange(4):
                case 0:
                    events.append(comes(store, host))  # type: ignore[arg-type]
                case 1:
                    events.append(goes(store, host))  # type: ignore[arg-type]
                case 2:
                    events.append(comes(store, host, able=chance.random() < 0.5))  # type: ignore[arg-type]
                case 3:
                    events.append(takes_over(store, host, chance.choice(ports)))  # type: ignore[arg-type]
        await asyncio.gather(*events)
        check(stores[1])


async def test_several_take_over_at_once(region: Region, stores: list[Store]) -> None:
    """One of them is first then, and nobody is lost."""
    for host in HOSTS:
        await comes(stores[0], host)
    for _ in range(ROUNDS):
        port_id = await gateway(region, region.red)
        with stores[0].read() as tx:
            port = tx.get("ports", port_id)
            assert port is not None
        before = gateway_hosts.order(port)
        await asyncio.gather(*(takes_over(stores[n % 2], host, port_id) for n, host in enumerate(before[1:])))
        with stores[0].read() as tx:
            port = tx.get("ports", port_id)
            assert port is not None
        after = gateway_hosts.order(port)
        assert sorted(after) == sorted(before)
        assert after[0] in before[1:]
        check(stores[0])
