"""Load balancers in flows, with real connections: in the VIP's network, by a router, from outside; members that come,
are drained, fail and go."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns.balancers import Balancer, ask, serving
from tests.netns.harness import Lab, until
from tests.netns.test_routing import address, make_router

from netweft.lab.vm import Vm

VIPS = {4: "10.60.0.100", 6: "fd00:60::100"}


class Stage(NamedTuple):
    balancers: dict[int, Balancer]  # by IP version
    here: Vm  # clients: on the VIP's network
    red: Vm  # behind a router
    members: list[Vm]  # on hv1 and hv2, and the last one behind the router
    ids: dict[int, list[str]]  # likewise, of the members


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue, red = lab.network("10.60.0.0/24", "fd00:60::/64"), lab.network("10.61.0.0/24", "fd00:61::/64")
    make_router(lab, blue, red)
    lab.let_strangers_in()
    members = [lab.add_vm("hv1", blue), lab.add_vm("hv2", blue), lab.add_vm("hv2", red)]
    balancers = {version: Balancer(lab, blue, vip) for version, vip in VIPS.items()}
    ids = {version: [balancer.add(address(vm, version)) for vm in members] for version, balancer in balancers.items()}
    with contextlib.ExitStack() as stack:
        for one in members:
            stack.enter_context(serving(lab, one))
        made = Stage(balancers, lab.add_vm("hv1", blue), lab.add_vm("hv2", red), members, ids)
        yield made
    for balancer in balancers.values():
        balancer.close()


def asked(lab: Lab, frm: Vm, version: int = 4, times: int = 1) -> dict[str, int]:
    return dict(ask(lab.layout.vm_namespace(frm.name), VIPS[version], times=times))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("client", ["here", "red"])
def test_all_members_answer_and_see_the_client(lab: Lab, stage: Stage, client: str, version: int) -> None:
    frm: Vm = getattr(stage, client)
    wanted = {f"{one.name} {address(frm, version)}" for one in stage.members}
    until(lambda: set(asked(lab, frm, version, times=24)) == wanted, "all of them answer")
