"""What users of other clouds have reported about their routers, with packets made by hand.

Each test names where: projects on GitHub, and the number of the issue or pull request.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from tests.netns import forked, frames
from tests.netns.harness import Inside, Lab, until
from tests.netns.inside.pings import checksum
from tests.netns.outside import OUTSIDE
from tests.netns.test_gateways import BEHIND, Stage, pings
from tests.netns.test_gateways import stage as stage
from tests.netns.test_routing import address

from netweft.lab.vm import Vm

PORT = 4321


@pytest.fixture(scope="module", autouse=True)
def udp_is_let_in(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            for protocol in ("icmp", "udp"):
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
