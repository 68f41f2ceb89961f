"""Floating IPs raced on two servers: one address, one place, and nothing that leads through what is gone."""

import asyncio
from typing import Any, NamedTuple

import pytest
from tests.examples import rounds

from netweft.control.l3 import associations
from netweft.model.router import LED, LED_ON
from netweft.store import Object, Store

from .region import Region, Somebody, number, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)


class Place(NamedTuple):
    outside: str
    router: str
    subnet: str
    network: str
    ports: list[str]


async def _place(region: Region, red: Somebody, ports: int = 2) -> Place:
    unlimited = dict.fromkeys(("router", "network", "subnet", "floatingip"), -1)
    assert (await region.admin("PUT", f"/quotas/{red.project}", {"quota": unlimited})).status_code == 200
    outside = (await region.admin.make("network", **{"router:external": True}))["id"]
    n = number()
    await region.admin.make("subnet", network_id=outside, ip_version=4, cidr=f"198.18.{n % 250}.0/24")
    network, subnet = await red.network(f"10.0.{n % 250}.0/24")
    router = (await red.make("router", external_gateway_info={"network_id": outside}))["id"]
    added = await red("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    assert added.status_code == 200
    return Place(
        outside, router, subnet, network, [(await red.make("port", network_id=network))["id"] for _ in range(ports)]
    )


def _make(who: Somebody, at: Place, **values: Any) -> Any:
    return who("POST", "/floatingips", {"floatingip": {"floating_network_id": at.outside} | values})


async def _made(who: Somebody, at: Place, **values: Any) -> str:
    id: str = (await who.make("floatingip", floating_network_id=at.outside, **values))["id"]
    return id


def _lead(who: Somebody, id: str, port: str | None) -> Any:
    return who("PUT", f"/floatingips/{id}", {"floatingip": {"port_id": port}})


async def _sound(region: Region, at: Place) -> dict[str, Any]:
    """Those there are, by id: each with a port for its address, leading where no other one does, by what is there."""
    found = [one for one in await region.admin.get("/floatingips") if one["floating_network_id"] == at.outside]
    ports = await region.admin.get(f"/ports?network_id={at.outside}&device_owner=network:floatingip")
    assert {port["device_id"]: port["fixed_ips"][0]["ip_address"] for port in ports} == {
        one["id"]: one["floating_ip_address"] for one in found
    }
    led = [(one["port_id"], one["fixed_ip_address"]) for one in found if one["port_id"]]
    assert len(led) == len(set(led))
    for one in found:
        assert (one["router_id"] is None) == (one["port_id"] is None) == (one["fixed_ip_address"] is None)
        if one["port_id"]:
            port = await region.admin.get(f"/ports/{one['port_id']}")
            assert one["fixed_ip_address"] in {fixed["ip_address"] for fixed in port["fixed_ips"]}
            router = await region.admin.get(f"/routers/{one['router_id']}")
            assert router["external_gateway_info"]["network_id"] == at.outside
    return {one["id"]: one for one in found}


async def test_the_same_address(region: Region) -> None:
    at = await _place(region, region.red, 0)
    for n in range(ROUNDS):
        (subnet,) = await region.admin.get(f"/subnets?network_id={at.outside}")
        wanted = subnet["cidr"].replace("0/24", str(100 + n))
        codes = await together(*(_make(region.admin, at, floating_ip_address=wanted) for _ in range(5)))
        assert sorted(codes) == [201] + [409] * 4
    await _sound(region, at)


async def test_several_want_to_lead_to_one_port(region: Region) -> None:
    red = region.red
    for _ in range(ROUNDS):
        at = await _place(region, red, 1)
        free = [await _made(red, at) for _ in range(3)]
        codes = await together(
            *(_lead(red, id, at.ports[0]) for id in free), *(_make(red, at, port_id=at.ports[0]) for _ in range(3))
        )
        assert sum(code in (200, 201) for code in codes) == 1
        assert sum(code == 409 for code in codes) == 5
        assert sum(bool(one["port_id"]) for one in (await _sound(region, at)).values()) == 1


async def test_one_is_led_to_several_ports(region: Region) -> None:
    red = region.red
    for _ in range(ROUNDS):
        at = await _place(region, red, 3)
        one, other = await _made(red, at), await _made(red, at, port_id=at.ports[0])
        codes = await together(
            *(_lead(red, one, port) for port in at.ports[1:]),
            _lead(red, other, None),
            _lead(red, other, at.ports[2]),
            _lead(red, one, None),
        )
        assert set(codes) <= {200, 409}
        there = await _sound(region, at)
        for port in at.ports:
            leading = [id for id, one in there.items() if one["port_id"] == port]
            deleted = await red("DELETE", f"/ports/{port}")
            assert deleted.status_code == 204
            assert {(await red.get(f"/floatingips/{id}"))["port_id"] for id in leading} <= {None}


async def test_its_port_is_deleted_or_changed_meanwhile(region: Region) -> None:
    red = region.red
    for n in range(2 * ROUNDS):
        at = await _place(region, red, 1)
        one, port = await _made(red, at), at.ports[0]
        path, body = f"/ports/{port}", {"port": {"fixed_ips": [{"subnet_id": at.subnet, "ip_address": ""}]}}
        prefix = (await red.get(f"/subnets/{at.subnet}"))["cidr"].rpartition(".")[0]
        body["port"]["fixed_ips"][0]["ip_address"] = f"{prefix}.200"
        other = red("DELETE", path) if n % 2 else red("PUT", path, body)
        led, changed = await together(_lead(red, one, port), other)
        if n % 2:
            assert (led, changed) in ((200, 204), (404, 204))
        else:
            assert (led, changed) in ((200, 200), (200, 400))
        await _sound(region, at)


async def test_its_router_leaves_meanwhile(region: Region) -> None:
    red = region.red
    for n in range(2 * ROUNDS):
        at = await _place(region, red, 1)
        one, path = await _made(red, at), f"/routers/{at.router}"
        leaves = (
            red("PUT", path, {"router": {"external_gateway_info": None}})
            if n % 2
            else red("PUT", f"{path}/remove_router_interface", {"subnet_id": at.subnet})
        )
        led, left = await together(_lead(red, one, at.ports[0]), leaves)
        assert (led, left) in ((200, 409), (404, 200)), (led, left)
        await _sound(region, at)


async def test_all_at_once(region: Region) -> None:
    """Whatever wins, what is left makes sense, and all of it can be deleted."""
    red = region.red
    for _ in range(ROUNDS):
        at = await _place(region, red, 2)
        first, second = await _made(red, at, port_id=at.ports[0]), await _made(red, at)
        beside = (await red.make("router", external_gateway_info={"network_id": at.outside}))["id"]
        port = (await red.make("port", network_id=at.network))["id"]
        await together(
            _lead(red, second, at.ports[1]),
            _lead(red, first, at.ports[1]),
            red("DELETE", f"/floatingips/{first}"),
            red("PUT", f"/routers/{beside}/add_router_interface", {"port_id": port}),
            red("DELETE", f"/ports/{at.ports[0]}"),
            red("PUT", f"/ports/{at.ports[1]}", {"port": {"name": "x"}}),
            _make(red, at, port_id=at.ports[1]),
            red("PUT", f"/routers/{at.router}", {"router": {"name": "x"}}),
        )
        for id in await _sound(region, at):
            assert (await red("DELETE", f"/floatingips/{id}")).status_code == 204
        for router in (at.router, beside):
            for left in await red.get(f"/ports?device_id={router}&network_id={at.network}"):
                named = {"port_id": left["id"]}
                assert (await red("PUT", f"/routers/{router}/remove_router_interface", named)).status_code == 200
            assert (await red("DELETE", f"/routers/{router}")).status_code == 204
        assert await region.admin.get(f"/ports?network_id={at.outside}") == []


async def test_who_has_it_alone_while_it_is_led_elsewhere(region: Region, database_url: str) -> None:
    """Nodes tell two servers of each time that it was led somewhere, late: only what is said of the last one counts, by
    the host where its port is."""
    red, hosts = region.red, ("hv1", "hv2")
    at = await _place(region, red, 2)
    for port, host in zip(at.ports, hosts, strict=True):
        path, bound = f"/ports/{port}", {"port": {"binding:host_id": host}}
        assert (await region.admin("PUT", path, bound)).status_code == 200
    one, stores = await _made(red, at), [Store.open(database_url) for _ in hosts]

    def row() -> Object:
        with stores[0].read() as tx:
            found = tx.get("floatingips", one)
        assert found is not None
        return found

    async def says(store: Store, host: str, led: int) -> None:
        await asyncio.to_thread(store.run, lambda tx: associations.has_alone(tx, host, one, led))

    try:
        for n in range(4 * ROUNDS):
            led = row().get(LED, 0)
            said = (
                says(store, host, led + more) for store, host in zip(stores, hosts, strict=True) for more in range(3)
            )
            asked = (_lead(red, one, port) for port in (at.ports[n % 2], at.ports[(n + 1) % 2]))
            answers = await asyncio.gather(*said, *asked)
            assert {answer.status_code for answer in answers[-2:]} <= {200, 409}
            found = row()
            there = hosts[at.ports.index(found["port_id"])]
            assert led <= found[LED] <= led + 2
            assert found[LED_ON] in (there, "*")
            await says(stores[n % 2], there, found[LED] - 1)
            assert row()[LED_ON] == found[LED_ON], "of a time before"
            await says(stores[n % 2], there, found[LED])
            assert row()[LED_ON] == there
    finally:
        for store in stores:
            store.close()


async def test_the_network_goes_meanwhile(region: Region) -> None:
    red = region.red
    for n in range(2 * ROUNDS):
        at = await _place(region, red, 0)
        await red("PUT", f"/routers/{at.router}", {"router": {"external_gateway_info": None}})
        one = await _made(red, at)
        path = f"/networks/{at.outside}"
        goes = (
            region.admin("DELETE", path)
            if n % 2
            else region.admin("PUT", path, {"network": {"router:external": False}})
        )
        gone, made, deleted = await together(goes, _make(red, at), red("DELETE", f"/floatingips/{one}"))
        assert gone in (200, 204)
        assert made in (201, 404)
        assert deleted in (204, 404)
        assert await _sound(region, at) == {}


async def test_the_quota(region: Region) -> None:
    red = await region.newcomer()
    at = await _place(region, red, 0)
    assert (await region.admin("PUT", f"/quotas/{red.project}", {"quota": {"floatingip": 3}})).status_code == 200
    codes = await together(*(_make(red, at) for _ in range(12)))
    assert sorted(codes) == [201] * 3 + [409] * 9
    assert len(await _sound(region, at)) == 3
