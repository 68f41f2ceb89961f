"""Address scopes on two servers: what a pool is checked against stays so until it is in."""

from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, Somebody, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(4)
FOUR = "ipv4_address_scope"


def _move(who: Somebody, pool: str, scope: str | None) -> Any:
    return who("PUT", f"/subnetpools/{pool}", {"subnetpool": {"address_scope_id": scope}})


async def _scope(who: Somebody) -> str:
    made: str = (await who.make("address_scope", ip_version=4))["id"]
    return made


async def _pool(who: Somebody, *prefixes: str, **values: Any) -> str:
    made = await who.make("subnetpool", name="p", prefixes=list(prefixes), default_prefixlen=24, **values)
    return str(made["id"])


async def test_pools_that_overlap(region: Region) -> None:
    for _ in range(ROUNDS):
        scope = await _scope(region.red)
        pools = [await _pool(region.red, prefix) for prefix in ("10.0.0.0/16", "10.0.0.0/15", "10.0.9.0/24")]
        codes = await together(*(_move(region.red, pool, scope) for pool in pools))
        assert sorted(codes) == [200, 409, 409]
        body = {"name": "p", "prefixes": ["10.4.0.0/16"], "address_scope_id": scope}
        codes = await together(*(region.red("POST", "/subnetpools", {"subnetpool": body}) for _ in range(4)))
        assert sorted(codes) == [201, 409, 409, 409]


async def test_a_scope_goes_while_a_pool_comes(region: Region) -> None:
    for _ in range(ROUNDS):
        scope, pool = await _scope(region.red), await _pool(region.red, "10.0.0.0/16")
        gone, moved = await together(region.red("DELETE", f"/address-scopes/{scope}"), _move(region.red, pool, scope))
        assert (gone, moved) in ((204, 404), (409, 200))


async def test_a_scope_is_withdrawn_while_a_pool_comes(region: Region) -> None:
    for _ in range(ROUNDS):
        scope, pool = await _scope(region.red), await _pool(region.blue, "10.0.0.0/16")
        entry = {"object_type": "address_scope", "object_id": scope, "action": "access_as_shared"}
        made = await region.red.make("rbac_policy", target_tenant=region.blue.project, **entry)
        withdrawn, moved = await together(
            region.red("DELETE", f"/rbac-policies/{made['id']}"), _move(region.blue, pool, scope)
        )
        assert (withdrawn, moved) in ((204, 404), (409, 200))


async def test_networks_say_what_their_pools_say(region: Region) -> None:
    red = await region.newcomer()
    for _ in range(ROUNDS):
        scopes = [await _scope(red) for _ in range(2)]
        pool = await _pool(red, "10.0.0.0/16")
        networks = [(await red.make("network"))["id"] for _ in range(3)]
        cut = {"ip_version": 4, "subnetpool_id": pool}
        await red.make("subnet", network_id=networks[0], **cut)
        codes = await together(
            *(_move(red, pool, scope) for scope in scopes),
            *(red("POST", "/subnets", {"subnet": cut | {"network_id": network}}) for network in networks[1:]),
            red("PUT", f"/networks/{networks[0]}", {"network": {"name": "x"}}),
        )
        assert codes == [200, 200, 201, 201, 200]
        said = (await red.get(f"/subnetpools/{pool}"))["address_scope_id"]
        assert [(await red.get(f"/networks/{network}"))[FOUR] for network in networks] == [said] * 3
        (subnet,) = (await red.get(f"/networks/{networks[1]}"))["subnets"]
        codes = await together(_move(red, pool, None), red("DELETE", f"/subnets/{subnet}"))
        assert codes == [200, 204]
        assert [(await red.get(f"/networks/{network}"))[FOUR] for network in networks] == [None] * 3
