"""Path MTU discovery through routers: packets too big for the next network are answered with its MTU, and what fits
passes, whole or in pieces."""

import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.netns.harness import Lab, group_of, until
from tests.netns.l3.test_routing import address, make_router, subnet_of

from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

VLAN: dict[str, object] = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}
LARGE, SMALL = 1500, 1400
HEADERS = {4: 28, 6: 48}  # IP and ICMP


class Stage(NamedTuple):
    router: dict[str, Any]
    large: str
    small: str
    guarded: Vm  # in the large network, on hv1
    loose: Vm  # likewise, of a stateless group
    free: Vm  # likewise, without port security
    near: Vm  # in the small one
    far: Vm
    far_free: Vm


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    large = lab.network("10.40.0.0/24", "fd00:40::/64", **VLAN)
    small = lab.network("10.41.0.0/24", "fd00:41::/64", mtu=SMALL)
    with lab.cloud() as cloud:
        both = [{"direction": way, "ethertype": kind} for way in ("ingress", "egress") for kind in ("IPv4", "IPv6")]
        tracked = group_of(cloud, "tracked", both)
        loose = group_of(cloud, "loose", both, stateful=False)
    free: dict[str, Any] = {"port_security_enabled": False, "security_groups": []}
    yield Stage(
        make_router(lab, large, small),
        large,
        small,
        lab.add_vm("hv1", large, security_groups=[tracked]),
        lab.add_vm("hv1", large, security_groups=[loose]),
        lab.add_vm("hv1", large, **free),
        lab.add_vm("hv1", small, security_groups=[tracked]),
        lab.add_vm("hv2", small, security_groups=[tracked]),
        lab.add_vm("hv2", small, **free),
    )


def forget(lab: Lab, machine: Vm) -> None:
    """The MTU that it was told."""
    for family in ("-4", "-6"):
        run("ip", "-n", lab.layout.vm_namespace(machine.name), family, "route", "flush", "cache")


def ping(lab: Lab, frm: Vm, to: str, size: int, *options: str) -> str:
    """size: of the IP packet.  What it tells."""
    payload = str(size - HEADERS[6 if ":" in to else 4])
    command = ("ping", "-n", "-c", "4", "-i", "0.2", "-W", "2", "-s", payload, *options, to)
    namespace = lab.layout.vm_namespace(frm.name)
    return subprocess.run(in_namespace(namespace, *command), capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("frm", ["guarded", "loose", "free"])
@pytest.mark.parametrize("to", ["near", "far"])
def test_what_is_too_big_gets_the_mtu_that_fits(lab: Lab, stage: Stage, frm: str, to: str, version: int) -> None:
    sender, target = getattr(stage, frm), address(getattr(stage, to), version)
    forget(lab, sender)
    assert " 0% packet loss" in ping(lab, sender, target, SMALL, "-M", "do")
    said = ping(lab, sender, target, SMALL + 1, "-M", "do")
    gateway = subnet_of(lab, stage.large, version)["gateway_ip"]
    assert f"From {gateway}" in said
    assert f"mtu = {SMALL}" in said or f"mtu={SMALL}" in said
    assert "100% packet loss" in said


@pytest.mark.parametrize("version", [4, 6])
def test_it_sends_less_from_then_on(lab: Lab, stage: Stage, version: int) -> None:
    """Also where it did not ask to be told (IPv4 without DF)."""
    forget(lab, stage.guarded)
    options = ("-M", "dont") if version == 4 else ()
    said = ping(lab, stage.guarded, address(stage.far, version), LARGE, *options)
    assert f"mtu = {SMALL}" in said or f"mtu={SMALL}" in said
    assert "bytes from" in said


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("frm", ["guarded", "loose", "free", "far", "far_free"])
@pytest.mark.parametrize("size", [3000, 9000])
def test_what_comes_in_pieces_arrives(lab: Lab, stage: Stage, frm: str, size: int, version: int) -> None:
    sender = getattr(stage, frm)
    for target in ("near", "far", "far_free") if frm in ("guarded", "loose", "free") else ("guarded", "loose", "free"):
        to = address(getattr(stage, target), version)
        until(lambda to=to: "bytes from" in ping(lab, sender, to, size), f"{target} answers")  # type: ignore[misc]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("frm", ["guarded", "loose", "free", "far", "far_free"])
def test_the_routers_own_addresses_answer_what_comes_in_pieces(lab: Lab, stage: Stage, frm: str, version: int) -> None:
    for network in (stage.large, stage.small):
        gateway = subnet_of(lab, network, version)["gateway_ip"]
        until(lambda to=gateway: "bytes from" in ping(lab, getattr(stage, frm), to, 5000), "it answers")  # type: ignore[misc]
