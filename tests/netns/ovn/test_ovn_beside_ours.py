"""OVN's hosts and ours in one region, on a VLAN: they talk, and groups mean members on both.

`make test-ovn` runs it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns.harness import ON_OVN, Lab, until
from tests.netns.l3.test_routing import address
from tests.netns.ovn.ovn_networks import until_reached
from tests.netns.switches.switches import vlan

from netweft.lab import build
from netweft.lab.vm import Vm

pytestmark = [pytest.mark.ovs, pytest.mark.skipif(not ON_OVN, reason="a lab of its own: make test-ovn")]


@pytest.fixture(scope="module")
def plan() -> build.Plan:
    return build.Plan(ovn=True, ours=1)


class Stage(NamedTuple):
    network: str
    theirs: Vm
    ours: Vm


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    network = lab.network("10.65.0.0/24", **vlan(165))
    yield Stage(network, lab.add_vm("hv1", network, dhcp=True), lab.add_vm("hv2", network, dhcp=True))


def test_each_has_its_kind_of_agent(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        kinds = {agent["host"]: agent["agent_type"] for agent in cloud.list("agents")}
    assert kinds["hv1"] == "OVN Controller agent"
    assert kinds["hv2"] != kinds["hv1"]


@pytest.mark.parametrize(("frm", "to"), [("theirs", "ours"), ("ours", "theirs")])
def test_members_of_one_group_talk(lab: Lab, stage: Stage, frm: str, to: str) -> None:
    """By the default group alone, whose rule names itself: each side knows the other's members."""
    until_reached(lab, getattr(stage, frm), address(getattr(stage, to)))


@pytest.mark.parametrize("node", ["hv1", "hv2"])
def test_strangers_are_kept_out_by_both(lab: Lab, stage: Stage, node: str) -> None:
    with lab.cloud() as cloud:
        group = cloud.create("security-groups", name="strangers")["id"]
    stranger = lab.add_vm(node, stage.network, dhcp=True, security_groups=[group])
    until(lambda: lab.port(stranger)["status"] == "ACTIVE", "it is there")
    for one in (stage.theirs, stage.ours):
        assert not lab.ping(stranger, address(one), seconds=2)
    lab.remove_vm(stranger)
