"""What is below a load balancer, changed on two servers at once: all of it or nothing, and nothing is left of what
went."""

from typing import Any

import pytest

from .region import Region, Somebody, together
from .test_races_balancers import LB, ROUNDS, P, _active, _balancer

pytestmark = pytest.mark.postgres
DONE = {200, 201, 202, 204}


def _members(*addresses: str) -> dict[str, Any]:
    return {"members": [{"address": one, "protocol_port": 80} for one in addresses]}


async def _web(red: Somebody, subnet: str) -> tuple[str, str, str]:
    """A balancer, its listener and its pool."""
    pool = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", **_members("10.0.0.9")}
    listener = {"protocol": "HTTP", "protocol_port": 80, "default_pool": pool}
    id: str = (await _balancer(red, subnet, listeners=[listener]))["id"]
    tree = (await red("GET", f"{LB}/loadbalancers/{id}/status")).json()["statuses"]["loadbalancer"]
    return id, tree["listeners"][0]["id"], tree["listeners"][0]["pools"][0]["id"]


async def test_all_members_of_a_pool_are_one_requests(region: Region) -> None:
    red = await region.newcomer()
    _, subnet = await red.network()
    made = await _balancer(red, subnet, pools=[P | {"name": "p"}])
    path = f"{LB}/pools/{made['pools'][0]['id']}/members"
    sets = [[f"10.0.{number}.{at}" for at in range(1, 12)] for number in range(3)]
    for _ in range(ROUNDS):
        codes = await together(*(red("PUT", path, _members(*one)) for one in sets))
        assert 202 in codes
        assert set(codes) <= {202, 409}
        await _active(red, made["id"])
        assert sorted(one["address"] for one in await red.get(path)) in [sorted(one) for one in sets]


async def test_l7_policies_come_while_their_listener_goes(region: Region) -> None:
    red = await region.newcomer()
    _, subnet = await red.network()
    for _ in range(ROUNDS):
        balancer, listener, _ = await _web(red, subnet)
        policy = {"l7policy": {"listener_id": listener, "action": "REJECT", "position": 1}}
        first, second = (red("POST", f"{LB}/l7policies", policy) for _ in range(2))
        _, gone, _ = await together(first, red("DELETE", f"{LB}/listeners/{listener}"), second)
        await _active(red, balancer)
        there = await red.get(f"{LB}/l7policies?listener_id={listener}")
        assert sorted(one["position"] for one in there) == list(range(1, len(there) + 1))
        assert not there or gone == 409
        assert (await red("DELETE", f"{LB}/loadbalancers/{balancer}?cascade=true")).status_code == 204
    assert await red.get(f"{LB}/l7policies") == []


async def test_nothing_is_left_of_a_tree_that_goes(region: Region) -> None:
    red = await region.newcomer()
    _, subnet = await red.network()
    for _ in range(ROUNDS):
        balancer, listener, pool = await _web(red, subnet)
        path = f"{LB}/loadbalancers/{balancer}?cascade=true"
        policy = {"l7policy": {"listener_id": listener, "action": "REJECT"}}
        gone, *others = await together(
            red("DELETE", path),
            red("PUT", f"{LB}/pools/{pool}/members", _members("10.0.0.1", "10.0.0.2")),
            red("POST", f"{LB}/l7policies", policy),
            red("PUT", f"{LB}/pools/{pool}", {"pool": {"session_persistence": {"type": "SOURCE_IP"}}}),
        )
        assert set(others) <= DONE | {404, 409}
        if gone == 409:
            assert DONE & set(others)
            await _active(red, balancer)
            assert (await red("DELETE", path)).status_code == 204
        else:
            assert gone == 204
    for kind in ("loadbalancers", "listeners", "pools", "l7policies"):
        assert await red.get(f"{LB}/{kind}") == []
    assert await red.get("/ports") == []
