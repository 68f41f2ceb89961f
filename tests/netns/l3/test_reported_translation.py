"""What users of other clouds have reported about translation, with packets made by hand; as `test_reported`.

Each test names where: projects on GitHub, and the number of the issue or pull request.
"""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from tests.netns import frames
from tests.netns.harness import Inside, Lab, group_of, until
from tests.netns.inside.pings import checksum
from tests.netns.l3.test_gateways import BEHIND, BEHIND_6, Stage, own_address
from tests.netns.l3.test_gateways import stage as stage
from tests.netns.l3.test_reported import (
    FAR,
    PORT,
    answer,
    datagram,
    ends,
    heard,
    outside,
    routers_mac,
    send_outside,
    soon,
)
from tests.netns.l3.test_reported import floating as floating
from tests.netns.l3.test_reported import they_are_let_in as they_are_let_in
from tests.netns.l3.test_reported import way_out as way_out
from tests.netns.l3.test_routing import address

from netweft.lab.layout import LabError
from netweft.lab.vm import Vm

EXCEEDED_6 = b"\x86\xdd\x3a\x03"  # IPv6, ICMPv6, and its type
LEAST = 28  # bytes of a packet that an error has to quote (RFC 792)


def is_ipv4(frame: bytes, protocol: int) -> bool:
    return frame[12:14] == b"\x08\0" and frame[23] == protocol


def back(frame: bytes) -> tuple[str, str]:
    """The MACs of who answers it."""
    return frame[:6].hex(":"), frame[6:12].hex(":")


def way_of(lab: Lab, vm: Vm) -> tuple[tuple[str, str], tuple[str, str]]:
    """MACs and addresses of what it sends far away."""
    return (vm.nic.mac, routers_mac(lab, vm)), (address(vm), FAR)


def tcp_of(capture: Inside, flags: int) -> bytes:
    """The next segment with these."""
    return next(frame for frame in soon(capture) if is_ipv4(frame, 6) and frame[47] & 0x3F == flags)


def test_nothing_of_a_connection_that_was_reset_leaves_untranslated(lab: Lab, stage: Stage) -> None:
    """What is on its way then: docker/for-linux#540, containernetworking/plugins#816, openshift/origin#13680.  The same
    ports are soon used again: openzro/openzro#196, projectcalico/felix#1490."""
    one, (macs, far) = stage.one, way_of(lab, stage.one)
    assert lab.ping(one, BEHIND), "the router has its gateway"
    for begin in (1000, 9_000_000):
        with lab.inside_namespace(outside(lab), "capture") as there, lab.inside(one, "capture") as here:
            lab.send_frames(one, frames.segment4(macs, far, (7001, 80), (begin, 0), frames.SYN))
            asked = tcp_of(there, frames.SYN)
            source, port, target, other = ends(asked)
            assert source == own_address(lab, stage)
            way = back(asked), (target, source), (other, port)
            send_outside(lab, [frames.segment4(*way, (5, begin + 1), frames.SYN | frames.ACK)])
            assert ends(tcp_of(here, frames.SYN | frames.ACK)) == (FAR, 80, address(one), 7001)
            send_outside(lab, [frames.segment4(*way, (6, begin + 1), frames.RST | frames.ACK)])
            tcp_of(here, frames.RST | frames.ACK)
            late = [frames.ACK, frames.ACK | frames.PSH, frames.ACK | 0x01, frames.RST]
            lab.send_frames(one, *(frames.segment4(macs, far, (7001, 80), (begin + 1, 6), flags) for flags in late))
            lab.send_frames(one, datagram(lab, one, BEHIND, b"fence"))
            seen = list(until_heard(there, b"fence"))
        assert [frame for frame in seen if frame[26:30] == IPv4Address(address(one)).packed] == []


def until_heard(capture: Inside, payload: bytes) -> Iterator[bytes]:
    """What comes before a frame with it."""
    for frame in soon(capture):
        if payload in frame:
            return
        yield frame
    raise AssertionError("the last one did not come")


def echo(macs: tuple[str, str], addresses: tuple[str, str], kind: int, ident: int) -> bytes:
    return frames.icmp4(macs, addresses, kind, ident.to_bytes(2, "big") + b"\0\1" + bytes(32))


def echoes(capture: Inside, kind: int, addresses: tuple[str, str]) -> int:
    """The identifier of the next one between these."""
    packed = b"".join(IPv4Address(one).packed for one in addresses)
    found = (frame for frame in soon(capture) if is_ipv4(frame, 1) and frame[34] == kind and frame[26:34] == packed)
    return int.from_bytes(next(found)[38:40], "big")


def test_a_host_is_pinged_again_by_another_identifier(lab: Lab, stage: Stage) -> None:
    """By SNAT, also while the first one goes on: oxidecomputer/opte#396, sonic-net/sonic-swss#1351."""
    one = stage.one
    macs, own = (one.nic.mac, routers_mac(lab, one)), address(one)
    with lab.inside(one, "capture") as here:
        for ident in (700, 701, 700):
            lab.send_frames(one, echo(macs, (own, BEHIND), 8, ident))
            assert echoes(here, 0, (BEHIND, own)) == ident


def test_pings_of_one_identifier_meet(lab: Lab, stage: Stage, floating: str, way_out: tuple[str, str]) -> None:
    """From outside to a floating IP, and from there to outside: firezone/firezone#15314."""
    red = stage.red
    macs, own = (red.nic.mac, routers_mac(lab, red)), address(red)
    with lab.inside(red, "capture") as here, lab.inside_namespace(outside(lab), "capture") as there:
        for _ in range(2):
            send_outside(lab, [echo(way_out, (BEHIND, floating), 8, 99)])
            assert echoes(here, 8, (BEHIND, own)) == 99
            assert echoes(there, 0, (floating, BEHIND)) == 99
            lab.send_frames(red, echo(macs, (own, BEHIND), 8, 99))
            assert echoes(here, 0, (BEHIND, own)) == 99


def test_a_vm_reaches_itself_by_its_floating_ip(lab: Lab, stage: Stage, floating: str) -> None:
    """ovn-org/ovn#99, kubeovn/kube-ovn#5572."""
    red = stage.red
    with lab.inside(red, "capture") as here:
        lab.send_frames(red, datagram(lab, red, floating, b"to myself"))
        assert ends(heard(here, b"to myself")) == (floating, PORT, address(red), 9)


def test_hops_have_the_routers_address(lab: Lab, stage: Stage, floating: str, way_out: tuple[str, str]) -> None:
    """On the way to a floating IP its address outside, on the way out its address inside: ovn-org/ovn#211,
    ovn-org/ovn#316, projectcalico/calico#10640."""
    asks = frames.udp4(way_out, (BEHIND, floating), b"hop", (PORT, 33434))
    with lab.inside_namespace(outside(lab), "capture") as there:
        send_outside(lab, [frames.with_ttl(asks, 1)])
        assert hop(there, floating) == own_address(lab, stage)
    with lab.inside(stage.one, "capture") as here:
        lab.send_frames(stage.one, frames.with_ttl(datagram(lab, stage.one, BEHIND, b"hop"), 1))
        assert hop(here, BEHIND) == "10.40.0.1"


def hop(capture: Inside, target: str) -> str:
    """Who says that the time of a packet to there is exceeded."""
    told = next(frame for frame in soon(capture) if is_ipv4(frame, 1) and frame[34] == 11)
    assert str(IPv4Address(told[14 + LEAST + 16 : 14 + LEAST + 20])) == target, "it is said of what was sent"
    return str(IPv4Address(told[26:30]))


@pytest.mark.parametrize("name", ["one", "red"])
def test_errors_that_quote_no_more_than_they_must(lab: Lab, stage: Stage, floating: str, name: str) -> None:
    """Eight bytes of TCP, so that its checksum is not among them, and of what kind they are: cilium/cilium#33844,
    FDio/vpp#1973.  By SNAT and by a floating IP."""
    vm: Vm = getattr(stage, name)
    macs, far = way_of(lab, vm)
    with lab.inside_namespace(outside(lab), "capture") as there, lab.inside(vm, "capture") as here:
        lab.send_frames(vm, frames.segment4(macs, far, (7002, 80), (1, 0), frames.SYN))
        asked = tcp_of(there, frames.SYN)
        for kind, rest in ((3, b"\0\0\x05\x14"), (11, bytes(4))):  # code 0 of both: icmp4 has no other
            send_outside(
                lab, [frames.icmp4(back(asked), (BEHIND, ends(asked)[0]), kind, rest + asked[14 : 14 + LEAST])]
            )
            told = next(frame[14:] for frame in soon(here) if is_ipv4(frame, 1) and frame[34] == kind)
            quoted = told[28 : 28 + LEAST]
            assert checksum(told[20 : int.from_bytes(told[2:4], "big")]) == 0
            assert str(IPv4Address(quoted[12:16])) == address(vm)
            assert (quoted[20:22], quoted[22:24]) == ((7002).to_bytes(2, "big"), (80).to_bytes(2, "big"))


@pytest.mark.parametrize("name", ["one", "red"])
def test_classes_and_congestion_are_left_as_they_are(lab: Lab, stage: Stage, floating: str, name: str) -> None:
    """DSCP and ECN, by SNAT through another node, and by a floating IP: ayourtch/nat46#56,
    sonic-net/sonic-buildimage#6653."""
    vm: Vm = getattr(stage, name)
    for byte in (0xB9, 0x03):
        payload = f"class {byte} of {name}".encode()
        with lab.inside_namespace(outside(lab), "capture") as there, lab.inside(vm, "capture") as here:
            lab.send_frames(vm, of_class(datagram(lab, vm, BEHIND, payload), byte))
            asked = heard(there, payload)
            assert asked[15] == byte
            send_outside(lab, [of_class(answer(asked, payload), byte)])
            assert heard(here, payload)[15] == byte


def of_class(frame: bytes, byte: int) -> bytes:
    return frames.with_ttl(frame[:15] + bytes((byte,)) + frame[16:], 64)


def test_a_hop_says_so_to_who_is_not_on_its_network(lab: Lab, stage: Stage) -> None:
    """IPv6, from behind a router outside: ovn-org/ovn#78."""
    one = stage.one
    own = next(one for one in (f["ip_address"] for f in lab.port(one)["fixed_ips"]) if ":" in one)
    with lab.inside_namespace(outside(lab), "capture") as there:
        lab.send_frames(one, frames.udp6((one.nic.mac, routers_mac_6(lab, one)), (own, BEHIND_6), b"who", (PORT, 9)))
        macs = back(next(frame for frame in soon(there) if frame[62:65] == b"who"))
        asks = frames.udp6(macs, (BEHIND_6, own), b"hop", (PORT, 9))
        send_outside(lab, [asks[:21] + b"\x01" + asks[22:]])
        told = next(
            frame for frame in soon(there) if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 3
        )
    assert str(IPv6Address(told[38:54])) == BEHIND_6
    assert IPv6Address(told[22:38]) != IPv6Address(own)


def routers_mac_6(lab: Lab, machine: Vm) -> str:
    network = lab.port(machine)["network_id"]
    with lab.cloud() as cloud:
        found = cloud.list("ports", network_id=network, device_owner="network:router_interface")
    return next(str(one["mac_address"]) for one in found if ":" in one["fixed_ips"][0]["ip_address"])


def test_an_ambiguous_client_gets_nothing(lab: Lab, stage: Stage, floating: str, way_out: tuple[str, str]) -> None:
    """Of packets from broadcast addresses: tass-belgium/picotcp#89 (RFC 1122, 3.2.2)."""
    with lab.inside_namespace(outside(lab), "capture") as there:
        for source in ("203.0.113.255", "255.255.255.255", "224.0.0.5", "0.0.0.0"):
            for target in (floating, own_address(lab, stage)):
                asks = frames.udp4(way_out, (source, target), b"all", (PORT, 33434))
                send_outside(lab, [frames.with_ttl(asks, 1), asks])
        lab.send_frames(stage.one, datagram(lab, stage.one, BEHIND, b"fence"))
        assert [frame for frame in until_heard(there, b"fence") if is_ipv4(frame, 1)] == []


def test_what_a_floating_ip_let_in_ends_with_it(lab: Lab, stage: Stage, floating: str) -> None:
    """Also what was under way: kubeovn/kube-ovn#1919."""
    red = stage.red
    with lab.cloud() as cloud:
        id = cloud.list("floatingips", floating_ip_address=floating)[0]["id"]
    with lab.inside_namespace(outside(lab), "capture") as there, lab.inside(red, "capture") as here:
        asked = leaves_by(lab, red, there, floating)
        send_outside(lab, [answer(asked, b"before")])
        assert heard(here, b"before")
        with lab.cloud() as cloud:
            cloud.update("floatingips", id, {"port_id": None})
        now = leaves_by(lab, red, there, own_address(lab, stage))
        send_outside(lab, [answer(asked, b"after"), answer(now, b"fence")])
        assert [frame for frame in until_heard(here, b"fence") if b"after" in frame] == []


@pytest.mark.parametrize("by", ["floating IP", "forwarded port"])
def test_who_may_only_answer_says_no_more_once_nobody_can_ask(
    lab: Lab, stage: Stage, floating: str, by: str, request: pytest.FixtureRequest
) -> None:
    """Its answers would go on by the gateway's address, for as long as it sends them."""
    red = stage.red
    with lab.cloud() as cloud:
        id, groups = cloud.list("floatingips", floating_ip_address=floating)[0]["id"], lab.port(red)["security_groups"]
        only = group_of(cloud, "only answers", [{"direction": "ingress", "ethertype": "IPv4", "protocol": "udp"}])
        cloud.update("ports", red.port_id, {"security_groups": [only]})
        forwarded = f"floatingips/{id}/port_forwardings"
        if by == "forwarded port":
            cloud.update("floatingips", id, {"port_id": None})
            to = {"internal_port_id": red.port_id, "internal_ip_address": address(red), "internal_port": PORT}
            made = {"protocol": "udp", "external_port": PORT, **to}
            forwarded += "/" + cloud.request("POST", forwarded, {"port_forwarding": made})["port_forwarding"]["id"]

    def forget() -> None:  # before the floating IP, which it would keep
        with lab.cloud() as cloud, suppress(LabError):
            cloud.request("DELETE", forwarded)

    if by == "forwarded port":
        request.addfinalizer(forget)
    with lab.inside_namespace(outside(lab), "capture") as there, lab.inside(red, "capture") as here:
        asked: list[bytes] = []

        def leads_in() -> bool:
            with lab.inside_namespace(outside(lab), "say", floating, str(PORT), "8"):
                while line := here.line_within(0.5):
                    if bytes(range(8)) in (frame := bytes.fromhex(line)):
                        asked.append(frame)
                        return True
            return False

        until(leads_in, "it leads in")
        its_answer = answer(asked[0], b"answer")

        def says() -> bool:
            lab.send_frames(red, its_answer)
            while line := there.line_within(0.5):
                if b"answer" in bytes.fromhex(line):
                    return True
            return False

        until(says, "it answers")
        with lab.cloud() as cloud:
            if by == "forwarded port":
                cloud.request("DELETE", forwarded)
            else:
                cloud.update("floatingips", id, {"port_id": None})
        until(lambda: not says(), "it says no more", 10)
        assert not any(says() for _ in range(5))
    with lab.cloud() as cloud:
        cloud.update("ports", red.port_id, {"security_groups": groups})
        cloud.delete("security-groups", only)


def leaves_by(lab: Lab, vm: Vm, there: Inside, source: str) -> bytes:
    """The same datagram again and again, until it is seen outside with this address."""
    seen: list[bytes] = []

    def leaves() -> bool:
        lab.send_frames(vm, datagram(lab, vm, BEHIND, b"stream"))
        seen.append(heard(there, b"stream"))
        return ends(seen[-1])[0] == source

    until(leaves, f"it leaves by {source}")
    return seen[-1]


def test_a_stream_that_began_without_snat_is_translated_with_it(lab: Lab, stage: Stage) -> None:
    """And the other way round: kubeovn/kube-ovn#4193."""
    one, gateway = stage.one, {"network_id": stage.external}
    own = own_address(lab, stage)
    with lab.inside_namespace(outside(lab), "capture") as there:
        for snat in (False, True):
            with lab.cloud() as cloud:
                cloud.update("routers", stage.router["id"], {"external_gateway_info": {**gateway, "enable_snat": snat}})
            leaves_by(lab, one, there, own if snat else address(one))
