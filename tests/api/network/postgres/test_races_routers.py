"""What routers decide by, raced on two servers: it still holds when it is written, and nobody waits for a waiter."""

import asyncio
from ipaddress import ip_network
from itertools import combinations
from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, Somebody, number, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)


async def _unlimited(region: Region, who: Somebody) -> Somebody:
    unlimited = dict.fromkeys(("router", "network", "subnet"), -1)
    assert (await region.admin("PUT", f"/quotas/{who.project}", {"quota": unlimited})).status_code == 200
    return who


async def _subnet(red: Somebody, cidr: str = "", network: str = "", **values: Any) -> str:
    n = number()
    network = network or (await red.make("network"))["id"]
    cidr = cidr or f"10.{n // 250 % 250}.{n % 250}.0/24"
    values |= {"network_id": network, "ip_version": 6 if ":" in cidr else 4, "cidr": cidr}
    made: str = (await red.make("subnet", **values))["id"]
    return made


def _interface(red: Somebody, router: str, verb: str, **wanted: str) -> Any:
    return red("PUT", f"/routers/{router}/{verb}_router_interface", wanted)


async def _interfaces(red: Somebody, router: str) -> Any:
    return await red.get(f"/ports?device_id={router}")


async def test_the_same_subnet_twice(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        router, subnet = (await red.make("router"))["id"], await _subnet(red)
        codes = await together(*(_interface(red, router, "add", subnet_id=subnet) for _ in range(6)))
        assert sorted(codes) == [200] + [400] * 5
        assert len(await _interfaces(red, router)) == 1
        codes = await together(*(_interface(red, router, "remove", subnet_id=subnet) for _ in range(6)))
        assert sorted(codes) == [200] + [404] * 5
        assert (await red("DELETE", f"/routers/{router}")).status_code == 204


async def test_overlapping_subnets(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        router = (await red.make("router"))["id"]
        cidrs = ("10.8.0.0/24", "10.8.0.0/16", "10.8.0.128/25", "10.8.0.0/24")
        subnets = [await _subnet(red, cidr) for cidr in cidrs]
        codes = await together(*(_interface(red, router, "add", subnet_id=subnet) for subnet in subnets))
        there = {port["fixed_ips"][0]["subnet_id"] for port in await _interfaces(red, router)}
        prefixes = [ip_network(cidr) for cidr, subnet in zip(cidrs, subnets, strict=True) if subnet in there]
        assert len(there) == codes.count(200) >= 1
        assert not any(one.overlaps(other) for one, other in combinations(prefixes, 2))


async def test_two_routers_want_one_gateway_address(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        subnet = await _subnet(red)
        routers = [(await red.make("router"))["id"] for _ in range(3)]
        codes = await together(*(_interface(red, router, "add", subnet_id=subnet) for router in routers))
        assert sorted(codes) == [200, 409, 409]


async def test_a_subnet_is_deleted_while_it_is_added(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for modes in ({}, {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}):
        for _ in range(ROUNDS):
            router, subnet = (await red.make("router"))["id"], await _subnet(red, "fd00::/64" if modes else "", **modes)
            deleted, added = await together(
                red("DELETE", f"/subnets/{subnet}"), _interface(red, router, "add", subnet_id=subnet)
            )
            assert (deleted, added) in ((204, 404), (409, 200))
            assert len(await _interfaces(red, router)) == (added == 200)


async def test_a_gateway_is_changed_while_it_is_added(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        router, subnet = (await red.make("router"))["id"], await _subnet(red)
        gateway = {"subnet": {"gateway_ip": None}}
        changed, added = await together(
            red("PUT", f"/subnets/{subnet}", gateway), _interface(red, router, "add", subnet_id=subnet)
        )
        assert (changed, added) in ((200, 400), (409, 200))


async def test_a_router_is_deleted_while_an_interface_is_added(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        router, network = (await red.make("router"))["id"], (await red.make("network"))["id"]
        subnet = await _subnet(red, network=network)
        port = (await red.make("port", network_id=network))["id"]
        codes = await together(
            red("DELETE", f"/routers/{router}"),
            _interface(red, router, "add", subnet_id=subnet),
            _interface(red, router, "add", port_id=port),
        )
        left = await _interfaces(red, router)
        assert (codes[0] == 204) == (codes[1:] == [404, 404]), codes
        assert len(left) == sum(code == 200 for code in codes[1:])


async def test_a_port_is_taken_deleted_and_plugged_at_once(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        network = (await red.make("network"))["id"]
        await _subnet(red, network=network)
        port = (await red.make("port", network_id=network))["id"]
        routers = [(await red.make("router"))["id"] for _ in range(2)]
        deleted, given, *added = await together(
            red("DELETE", f"/ports/{port}"),
            red("PUT", f"/ports/{port}", {"port": {"device_id": "vm", "device_owner": "compute:nova"}}),
            *(_interface(red, router, "add", port_id=port) for router in routers),
        )
        assert added.count(200) <= 1
        assert (deleted == 204) or 200 in added, (deleted, given, added)
        assert not (deleted == 204 and 200 in added)
        assert not (given == 200 and 200 in added)


async def test_the_networks_of_a_router_are_kept(region: Region) -> None:
    """Whatever comes and goes at once, a router is attached to what its ports say, and nothing of it is left behind."""
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        router = (await red.make("router"))["id"]
        networks = [(await red.make("network"))["id"] for _ in range(3)]
        subnets = [await _subnet(red, network=network) for network in networks]
        await asyncio.gather(*(_interface(red, router, "add", subnet_id=subnet) for subnet in subnets[:2]))
        await asyncio.gather(
            _interface(red, router, "remove", subnet_id=subnets[0]),
            _interface(red, router, "add", subnet_id=subnets[2]),
            red("PUT", f"/routers/{router}", {"router": {"name": "x"}}),
            *(red("PUT", f"/subnets/{subnet}", {"subnet": {"name": "x"}}) for subnet in subnets),
        )
        ports = await _interfaces(red, router)
        assert {port["network_id"] for port in ports} == set(networks[1:])
        (shown,) = [one for one in await region.admin.get("/routers") if one["id"] == router]
        assert shown["name"] == "x"
        for port in ports:
            codes = await together(
                red("PUT", f"/ports/{port['id']}", {"port": {"name": "y"}}),
                _interface(red, router, "remove", port_id=port["id"]),
            )
            assert codes[1] == 200
        assert (await red("DELETE", f"/routers/{router}")).status_code == 204


async def test_routes_and_the_interface_that_they_need(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        router = (await red.make("router"))["id"]
        subnet = await _subnet(red, "10.20.0.0/24")
        await _interface(red, router, "add", subnet_id=subnet)
        route = {"destination": "10.30.0.0/16", "nexthop": "10.20.0.9"}
        routed, removed = await together(
            red("PUT", f"/routers/{router}/add_extraroutes", {"router": {"routes": [route]}}),
            _interface(red, router, "remove", subnet_id=subnet),
        )
        assert (routed, removed) in ((200, 409), (400, 200))


async def test_routes_are_added_one_by_one(region: Region) -> None:
    """That is what `extraroute-atomic` is for."""
    red = await _unlimited(region, region.red)
    router = (await red.make("router"))["id"]
    await _interface(red, router, "add", subnet_id=await _subnet(red, "10.20.0.0/24"))
    routes = [{"destination": f"10.{n}.0.0/16", "nexthop": "10.20.0.9"} for n in range(100, 140)]
    codes = await together(
        *(red("PUT", f"/routers/{router}/add_extraroutes", {"router": {"routes": [route]}}) for route in routes)
    )
    kept = (await red.get(f"/routers/{router}"))["routes"]
    assert sorted(codes) == [200] * 30 + [409] * 10, "the quota is exact"
    assert len(kept) == 30


async def test_the_quota_of_routers(region: Region) -> None:
    red = await region.newcomer()
    assert (await region.admin("PUT", f"/quotas/{red.project}", {"quota": {"router": 3}})).status_code == 200
    codes = await together(*(red("POST", "/routers", {"router": {}}) for _ in range(20)))
    assert sorted(codes) == [201] * 3 + [409] * 17


async def test_a_network_is_withdrawn_while_a_router_is_put_on_it(region: Region) -> None:
    red, blue = region.red, await _unlimited(region, region.blue)
    for _ in range(ROUNDS):
        network = (await red.make("network"))["id"]
        subnet = await _subnet(red, network=network)
        entry = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
        made = await red.make("rbac_policy", target_tenant=blue.project, **entry)
        router = (await blue.make("router"))["id"]
        withdrawn, added = await together(
            red("DELETE", f"/rbac-policies/{made['id']}"), _interface(blue, router, "add", subnet_id=subnet)
        )
        assert (withdrawn, added) in ((204, 404), (409, 200)), (withdrawn, added)


# -- gateways


def _gateway(who: Somebody, router: str, network: str | None, **values: Any) -> Any:
    info = {"network_id": network} | values if network else None
    return who("PUT", f"/routers/{router}", {"router": {"external_gateway_info": info}})


async def _external(region: Region, **values: Any) -> str:
    network: str = (await region.admin.make("network", **{"router:external": True}))["id"]
    n = number()
    cidr = f"198.{18 + n // 250 % 2}.{n % 250}.0/24"
    await region.admin.make("subnet", network_id=network, ip_version=4, cidr=cidr, **values)
    return network


async def _agrees(region: Region, router: str) -> Any:
    """What the router says of its gateway, which is what the port says."""
    shown = (await region.admin.get(f"/routers/{router}"))["external_gateway_info"]
    ports = await region.admin.get(f"/ports?device_id={router}&device_owner=network:router_gateway")
    said = [(shown["network_id"], shown["external_fixed_ips"])] if shown else []
    assert [(port["network_id"], port["fixed_ips"]) for port in ports] == said
    return shown


async def test_a_network_is_no_longer_external_while_it_becomes_a_gateways(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        network, router = await _external(region), (await red.make("router"))["id"]
        off, set = await together(
            region.admin("PUT", f"/networks/{network}", {"network": {"router:external": False}}),
            _gateway(red, router, network),
        )
        assert (off, set) in ((200, 404), (409, 200))
        assert bool(await _agrees(region, router)) == (set == 200)


async def test_an_entry_is_withdrawn_while_it_is_needed(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        network, router = await _external(region), (await red.make("router"))["id"]
        (entry,) = await region.admin.get(f"/rbac-policies?object_id={network}")
        withdrawn, set = await together(
            region.admin("DELETE", f"/rbac-policies/{entry['id']}"), _gateway(red, router, network)
        )
        assert (withdrawn, set) in ((204, 404), (409, 200))


async def test_one_gateway_however_often_it_is_set(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        networks = [await _external(region) for _ in range(2)]
        router = (await red.make("router"))["id"]
        codes = await together(
            *(_gateway(red, router, network) for network in [*networks, *networks, None]),
            red("PUT", f"/routers/{router}", {"router": {"name": "x"}}),
        )
        assert set(codes) == {200}
        await _agrees(region, router)
        codes = await together(_gateway(red, router, networks[0]), red("DELETE", f"/routers/{router}"))
        assert codes[1] == 204
        assert await region.admin.get(f"/ports?device_id={router}") == []


async def test_gateways_change_places(region: Region) -> None:
    """Each gives back addresses of the network that the other gets some of."""
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        networks, routers = (
            [await _external(region) for _ in range(2)],
            [(await red.make("router"))["id"] for _ in "xy"],
        )
        for way in (networks, networks[::-1], networks):
            codes = await together(*(_gateway(red, *both) for both in zip(routers, way, strict=True)))
            assert codes == [200, 200]
        for router in routers:
            await _agrees(region, router)


async def test_the_same_external_address(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        pool = [{"start": "198.51.100.9", "end": "198.51.100.9"}]
        network = (await region.admin.make("network", **{"router:external": True}))["id"]
        cidr = {"cidr": "198.51.100.0/24", "allocation_pools": pool}
        await region.admin.make("subnet", network_id=network, ip_version=4, **cidr)
        routers = [(await red.make("router"))["id"] for _ in range(4)]
        codes = await together(*(_gateway(red, router, network) for router in routers))
        assert sorted(codes) == [200, 409, 409, 409]
        asked = {"external_fixed_ips": [{"ip_address": "198.51.100.77"}]}
        codes = await together(*(_gateway(region.admin, router, network, **asked) for router in routers))
        assert sorted(codes) == [200, 409, 409, 409]
        for router in routers:
            await _agrees(region, router)


async def test_subnets_come_and_go_while_gateways_do(region: Region) -> None:
    red, admin = await _unlimited(region, region.red), region.admin
    for n in range(ROUNDS):
        network = await _external(region)
        routers = [(await red.make("router"))["id"] for _ in range(3)]
        await _gateway(red, routers[0], network)
        await _gateway(red, routers[1], network)
        modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"} if n % 2 else {}
        six = {"network_id": network, "ip_version": 6, "cidr": f"2001:db8:{n}::/64"} | modes
        codes = await together(
            admin("POST", "/subnets", {"subnet": six}),
            _gateway(red, routers[1], None),
            _gateway(red, routers[2], network),
            red("PUT", f"/routers/{routers[0]}", {"router": {"description": "x"}}),
        )
        assert codes == [201, 200, 200, 200]
        infos = [await _agrees(region, router) for router in routers]
        assert [info and len(info["external_fixed_ips"]) for info in infos] == [2, None, 2]
        if modes:
            (made,) = await admin.get(f"/subnets?network_id={network}&ip_version=6")
            (port,) = await admin.get(f"/ports?device_id={routers[0]}")
            codes = await together(
                admin("DELETE", f"/subnets/{made['id']}"),
                admin("PUT", f"/ports/{port['id']}", {"port": {"name": "x"}}),
                _gateway(red, routers[2], None),
            )
            assert codes == [204, 200, 200]
            assert [await _agrees(region, router) is None for router in routers] == [False, True, True]


async def test_an_interface_or_a_gateway_that_overlap(region: Region) -> None:
    red = await _unlimited(region, region.red)
    for _ in range(ROUNDS):
        network = (await region.admin.make("network", **{"router:external": True}))["id"]
        await region.admin.make("subnet", network_id=network, ip_version=4, cidr="203.0.113.0/24")
        router, subnet = (await red.make("router"))["id"], await _subnet(red, "203.0.113.128/25")
        codes = await together(_gateway(red, router, network), _interface(red, router, "add", subnet_id=subnet))
        assert sorted(codes) == [200, 400]
        await _agrees(region, router)
