"""NAT66 with packets: unique local addresses leave as the gateway's IPv6 address, answers and ICMPv6 errors find back.

    VM ── router ── outside (2001:db8::1) ── 2001:db8:1::/64, MTU 1300 ── behind (2001:db8:ffff::7)

Nobody outside has a route to the VMs' addresses.  What a socket hears has been matched with what it sent.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest
from tests.netns.harness import Lab, until
from tests.netns.l3.icmp_errors import heard, icmp_error
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import external_network, next_hop
from tests.netns.udp_server import asked_once

from netweft.lab import fabric, host
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

OUTSIDE, NEAR, BEHIND, NOBODY = "2001:db8::1", "2001:db8:1::1", "2001:db8:ffff::7", "2001:db8::200"
NARROW = 1300
EXCEEDED, NO_PORT, TOO_BIG = (3, 0), (1, 4), (2, 0)
PREFIX = "fd00:40::/64"  # of two tenants' networks
NODES = ("hv1", "hv2")
NAT66 = "netweft:nat66"


class Stage(NamedTuple):
    """vms: by node.  other: behind a router of its own, on a network with the same prefix.
    router: the address by which the VMs reach it; own: its gateway's."""

    external: str
    vms: dict[str, Vm]
    other: Vm
    router: str
    own: str
    outside: str
    behind: str


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue, others = lab.network("10.40.0.0/24", PREFIX), lab.network("10.40.0.0/24", PREFIX)
    external, outside = external_network(lab), next_hop(lab, f"{OUTSIDE}/64")
    with lab.cloud() as cloud:
        subnet = {"cidr": "2001:db8::/64", "ip_version": 6, "gateway_ip": OUTSIDE, "enable_dhcp": False}
        cloud.create("subnets", network_id=external, **subnet)
        cloud.update("networks", external, {NAT66: True})
    there, behind = (lab.layout.host_namespace(name) for name in ("outside", "behind6"))
    _behind(there, behind)
    lab.let_strangers_in()
    router, _ = (make_router(lab, one, external_gateway_info={"network_id": external}) for one in (blue, others))
    with lab.cloud() as cloud:
        ports = cloud.list("ports", device_id=router["id"])
    inside, own = (_six(port for port in ports if port["network_id"] == one) for one in (blue, external))
    vms = {node: lab.add_vm(node, blue) for node in NODES}
    found = Stage(external, vms, lab.add_vm("hv1", others), inside, own, there, behind)
    for vm in (*vms.values(), found.other):
        until(lambda vm=vm: _pings(_namespace(lab, vm), BEHIND), "packets go out and back")  # type: ignore[misc]
    yield found
    host.remove(lab.layout, outside)
    fabric.remove([behind])


def _six(ports: Iterable[dict[str, Any]]) -> str:
    found = (fixed["ip_address"] for port in ports for fixed in port["fixed_ips"])
    return str(next(address for address in found if ":" in address))


def _behind(there: str, behind: str) -> None:
    """Another router's hop away, by a narrow link."""
    fabric.machine(behind)
    run("ip", "-n", there, "link", "add", "far", "type", "veth", "peer", "name", "eth0", "netns", behind)
    for namespace, nic, own in ((there, "far", NEAR), (behind, "eth0", "2001:db8:1::2")):
        run("ip", "-n", namespace, "address", "add", f"{own}/64", "dev", nic, "nodad")
        run("ip", "-n", namespace, "link", "set", nic, "up", "mtu", str(NARROW))
        run(*in_namespace(namespace, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"))
        run(*in_namespace(namespace, "sysctl", "-qw", "net.ipv6.icmp.ratelimit=0"))
    run("ip", "-n", behind, "link", "set", "lo", "up")
    run("ip", "-n", behind, "address", "add", f"{BEHIND}/128", "dev", "lo", "nodad")
    # what it says of itself is no way to find out how much fits
    run("ip", "-n", behind, "-6", "route", "add", "default", "via", NEAR, "advmss", "1400")
    run("ip", "-n", there, "-6", "route", "add", f"{BEHIND}/128", "via", "2001:db8:1::2")


def _namespace(lab: Lab, vm: Vm) -> str:
    return lab.layout.vm_namespace(vm.name)


def _said(namespace: str, to: str, *words: str) -> str:
    command = in_namespace(namespace, "ping", "-n", "-c", "1", "-i", "0.2", *words, to)
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _pings(namespace: str, to: str, *words: str, seconds: int = 2) -> bool:
    return " 0% packet loss" in _said(namespace, to, "-w", str(seconds), *words)


@contextmanager
def _forgotten(namespace: str) -> Iterator[None]:
    """What it knows of paths, before and after."""
    for flush in (True, False):
        run("ip", "-n", namespace, "-6", "route", "flush", "cache")
        if flush:
            yield


@pytest.fixture(params=NODES)
def inside(request: pytest.FixtureRequest, lab: Lab, stage: Stage) -> str:
    return _namespace(lab, stage.vms[request.param])


def test_the_address_that_is_seen_outside(lab: Lab, stage: Stage, inside: str) -> None:
    script = (
        "import socket\n"
        "here = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        f"here.bind(('{BEHIND}', 7066))\n"
        "print('ready', flush=True)\n"
        "print(here.recvfrom(9)[1][0], flush=True)\n"
    )
    assert asked_once(stage.behind, script, inside, (BEHIND, 7066)) == f"{stage.own}\n"


def test_traceroute_shows_each_hop(stage: Stage, inside: str) -> None:
    path = [heard(inside, BEHIND, ttl=ttl) for ttl in (1, 2, 3)]
    assert path == [(stage.router, EXCEEDED), (OUTSIDE, EXCEEDED), (BEHIND, NO_PORT)], "by UDP"
    path = [heard(inside, BEHIND, ttl=ttl, size="tcp") for ttl in (1, 2)]
    assert path == [(stage.router, EXCEEDED), (OUTSIDE, EXCEEDED)], "by TCP"
    assert icmp_error(inside, BEHIND, ttl=3, size="tcp") == {"refused": True}
    for ttl, hop in ((1, stage.router), (2, OUTSIDE)):
        assert re.search(rf"From {hop} .*(Hop limit|Time) exceeded", _said(inside, BEHIND, "-t", str(ttl), "-W", "5"))


def test_the_path_is_narrow_further_on(inside: str) -> None:
    with _forgotten(inside):
        hop = icmp_error(inside, BEHIND, size=1400)
        assert (hop["from"], hop["type"], hop["code"], hop["mtu"]) == (OUTSIDE, *TOO_BIG, NARROW)
        assert icmp_error(inside, BEHIND, size=1400) == {"too big": NARROW}, "the kernel believed it"
    with _forgotten(inside):
        assert re.search(rf"mtu.{{1,3}}{NARROW}", _said(inside, BEHIND, "-M", "do", "-s", "1352", "-W", "5"))


def test_tcp_finds_out_how_much_fits(lab: Lab, stage: Stage, inside: str) -> None:
    """Both ways: the answers are too big for the network inside."""
    with (
        _forgotten(inside),
        lab.inside_namespace(stage.behind, "serve", "5001") as server,
        lab.inside_namespace(inside, "feed", BEHIND, "5001", str(2**20)) as client,
    ):
        assert client.finish()[0].split()[0] == server.finish()[0]


def test_datagrams_in_pieces(inside: str) -> None:
    _said(inside, BEHIND, "-s", "3000", "-W", "5")  # which finds out how much fits
    assert _pings(inside, BEHIND, "-s", "3000", seconds=10)


def test_nobody_has_the_address(inside: str) -> None:
    assert "Address unreachable" in _said(inside, NOBODY, "-W", "10")


def test_an_answer_that_expires_at_the_router(lab: Lab, stage: Stage, inside: str) -> None:
    """Who answers is told of the packet that it has sent: to the gateway's address."""
    script = (
        "import socket, struct\n"
        "here = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
        "here.setsockopt(socket.IPPROTO_IPV6, 25, 1)\n"
        "here.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)\n"
        f"here.bind(('{OUTSIDE}', 7067))\n"
        "here.settimeout(20)\n"
        "print('ready', flush=True)\n"
        "said, there = here.recvfrom(9)\n"
        "here.connect(there)\n"
        "here.send(b'late')\n"
        "try:\n"
        "    here.recv(9)\n"
        "except OSError as error:\n"
        "    print(there[0], error.errno)\n"
    )
    assert asked_once(stage.outside, script, inside, (OUTSIDE, 7067)) == f"{stage.own} 113\n", "EHOSTUNREACH"


def test_nobody_comes_in_unasked(lab: Lab, stage: Stage) -> None:
    """Not by the VM's own address either, with a route to it; the gateway itself answers."""
    run("ip", "-n", stage.outside, "-6", "route", "replace", PREFIX, "via", stage.own)
    try:
        for vm in stage.vms.values():
            own = next(address for address in vm.nic.addresses if ":" in address).partition("/")[0]
            assert not _pings(stage.outside, own)
        assert _pings(stage.outside, stage.own, seconds=10)
    finally:
        run("ip", "-n", stage.outside, "-6", "route", "del", PREFIX)


def test_tenants_with_one_prefix_are_told_apart(lab: Lab, stage: Stage) -> None:
    """By equal ports and at once; from one node, too."""
    vms = (stage.vms["hv1"], stage.vms["hv2"], stage.other)
    with ExitStack() as open_:
        ports = ("5101", "5102", "5103")
        servers = [open_.enter_context(lab.inside_namespace(stage.behind, "serve", port)) for port in ports]
        feeds = (("feed", BEHIND, port, str(2**19)) for port in ports)
        clients = [open_.enter_context(lab.inside(vm, *feed)) for vm, feed in zip(vms, feeds, strict=True)]
        for client, server in zip(clients, servers, strict=True):
            assert client.finish()[0].split()[0] == server.finish()[0]


def test_it_is_enabled_and_disabled(lab: Lab, stage: Stage, inside: str) -> None:
    """Without it unique local addresses leave as they are: whoever has no route to them does not answer."""
    with lab.cloud() as cloud:
        cloud.update("networks", stage.external, {NAT66: False})
        try:
            until(lambda: not _pings(inside, BEHIND, seconds=1), "they leave as they are")
        finally:
            cloud.update("networks", stage.external, {NAT66: True})
    until(lambda: _pings(inside, BEHIND, seconds=1), "they are translated")
