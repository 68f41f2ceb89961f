"""Floods from the external network: one kind, to one router, starves neither another kind nor another router."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from tests.netns.frames import arp, icmp4, udp4, with_ttl
from tests.netns.harness import Lab, until
from tests.netns.l3.test_gateways import BEHIND
from tests.netns.l3.test_routing import make_router
from tests.netns.outside import OUTSIDE, external_network, next_hop

from netweft.lab import host
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm
from netweft.services.fields import RouterLimit

# so many frames in turn, ten bursts each tenth of a second, until its stdin closes
FLOOD = """
import select, socket, sys, time
frames = [bytes.fromhex(word) for word in sys.argv[1:]]
there = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
there.bind(("eth0", 0))
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.01)[0]:
    for frame in frames:
        there.send(frame)
"""
AT_ONCE = 30  # frames: some 3,000 a second, far above each limit
FLOODER = "02:00:00:00:00:66"
BY_FLOATING_IP = (RouterLimit.UNDELIVERED_FROM_OUTSIDE, RouterLimit.ERRORS_IN)


class Stage(NamedTuple):
    """one, other: VMs, each behind a router of its own, both on hv1.  flooded: the gateway of the first on `node`, by
    its MAC and address, and a floating IP, which is with its VM and has a MAC of its own."""

    one: Vm
    other: Vm
    mac: str
    own: str
    floating: str
    floating_mac: str
    node: str
    outside: str


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    external, outside = external_network(lab), next_hop(lab)
    there = lab.layout.host_namespace("outside")
    run("ip", "-n", there, "address", "add", f"{BEHIND}/32", "dev", "lo")
    run("ip", "-n", there, "link", "set", "lo", "up")
    info = {"network_id": external}
    vms, routers = [], []
    for number in (0, 1):
        network = lab.network(f"10.5{number}.0.0/24")
        routers.append(make_router(lab, network, external_gateway_info=info))
        vms.append(lab.add_vm("hv1", network))
    with lab.cloud() as cloud:
        (port,) = cloud.list("ports", device_id=routers[0]["id"], device_owner="network:router_gateway")
        floating = cloud.create("floatingips", floating_network_id=external, port_id=vms[0].port_id)
        (its_own,) = cloud.list("ports", device_id=floating["id"])
    for vm in vms:
        assert lab.ping(vm, BEHIND)
    yield Stage(
        vms[0],
        vms[1],
        port["mac_address"],
        port["fixed_ips"][0]["ip_address"],
        floating["floating_ip_address"],
        its_own["mac_address"],
        port["binding:host_id"],
        there,
    )
    host.remove(lab.layout, outside)


def frames(stage: Stage, kind: RouterLimit) -> list[bytes]:
    """All different, as far as there are so many."""
    macs, numbers = (FLOODER, stage.floating_mac if kind in BY_FLOATING_IP else stage.mac), range(AT_ONCE)
    match kind:
        case RouterLimit.NEIGHBOURS:
            senders = [(FLOODER, f"203.0.113.{150 + number}") for number in numbers]
            return [arp(macs, 2, sender, (stage.mac, stage.own)) for sender in senders]
        case RouterLimit.NEXT_HOPS:
            return [arp(macs, 2, (FLOODER, OUTSIDE), (stage.mac, stage.own))] * AT_ONCE
        case RouterLimit.ASKED_FOR:
            senders = [(FLOODER, f"203.0.113.{150 + number}") for number in numbers]
            return [arp((FLOODER, "ff:ff:ff:ff:ff:ff"), 1, sender, (stage.mac, stage.own)) for sender in senders]
        case RouterLimit.PINGED:
            content = [bytes((0, number, 0, 1)) for number in numbers]
            return [icmp4(macs, ("203.0.113.150", stage.own), 8, one) for one in content]
        case RouterLimit.UNDELIVERED_FROM_OUTSIDE:
            return [with_ttl(udp4(macs, (f"192.0.2.{number}", stage.floating), b"x"), 1) for number in numbers]
        case RouterLimit.ERRORS_IN:
            quoted = udp4(macs, (stage.floating, "192.0.2.9"), b"x")[14:]
            return [icmp4(macs, (f"192.0.2.{number}", stage.floating), 3, bytes(4) + quoted) for number in numbers]
    raise AssertionError(kind)


@contextmanager
def flood(stage: Stage, kind: RouterLimit) -> Iterator[None]:
    words = [one.hex() for one in frames(stage, kind)]
    command = in_namespace(stage.outside, sys.executable, "-c", FLOOD, *words)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flooding:
        assert flooding.stdout is not None and flooding.stdout.readline() == "ready\n"
        try:
            yield
        finally:
            flooding.communicate(timeout=30)


def dropped(lab: Lab, stage: Stage, kind: RouterLimit) -> int:
    """By the meters of that kind on the node that is flooded."""
    socket = lab.node("hv1" if kind in BY_FLOATING_IP else stage.node).ovs / "br-int.mgmt"
    command = ("ovs-ofctl", "-OOpenFlow15", "meter-stats", str(socket))
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counts = 0
    for meter in said.split("meter:")[1:]:
        number, _, rest = meter.partition(" ")
        if int(number) >> 10 & 0xFF == 0xFF and int(number) & 0xF == kind:
            counts += sum(int(found) for found in re.findall(r"0: packet_count:(\d+)", rest))
    return counts


_fresh = iter(range(200, 250))


def _new_neighbour(stage: Stage) -> str:
    """An address outside that nobody has asked for yet."""
    address = f"203.0.113.{next(_fresh)}"
    run("ip", "-n", stage.outside, "address", "add", f"{address}/24", "dev", "eth0")
    return address


KINDS = [
    RouterLimit.NEIGHBOURS,
    RouterLimit.NEXT_HOPS,
    RouterLimit.ASKED_FOR,
    RouterLimit.PINGED,
    RouterLimit.UNDELIVERED_FROM_OUTSIDE,
    RouterLimit.ERRORS_IN,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_flood_of_one_kind(lab: Lab, stage: Stage, kind: RouterLimit) -> None:
    """Above its limit.  The other router goes on asking for its next hops; so does the flooded one, but for those whose
    answers are what floods; what it knows stays; its floating IP's errors come in, but where these flood."""
    before = dropped(lab, stage, kind)
    with flood(stage, kind):
        until(lambda: dropped(lab, stage, kind) > before + 100, "the meter drops")
        assert lab.ping(stage.other, _new_neighbour(stage)), "another router finds a new neighbour"
        assert lab.ping(stage.one, BEHIND), "what is known stays"
        if kind not in (RouterLimit.NEIGHBOURS, RouterLimit.NEXT_HOPS):
            assert lab.ping(stage.one, _new_neighbour(stage)), "and so does this one"
        if kind is not RouterLimit.ERRORS_IN:
            assert refused(lab, stage), "an error comes in by the floating IP"
    assert lab.in_sync(stage.node)


def refused(lab: Lab, stage: Stage) -> bool:
    """Whether a VM hears that nobody listens at a port outside.  Each second there is one such error at most."""
    script = (
        "import socket, sys, time\n"
        "here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"here.connect(('{BEHIND}', 9))\n"
        "end = time.monotonic() + 30\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        "        here.send(b'x')\n"
        "    except ConnectionRefusedError:\n"
        "        sys.exit(0)\n"
        "    time.sleep(0.2)\n"
        "sys.exit(1)\n"
    )
    command = in_namespace(lab.layout.vm_namespace(stage.one.name), sys.executable, "-c", script)
    return subprocess.run(command, check=False).returncode == 0
