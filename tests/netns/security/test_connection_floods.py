"""Floods of new connections, to a VIP, a VM and outside by SNAT, of SYNs and of fragments to VIPs: the node's other
networks and VIPs go on, and it is told who floods."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns import frames
from tests.netns.explain.test_explain import explain
from tests.netns.harness import Lab, on_the_kernels_datapath, until
from tests.netns.l3.test_reported import CUT, MUCH
from tests.netns.l3.test_routing import address, make_router
from tests.netns.lb import vip_fragments
from tests.netns.lb.balancers import Balancer, ask, serving
from tests.netns.lb.proxied import get, serving_http
from tests.netns.outside import OUTSIDE, external_network, next_hop
from tests.netns.probes import SYN, segment
from tests.netns.services.test_metadata import SERVER, on_link
from tests.netns.services.test_names import ask as ask_name

from netweft.dataplane.host.datapath import kernel_limits_zones
from netweft.dataplane.unixctl.zone_limits import Zone, zones
from netweft.lab import host
from netweft.lab.commands import in_namespace, run
from netweft.lab.guest import Nic
from netweft.lab.layout import LabError
from netweft.lab.vm import Vm
from netweft.services.dhcp.requests import SERVER_MAC
from netweft.services.fields import BALANCED_ZONE, Reason, cookie
from netweft.services.security.zone_limits import SHARE

VIP, SYN_VIP, OTHER_VIP = "10.65.0.100", "10.65.0.101", "10.66.0.100"
MOST = 1600  # connections that conntrack may have during the test
EACH = MOST // SHARE
USUAL = 250_000
KERNEL_ROOM = "net.netfilter.nf_conntrack_max"
IN_KERNEL = on_the_kernels_datapath()
AT_ONCE = 10 if IN_KERNEL else 100  # between two pauses: the kernel's conntrack is looked at four times a second
WITHIN = 20.0  # seconds: conntrack forgets a datagram that nobody answers after 30
NODES = ("hv1", "hv2")
# datagrams, each from another port: more than conntrack has room for.  Three times: what comes too fast is lost
FLOOD = """
import socket, sys, time
for port in [*range(20000, 20000 + int(sys.argv[2]))] * 3:
    time.sleep(0.01 * (port % int(sys.argv[3]) == 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("", port))
        try:
            one.sendto(b"?", (sys.argv[1], 80))
        except PermissionError:  # its own kernel tracks that, too, and has no more room
            pass
"""

# frames, one a line, three times over
FRAMES = """
import socket, sys, time
frames = [bytes.fromhex(line) for line in sys.stdin]
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as there:
    there.bind(("eth0", 0))
    for at, frame in enumerate(frames * 3):
        time.sleep(0.01 * (at % int(sys.argv[1]) == 0))
        there.send(frame)
"""


class Stage(NamedTuple):
    """network: in which `flooder` and `victim` are, on two nodes; others: of another network, likewise."""

    network: str
    flooder: Vm
    victim: Vm
    others: tuple[Vm, Vm]


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    if IN_KERNEL and not kernel_limits_zones():
        pytest.skip("this kernel limits no zones: docs/datapaths.md")
    blue, green = lab.network("10.65.0.0/24"), lab.network("10.66.0.0/24")
    external, beyond = external_network(lab), next_hop(lab)
    make_router(lab, blue, external_gateway_info={"network_id": external})
    lab.let_strangers_in()
    flooder, victim = lab.add_vm("hv1", blue), lab.add_vm("hv2", blue)
    others = lab.add_vm("hv1", green), lab.add_vm("hv2", green)
    balancer = Balancer(lab, blue, VIP, address(victim), protocol="UDP")
    with serving(lab, victim):
        assert lab.ping(others[0], address(others[1])) and lab.ping(flooder, OUTSIDE)
        yield Stage(blue, flooder, victim, others)
    balancer.close()
    host.remove(lab.layout, beyond)


def limited(lab: Lab, node: str) -> list[Zone]:
    """Of the networks that are there: vswitchd keeps the limits of those that are gone."""
    tags = {int(tag) for tag in lab.vsctl(node, "--bare", "--columns=tag", "find", "port", "tag!=0").split()}
    limits = [zone for zone in zones(lab.appctl(node, "dpctl/ct-get-limits")) if zone.limit]
    return [zone for zone in limits if zone.number & ~BALANCED_ZONE in tags]


@contextlib.contextmanager
def little_room(lab: Lab) -> Iterator[None]:
    """Nothing is tracked, and little may be."""
    try:
        make_room(lab, MOST)
        yield
    finally:
        make_room(lab, 3_000_000)
    usual: set[int] = set() if IN_KERNEL else {USUAL}  # there is room, so the kernel's have none
    until(lambda: {zone.limit for node in NODES for zone in limited(lab, node)} == usual, "as it was")


def make_room(lab: Lab, most: int) -> None:
    """And forget what is tracked."""
    for node in NODES:
        lab.appctl(node, "dpctl/flush-conntrack")
        if not IN_KERNEL:
            lab.appctl(node, "dpctl/ct-set-maxconns", str(most))
    if IN_KERNEL:
        run("sysctl", "-q", "-w", f"{KERNEL_ROOM}={most}")  # of each network namespace


def limits_follow(lab: Lab) -> None:
    """In the kernel's conntrack only when it fills."""
    if not IN_KERNEL:
        until(lambda: all(zone.limit <= EACH for node in NODES for zone in limited(lab, node)), "limits follow")


def flood(lab: Lab, frm: Vm, to: str) -> None:
    namespace = lab.layout.vm_namespace(frm.name)
    subprocess.run(in_namespace(namespace, sys.executable, "-c", FLOOD, to, str(MOST + EACH), str(AT_ONCE)), check=True)


def codes(lab: Lab, port_id: str) -> set[str]:
    _, told = explain(lab, port_id)
    return {one["code"] for one in told["findings"]}


@pytest.mark.skipif(IN_KERNEL, reason="it has none while there is room")
def test_limits_outlive_vswitchd(lab: Lab, stage: Stage) -> None:
    before = [zone.number for zone in limited(lab, "hv1")]
    lab.kill("ovs-vswitchd", "hv1")

    def again() -> bool:
        with contextlib.suppress(LabError):  # its socket is not there yet
            return [zone.number for zone in limited(lab, "hv1")] == before
        return False

    until(again, "all have limits again")
    until(lambda: lab.in_sync("hv1"), "hv1 in sync")
    assert {zone.limit for zone in limited(lab, "hv1")} == {USUAL}


@pytest.mark.parametrize("to", ["VIP", "VM", "outside"])
def test_other_networks_go_on(lab: Lab, stage: Stage, to: str) -> None:
    target = {"VIP": VIP, "VM": address(stage.victim), "outside": OUTSIDE}[to]
    here, there = stage.others
    with little_room(lab):
        limits_follow(lab)
        flood(lab, stage.flooder, target)
        full = {zone.number for zone in limited(lab, "hv1") if zone.tracked >= zone.limit}
        assert any(zone & BALANCED_ZONE for zone in full) == (to == "VIP"), "what is flooded has all that it may"
        for frm, other in ((here, there), (there, here)):
            assert lab.ping(frm, address(other), seconds=WITHIN), "another network's connections are tracked"
        if to == "VIP":
            until(lambda: "network-too-many-connections" in codes(lab, stage.flooder.port_id), "and it is told whose")
            assert "network-too-many-connections" not in codes(lab, here.port_id)


@pytest.mark.parametrize("kind", ["TCP", "HTTP"])
def test_floods_of_syns(lab: Lab, stage: Stage, kind: str) -> None:
    """To a VIP that flows lead to a member, and to HAProxy's: another network's VIP has new connections meanwhile, and
    the flooded one again when conntrack has forgotten.  And to the node."""
    here, there = (lab.layout.vm_namespace(one.name) for one in (stage.others[0], stage.victim))
    green = lab.port(stage.others[0])["network_id"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(serving(lab, stage.others[1]))
        stack.enter_context(serving_http(lab, stage.victim, 8081))
        other = Balancer(lab, green, OTHER_VIP, address(stage.others[1]))
        stack.callback(other.close)
        port = 8080 if kind == "TCP" else 8081
        flooded = Balancer(lab, stage.network, SYN_VIP, address(stage.victim), port=port, protocol=kind)
        stack.callback(flooded.close)

        def served() -> bool:
            if kind == "TCP":
                return any(stage.victim.name in one for one in ask(there, SYN_VIP))
            return any(one.status == 200 for one in get(there, SYN_VIP, times=1))

        until(served, "the VIP is served")
        with little_room(lab):
            limits_follow(lab)
            flood_of_syns(lab, stage.flooder, flooded)
            full = {zone.number for zone in limited(lab, "hv1") if zone.tracked >= zone.limit}
            assert any(zone & BALANCED_ZONE for zone in full), "what is flooded has all that it may"
            name = stage.others[1].name
            until(lambda: any(name in one for one in ask(here, OTHER_VIP)), "another VIP goes on", seconds=WITHIN)
            assert lab.ping(stage.others[0], address(stage.others[1]), seconds=WITHIN)
            if kind == "TCP" and not IN_KERNEL:  # there zones are counted only while conntrack fills: not tried
                flood_the_node(lab, stage)
        until(served, "the flooded VIP is served again")


def flood_the_node(lab: Lab, stage: Stage) -> None:
    """All VMs ask it by one conntrack zone: who fills that is not heard for a while, and another is answered."""
    other = on_link(lab, stage.others[0])
    ends = stage.flooder.nic, Nic(tap="", mac=SERVER_MAC, mtu=1500, addresses=(f"{SERVER}/32",))
    syns = (segment(ends, 4, (20000 + at, 53), (at, 0), SYN).hex() for at in range(4 * EACH))
    with no_resets(lab, stage.flooder, SERVER) as namespace:
        words = in_namespace(namespace, sys.executable, "-c", FRAMES, str(AT_ONCE))
        subprocess.run(words, input="\n".join(syns), text=True, check=True)
        unheard = f"cookie={cookie(Reason.PORT_DNS, stage.flooder.port_id):#x},"
        until(lambda: unheard in " ".join(lab.flows("hv1", "br-int")), "the flooder is not heard", seconds=60)
    until(lambda: ask_name(lab, other, "nobody.", spoken="tcp") == ["NXDOMAIN"], "another is answered")


def test_floods_of_fragments(lab: Lab, stage: Stage) -> None:
    """Of SYNs, each of which is for the agent to begin (decision 0598): conversations in fragments with another
    network's VIP begin meanwhile, and the flooded one has new connections afterwards."""
    here, green = stage.others[0], lab.port(stage.others[0])["network_id"]
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(serving(lab, stage.others[1]))
        other = Balancer(lab, green, OTHER_VIP, address(stage.others[1]), protocol="UDP")
        stack.callback(other.close)
        flooded = Balancer(lab, stage.network, SYN_VIP, address(stage.victim))
        stack.callback(flooded.close)
        with fragments_of_syns(lab, stage.flooder, flooded):
            said = vip_fragments.large(lab, here, OTHER_VIP, 42000)
        assert set(said) == {f"{name} ::ffff:{address(here)} True"}
        there = lab.layout.vm_namespace(stage.flooder.name)
        until(lambda: any(stage.victim.name in one for one in ask(there, SYN_VIP)), "the flooded VIP is served")


@contextlib.contextmanager
def fragments_of_syns(lab: Lab, frm: Vm, to: Balancer) -> Iterator[None]:
    """Until all are sent."""
    with lab.cloud() as cloud:
        mac = cloud.find("ports", to.port_id)["mac_address"]
    way = (frm.nic.mac, mac), (address(frm), to.vip)
    syns = (frames.syn4(*way, (20000 + at, 80), MUCH) for at in range(1500))
    sent = [one.hex() for at, syn in enumerate(syns) for one in frames.pieces(syn, CUT, ident=at)]
    with (
        no_resets(lab, frm, to.vip) as namespace,
        subprocess.Popen(
            in_namespace(namespace, sys.executable, "-c", FRAMES, "100"), stdin=subprocess.PIPE, text=True
        ) as flooding,
    ):
        assert flooding.stdin is not None
        flooding.stdin.write("\n".join(sent))
        flooding.stdin.close()
        yield
        assert flooding.wait() == 0


@contextlib.contextmanager
def no_resets(lab: Lab, frm: Vm, vip: str) -> Iterator[str]:
    """Its namespace, from which its kernel says nothing to the VIP: it knows nothing of what is made by hand."""
    namespace = lab.layout.vm_namespace(frm.name)
    run("ip", "-n", namespace, "route", "add", "blackhole", f"{vip}/32")
    try:
        yield namespace
    finally:
        run("ip", "-n", namespace, "route", "del", "blackhole", f"{vip}/32")


def flood_of_syns(lab: Lab, frm: Vm, to: Balancer) -> None:
    """Each by another port, whose answer nobody hears: there is no reset either."""
    with lab.cloud() as cloud:
        macs = [cloud.find("ports", id)["mac_address"] for id in (frm.port_id, to.port_id)]
    ends = [
        Nic(tap="", mac=mac, mtu=1500, addresses=(f"{own}/24",))
        for mac, own in zip(macs, (address(frm), to.vip), strict=True)
    ]
    syns = (segment((ends[0], ends[1]), 4, (20000 + at, 80), (at, 0), SYN).hex() for at in range(MOST + EACH))
    with no_resets(lab, frm, to.vip) as namespace:
        words = in_namespace(namespace, sys.executable, "-c", FRAMES, str(AT_ONCE))
        subprocess.run(words, input="\n".join(syns), text=True, check=True)
