"""Floods from the external network: one kind, to one router, starves neither another kind nor another router."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from tests.netns import forked
from tests.netns.frames import BROADCAST, arp, ethernet, icmp4, icmp6, pieces, segment4, udp4, with_ttl
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


LIE = b"as from inside"
SERVER = "169.254.169.254"


def lies(stage: Stage, own: str) -> Iterator[bytes]:
    """What a hostile host outside may send.  own: the flooded VM's address."""
    for mac, address in ((stage.mac, stage.own), (stage.floating_mac, stage.floating)):
        macs = (FLOODER, mac)
        for source in (own, SERVER, address, "127.0.0.1", "0.0.0.0", "224.0.0.1"):
            yield udp4(macs, (source, address), LIE)
            yield from pieces(udp4(macs, (source, address), LIE * 9), 48)
            yield icmp4(macs, (source, address), 8, bytes(4) + LIE)
        for target in (own, SERVER, "240.0.255.5"):
            yield udp4(macs, (OUTSIDE, target), LIE, (1000, 53))
            yield segment4(macs, (OUTSIDE, target), (1000, 80), (1, 0), 2)
        for claimed in (address, OUTSIDE, BEHIND):
            for to in (mac, BROADCAST):
                yield arp((FLOODER, to), 2, (FLOODER, claimed), (mac, address))
                yield arp((FLOODER, to), 1, (FLOODER, claimed), (mac, claimed))
                yield arp((FLOODER, to), 2, (BROADCAST, claimed), (mac, address))
        quoted = udp4(macs, (address, BEHIND), b"x")[14:]
        for kind, code, rest in ((3, 4, bytes((0, 0, 0, 68))), (5, 1, bytes((203, 0, 113, 66))), (11, 0, bytes(4))):
            yield icmp4(macs, (OUTSIDE, address), kind, rest + quoted, code)
            yield icmp4(macs, (OUTSIDE, address), kind, rest + quoted[:9], code)
        yield with_ttl(udp4(macs, (OUTSIDE, address), bytes(24), (49152, 3784)), 255)  # BFD
        ends = ("fe80::66", "ff02::1")
        yield icmp6((FLOODER, "33:33:00:00:00:01"), ends, 134, bytes((64, 0, 7, 8)) + bytes(8))
        for options in (bytes((1, 0)), bytes((1, 255)) + bytes(6), b"\2\1" + bytes(6), bytes(1400)):
            yield icmp6((FLOODER, mac), ends, 136, bytes(20) + options)
        yield ethernet(mac, FLOODER, 0x0800, b"\x4f" + bytes(25))
        yield ethernet(mac, FLOODER, 0x0800, b"\x45\0\xff\xff" + bytes(20))
        yield ethernet(mac, FLOODER, 0x0806, bytes(9))


def test_lies_from_outside(lab: Lab, stage: Stage) -> None:
    """Nobody hears what is said as from inside, though the VM's group lets its members in; all goes on as before."""
    agents = [lab.pid("agent", node) for node in ("hv1", "hv2")]
    (own,) = (one["ip_address"] for one in lab.port(stage.one)["fixed_ips"])
    with lab.inside(stage.one, "capture") as capture:
        for _ in range(3):
            forked.do(stage.outside, "send", stdin="".join(f"{frame.hex()}\n" for frame in lies(stage, own)))
        assert lab.ping(stage.one, BEHIND)
        assert refused(lab, stage), "an error comes in by the floating IP"
        capture.stop()
        heard = [bytes.fromhex(line) for line in capture.finish()]
    assert any(frame[12:14] == b"\x08\0" for frame in heard), "so that it could be heard"
    assert [frame.hex() for frame in heard if LIE in frame] == []
    assert lab.ping(stage.other, _new_neighbour(stage))
    assert [lab.pid("agent", node) for node in ("hv1", "hv2")] == agents
    assert lab.in_sync("hv1") and lab.in_sync("hv2")
