"""Address scopes with packets: within one a router routes, from one into another only NAT leads."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.test_gateways import Stage, stage
from tests.netns.l3.test_routing import address, make_router
from tests.netns.outside import OUTSIDE

from netweft.lab.cloud import Cloud
from netweft.lab.vm import Vm

__all__ = ["stage"]


class Scoped(NamedTuple):
    """one and near are in the first scope, on hv1 and hv2; far is in the second, on hv2."""

    one: Vm
    near: Vm
    far: Vm
    pool: str
    scope: str


def network(cloud: Cloud, pool: str) -> str:
    made: str = cloud.create("networks", name="scoped")["id"]
    cloud.create("subnets", network_id=made, ip_version=4, subnetpool_id=pool)
    return made


@pytest.fixture(scope="module")
def scoped(lab: Lab, stage: Stage) -> Iterator[Scoped]:
    with lab.cloud() as cloud:
        scopes = [cloud.create("address-scopes", name=name, ip_version=4)["id"] for name in ("first", "second")]
        pools = [
            cloud.create(
                "subnetpools", name="p", prefixes=[f"10.{60 + n}.0.0/16"], default_prefixlen=24, address_scope_id=scope
            )["id"]
            for n, scope in enumerate(scopes)
        ]
        networks = [network(cloud, pools[0]), network(cloud, pools[0]), network(cloud, pools[1])]
        for group in cloud.list("security-groups", name="default"):
            if not cloud.list("security-group-rules", security_group_id=group["id"], protocol="icmp"):
                cloud.create(
                    "security-group-rules", security_group_id=group["id"], direction="ingress", protocol="icmp"
                )
    make_router(lab, *networks, external_gateway_info={"network_id": stage.external})
    one, near, far = networks
    yield Scoped(lab.add_vm("hv1", one), lab.add_vm("hv2", near), lab.add_vm("hv2", far), pools[1], scopes[0])


def test_within_and_between(lab: Lab, scoped: Scoped) -> None:
    assert lab.ping(scoped.one, address(scoped.near))
    assert lab.ping(scoped.one, OUTSIDE), "translated"
    assert lab.ping(scoped.far, OUTSIDE)
    assert not lab.ping(scoped.one, address(scoped.far), seconds=1)
    assert not lab.ping(scoped.far, address(scoped.near), seconds=1)


def test_a_pool_in_another_scope(lab: Lab, scoped: Scoped) -> None:
    with lab.cloud() as cloud:
        before = cloud.find("subnetpools", scoped.pool)["address_scope_id"]
        cloud.update("subnetpools", scoped.pool, {"address_scope_id": scoped.scope})
    assert lab.ping(scoped.one, address(scoped.far))
    assert lab.ping(scoped.far, address(scoped.near))
    with lab.cloud() as cloud:
        cloud.update("subnetpools", scoped.pool, {"address_scope_id": before})
    until(lambda: not lab.ping(scoped.one, address(scoped.far), seconds=1), "apart again")
    until(lambda: not lab.ping(scoped.far, address(scoped.near), seconds=1), "apart again")
