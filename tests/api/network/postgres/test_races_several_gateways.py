"""Gateways of one router that come and go on two servers: the router says what its ports are, and never too many."""

import pytest
from tests.examples import rounds

from netweft.control.l3.more_gateways import MOST
from netweft.store import Object

from .region import Region, Somebody, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(2)


async def _external(region: Region, cidr: str) -> str:
    made = (await region.admin.make("network", **{"router:external": True}))["id"]
    await region.admin.make("subnet", network_id=made, cidr=cidr, ip_version=4)
    return str(made)


def _change(who: Somebody, router: str, verb: str, *networks: str) -> object:
    body: Object = {"router": {"external_gateways": [{"network_id": one} for one in networks]}}
    return who("PUT", f"/routers/{router}/{verb}_external_gateways", body)


async def _agrees(region: Region, router: str) -> int:
    """How many there are."""
    told = await region.admin.get(f"/routers/{router}")
    ports = await region.admin.get(f"/ports?device_id={router}")
    as_ports = [(port["network_id"], port["fixed_ips"]) for port in ports]
    gateways = [(one["network_id"], one["external_fixed_ips"]) for one in told["external_gateways"]]
    assert sorted(map(repr, as_ports)) == sorted(map(repr, gateways))
    first = told["external_gateway_info"]
    assert (first and first["network_id"]) == (gateways[0][0] if gateways else None)
    return len(gateways)


async def test_gateways_come_and_go_together(region: Region) -> None:
    one, two = await _external(region, "198.18.0.0/24"), await _external(region, "198.18.1.0/24")
    for _ in range(ROUNDS):
        router = str((await region.red.make("router"))["id"])
        codes = await together(
            *(_change(region.red, router, "add", network) for network in (one, two) for _ in range(4)),
            *(_change(region.red, router, "update", two, one) for _ in range(2)),
            *(_change(region.red, router, "remove", network) for network in (one, two)),
        )
        assert set(codes) <= {200, 400}
        await _agrees(region, router)
        assert await together(_change(region.red, router, "update")) == [200]
        assert await _agrees(region, router) == 0
        assert (await region.red("DELETE", f"/routers/{router}")).status_code == 204


async def test_never_too_many(region: Region) -> None:
    network = await _external(region, "198.18.2.0/24")
    router = str((await region.red.make("router"))["id"])
    codes = await together(*(_change(region.red, router, "add", network, network, network) for _ in range(8)))
    assert set(codes) == {200, 400}
    assert await _agrees(region, router) == codes.count(200) * 3 <= MOST
