"""VMs of one network talk, on one hypervisor and over VXLAN; VMs of different networks do not."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import Lab

from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm


class Machines(NamedTuple):
    here: Vm
    beside: Vm
    there: Vm
    third: Vm
    stranger: Vm  # on another network with the same addresses


def v6(machine: Vm) -> str:
    return next(a.partition("/")[0] for a in machine.nic.addresses if ":" in a)


@pytest.fixture(scope="module")
def nodes() -> int:
    return 3


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Iterator[Machines]:
    network, other = lab.network("10.5.5.0/24", "fd00:5::/64"), lab.network("10.5.5.0/24")
    yield Machines(
        here=lab.add_vm("hv1", network),
        beside=lab.add_vm("hv1", network),
        there=lab.add_vm("hv2", network),
        third=lab.add_vm("hv3", network),
        stranger=lab.add_vm("hv2", other, fixed_ips=[{"ip_address": "10.5.5.200"}]),
    )


@pytest.mark.parametrize("whom", ["beside", "there", "third"])
@pytest.mark.parametrize("version", [4, 6])
def test_ping(lab: Lab, machines: Machines, whom: str, version: int) -> None:
    target: Vm = getattr(machines, whom)
    address = next(a.partition("/")[0] for a in target.nic.addresses if (":" in a) == (version == 6))
    assert lab.ping(machines.here, address)


def test_another_network_with_the_same_addresses_is_out_of_reach(lab: Lab, machines: Machines) -> None:
    assert not lab.ping(machines.here, machines.stranger.nic.address, seconds=1)
    assert not lab.ping(machines.stranger, machines.here.nic.address, seconds=1)


def test_broadcast_reaches_the_network_and_nobody_else(lab: Lab, machines: Machines) -> None:
    sender = machines.here.nic
    shout = frames.udp4((sender.mac, frames.BROADCAST), (sender.address, "255.255.255.255"), b"hello all")
    with lab.inside(machines.stranger, "capture") as outside:
        for listener in (machines.beside, machines.there, machines.third):
            with lab.inside(listener, "capture") as capture:
                lab.send_frames(machines.here, shout)
                capture.frames_until(shout)
        assert shout.hex() not in outside.finish()


def test_a_request_goes_to_the_addresss_port_and_no_other(lab: Lab, machines: Machines) -> None:
    sender, target = machines.here.nic, machines.there.nic
    nothing = "00:00:00:00:00:00"
    question = frames.arp((sender.mac, frames.BROADCAST), 1, (sender.mac, sender.address), (nothing, target.address))
    fence = frames.udp4((sender.mac, frames.BROADCAST), (sender.address, "255.255.255.255"), b"fence")
    answer = frames.arp((target.mac, sender.mac), 2, (target.mac, target.address), (sender.mac, sender.address))
    with lab.inside(machines.third, "capture") as elsewhere, lab.inside(machines.here, "capture") as here:
        lab.send_frames(machines.here, question, fence)
        assert not [frame for frame in elsewhere.frames_until(fence) if frame[6:] == question[6:]]
        while not bytes.fromhex(here.line()).startswith(answer):
            pass


@pytest.mark.parametrize("is_router", [False, True])
@pytest.mark.parametrize("whom", ["beside", "there"])
def test_a_router_says_itself_that_it_is_one(lab: Lab, machines: Machines, whom: str, is_router: bool) -> None:
    """Else its hosts would drop it from their default routers (RFC 4861, 7.2.5)."""
    asker, target = machines.here, getattr(machines, whom)
    address = v6(target)
    forwarding = f"net.ipv6.conf.eth0.forwarding={int(is_router)}"
    run(*in_namespace(lab.layout.vm_namespace(target.name), "sysctl", "-qw", forwarding))
    solicitation = frames.neighbour_solicitation(asker.nic.mac, v6(asker), address)
    with lab.inside(asker, "capture") as capture:
        lab.send_frames(asker, solicitation)
        to_asker = frames.mac(asker.nic.mac)
        while not (heard := bytes.fromhex(capture.line())).startswith(to_asker) or heard[54:55] != bytes((136,)):
            pass
    assert heard[62:78] == solicitation[62:78], "the same target"
    assert heard[58] == (0xE0 if is_router else 0x60), "router, solicited, override"


def test_tcp_over_the_tunnel_arrives_whole(lab: Lab, machines: Machines) -> None:
    with lab.inside(machines.there, "serve", "5001") as server:
        size = str(8 * 2**20)
        words = ("feed", machines.there.nic.address, "5001", size)
        with lab.inside(machines.here, *words) as client:
            assert client.finish()[0].split()[0] == server.finish()[0]


def test_a_real_machine_is_a_vm_like_any_other(lab: Lab, machines: Machines) -> None:
    real = lab.add_vm("hv2", lab.port(machines.here)["network_id"], kind="qemu")
    try:
        assert lab.ping(machines.here, real.nic.address)
    finally:
        lab.remove_vm(real)
