"""What users of other clouds have reported about their routers, with packets made by hand.

Each test names where: projects on GitHub, and the number of the issue or pull request.
"""

import json
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest
from tests.netns import forked, frames
from tests.netns.harness import Inside, Lab, until
from tests.netns.inside.pings import checksum
from tests.netns.l3 import sctp
from tests.netns.l3.test_gateways import BEHIND, BEHIND_6, OUTSIDE_6, Stage, gateway_port, pings
from tests.netns.l3.test_gateways import stage as stage
from tests.netns.l3.test_routing import address
from tests.netns.outside import OUTSIDE

from netweft.lab.commands import run
from netweft.lab.vm import Vm

PORT = 4321
FAR = "198.51.100.77"  # nobody's: whose answers are only seen
MUCH, CUT = bytes(1200), 800  # Open vSwitch's conntrack takes no fragment that is smaller than 400


@pytest.fixture(scope="module", autouse=True)
def they_are_let_in(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            for protocol in ("icmp", "udp", "tcp", "sctp"):
                what = {"direction": "ingress", "protocol": protocol}
                cloud.create("security-group-rules", security_group_id=group["id"], **what)


@pytest.fixture
def floating(lab: Lab, stage: Stage) -> Iterator[str]:
    """An address outside that leads to `red`."""
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=stage.external, port_id=stage.red.port_id)
    found = str(made["floating_ip_address"])
    until(lambda: pings(outside(lab), found, seconds=1), f"{found} is reached")
    yield found
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])


def outside(lab: Lab) -> str:
    return lab.layout.host_namespace("outside")


def routers_mac(lab: Lab, machine: Vm) -> str:
    network = lab.port(machine)["network_id"]
    with lab.cloud() as cloud:
        found = cloud.list("ports", network_id=network, device_owner="network:router_interface")
    return next(str(one["mac_address"]) for one in found if one["fixed_ips"][0]["ip_address"].endswith(".1"))


def datagram(lab: Lab, frm: Vm, to: str, payload: bytes) -> bytes:
    """To its router, and without a checksum, as IPv4 allows."""
    macs, ends = (frm.nic.mac, routers_mac(lab, frm)), (address(frm), to)
    return frames.udp4(macs, ends, payload, (PORT, 9))


def heard(capture: Inside, payload: bytes) -> bytes:
    """The first frame with it."""
    while True:
        frame = bytes.fromhex(capture.line())
        if frame[42 : 42 + len(payload)] == payload:
            return frame


def ends(frame: bytes) -> tuple[str, int, str, int]:
    """Source with its port, destination with its own."""
    source, target = (str(IPv4Address(frame[at : at + 4])) for at in (26, 30))
    return source, int.from_bytes(frame[34:36], "big"), target, int.from_bytes(frame[36:38], "big")


def answer(frame: bytes, payload: bytes) -> bytes:
    source, port, target, other = ends(frame)
    return frames.udp4((frame[:6].hex(":"), frame[6:12].hex(":")), (target, source), payload, (other, port))


def is_right(frame: bytes) -> bool:
    """Its UDP checksum is right, or there is none."""
    udp = frame[34 : 34 + int.from_bytes(frame[38:40], "big")]
    pseudo = frame[26:34] + bytes((0, 17)) + frame[38:40]
    return frame[40:42] == b"\0\0" or checksum(pseudo + udp) == 0


def test_a_datagram_without_a_checksum_is_translated(lab: Lab, stage: Stage, floating: str) -> None:
    """By SNAT and by a floating IP, there and back: google/gvisor#13526, OpenVPN/openvpn#1037."""
    for name in ("one", "red"):
        vm: Vm = getattr(stage, name)
        with lab.inside_namespace(outside(lab), "capture") as there, lab.inside(vm, "capture") as here:
            lab.send_frames(vm, datagram(lab, vm, BEHIND, f"from {name}".encode()))
            asked = heard(there, f"from {name}".encode())
            forked.do(outside(lab), "send", stdin=answer(asked, b"back").hex() + "\n")
            answered = heard(here, b"back")
        assert is_right(asked) and is_right(answered)
        assert (ends(asked)[0] == floating) is (name == "red")
        assert ends(answered) == (BEHIND, 9, address(vm), PORT)


def test_two_vms_that_send_from_the_same_port(lab: Lab, stage: Stage) -> None:
    """To the same port of one host, by one address: projectcalico/felix#2983, ironcore-dev/dpservice#208."""
    seen: dict[str, bytes] = {}
    with lab.inside_namespace(outside(lab), "capture") as there:
        for name in ("one", "two"):
            vm: Vm = getattr(stage, name)
            lab.send_frames(vm, datagram(lab, vm, BEHIND, f"of {name}".encode()))
            seen[name] = heard(there, f"of {name}".encode())
    assert ends(seen["one"])[0] == ends(seen["two"])[0], "one address"
    assert ends(seen["one"])[1] != ends(seen["two"])[1], "by two ports"
    for name, asked in seen.items():
        vm = getattr(stage, name)
        with lab.inside(vm, "capture") as here:
            forked.do(outside(lab), "send", stdin=answer(asked, f"to {name}".encode()).hex() + "\n")
            assert ends(heard(here, f"to {name}".encode())) == (BEHIND, 9, address(vm), PORT)


def test_a_vm_by_both_of_its_addresses_at_once(lab: Lab, stage: Stage, floating: str) -> None:
    """From one port to one port, so that both are the same connection to it unless somebody sees to that:
    openshift/sdn#269."""
    one, red = stage.one, stage.red
    asked = {}
    with lab.inside(red, "capture") as there:
        for to in (floating, address(red)):
            lab.send_frames(one, datagram(lab, one, to, f"to {to}".encode()))
            asked[to] = heard(there, f"to {to}".encode())
    for to, frame in asked.items():
        with lab.inside(one, "capture") as here:
            lab.send_frames(red, answer(frame, f"from {to}".encode()))
            assert ends(heard(here, f"from {to}".encode())) == (to, 9, address(one), PORT)


def test_nothing_is_routed_to_all_of_a_network(lab: Lab, stage: Stage) -> None:
    """By its broadcast address, from another network: what RFC 2644 wants of routers; ovn-org/ovn#178 has what comes
    of copies for all."""
    one, red = stage.one, stage.red
    with lab.inside(red, "capture") as there:
        for to in ("10.41.0.255", "10.41.0.0", "255.255.255.255"):
            lab.send_frames(one, datagram(lab, one, to, b"for all"))
        lab.send_frames(one, datagram(lab, one, address(red), b"for red"))
        before = []
        while (frame := bytes.fromhex(there.line()))[42:49] != b"for red":
            before.append(frame)
    assert not [frame for frame in before if b"for all" in frame]


def test_a_new_vm_with_both_addresses_of_one_that_is_gone(lab: Lab, stage: Stage) -> None:
    """On the other node, with another MAC: mulgadc/spinifex#521, eryph-org/eryph#141."""
    network, own = lab.port(stage.red)["network_id"], "10.41.0.200"
    taken: dict[str, object] = {}
    for node in ("hv1", "hv2"):
        vm = lab.add_vm(node, network, fixed_ips=[{"ip_address": own}])
        with lab.cloud() as cloud:
            led = {"floating_network_id": stage.external, "port_id": vm.port_id, **taken}
            made = cloud.create("floatingips", **led)
        taken["floating_ip_address"] = made["floating_ip_address"]
        until(lambda: pings(outside(lab), str(taken["floating_ip_address"]), seconds=1), f"{node}: reached")
        assert lab.ping(stage.one, own), "by its own address"
        assert lab.ping(vm, OUTSIDE)
        lab.remove_vm(vm)
        with lab.cloud() as cloud:
            cloud.delete("floatingips", made["id"])


@pytest.fixture
def way_out(lab: Lab, stage: Stage, floating: str) -> tuple[str, str]:
    """The MACs of who is outside, and of who answers for the floating IP there."""
    with lab.inside_namespace(outside(lab), "capture") as there:
        lab.send_frames(stage.red, datagram(lab, stage.red, BEHIND, b"who"))
        frame = heard(there, b"who")
    return frame[:6].hex(":"), frame[6:12].hex(":")


def test_connections_that_begin_in_pieces_by_a_floating_ip(
    lab: Lab, stage: Stage, floating: str, way_out: tuple[str, str]
) -> None:
    """TCP, into the VM and out of it, to sockets that look at checksums: cilium/cilium#14814 has what becomes of later
    fragments without ports, antrea-io/antrea#348 what Open vSwitch's conntrack made of them, docs/decisions/0451 what
    it still spoils."""
    red, own = stage.red, address(stage.red)
    way, back = (way_out, (FAR, floating), (PORT, 5001)), (floating, 5001, FAR, PORT)
    with lab.inside(red, "serve", "5001"), lab.inside_namespace(outside(lab), "capture") as there:
        send_outside(lab, frames.pieces(frames.syn4(*way, MUCH), CUT, ident=77))
        begins = answers_of(there, back, 2)
        for number in range(2):  # what comes after it, too
            at = 2 + number * len(MUCH)
            segment = frames.segment4(*way, (at, begins + 1), frames.ACK | frames.PSH, MUCH)
            send_outside(lab, frames.pieces(segment, CUT, ident=81 + number))
            answers_of(there, back, at + len(MUCH))
    begun = frames.syn4((red.nic.mac, routers_mac(lab, red)), (own, BEHIND), (PORT, 5002), MUCH)
    with lab.inside_namespace(outside(lab), "serve", "5002"), lab.inside(red, "capture") as here:
        lab.send_frames(red, *frames.pieces(begun, CUT, ident=78))
        until_agreed(here, (BEHIND, 5002, own, PORT))


def test_sctp_in_pieces_by_a_floating_ip(lab: Lab, stage: Stage, floating: str, way_out: tuple[str, str]) -> None:
    red, own = stage.red, address(stage.red)
    packet = sctp.packet(PORT, 5003, 1, padding=len(MUCH))
    with lab.inside(red, "capture") as here:
        send_outside(lab, frames.pieces(frames.sctp4(way_out, (BEHIND, floating), packet), CUT, ident=79))
        assert put_together(here, (BEHIND, own)) == packet
    macs = red.nic.mac, routers_mac(lab, red)
    with lab.inside_namespace(outside(lab), "capture") as there:
        lab.send_frames(red, *frames.pieces(frames.sctp4(macs, (own, BEHIND), packet), CUT, ident=80))
        assert put_together(there, (floating, BEHIND)) == packet


def send_outside(lab: Lab, sent: list[bytes]) -> None:
    forked.do(outside(lab), "send", stdin="".join(f"{frame.hex()}\n" for frame in sent))


def until_agreed(capture: Inside, wanted: tuple[str, int, str, int]) -> None:
    """A SYN with its ACK, from and to there."""
    for frame in soon(capture):
        if frame[12:14] == b"\x08\0" and frame[23] == 6 and ends(frame) == wanted and frame[47] & 0x3F == 0x12:
            return
    raise AssertionError("nobody agreed")


def answers_of(capture: Inside, wanted: tuple[str, int, str, int], acknowledged: int) -> int:
    """Where the segment is in its stream that acknowledges so much, from and to there."""
    for frame in soon(capture):
        if frame[12:14] == b"\x08\0" and frame[23] == 6 and ends(frame) == wanted:
            sequence, reached = struct.unpack_from("!II", frame, 38)
            if reached == acknowledged:
                return int(sequence)
    raise AssertionError(f"nobody acknowledged {acknowledged}")


def put_together(capture: Inside, wanted: tuple[str, str], protocol: int = 132) -> bytes:
    """What this protocol (SCTP) carried in two pieces, or whole, from and to these addresses."""
    parts: dict[int, bytes] = {}
    for frame in soon(capture):
        if frame[12:14] != b"\x08\0" or frame[23] != protocol or ends(frame)[::2] != wanted:
            continue
        field, length = int.from_bytes(frame[20:22], "big"), int.from_bytes(frame[16:18], "big")
        parts[field & 0x1FFF] = frame[34 : 14 + length]
        if len(parts) == 2 or field & 0x3FFF == 0:
            return b"".join(part for _, part in sorted(parts.items()))
    raise AssertionError("it did not come")


def soon(capture: Inside, seconds: float = 30.0) -> Iterator[bytes]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield bytes.fromhex(capture.line())


@pytest.fixture
def nested(lab: Lab, stage: Stage) -> Iterator[Vm]:
    """A VM behind a router of its own, which leads on to the network of `red`, whose router has the gateway."""
    network = lab.network("10.47.0.0/24")
    transit = lab.port(stage.red)["network_id"]
    with lab.cloud() as cloud:
        inner = cloud.create("routers", name="inner")["id"]
        subnet = cloud.list("subnets", network_id=network)[0]
        cloud.act("routers", inner, "add_router_interface", {"subnet_id": subnet["id"]})
        between = cloud.create("ports", network_id=transit)
        own = between["fixed_ips"][0]["ip_address"]
        cloud.act("routers", inner, "add_router_interface", {"port_id": between["id"]})
        cloud.update("routers", inner, {"routes": [{"destination": "0.0.0.0/0", "nexthop": "10.41.0.1"}]})
        back = {"destination": "10.47.0.0/24", "nexthop": own}
        cloud.act("routers", stage.router["id"], "add_extraroutes", {"router": {"routes": [back]}})
    vm = lab.add_vm("hv2", network)
    yield vm
    lab.remove_vm(vm)
    with lab.cloud() as cloud:
        cloud.act("routers", stage.router["id"], "remove_extraroutes", {"router": {"routes": [back]}})
        cloud.update("routers", inner, {"routes": []})
        cloud.act("routers", inner, "remove_router_interface", {"port_id": between["id"]})
        cloud.act("routers", inner, "remove_router_interface", {"subnet_id": subnet["id"]})
        cloud.delete("routers", inner)
        cloud.delete("networks", network)


def test_who_is_behind_two_routers_is_translated(lab: Lab, stage: Stage, nested: Vm) -> None:
    """ovn-org/ovn#274: a network behind another router left by SNAT with its own addresses, or not at all."""
    until(lambda: lab.ping(nested, BEHIND), "it gets out")
    with lab.inside_namespace(outside(lab), "capture") as there:
        lab.send_frames(nested, datagram(lab, nested, BEHIND, b"nested"))
        asked = heard(there, b"nested")
    assert IPv4Address(ends(asked)[0]) in IPv4Network("203.0.113.0/24")
    with lab.inside(nested, "capture") as here:
        forked.do(outside(lab), "send", stdin=answer(asked, b"back").hex() + "\n")
        assert ends(heard(here, b"back")) == (BEHIND, 9, address(nested), PORT)


@pytest.mark.parametrize("name", ["one", "red"])
def test_errors_about_datagrams_with_options_are_about_the_vms(
    lab: Lab, stage: Stage, floating: str, name: str
) -> None:
    """By SNAT and by a floating IP: google/gvisor#6765, sorah/xlat#18."""
    vm: Vm = getattr(stage, name)
    payload = f"options of {name}".encode()
    with lab.inside_namespace(outside(lab), "capture") as there:
        lab.send_frames(vm, frames.with_options(datagram(lab, vm, BEHIND, payload)))
        asked = next(frame for frame in soon(there) if payload in frame)
    packet = asked[14:]
    assert packet[0] == 0x46 and checksum(packet[:24]) == 0
    back = frames.icmp4((asked[:6].hex(":"), asked[6:12].hex(":")), (BEHIND, ends(asked)[0]), 3, bytes(4) + packet[:32])
    with lab.inside(vm, "capture") as here:
        send_outside(lab, [back])
        told = next(frame[14:] for frame in soon(here) if is_error(frame))
    quoted = told[28 : 28 + 32]
    assert checksum(told[:20]) == 0 and checksum(told[20 : int.from_bytes(told[2:4], "big")]) == 0
    assert quoted[:1] == b"\x46" and checksum(quoted[:24]) == 0
    assert str(IPv4Address(quoted[12:16])) == address(vm) and str(IPv4Address(quoted[16:20])) == BEHIND
    assert int.from_bytes(quoted[24:26], "big") == PORT


def is_error(frame: bytes) -> bool:
    """ICMP's "unreachable"."""
    return frame[12:14] == b"\x08\0" and frame[23] == 1 and frame[34] == 3


def test_a_floating_ip_of_an_address_that_vms_share(lab: Lab, stage: Stage) -> None:
    """Its port is bound nowhere, as keepalived has it; who has it now answers ARP with his own MAC: Launchpad 1774459.
    What he sends from it leaves by the floating IP."""
    network, shared = lab.port(stage.two)["network_id"], f"{address(stage.two).rpartition('.')[0]}.200"
    pairs = [{"ip_address": shared}]
    with lab.cloud() as cloud:
        port = cloud.create("ports", network_id=network, fixed_ips=pairs)
        made = cloud.create("floatingips", floating_network_id=stage.external, port_id=port["id"])
    found = str(made["floating_ip_address"])
    for node in ("hv1", "hv2"):
        holder = lab.add_vm(node, network, allowed_address_pairs=pairs)
        run("ip", "-n", lab.layout.vm_namespace(holder.name), "address", "add", f"{shared}/24", "dev", "eth0")
        macs = (holder.nic.mac, frames.BROADCAST)
        lab.send_frames(holder, frames.arp(macs, 1, (holder.nic.mac, shared), (frames.NOBODY, shared)))
        until(lambda: pings(outside(lab), found, seconds=1), f"{found} is reached at {node}")
        with lab.inside_namespace(outside(lab), "capture") as there:
            macs = (holder.nic.mac, routers_mac(lab, holder))
            lab.send_frames(holder, frames.udp4(macs, (shared, BEHIND), node.encode(), (PORT, 9)))
            assert ends(heard(there, node.encode()))[0] == found
        lab.remove_vm(holder)
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])
        cloud.delete("ports", port["id"])


@pytest.mark.parametrize("version", [4, 6])
def test_a_next_hop_outside_that_has_another_mac(lab: Lab, stage: Stage, version: int) -> None:
    """After a failover there it says so, once, to all: ovn-org/ovn#266.  Not when it is asked again, after 20 s."""
    there, to = outside(lab), {4: BEHIND, 6: BEHIND_6}[version]
    fixed = (one["ip_address"] for one in gateway_port(lab, stage)["fixed_ips"])
    back = next(one for one in fixed if ":" in one)
    run("ip", "-n", there, "route", "replace", "fd00:40::/64", "via", back)
    assert lab.ping(stage.one, to)
    (link,) = json.loads(run("ip", "-n", there, "-j", "link", "show", "dev", "eth0"))
    for mac in ("02:00:00:00:01:66", link["address"]):
        run("ip", "-n", there, "link", "set", "dev", "eth0", "address", mac)
        if version == 4:
            said = frames.arp((mac, frames.BROADCAST), 1, (mac, OUTSIDE), (frames.NOBODY, OUTSIDE))
        else:
            ends = (OUTSIDE_6, "ff02::1")
            said = frames.neighbour_advertisement((mac, "33:33:00:00:00:01"), ends, OUTSIDE_6, mac)
        forked.do(there, "send", stdin=said.hex() + "\n")
        assert lab.ping(stage.one, to, seconds=15)
