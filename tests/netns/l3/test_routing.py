"""VMs of different networks talk through routers: on one hypervisor and across, over the overlay and over VLANs."""

import subprocess
from collections.abc import Iterator
from ipaddress import ip_interface
from typing import Any, NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import Lab, group_of, needs_our_agent, until

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

VLAN: dict[str, object] = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}


class Stage(NamedTuple):
    router: dict[str, Any]
    blue: str
    red: str
    blue1: Vm  # hv1
    blue2: Vm  # hv2
    red1: Vm  # hv1
    red2: Vm  # hv2
    stranger: Vm  # blue's addresses in a network without a router


def subnet_of(lab: Lab, network: str, version: int = 4) -> dict[str, Any]:
    with lab.cloud() as cloud:
        found = cloud.list("subnets", network_id=network)
    return next(one for one in found if one["ip_version"] == version)


def make_router(lab: Lab, *networks: str, **attributes: object) -> dict[str, Any]:
    with lab.cloud() as cloud:
        router = cloud.create("routers", **attributes)
        for network in networks:
            for subnet in cloud.list("subnets", network_id=network):
                cloud.act("routers", router["id"], "add_router_interface", {"subnet_id": subnet["id"]})
    return router


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue = lab.network("10.30.0.0/24", "fd00:30::/64")
    red = lab.network("10.31.0.0/24", "fd00:31::/64", **VLAN)
    other = lab.network("10.30.0.0/24")
    yield Stage(
        make_router(lab, blue, red),
        blue,
        red,
        lab.add_vm("hv1", blue),
        lab.add_vm("hv2", blue),
        lab.add_vm("hv1", red),
        lab.add_vm("hv2", red),
        lab.add_vm("hv1", other),
    )


def address(machine: Vm, version: int = 4) -> str:
    found = (ip_interface(one) for one in machine.nic.addresses)
    return str(next(one.ip for one in found if one.version == version))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("frm", "to"), [("blue1", "red1"), ("blue1", "red2"), ("blue2", "red1"), ("red1", "blue2"), ("red2", "blue2")]
)
def test_ping_across(lab: Lab, stage: Stage, frm: str, to: str, version: int) -> None:
    assert lab.ping(getattr(stage, frm), address(getattr(stage, to), version))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("frm", ["blue1", "red2"])
def test_each_of_its_addresses_answers(lab: Lab, stage: Stage, frm: str, version: int) -> None:
    for network in (stage.blue, stage.red):
        assert lab.ping(getattr(stage, frm), subnet_of(lab, network, version)["gateway_ip"])


def test_another_network_with_the_same_addresses_is_out_of_reach(lab: Lab, stage: Stage) -> None:
    assert not lab.ping(stage.stranger, address(stage.red1), seconds=1)
    assert not lab.ping(stage.stranger, subnet_of(lab, stage.red)["gateway_ip"], seconds=1)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("to", ["red1", "red2"])
def test_tcp_arrives_whole(lab: Lab, stage: Stage, to: str, version: int) -> None:
    target: Vm = getattr(stage, to)
    feed = ("feed", address(target, version), "5001", str(4 * 2**20))
    with lab.inside(target, "serve", "5001") as server, lab.inside(stage.blue1, *feed) as client:
        assert client.finish()[0].split()[0] == server.finish()[0]


def said(lab: Lab, frm: Vm, to: str, *options: str) -> str:
    """What ping tells of a packet that does not arrive: the error that came for it."""
    command = ("ping", "-n", "-c", "3", "-i", "0.2", "-W", "5", *options, to)
    namespace = lab.layout.vm_namespace(frm.name)
    done = subprocess.run(in_namespace(namespace, *command), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    return done.stdout


@pytest.mark.parametrize("version", [4, 6])
def test_it_says_what_it_cannot_deliver(lab: Lab, stage: Stage, version: int) -> None:
    gateway = subnet_of(lab, stage.blue, version)["gateway_ip"]
    expired = said(lab, stage.blue2, address(stage.red1, version), "-t", "1")
    assert f"From {gateway}" in expired
    assert "Time to live exceeded" in expired or "Hop limit" in expired
    nowhere = said(lab, stage.blue2, "192.0.2.1" if version == 4 else "2001:db8::1")
    assert f"From {gateway}" in nowhere
    assert "Net Unreachable" in nowhere or "No route" in nowhere
    nobody = said(lab, stage.blue2, "10.31.0.250" if version == 4 else "fd00:31::fade")
    assert f"From {gateway}" in nobody
    assert "Host Unreachable" in nobody or "Address unreachable" in nobody


@pytest.mark.parametrize("version", [4, 6])
def test_a_port_of_its_own_is_closed(lab: Lab, stage: Stage, version: int) -> None:
    """A connected UDP socket hears ICMP's port unreachable as connection refused."""
    gateway = subnet_of(lab, stage.blue, version)["gateway_ip"]
    with lab.inside(stage.blue1, "refused", gateway, "33434") as client:
        assert client.line() == "refused"


def test_switches_see_the_routers_mac_nowhere(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        port = next(one for one in cloud.list("ports", network_id=stage.red) if one["device_id"] == stage.router["id"])
    with lab.inside(stage.red2, "capture") as capture:
        probe = frames.udp4((stage.blue1.nic.mac, gateway_mac(lab, stage)), ends(stage.blue1, stage.red2), b"x" * 30)
        lab.send_frames(stage.blue1, probe)
        while not (heard := bytes.fromhex(capture.line())).endswith(b"x" * 30):
            pass
    assert heard[6:12] != frames.mac(port["mac_address"])
    assert heard[6] == 0x02, "locally administered: the node's own"


def gateway_mac(lab: Lab, stage: Stage) -> str:
    with lab.cloud() as cloud:
        found = cloud.list("ports", network_id=stage.blue)
    return str(next(one["mac_address"] for one in found if one["device_id"] == stage.router["id"]))


def ends(frm: Vm, to: Vm) -> tuple[str, str]:
    return address(frm), address(to)


def test_groups_hold_behind_it(lab: Lab, stage: Stage) -> None:
    """Nothing comes in that is not asked for, and what is comes back; a group's members are known."""
    with lab.cloud() as cloud:
        out = [{"direction": "egress", "ethertype": kind} for kind in ("IPv4", "IPv6")]
        closed = group_of(cloud, "asks only", out)
        everybody = group_of(cloud, "everybody", [*out, {"direction": "ingress", "ethertype": "IPv4"}])
        members = group_of(cloud, "each other", [*out])
        cloud.create("security_group_rules", security_group_id=members, direction="ingress", remote_group_id=members)
    asker = lab.add_vm("hv2", stage.red, security_groups=[closed])
    one, two = (lab.add_vm(*place, security_groups=[members]) for place in (("hv1", stage.blue), ("hv2", stage.red)))
    asked = lab.add_vm("hv1", stage.blue, security_groups=[everybody])
    assert lab.ping(asker, address(asked))
    assert not lab.ping(asked, address(asker), seconds=1)
    assert lab.ping(one, address(two))
    assert not lab.ping(asked, address(two), seconds=1)


def test_a_chain_of_routers_and_a_route_back(lab: Lab, stage: Stage) -> None:
    green = lab.network("10.32.0.0/24")
    with lab.cloud() as cloud:
        via = cloud.create("ports", network_id=stage.red)
        second = make_router(lab, green)
        cloud.act("routers", second["id"], "add_router_interface", {"port_id": via["id"]})
        via_address = next(f["ip_address"] for f in via["fixed_ips"] if "." in f["ip_address"])
        back = {"destination": "10.30.0.0/24", "nexthop": subnet_of(lab, stage.red)["gateway_ip"]}
        cloud.update("routers", second["id"], {"routes": [back]})
        there = {"destination": "10.32.0.0/24", "nexthop": via_address}
        cloud.update("routers", stage.router["id"], {"routes": [there]})
    far = lab.add_vm("hv2", green)
    assert lab.ping(stage.blue1, address(far))
    assert lab.ping(far, address(stage.blue2))
    hop = said(lab, stage.blue1, address(far), "-t", "2")
    assert f"From {via_address}" in hop
    with lab.cloud() as cloud:
        cloud.update("routers", stage.router["id"], {"routes": []})
    until(lambda: not lab.ping(stage.blue1, address(far), seconds=1), "the route is gone")


def test_down_and_up_again(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        cloud.update("routers", stage.router["id"], {"admin_state_up": False})
        until(lambda: not lab.ping(stage.blue1, address(stage.red2), seconds=1), "it routes nothing")
        cloud.update("routers", stage.router["id"], {"admin_state_up": True})
    assert lab.ping(stage.blue1, address(stage.red2))


@needs_our_agent
def test_an_agent_that_is_killed_finds_its_numbers_again(lab: Lab, stage: Stage) -> None:
    """Also of a network that it has no port on; no packet is lost."""
    only = lab.network("10.33.0.0/24")
    with lab.cloud() as cloud:
        subnet = cloud.list("subnets", network_id=only)[0]
        cloud.act("routers", stage.router["id"], "add_router_interface", {"subnet_id": subnet["id"]})
    far = lab.add_vm("hv2", only)
    assert lab.ping(stage.blue1, address(far))
    until(lambda: lab.in_sync("hv1"), "all is in place")
    before = lab.flows("hv1", "br-int"), lab.flows("hv1", "br-tun")
    with lab.inside(stage.blue1, "ping", address(far)) as ping:
        lab.kill("agent", "hv1")
        until(lambda: lab.in_sync("hv1"), "the agent is back")
        ping.stop()
        result = ping.result()
    assert (lab.flows("hv1", "br-int"), lab.flows("hv1", "br-tun")) == before
    assert result["lost"] == 0, result
