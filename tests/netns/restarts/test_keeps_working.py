"""A ping at 100 packets/s between two hypervisors while server or agent are killed with -9 and come back.

What else can go wrong: test_faults."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns.harness import Inside, Lab, until
from tests.overlay import FEW

from netweft.lab import vm
from netweft.lab.vm import Vm

AWAY_SECONDS = 30


class Pair(NamedTuple):
    network: str
    here: Vm
    there: Vm


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Iterator[Pair]:
    network = lab.network("10.5.5.0/24")
    pair = Pair(network, lab.add_vm("hv1", network), lab.add_vm("hv2", network))
    assert lab.ping(pair.here, pair.there.nic.address)
    yield pair


@pytest.fixture
def ping(lab: Lab, pair: Pair) -> Iterator[Inside]:
    """Starts when everything is in order."""
    for node in ("hv1", "hv2"):
        until(lambda node=node: lab.in_sync(node), f"{node} in sync")  # type: ignore[misc]
    with lab.inside(pair.here, "ping", pair.there.nic.address) as running:
        yield running


def settle(lab: Lab, node: str) -> float:
    """Until the agent has looked at everything again, and then some: what goes wrong may do so late."""
    seconds = until(lambda: lab.agent_alive(node) and lab.in_sync(node), f"{node} in sync again", 30)
    time.sleep(2)
    return seconds


@pytest.mark.parametrize(("kind", "node"), [("server", ""), ("agent", "hv1")])
def test_no_packet_is_lost_while_it_is_killed_and_comes_back(lab: Lab, ping: Inside, kind: str, node: str) -> None:
    overrun = lab.overrun()
    back = lab.kill(kind, node)
    settled = settle(lab, "hv1")
    result = ping.result()
    print(f"\n{kind}: back after {back:.2f} s, in sync after {settled:.2f} s; {result}")
    assert result["sent"] > 200
    assert result["lost"] <= lab.overrun(overrun)
    assert result["duplicates"] == 0


def test_agent_restarted_without_a_server_keeps_what_is_there(lab: Lab, pair: Pair, ping: Inside) -> None:
    until(lambda: lab.on_disk("hv1"), "the view is on the disk")
    before, overrun = {bridge: lab.flows("hv1", bridge) for bridge in ("br-int", "br-tun")}, lab.overrun()
    with lab.away("server"):
        lab.kill("agent", "hv1")
        until(lambda: lab.in_sync("hv1"), "hv1 in sync without a server")
        assert {bridge: lab.flows("hv1", bridge) for bridge in before} == before
    assert ping.result()["lost"] <= lab.overrun(overrun)


def test_server_away_while_vms_come_and_go(lab: Lab, pair: Pair) -> None:
    """What was bound before is wired meanwhile; what could not be known is wired once the server is back."""
    leaving = lab.add_vm("hv2", pair.network)
    coming = lab.describe_vm("hv1", pair.network)
    unbound = lab.describe_vm("hv2", pair.network)
    before, overrun = {machine.name: lab.port(machine)["status"] for machine in pair[1:]}, lab.overrun()
    with lab.inside(pair.here, "ping", pair.there.nic.address) as ping:
        with lab.away("server"):
            vm.remove(lab.layout, leaving)
            vm.add(lab.layout, coming)
            vm.add(lab.layout, unbound)
            time.sleep(AWAY_SECONDS)
        for machine in (coming, unbound):
            until(lambda m=machine: lab.port(m)["status"] == "ACTIVE", f"{machine.name} ACTIVE", 30)  # type: ignore[misc]
            assert lab.ping(pair.here, machine.nic.address)
        until(lambda: lab.port(leaving)["status"] == "DOWN", "the port of the VM that left DOWN", 30)
        # which Open vSwitch loses by itself when links come and go: decision 0172
        assert ping.result()["lost"] <= FEW + lab.overrun(overrun)
    assert {machine.name: lab.port(machine)["status"] for machine in pair[1:]} == before
    assert lab.in_sync("hv1")
    assert lab.in_sync("hv2")
