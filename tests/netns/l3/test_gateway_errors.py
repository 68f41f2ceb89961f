"""ICMP errors through NAT: path MTU, traceroute and "unreachable", by SNAT and by a floating IP, in and out.

    VM ── router ── outside (203.0.113.1) ── 192.0.2.0/30, MTU 1300 ── behind (198.51.100.7)

What a socket hears has been matched with what it sent: the kernel looks at what is quoted.
"""

import re
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

import pytest
from tests.netns.frames import _ipv4, icmp4, udp4
from tests.netns.harness import Lab, until
from tests.netns.l3.icmp_errors import heard, icmp_error
from tests.netns.l3.test_routing import make_router, subnet_of
from tests.netns.outside import OUTSIDE, external_network, next_hop
from tests.netns.udp_server import asked_once

from netweft.lab import fabric, host
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

NEAR, BEHIND = "192.0.2.1", "198.51.100.7"
NARROW = 1300
FIRST, TO_ONE, INSIDE = 7100, 7200, 8100  # ports of a floating IP, and where they lead
EXCEEDED, NO_PORT, TOO_BIG = (11, 0), (3, 3), (3, 4)


class Stage(NamedTuple):
    """snat: on each node a VM without, floating: with a floating IP, by its address; forwarded: with ports of one."""

    snat: dict[str, Vm]
    floating: dict[str, tuple[Vm, str]]
    forwarded: dict[str, tuple[Vm, str]]
    gateway: str
    own: str
    outside: str
    behind: str


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue = lab.network("10.40.0.0/24")
    external, outside = external_network(lab), next_hop(lab)
    there = lab.layout.host_namespace("outside")
    behind = lab.layout.host_namespace("behind")
    _behind(there, behind)
    router = make_router(lab, blue, external_gateway_info={"network_id": external})
    lab.let_strangers_in()
    snat = {node: lab.add_vm(node, blue) for node in ("hv1", "hv2")}
    floating = {}
    for node in ("hv1", "hv2"):
        vm = lab.add_vm(node, blue)
        with lab.cloud() as cloud:
            made = cloud.create("floatingips", floating_network_id=external, port_id=vm.port_id)
        floating[node] = vm, made["floating_ip_address"]
    forwarded = {node: _forwarded(lab, external, lab.add_vm(node, blue)) for node in ("hv1", "hv2")}
    with lab.cloud() as cloud:
        (port,) = cloud.list("ports", device_id=router["id"], device_owner="network:router_gateway")
    own = port["fixed_ips"][0]["ip_address"]
    found = Stage(snat, floating, forwarded, subnet_of(lab, blue)["gateway_ip"], own, there, behind)
    with_public = (*floating.values(), *forwarded.values())
    for vm in (*snat.values(), *(vm for vm, _ in with_public)):
        assert lab.ping(vm, BEHIND)
    for _, public in with_public:
        until(lambda public=public: _pings(behind, public), "it is reached from outside")  # type: ignore[misc]
    yield found
    host.remove(lab.layout, outside)
    fabric.remove([behind])


def _forwarded(lab: Lab, external: str, vm: Vm) -> tuple[Vm, str]:
    """In order, and ten ports to one."""
    ports = {"internal_port_id": vm.port_id, "internal_ip_address": vm.nic.address}
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=external)
        for protocol, outside, inside in (
            ("udp", f"{FIRST}:{FIRST + 2}", f"{INSIDE}:{INSIDE + 2}"),
            ("tcp", f"{FIRST}:{FIRST + 2}", f"{INSIDE}:{INSIDE + 2}"),
            ("udp", f"{TO_ONE}:{TO_ONE + 9}", str(INSIDE + 5)),
        ):
            wanted = {**ports, "protocol": protocol, "external_port_range": outside, "internal_port_range": inside}
            cloud.request("POST", f"floatingips/{made['id']}/port_forwardings", {"port_forwarding": wanted})
    return vm, str(made["floating_ip_address"])


def _behind(there: str, behind: str) -> None:
    """Another router's hop away, by a narrow link."""
    fabric.machine(behind)
    run(
        "ip",
        "-n",
        there,
        "link",
        "add",
        "far",
        "mtu",
        str(NARROW),
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        behind,
    )
    for namespace, nic, own in ((there, "far", NEAR), (behind, "eth0", "192.0.2.2")):
        run("ip", "-n", namespace, "address", "add", f"{own}/30", "dev", nic)
        run("ip", "-n", namespace, "link", "set", nic, "up", "mtu", str(NARROW))
        run(*in_namespace(namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        # errors as often as they are asked for
        run(*in_namespace(namespace, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0"))
    run("ip", "-n", behind, "link", "set", "lo", "up")
    run("ip", "-n", behind, "address", "add", f"{BEHIND}/32", "dev", "lo")
    # what it says of itself is no way to find out how much fits
    run("ip", "-n", behind, "route", "add", "default", "via", NEAR, "advmss", "1400")
    run("ip", "-n", there, "route", "add", f"{BEHIND}/32", "via", "192.0.2.2")


def _pings(namespace: str, to: str, *words: str, seconds: int = 1) -> bool:
    command = in_namespace(namespace, "ping", "-n", "-c", "1", "-i", "0.2", "-w", str(seconds), *words, to)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _said(namespace: str, to: str, *words: str) -> str:
    command = in_namespace(namespace, "ping", "-n", "-c", "1", "-W", "2", *words, to)
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _forget(namespace: str) -> None:
    run("ip", "-n", namespace, "route", "flush", "cache")


@pytest.fixture(params=["snat-hv1", "snat-hv2", "floating-hv1", "floating-hv2"])
def inside(request: pytest.FixtureRequest, lab: Lab, stage: Stage) -> str:
    """The namespace of a VM that goes out this way."""
    how, node = request.param.split("-")
    vm = stage.snat[node] if how == "snat" else stage.floating[node][0]
    return lab.layout.vm_namespace(vm.name)


@pytest.fixture(params=["hv1", "hv2"])
def public(request: pytest.FixtureRequest, stage: Stage) -> str:
    return stage.floating[request.param][1]


class TestFromInside:
    def test_traceroute_by_udp_shows_each_hop(self, stage: Stage, inside: str) -> None:
        path = [heard(inside, BEHIND, ttl=ttl) for ttl in (1, 2, 3)]
        assert path == [(stage.gateway, EXCEEDED), (OUTSIDE, EXCEEDED), (BEHIND, NO_PORT)]

    def test_traceroute_by_tcp_shows_each_hop(self, stage: Stage, inside: str) -> None:
        path = [heard(inside, BEHIND, ttl=ttl, size="tcp") for ttl in (1, 2)]
        assert path == [(stage.gateway, EXCEEDED), (OUTSIDE, EXCEEDED)]
        assert icmp_error(inside, BEHIND, ttl=3, size="tcp") == {"refused": True}

    def test_traceroute_by_ping_shows_each_hop(self, stage: Stage, inside: str) -> None:
        for ttl, hop in ((1, stage.gateway), (2, OUTSIDE)):
            assert re.search(rf"From {hop} .*Time to live exceeded", _said(inside, BEHIND, "-t", str(ttl)))
        assert _pings(inside, BEHIND, "-t", "3", seconds=5)

    def test_the_path_is_narrow_further_on(self, inside: str) -> None:
        _forget(inside)
        hop = icmp_error(inside, BEHIND, size=1400)
        assert (hop["from"], hop["type"], hop["code"], hop["mtu"]) == (OUTSIDE, *TOO_BIG, NARROW)
        assert icmp_error(inside, BEHIND, size=1400) == {"too big": NARROW}, "the kernel believed it"
        _forget(inside)
        assert f"mtu = {NARROW}" in _said(inside, BEHIND, "-M", "do", "-s", "1372")
        _forget(inside)

    def test_tcp_finds_out_how_much_fits(self, lab: Lab, stage: Stage, inside: str) -> None:
        _forget(inside)
        feed = ("feed", BEHIND, "5001", str(2**20))
        with (
            lab.inside_namespace(stage.behind, "serve", "5001") as server,
            lab.inside_namespace(inside, *feed) as client,
        ):
            assert client.finish()[0].split()[0] == server.finish()[0]

    def test_nobody_has_the_address(self, stage: Stage, inside: str) -> None:
        assert "Destination Host Unreachable" in _said(inside, "203.0.113.200", "-W", "10")


class TestFromOutside:
    def test_traceroute_by_udp_shows_the_router(self, stage: Stage, public: str) -> None:
        path = [heard(stage.behind, public, ttl=ttl) for ttl in (1, 2, 3)]
        assert path == [(NEAR, EXCEEDED), (stage.own, EXCEEDED), (public, NO_PORT)]

    def test_traceroute_by_tcp_shows_the_router(self, stage: Stage, public: str) -> None:
        path = [heard(stage.behind, public, ttl=ttl, size="tcp") for ttl in (1, 2)]
        assert path == [(NEAR, EXCEEDED), (stage.own, EXCEEDED)]
        assert icmp_error(stage.behind, public, ttl=3, size="tcp") == {"refused": True}

    def test_traceroute_by_ping_shows_the_router(self, stage: Stage, public: str) -> None:
        for ttl, hop in ((1, NEAR), (2, stage.own)):
            assert re.search(rf"From {hop} .*Time to live exceeded", _said(stage.behind, public, "-t", str(ttl)))
        assert _pings(stage.behind, public, "-t", "3", seconds=5)

    def test_too_big_for_the_network_inside(self, stage: Stage, public: str) -> None:
        _forget(stage.outside)
        hop = icmp_error(stage.outside, public, size=1500)
        assert (hop["from"], hop["type"], hop["code"], hop["mtu"]) == (stage.own, *TOO_BIG, 1450)
        _forget(stage.outside)
        assert "mtu = 1450" in _said(stage.outside, public, "-M", "do", "-s", "1472")
        _forget(stage.outside)

    def test_the_routers_own_address_says_nothing(self, stage: Stage) -> None:
        """It may be for a connection that another gateway knew."""
        assert icmp_error(stage.behind, stage.own) == {}


@pytest.mark.parametrize("node", ["hv1", "hv2"])
class TestForwardedPorts:
    @pytest.mark.parametrize("port", [FIRST, FIRST + 2, TO_ONE + 7])
    def test_traceroute_by_udp_shows_the_router(self, stage: Stage, node: str, port: int) -> None:
        public = stage.forwarded[node][1]
        path = [heard(stage.behind, public, port=port, ttl=ttl) for ttl in (1, 2, 3)]
        assert path == [(NEAR, EXCEEDED), (stage.own, EXCEEDED), (public, NO_PORT)]

    def test_traceroute_by_tcp_shows_the_router(self, stage: Stage, node: str) -> None:
        public = stage.forwarded[node][1]
        path = [heard(stage.behind, public, port=FIRST, ttl=ttl, size="tcp") for ttl in (1, 2)]
        assert path == [(NEAR, EXCEEDED), (stage.own, EXCEEDED)]
        assert icmp_error(stage.behind, public, port=FIRST, ttl=3, size="tcp") == {"refused": True}

    @pytest.mark.parametrize("port", [FIRST, TO_ONE])
    def test_too_big_for_the_network_inside(self, stage: Stage, node: str, port: int) -> None:
        _forget(stage.outside)
        hop = icmp_error(stage.outside, stage.forwarded[node][1], port=port, size=1500)
        assert (hop["from"], hop["type"], hop["code"], hop["mtu"]) == (stage.own, *TOO_BIG, 1450)
        _forget(stage.outside)

    def test_what_they_say_shows_each_hop(self, lab: Lab, stage: Stage, node: str) -> None:
        """From the very port that is forwarded to."""
        inside = lab.layout.vm_namespace(stage.forwarded[node][0].name)
        path = [heard(inside, BEHIND, ttl=ttl, source=INSIDE) for ttl in (1, 2, 3)]
        assert path == [(stage.gateway, EXCEEDED), (OUTSIDE, EXCEEDED), (BEHIND, NO_PORT)]
        _forget(inside)
        hop = icmp_error(inside, BEHIND, size=1400, source=INSIDE)
        assert (hop["from"], hop["type"], hop["code"], hop["mtu"]) == (OUTSIDE, *TOO_BIG, NARROW)
        _forget(inside)

    def test_tcp_finds_out_how_much_fits(self, lab: Lab, stage: Stage, node: str) -> None:
        vm, public = stage.forwarded[node]
        _forget(lab.layout.vm_namespace(vm.name))
        drink = ("drink", public, str(FIRST + 1))
        with lab.inside(vm, "pour", str(INSIDE + 1)), lab.inside_namespace(stage.behind, *drink) as client:
            got = 0
            while got < 2**18:
                got += int(client.line())

    @pytest.mark.parametrize("port", [FIRST, TO_ONE])
    @pytest.mark.parametrize("frm", ["hv1", "hv2"])
    def test_from_inside(self, lab: Lab, stage: Stage, node: str, frm: str, port: int) -> None:
        public = stage.forwarded[node][1]
        namespace = lab.layout.vm_namespace(stage.snat[frm].name)
        assert heard(namespace, public, port=port) == (public, NO_PORT)

    def test_nothing_is_said_about_ports_that_lead_nowhere(self, stage: Stage, node: str) -> None:
        assert icmp_error(stage.behind, stage.forwarded[node][1], port=FIRST + 3) == {}


@pytest.mark.parametrize("node", ["hv1", "hv2"])
@pytest.mark.parametrize("frm", ["hv1", "hv2"])
def test_a_floating_ip_from_inside(lab: Lab, stage: Stage, frm: str, node: str) -> None:
    """By SNAT out, by the floating IP in, and the error all the way back."""
    vm, public = stage.snat[frm], stage.floating[node][1]
    assert heard(lab.layout.vm_namespace(vm.name), public) == (public, NO_PORT)


@pytest.mark.parametrize("ports", ["none", "forwarded"])
@pytest.mark.parametrize("node", ["hv1", "hv2"])
def test_an_answer_that_nobody_waits_for_any_more(lab: Lab, stage: Stage, node: str, ports: str) -> None:
    """The error about it goes out by SNAT, to the socket that has answered; also of who has ports forwarded to it."""
    inside = lab.layout.vm_namespace((stage.snat[node] if ports == "none" else stage.forwarded[node][0]).name)
    script = (
        "import socket, time\n"
        "here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"here.bind(('{BEHIND}', 7007))\n"
        "print('ready', flush=True)\n"
        "said, there = here.recvfrom(99)\n"
        "here.connect(there)\n"
        "end = time.monotonic() + 20\n"
        "while time.monotonic() < end:\n"
        "    time.sleep(0.2)\n"
        "    try:\n"
        "        here.send(b'late')\n"
        "    except ConnectionRefusedError:\n"
        "        print('refused')\n"
        "        break\n"
    )
    assert asked_once(stage.behind, script, inside, (BEHIND, 7007)) == "refused\n"


@pytest.mark.parametrize("node", ["hv1", "hv2"])
def test_what_nobody_can_translate_does_not_get_out(lab: Lab, stage: Stage, node: str) -> None:
    """An answer, and an error, of no connection that the gateway knows, from a VM without port security."""
    vm = stage.snat[node]
    with lab.cloud() as cloud:
        cloud.update("ports", vm.port_id, {"port_security_enabled": False, "security_groups": []})
        gateway = next(one["mac_address"] for one in cloud.list("ports", network_id=vm.network_id)
                       if one["device_owner"].startswith("network:router_interface"))  # fmt: skip
    until(lambda: not lab.port(vm)["port_security_enabled"] and lab.in_sync(node), "the port is unguarded")
    own, macs = vm.nic.address, (vm.nic.mac, gateway)
    syn_ack = bytes.fromhex("1f90 9c40 00000001 00000001 5012 2000 0000 0000".replace(" ", ""))
    answer = _ipv4(macs, (own, BEHIND), 6, syn_ack)
    about = udp4(macs, (BEHIND, own), b"never sent")[14:]
    with lab.inside_namespace(stage.outside, "capture") as capture:
        lab.send_frames(vm, answer, icmp4(macs, (own, BEHIND), 3, bytes(4) + about))
        assert _pings(lab.layout.vm_namespace(vm.name), BEHIND, seconds=10)
        seen: list[bytes] = []
        while not seen or seen[-1][23:24] != b"\x01" or seen[-1][34] != 8:
            seen.append(bytes.fromhex(capture.line()))
    assert [frame for frame in seen if frame[26:30] == ip_address(own).packed] == []
