"""Datagrams in pieces: what is permitted arrives, whole, at the other end's sockets; what is not does not."""

import asyncio
import itertools
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import IPv6Address
from typing import Any

import pytest
from tests.netns import frames
from tests.netns.harness import Inside, Lab, group_of, on_the_kernels_datapath, until
from tests.netns.probes import address_of
from tests.netns.security.rule_forms import port_rule

from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.fragments import STATUS
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace
from netweft.lab.guest import Nic
from netweft.lab.layout import LabError
from netweft.lab.vm import Vm

OPEN, CLOSED, FENCE, ANSWERS = 5000, 5001, 5002, 5003
DHCP, DHCPV6 = 68, 546
ETHERTYPES = {4: "IPv4", 6: "IPv6"}
_idents = itertools.count(100)


class Stage:
    """client, and what lies: on hv1.  Two receivers each, beside them and on hv2."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self.network = lab.network("10.5.5.0/24", "fd00:5::/64", mtu=1400)
        anything = [
            {"direction": way, "ethertype": kind} for way in ("ingress", "egress") for kind in ETHERTYPES.values()
        ]
        self.sending = group_of(cloud, "sending", anything[2:])
        # stateless, so that nothing but the guard stops what may not be
        self.anything = group_of(cloud, "anything", anything, stateful=False)
        self.client = self._vm("hv1", self.sending)
        self.receivers = {
            (stateful, where): self._vm(node, group_of(cloud, f"{stateful} {where}", _rules(), stateful=stateful))
            for stateful in (True, False)
            for where, node in (("beside", "hv1"), ("there", "hv2"))
        }
        self.liar, self.victim = (self._vm("hv1", self.anything) for _ in range(2))
        self.stranger = lab.add_vm("hv2", self.network, port_security_enabled=False, security_groups=[])
        self.meet()

    def meet(self) -> None:
        for sender in (self.client, self.stranger):
            for one in (*self.receivers.values(), self.victim):
                self.lab.meet(sender, one)

    def _vm(self, node: str, group: str) -> Vm:
        return self.lab.add_vm(node, self.network, security_groups=[group])

    @contextmanager
    def hearing(self, machine: Vm, *ports: int) -> Iterator["Ears"]:
        with self.lab.inside(machine, "hear", *map(str, (*ports, FENCE))) as inside:
            yield Ears(self, machine, inside)

    def say(self, sender: Vm, to: Vm, version: int, port: int, size: int) -> int:
        """The size of the answer."""
        words = (address_of(to.nic, version), str(port), str(size))
        with self.lab.inside(sender, "say", *words) as inside:
            return int(inside.line())


def _rules() -> list[Mapping[str, object]]:
    """One port, the fence's, and an echo's question on IPv4, its answer on IPv6; all that is to be sent."""
    return [
        *(
            {"direction": "ingress", "ethertype": kind, **port_rule("udp", port)}
            for kind in ETHERTYPES.values()
            for port in (OPEN, FENCE)
        ),
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp", "port_range_min": 8},
        {"direction": "ingress", "ethertype": "IPv6", "protocol": "ipv6-icmp", "port_range_min": 129},
        *({"direction": "egress", "ethertype": kind} for kind in ETHERTYPES.values()),
    ]


class Ears:
    """What reaches the sockets of a machine."""

    def __init__(self, stage: Stage, machine: Vm, inside: Inside) -> None:
        self._stage, self._machine, self._inside = stage, machine, inside

    def after(self, sender: Vm, *sent: bytes) -> list[dict[str, int]]:
        """What it has heard by the time it hears what was sent last, for which there is a rule: on its own, since of
        what comes at once Open vSwitch takes first what it has no flow in its cache for."""
        macs, addresses = ends(sender.nic, self._machine.nic, 4)
        self._stage.lab.send_frames(sender, *sent)
        self._stage.lab.send_frames(sender, frames.udp4(macs, addresses, b"fence!", (7, FENCE)))
        return self.until_fence()

    def hears(self, wanted: dict[str, int]) -> bool:
        while line := self._inside.line_within(5):
            if json.loads(line) == wanted:
                return True
        return False

    def until_fence(self) -> list[dict[str, int]]:
        heard: list[dict[str, Any]] = []
        while (line := json.loads(self._inside.line())).get("udp") != FENCE:
            heard.append(line)
        return heard


def ends(source: Nic, target: Nic, version: int) -> tuple[tuple[str, str], tuple[str, str]]:
    return (source.mac, target.mac), (address_of(source, version), address_of(target, version))


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with Cloud(lab.layout) as cloud:
        yield Stage(lab, cloud)


@pytest.fixture(params=["beside", "there"])
def where(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# what is permitted arrives, and only that


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("stateful", [True, False], ids=["stateful", "stateless"])
def test_a_large_datagram_arrives_where_a_rule_permits_its_port(
    stage: Stage, where: str, stateful: bool, version: int
) -> None:
    server = stage.receivers[stateful, where]
    with stage.hearing(server, OPEN, CLOSED) as ears:
        for port, size in ((CLOSED, 4000), (OPEN, 4000), (CLOSED, 1000), (OPEN, 1000), (OPEN, 9000), (FENCE, 1)):
            stage.say(stage.client, server, version, port, size)
        heard = [(message["udp"], message["size"]) for message in ears.until_fence() if "udp" in message]
    assert heard == [(OPEN, 4000), (OPEN, 1000), (OPEN, 9000)]


@pytest.mark.parametrize("version", [4, 6])
def test_large_answers_arrive_where_no_rule_lets_anything_in(stage: Stage, where: str, version: int) -> None:
    server = stage.receivers[True, where]
    with stage.hearing(server, OPEN):
        assert stage.say(stage.client, server, version, OPEN, 4000) == 4000
        assert stage.say(stage.client, server, version, CLOSED, 4000) == 0


def test_a_large_ping_is_answered_where_its_type_is_permitted(stage: Stage, lab: Lab, where: str) -> None:
    for stateful in (True, False):
        server = stage.receivers[stateful, where].nic.address
        command = ("ping", "-n", "-c", "3", "-i", "0.1", "-w", "5", "-s", "3000", server)
        asking = stage.client if stateful else stage.victim  # no answer is known for one without a state
        done = subprocess.run(
            in_namespace(lab.layout.vm_namespace(asking.name), *command), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_a_rule_for_an_echos_answer_lets_no_question_in(stage: Stage, where: str) -> None:
    for stateful in (True, False):
        server = stage.receivers[stateful, where]
        kinds = (frames.icmp6(*ends(stage.stranger.nic, server.nic, 6), kind, bytes(3000)) for kind in (128, 129))
        with stage.hearing(server) as ears:
            heard = ears.after(stage.stranger, *(piece for frame in kinds for piece in every(frame)))
        assert {"icmp": 128, "size": 3004} not in heard
        assert stateful or {"icmp": 129, "size": 3004} in heard  # conntrack takes an answer to nobody for nonsense


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("stateful", [True, False], ids=["stateful", "stateless"])
def test_small_fragments_of_paths_with_a_small_mtu_arrive(
    stage: Stage, where: str, stateful: bool, version: int
) -> None:
    server = stage.receivers[stateful, where]
    udp = frames.udp4 if version == 4 else frames.udp6
    datagram = udp(*ends(stage.client.nic, server.nic, version), bytes(2000), (6, OPEN))
    with stage.hearing(server, OPEN) as ears:
        assert {"udp": OPEN, "size": 2000} in ears.after(stage.client, *every(datagram, 552))


def every(datagram: bytes, size: int = 1200) -> list[bytes]:
    return frames.every(datagram, size, next(_idents))


# the guard


ROUTER = bytes((64, 0, 0x07, 0x08)) + bytes(8) + bytes((3, 4, 64, 0xC0)) + b"\0\0\x0e\x10" * 2 + bytes(4)
ROUTER += bytes.fromhex("fd660000000000000000000000000000")
Forgery = Callable[[Nic, Nic], bytes]


def _discovery(kind: int, content: bytes) -> Forgery:
    return lambda me, to: frames.icmp6((me.mac, to.mac), (link_local(me), address_of(to, 6)), kind, content)


def link_local(nic: Nic) -> str:
    first, *rest = (int(part, 16) for part in nic.mac.split(":"))
    a, b, c, d, e = rest
    return f"fe80::{(first ^ 2) << 8 | a:x}:{b << 8 | 0xFF:x}:{0xFE00 | c:x}:{d << 8 | e:x}"


def _dhcp(me: Nic, to: Nic) -> bytes:
    return frames.udp4(*ends(me, to, 4), bytes(1000), (67, DHCP))


def _dhcpv6(me: Nic, to: Nic) -> bytes:
    return frames.udp6(*ends(me, to, 6), bytes(1000), (547, DHCPV6))


def _advertisement(me: Nic, to: Nic) -> bytes:
    """Of its own address, at another's MAC, which stands at the end, and with a nonce, so that it is known again."""
    macs, addresses = ends(me, to, 6)
    content = b"\x20\0\0\0" + IPv6Address(addresses[0]).packed + b"\x0e\x01lying!" + b"\x02\x01" + frames.mac(to.mac)
    return frames.icmp6(macs, addresses, 136, content)


FORGERIES: dict[str, Forgery] = {
    "router advertisement": _discovery(134, ROUTER),
    "redirect": _discovery(137, bytes(4) + bytes(32)),
    "neighbour advertisement": _advertisement,
    "DHCP answer": _dhcp,
    "DHCPv6 answer": _dhcpv6,
}
DISCOVERY = list(FORGERIES)[:3]


def heard_as(whole: bytes) -> dict[str, int]:
    """By the sockets of whom it reaches."""
    header = 34 if whole[12:14] == b"\x08\x00" else 54
    if header == 54 and whole[20] == 58:
        return {"icmp": whole[54], "size": len(whole) - 54}
    return {"udp": int.from_bytes(whole[header + 2 : header + 4]), "size": len(whole) - header - 8}


def _cut(*offsets: int) -> Callable[[bytes], list[bytes]]:
    return lambda frame: frames.pieces(frame, *offsets, ident=next(_idents))


def _hidden(*offsets: int) -> Callable[[bytes], list[bytes]]:
    """Behind a header of its own, of which the first fragment may hold no more."""
    return lambda frame: frames.pieces(frames.with_destination_options(frame), *offsets, ident=next(_idents))


def _nested(frame: bytes) -> list[bytes]:
    """Fragments of a fragment."""
    first, last = frames.pieces(frame, 24, ident=next(_idents))
    return [*frames.pieces(first, 8, ident=next(_idents)), *frames.pieces(last, 8, ident=next(_idents))]


WAYS: dict[str, Callable[[bytes], list[bytes]]] = {
    "in two": _cut(24),
    "the last first": lambda frame: _cut(24)(frame)[::-1],
    "a tiny first": _cut(8),
    "an empty first": _cut(0, 24),
    "many": _cut(8, 16, 24, 32),
    "behind options": _hidden(32),
    "options alone": _hidden(8),
    "nested": _nested,
    "in one": _cut(),
}
V6_ONLY = ("behind options", "options alone", "nested")


def ways_of(whole: bytes) -> list[str]:
    return [way for way in WAYS if whole[12:14] == b"\x86\xdd" or way not in V6_ONLY]


@pytest.mark.parametrize("forgery", list(FORGERIES))
def test_what_a_guarded_vm_may_not_say_is_not_heard_in_pieces(stage: Stage, forgery: str) -> None:
    whole = FORGERIES[forgery](stage.liar.nic, stage.victim.nic)
    with stage.hearing(stage.victim, DHCP, DHCPV6) as ears:
        for way in ways_of(whole):
            if way != "in one" or forgery not in ("redirect", "neighbour advertisement"):  # which need no pieces
                assert heard_as(whole) not in ears.after(stage.liar, *WAYS[way](whole)), way


@pytest.mark.parametrize("forgery", DISCOVERY)
def test_nor_does_a_guarded_vm_hear_neighbour_discovery_in_pieces(stage: Stage, forgery: str) -> None:
    """From whoever else: RFC 6980."""
    whole = FORGERIES[forgery](stage.stranger.nic, stage.victim.nic)
    with stage.hearing(stage.victim, DHCP, DHCPV6) as ears:
        for way in ways_of(whole):
            if way != "in one":
                assert heard_as(whole) not in ears.after(stage.stranger, *WAYS[way](whole)), way


@pytest.mark.parametrize("forgery", ["DHCP answer", "DHCPv6 answer"])
def test_a_dhcp_server_elsewhere_may_answer_in_pieces(stage: Stage, forgery: str) -> None:
    for to in (stage.victim, stage.client):  # who lets anything in, and who lets in nothing
        whole = FORGERIES[forgery](stage.stranger.nic, to.nic)
        with stage.hearing(to, DHCP, DHCPV6) as ears:
            stage.lab.send_frames(stage.stranger, *_cut(608)(whole))
            assert ears.hears(heard_as(whole))


def test_fragments_of_a_reply_pass_to_a_vm_that_may_receive_nothing_else(stage: Stage, lab: Lab) -> None:
    network = stage.cloud.create("networks", name="a DHCP server of its own")["id"]
    for cidr, version in (("10.6.6.0/24", 4), ("fd00:6::/64", 6)):
        stage.cloud.create("subnets", network_id=network, cidr=cidr, ip_version=version, enable_dhcp=False)
    client = lab.add_vm("hv1", network, security_groups=[group_of(stage.cloud, "nothing", [])])
    server = lab.add_vm("hv2", network, port_security_enabled=False, security_groups=[])
    lab.meet(client, server)
    with stage.hearing(server, 67, 547) as ears:
        for version, build, ports in ((4, frames.udp4, (DHCP, 67)), (6, frames.udp6, (DHCPV6, 547))):
            whole = build(*ends(client.nic, server.nic, version), bytes(1000), ports)
            lab.send_frames(client, *_cut(608)(whole))
            assert ears.hears(heard_as(whole))


@pytest.mark.parametrize("version", [4, 6])
def test_what_a_guarded_vm_may_say_is_heard_in_pieces(stage: Stage, version: int) -> None:
    """So that the tests above can fail: what they send is stopped for what it says, not for its form."""
    udp = frames.udp4 if version == 4 else frames.udp6
    whole = udp(*ends(stage.liar.nic, stage.victim.nic, version), bytes(300), (77, OPEN))
    with stage.hearing(stage.victim, OPEN) as ears:
        for way in set(ways_of(whole)) - {"options alone", "nested", "an empty first"}:
            assert heard_as(whole) in ears.after(stage.liar, *WAYS[way](whole)), way


# what Open vSwitch forgets


def test_a_bridge_that_hides_ports_lets_no_first_fragment_pass_and_is_put_right(stage: Stage, lab: Lab) -> None:
    server = stage.receivers[False, "beside"]
    with stage.hearing(server, OPEN):
        hide, kill = (
            partial(lab.ofctl, "hv1", "set-frags", "br-int", "normal"),
            partial(lab.kill, "ovs-vswitchd", "hv1"),
        )
        for take_away in (hide, kill):
            take_away()
            until(lambda: _shows_first_fragments(lab), "put right", 30)
            until(lambda: stage.say(stage.victim, server, 4, OPEN, 4000) == 4000, "large datagrams arrive again", 30)
    if not on_the_kernels_datapath():  # which asks for no size of a fragment
        until(lambda: _ipf_status(lab).count("frag size: 400") == 2, "small ones, too", 30)
    stage.meet()  # it has forgotten the other node's MAC, and drops a tunnel's first packet meanwhile: decision 0172


def _shows_first_fragments(lab: Lab) -> bool:
    with suppress(LabError):
        return "nx-match" in lab.ofctl("hv1", "get-frags", "br-int")
    return False


def _ipf_status(lab: Lab) -> str:
    with suppress(CommandFailed):
        return asyncio.run(command(lab.node("hv1").ovs, *STATUS))
    return ""
