"""QoS policies of floating IPs and gateways on two servers: none names one that is gone, or not theirs any more."""

from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, number, together

pytestmark = pytest.mark.postgres
ROUNDS = rounds(3)


async def _external(region: Region) -> str:
    network: str = (await region.admin.make("network", **{"router:external": True}))["id"]
    await region.admin.make("subnet", network_id=network, ip_version=4, cidr=f"198.18.{number() % 250}.0/24")
    return network


async def _policy(region: Region, **values: Any) -> str:
    made: str = (await region.admin.make("policy", name="p", **values))["id"]
    return made


async def test_a_policy_goes_while_it_is_taken(region: Region) -> None:
    outside = await _external(region)
    floating = (await region.red.make("floatingip", floating_network_id=outside))["id"]
    router = (await region.red.make("router"))["id"]
    for n in range(ROUNDS):
        policy = await _policy(region, shared=True)
        info = {"external_gateway_info": {"network_id": outside, "qos_policy_id": policy}}
        take = (
            region.red("PUT", f"/routers/{router}", {"router": info})
            if n % 2
            else region.red("PUT", f"/floatingips/{floating}", {"floatingip": {"qos_policy_id": policy}})
        )
        gone, taken = await together(region.admin("DELETE", f"/qos/policies/{policy}"), take)
        assert (gone, taken) in ((204, 404), (409, 200))


async def test_a_policy_is_withdrawn_while_it_is_taken(region: Region) -> None:
    outside = await _external(region)
    for n in range(ROUNDS):
        policy = await _policy(region)
        entry = {"object_type": "qos_policy", "object_id": policy, "action": "access_as_shared"}
        shared = await region.admin.make("rbac_policy", target_tenant=region.red.project, **entry)
        body = {"floating_network_id": outside, "qos_policy_id": policy}
        info = {"external_gateway_info": {"network_id": outside, "qos_policy_id": policy}}
        make = (
            region.red("POST", "/routers", {"router": info})
            if n % 2
            else region.red("POST", "/floatingips", {"floatingip": body})
        )
        withdrawn, made = await together(region.admin("DELETE", f"/rbac-policies/{shared['id']}"), make)
        assert (withdrawn, made) in ((204, 404), (409, 201))
