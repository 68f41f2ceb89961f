"""What somebody breaks by hand is repaired; what is not ours is left alone."""

from collections.abc import Callable, Iterator

import pytest
from tests.netns.harness import Lab, until

from netweft.lab.vm import Vm

Break = Callable[[Lab, Vm], None]


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Iterator[tuple[Vm, Vm]]:
    network = lab.network("10.5.5.0/24")
    yield lab.add_vm("hv1", network), lab.add_vm("hv2", network)


def patch_port(lab: Lab, bridge: str) -> str:
    patches = lab.vsctl("hv1", "--bare", "--columns=name", "find", "Interface", "type=patch").split()
    return next(name for name in patches if name in lab.vsctl("hv1", "list-ports", bridge).split())


def _delete_all_flows(lab: Lab, machine: Vm) -> None:
    lab.ofctl("hv1", "del-flows", "br-int")


def _delete_some_flows(lab: Lab, machine: Vm) -> None:
    lab.ofctl("hv1", "del-flows", "br-tun", "table=0")


def _change_a_flow(lab: Lab, machine: Vm) -> None:
    """Same match, other actions."""
    lab.ofctl("hv1", "mod-flows", "br-int", "table=0,actions=drop")


def _remove_the_patch(lab: Lab, machine: Vm) -> None:
    lab.vsctl("hv1", "--no-wait", "del-port", patch_port(lab, "br-int"))


def _change_the_tag(lab: Lab, machine: Vm) -> None:
    lab.vsctl("hv1", "--no-wait", "set", "Port", machine.nic.tap, "tag=4000")


def _clear_the_tag(lab: Lab, machine: Vm) -> None:
    lab.vsctl("hv1", "--no-wait", "clear", "Port", machine.nic.tap, "tag")


def _remove_the_tunnel_port(lab: Lab, machine: Vm) -> None:
    port = lab.vsctl("hv1", "--bare", "--columns=name", "find", "Interface", "type=vxlan")
    lab.vsctl("hv1", "--no-wait", "del-port", port)


def _remove_the_tunnel_bridge(lab: Lab, machine: Vm) -> None:
    lab.vsctl("hv1", "--no-wait", "del-br", "br-tun")


BREAKS: list[Break] = [
    _delete_all_flows,
    _delete_some_flows,
    _change_a_flow,
    _remove_the_patch,
    _change_the_tag,
    _clear_the_tag,
    _remove_the_tunnel_port,
    _remove_the_tunnel_bridge,
]


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda function: function.__name__.strip("_"))
def test_what_is_broken_is_repaired(lab: Lab, pair: tuple[Vm, Vm], break_it: Break) -> None:
    here, there = pair
    assert lab.ping(here, there.nic.address)
    until(lambda: lab.in_sync("hv1"), "in sync")
    before = lab.flows("hv1", "br-int")
    tag = lab.vsctl("hv1", "get", "Port", here.nic.tap, "tag")
    break_it(lab, here)
    assert lab.ping(here, there.nic.address)
    until(lambda: lab.in_sync("hv1"), "in sync again")
    assert lab.vsctl("hv1", "get", "Port", here.nic.tap, "tag") == tag
    if break_it not in (_remove_the_patch, _remove_the_tunnel_bridge):  # these have new OpenFlow port numbers
        until(lambda: lab.flows("hv1", "br-int") == before, "the same flows")


def test_what_is_not_ours_is_left_alone(lab: Lab, pair: tuple[Vm, Vm]) -> None:
    lab.ofctl("hv1", "add-flow", "br-int", "cookie=0x1,table=0,priority=1,ip,nw_dst=203.0.113.7,actions=drop")
    add = ("add-br", "br-mine", "--", "set", "Bridge", "br-mine", "datapath_type=netdev")
    lab.vsctl(
        "hv1", "--no-wait", *add, "--", "add-port", "br-int", "mine", "--", "set", "Interface", "mine", "type=internal"
    )
    lab.kill("agent", "hv1")
    until(lambda: lab.agent_alive("hv1") and lab.in_sync("hv1"), "in sync")
    assert any("cookie=0x1," in flow and "nw_dst=203.0.113.7" in flow for flow in lab.flows("hv1", "br-int"))
    assert "br-mine" in lab.vsctl("hv1", "list-br").split()
    assert "mine" in lab.vsctl("hv1", "list-ports", "br-int").split()
    lab.vsctl("hv1", "--no-wait", "del-br", "br-mine", "--", "del-port", "br-int", "mine")
    lab.ofctl("hv1", "del-flows", "br-int", "cookie=0x1/-1")


def test_the_plan_says_what_would_change_and_changes_nothing(lab: Lab, pair: tuple[Vm, Vm]) -> None:
    until(lambda: lab.in_sync("hv1"), "in sync")
    assert not lab.plan("hv1").strip()
