"""Load balancers on two servers: quotas are exact, a port is one listener's, and nobody joins what goes."""

import asyncio
from typing import Any

import pytest
from tests.examples import rounds

from .region import Region, Somebody, together

pytestmark = pytest.mark.postgres
LB = "/load-balancer/v2/lbaas"
P: dict[str, Any] = {"protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}
ROUNDS = rounds(3)


async def _active(red: Somebody, id: str) -> None:
    async with asyncio.timeout(30):
        while (await red("GET", f"{LB}/loadbalancers/{id}")).json()["loadbalancer"]["provisioning_status"] != "ACTIVE":
            await asyncio.sleep(0.01)


async def _balancer(red: Somebody, subnet: str, **more: Any) -> Any:
    answer = await red("POST", f"{LB}/loadbalancers", {"loadbalancer": {"vip_subnet_id": subnet} | more})
    assert answer.status_code == 201, answer.text
    made = answer.json()["loadbalancer"]
    await _active(red, made["id"])
    return made


async def test_a_quota_is_exact(region: Region) -> None:
    red = await region.newcomer()
    _, subnet = await red.network()
    quota = f"{LB}/quotas/{red.project}"
    assert (await region.admin("PUT", quota, {"quota": {"loadbalancer": 3}})).status_code == 202
    body = {"loadbalancer": {"vip_subnet_id": subnet}}
    codes = await together(*(red("POST", f"{LB}/loadbalancers", body) for _ in range(8)))
    assert sorted(codes) == [201] * 3 + [403] * 5
    ports = await red.get("/ports")
    assert len(ports) == 3


async def test_one_change_at_a_time(region: Region) -> None:
    """Whoever is second finds it changing, or the port taken; never two on one port."""
    red = await region.newcomer()
    _, subnet = await red.network()
    balancer = (await _balancer(red, subnet))["id"]
    for port in range(1, ROUNDS + 1):
        body = {"listener": {"loadbalancer_id": balancer, "protocol": "TCP", "protocol_port": port}}
        codes = await together(*(red("POST", f"{LB}/listeners", body) for _ in range(4)))
        assert sorted(codes) == [201, 409, 409, 409]
        await _active(red, balancer)
    listeners = await red.get(f"{LB}/listeners")
    assert sorted(one["protocol_port"] for one in listeners) == list(range(1, ROUNDS + 1))


async def test_it_goes_while_somebody_joins(region: Region) -> None:
    red = await region.newcomer()
    _, subnet = await red.network()
    for n in range(ROUNDS):
        pools = [P | {"name": "p", "members": [{"address": "10.0.0.9", "protocol_port": 1}]}]
        made = await _balancer(red, subnet, pools=pools)
        pool = made["pools"][0]["id"]
        join = (
            red("POST", f"{LB}/pools", {"pool": P | {"loadbalancer_id": made["id"]}})
            if n % 2
            else red("POST", f"{LB}/pools/{pool}/members", {"member": {"address": "10.0.0.8", "protocol_port": 1}})
        )
        gone, joined = await together(red("DELETE", f"{LB}/loadbalancers/{made['id']}?cascade=true"), join)
        assert (gone, joined) in ((204, 404), (204, 409), (409, 201))
        if gone == 409:
            await _active(red, made["id"])
            assert (await red("DELETE", f"{LB}/loadbalancers/{made['id']}?cascade=true")).status_code == 204
    for kind in ("loadbalancers", "pools"):
        assert await red.get(f"{LB}/{kind}") == []
    assert await red.get("/ports") == []


async def test_the_network_goes_while_a_vip_comes(region: Region) -> None:
    red = await region.newcomer()
    for _ in range(ROUNDS):
        network, subnet = await red.network()
        body = {"loadbalancer": {"vip_subnet_id": subnet}}
        gone, made = await together(red("DELETE", f"/networks/{network}"), red("POST", f"{LB}/loadbalancers", body))
        assert (gone, made) in ((204, 400), (409, 201))


async def test_one_port_is_one_balancers(region: Region) -> None:
    red = await region.newcomer()
    network, _ = await red.network()
    for _ in range(ROUNDS):
        port = (await red.make("port", network_id=network))["id"]
        body = {"loadbalancer": {"vip_port_id": port}}
        codes = await together(*(red("POST", f"{LB}/loadbalancers", body) for _ in range(2)))
        assert sorted(codes) == [201, 400]


async def test_what_a_vip_takes_goes_or_is_withdrawn_meanwhile(region: Region) -> None:
    red, blue = region.red, region.blue
    _, subnet = await red.network()
    for _ in range(ROUNDS):
        group = (await red.make("security_group", name="g"))["id"]
        policy = (await region.admin.make("policy", name="p", shared=True))["id"]
        network, theirs = await blue.network()
        entry = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
        made = await blue.make("rbac_policy", **entry, target_tenant=red.project)
        for going, wanted in (
            (red("DELETE", f"/security-groups/{group}"), {"vip_subnet_id": subnet, "vip_sg_ids": [group]}),
            (
                region.admin("DELETE", f"/qos/policies/{policy}"),
                {"vip_subnet_id": subnet, "vip_qos_policy_id": policy},
            ),
            (blue("DELETE", f"/rbac-policies/{made['id']}"), {"vip_subnet_id": theirs}),
        ):
            codes = await together(going, red("POST", f"{LB}/loadbalancers", {"loadbalancer": wanted}))
            assert tuple(codes) in ((204, 400), (409, 201))


async def test_a_port_is_a_vip_or_in_a_trunk(region: Region) -> None:
    network, _ = await region.red.network()
    for number in range(ROUNDS):
        port, other = [(await region.red.make("port", network_id=network))["id"] for _ in range(2)]
        sub = {"port_id": port, "segmentation_type": "vlan", "segmentation_id": 5}
        trunk = {"port_id": other, "sub_ports": [sub]} if number % 2 else {"port_id": port}
        vip = region.red("POST", f"{LB}/loadbalancers", {"loadbalancer": {"vip_port_id": port}})
        codes = await together(vip, region.red("POST", "/trunks", {"trunk": trunk}))
        assert tuple(codes) in ((201, 409), (400, 201))
