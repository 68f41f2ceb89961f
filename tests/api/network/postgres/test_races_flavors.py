"""Flavors on two servers: what a router or a flavor names is there when it is written."""

from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(4)


async def _made(region: Region, member: str, **values: Any) -> str:
    answer = await region.admin("POST", f"/{member}s", {member: values})
    assert answer.status_code == 201, answer.text
    return str(answer.json()[member]["id"])


async def test_a_flavor_goes_while_a_router_comes(region: Region) -> None:
    profile = await _made(region, "service_profile", driver="netweft")
    for _ in range(ROUNDS):
        flavor = await _made(region, "flavor", service_type="L3_ROUTER_NAT", service_profiles=[profile])
        gone, made = await together(
            region.admin("DELETE", f"/flavors/{flavor}"),
            region.red("POST", "/routers", {"router": {"flavor_id": flavor, "name": flavor}}),
        )
        assert (gone, made) in ((204, 404), (409, 201))
        for router in await region.red.get(f"/routers?name={flavor}"):
            assert (await region.red("DELETE", f"/routers/{router['id']}")).status_code == 204


async def test_a_profile_goes_or_changes_while_a_flavor_takes_it(region: Region) -> None:
    flavor = await _made(region, "flavor", service_type="L3_ROUTER_NAT")
    for n in range(ROUNDS):
        profile = await _made(region, "service_profile", driver="netweft")
        path, bound = f"/service_profiles/{profile}", f"/flavors/{flavor}/service_profiles"
        off = {"service_profile": {"enabled": False}}
        changed, *added = await together(
            region.admin("PUT", path, off) if n % 2 else region.admin("DELETE", path),
            *(region.admin("POST", bound, {"service_profile": {"id": profile}}) for _ in range(2)),
        )
        if changed == 409 or changed == 200:
            assert sorted(added) == [201, 409]
        else:
            assert (changed, added) == (204, [404, 404])
