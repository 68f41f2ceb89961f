"""Ports of a floating IP lead inside: real packets from a host outside, from VMs, and back."""

import itertools
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import Inside, Lab, on_the_kernels_datapath, until
from tests.netns.inside.pings import checksum
from tests.netns.l3.test_gateways import BEHIND, Stage, own_address, pings, seen_as
from tests.netns.l3.test_gateways import stage as stage
from tests.netns.l3.test_reported import (
    CUT,
    FAR,
    MUCH,
    answers_of,
    datagram,
    heard,
    put_together,
    routers_mac,
    send_outside,
    soon,
)
from tests.netns.l3.test_routing import address
from tests.netns.outside import OUTSIDE

from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

SCTP = Path(__file__).with_name("sctp.py")
UDP, TCP, FIRST, LAST, TO_ONE, SAME = 9000, 9001, 9100, 9103, 9200, 9300
SMALL, PIECES = 100, 4000


class Forwarded(NamedTuple):
    """Of one floating IP: to two and red."""

    id: str
    address: str


@pytest.fixture(scope="module")
def forwarded(lab: Lab, stage: Stage) -> Iterator[Forwarded]:
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            for protocol in ("icmp", "udp", "tcp", "sctp"):
                cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress",
                             protocol=protocol)  # fmt: skip
        made = cloud.create("floatingips", floating_network_id=stage.external)
    found = Forwarded(made["id"], made["floating_ip_address"])
    # what the host outside cuts fits into tenants' networks: it would not hear what does
    run("ip", "-n", outside(lab), "route", "replace", "203.0.113.0/24", "dev", "eth0", "mtu", "lock", "1400")
    forward(lab, found, stage.two, "udp", internal_port=5000, external_port=UDP)
    forward(lab, found, stage.two, "tcp", internal_port=5001, external_port=TCP)
    shifted = {"internal_port_range": "6000:6003", "external_port_range": f"{FIRST}:{LAST}"}
    forward(lab, found, stage.red, "udp", **shifted)
    forward(lab, found, stage.red, "udp", internal_port=53, external_port_range=f"{TO_ONE}:{TO_ONE + 9}")
    same = f"{SAME}:{SAME + 9}"
    forward(lab, found, stage.red, "udp", internal_port_range=same, external_port_range=same)
    forward(lab, found, stage.two, "sctp", internal_port=5500, external_port=UDP)
    forward(lab, found, stage.red, "sctp", internal_port_range=same, external_port_range=same)
    forward(lab, found, stage.red, "sctp", internal_port=53, external_port_range=f"{TO_ONE}:{TO_ONE + 9}")
    until(lambda: pings(outside(lab), found.address, seconds=1), "it answers")
    yield found


def forward(lab: Lab, by: Forwarded, to: Vm, protocol: str, **ports: Any) -> str:
    with lab.cloud() as cloud:
        leads = {"internal_port_id": to.port_id, "internal_ip_address": address(to), "protocol": protocol}
        path = f"floatingips/{by.id}/port_forwardings"
        made = cloud.request("POST", path, {"port_forwarding": {**leads, **ports}})
    return str(made["port_forwarding"]["id"])


def outside(lab: Lab) -> str:
    return lab.layout.host_namespace("outside")


def said(lab: Lab, frm: Vm | None, to: str, port: int, size: int = SMALL) -> int:
    """The size of the answer, which is the question; 0: there is none.  frm: the host outside, if it is no VM."""
    words = ("say", to, str(port), str(size))
    speaker = lab.inside(frm, *words) if frm else lab.inside_namespace(outside(lab), *words)
    with speaker as inside:
        return int(inside.line())


@pytest.mark.parametrize(
    ("port", "name", "inside"),
    [
        (UDP, "two", 5000),
        (FIRST, "red", 6000),
        (LAST, "red", 6003),
        (TO_ONE + 7, "red", 53),
        (SAME + 5, "red", SAME + 5),
    ],
)
def test_from_outside_and_back(lab: Lab, stage: Stage, forwarded: Forwarded, port: int, name: str, inside: int) -> None:
    with lab.inside(getattr(stage, name), "hear", str(inside)):
        until(lambda: said(lab, None, forwarded.address, port) == SMALL, f"{port} answers")


def test_in_pieces(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    """There and back, by each kind of forwarding; from inside; and what a VM sends so by itself (decision 0540)."""

    def passes(frm: Vm | None, to: str, port: int) -> None:
        until(lambda: said(lab, frm, to, port, PIECES) == PIECES, f"{port} answers")

    with lab.inside(stage.red, "hear", str(SAME), "53", "6003"), lab.inside(stage.two, "hear", "5000"):
        for port in (SAME, TO_ONE, LAST, UDP):
            passes(None, forwarded.address, port)
        for frm in (stage.one, stage.red):
            passes(frm, forwarded.address, UDP)
        assert said(lab, None, forwarded.address, LAST + 1, PIECES) == 0
    with lab.inside_namespace(outside(lab), "hear", "5002"):
        passes(stage.red, OUTSIDE, 5002)
    assert pings(outside(lab), forwarded.address, size=PIECES), "its address itself"


@pytest.mark.parametrize("frm", ["one", "two", "red"])
def test_from_inside(lab: Lab, stage: Stage, forwarded: Forwarded, frm: str) -> None:
    """By the VM itself, too."""
    with lab.inside(stage.two, "hear", "5000"):
        sender = getattr(stage, frm)
        until(lambda: said(lab, sender, forwarded.address, UDP) == SMALL, f"{frm} has its answer")


def test_tcp(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    with lab.inside(stage.two, "serve", "5001") as server:
        feed = ("feed", forwarded.address, str(TCP), str(2 * 2**20))
        with lab.inside_namespace(outside(lab), *feed) as client:
            assert client.finish()[0].split()[0] == server.finish()[0]


def test_tcp_in_pieces(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    """Each segment of a connection in fragments, there and back, to sockets that look at checksums (decision 0564).
    Far more than a window of which nobody acknowledges anything in fragments."""
    with lab.inside_namespace(outside(lab), "capture") as there:
        lab.send_frames(stage.two, datagram(lab, stage.two, BEHIND, b"who"))
        frame = heard(there, b"who")
    macs, ends, ports = (frame[:6].hex(":"), frame[6:12].hex(":")), (FAR, forwarded.address), (4321, TCP)
    with lab.inside(stage.two, "serve", "5001"), lab.inside_namespace(outside(lab), "capture") as there:
        send_outside(lab, frames.pieces(frames.syn4(macs, ends, ports, MUCH), CUT, ident=90))
        begun = answers_of(there, (forwarded.address, TCP, FAR, 4321), 2)
        for number in range(5):
            at = 2 + number * len(MUCH)
            segment = frames.segment4(macs, ends, ports, (at, begun + 1), frames.ACK | frames.PSH, MUCH)
            send_outside(lab, frames.pieces(segment, CUT, ident=91 + number))
            answers_of(there, (forwarded.address, TCP, FAR, 4321), at + len(MUCH))
        told = 2 + 5 * len(MUCH)
        for number in range(4):  # what comes between is acknowledged, too, and not in fragments
            at = begun + 1 + number * 60_000
            segment = leaves_in_pieces(lab, stage.two, there, forwarded, (at, told))
            assert int.from_bytes(segment[4:8], "big") == at
            with lab.inside(stage.two, "capture") as here:
                reached = at + len(MUCH)
                send_outside(lab, [frames.segment4(macs, ends, ports, (told, reached), frames.ACK)])
                next(frame for frame in soon(here) if frame[38:46] == struct.pack("!II", told, reached))


def leaves_in_pieces(lab: Lab, frm: Vm, there: Inside, forwarded: Forwarded, numbers: tuple[int, int]) -> bytes:
    """The segment as it is outside."""
    way = (frm.nic.mac, routers_mac(lab, frm)), (address(frm), FAR), (5001, 4321)
    sent = frames.segment4(*way, numbers, frames.ACK, MUCH)
    lab.send_frames(frm, *frames.pieces(sent, CUT, ident=numbers[0] & 0x7FFF))
    while len(segment := put_together(there, (forwarded.address, FAR), protocol=6)) < len(MUCH):
        pass  # what its own socket says to acknowledgements of what it has not sent
    pseudo = b"".join(IPv4Address(one).packed for one in (forwarded.address, FAR))
    assert segment[:2] == TCP.to_bytes(2, "big")
    assert checksum(pseudo + struct.pack("!HH", 6, len(segment)) + segment) == 0
    return segment


class TestSctp:
    """Made by hand: the kernel here may know none.  Each packet's CRC32c is looked at, there and back."""

    @pytest.mark.parametrize(("port", "name", "inside"), [(UDP, "two", 5500), (SAME + 5, "red", SAME + 5)])
    def test_from_outside_and_back(
        self, lab: Lab, stage: Stage, forwarded: Forwarded, port: int, name: str, inside: int
    ) -> None:
        with associates(lab, lab.layout.vm_namespace(getattr(stage, name).name), inside):
            until(lambda: associated(outside(lab), forwarded.address, port) == ALL, f"{port} answers")

    def test_all_to_one_needs_conntrack_that_knows_ports(self, lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
        """Where it knows none, what is for 53 does not come in at another port instead (docs/ground.md)."""
        red = lab.layout.vm_namespace(stage.red.name)
        with associates(lab, red, 53), associates(lab, red, TO_ONE + 7):
            expected = ALL if on_the_kernels_datapath() else []
            assert associated(outside(lab), forwarded.address, TO_ONE + 7) == expected

    def test_from_inside(self, lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
        namespace = lab.layout.vm_namespace(stage.one.name)
        with associates(lab, lab.layout.vm_namespace(stage.two.name), 5500):
            until(lambda: associated(namespace, forwarded.address, UDP) == ALL, "it has its answer")

    def test_what_cannot_be_translated_does_not_get_out(self, lab: Lab, stage: Stage) -> None:
        """Of two VMs that speak to one host outside conntrack translates one: the other's address is hidden."""
        with associates(lab, outside(lab), 5500):
            until(lambda: associated(lab.layout.vm_namespace(stage.one.name), OUTSIDE, 5500) == ALL, "it answers")
        with lab.inside_namespace(outside(lab), "capture") as capture:
            associated(lab.layout.vm_namespace(stage.two.name), OUTSIDE, 5500)
            assert lab.ping(stage.two, OUTSIDE)
            seen: list[bytes] = []
            while not seen or seen[-1][23:24] != b"\x01" or seen[-1][34] != 8:
                seen.append(bytes.fromhex(capture.line()))
        assert [frame for frame in seen if frame[26:30] == IPv4Address(address(stage.two)).packed] == []


ALL = [2, 11, 3]
_sources = itertools.count(20000)


def associates(lab: Lab, namespace: str, port: int) -> Inside:
    return Inside.script(namespace, SCTP, "hear", port)


def associated(namespace: str, address: str, port: int) -> list[int]:
    words = ("say", address, str(port), str(next(_sources)))
    command = in_namespace(namespace, sys.executable, str(SCTP), *words)
    answered: list[int] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answered


def test_nothing_else_leads_in(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    with lab.inside(stage.two, "hear", "5000", "8000"):
        for port in (5000, 8000, FIRST - 1, LAST + 1):
            assert said(lab, None, forwarded.address, port) == 0
        assert said(lab, None, forwarded.address, UDP) == SMALL


def test_what_the_vm_sends_besides_has_the_gateways_address(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    assert seen_as(lab, stage.two) == own_address(lab, stage)
    assert lab.ping(stage.two, BEHIND)


def test_groups_hold(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    """What nobody lets in does not come in by a forwarding either."""
    with lab.cloud() as cloud:
        group = cloud.create("security-groups", name="closed")
        cloud.update("ports", stage.red.port_id, {"security_groups": [group["id"]]})
    with lab.inside(stage.red, "hear", "6000"):
        until(lambda: said(lab, None, forwarded.address, FIRST) == 0, "it is closed")
        with lab.cloud() as cloud:
            rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "udp"}
            cloud.create("security-group-rules", **rule, port_range_min=6000, port_range_max=6000)
        until(lambda: said(lab, None, forwarded.address, FIRST) == SMALL, "its own port is what a rule names")
    with lab.cloud() as cloud:
        default = cloud.list("security-groups", name="default")[0]["id"]
        cloud.update("ports", stage.red.port_id, {"security_groups": [default]})


def test_one_that_is_deleted_ends_what_it_allowed(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    """And nothing else is disturbed: a download by another one goes on."""
    made = forward(lab, forwarded, stage.one, "udp", internal_port=7000, external_port=7777)
    with lab.inside(stage.one, "hear", "7000"), lab.inside(stage.two, "hear", "5000"):
        until(lambda: said(lab, None, forwarded.address, 7777) == SMALL, "it is there")
        with lab.cloud() as cloud:
            cloud.request("DELETE", f"floatingips/{forwarded.id}/port_forwardings/{made}")
        until(lambda: said(lab, None, forwarded.address, 7777) == 0, "it is gone")
        assert said(lab, None, forwarded.address, UDP) == SMALL


def test_a_floating_ip_in_pieces(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    """What Open vSwitch spoils when it writes over addresses of fragments: docs/decisions/0451."""
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=stage.external, port_id=stage.one.port_id)
    floating = made["floating_ip_address"]
    until(lambda: pings(outside(lab), floating, seconds=1), "it is reached")
    with lab.inside(stage.one, "hear", "5000"):
        for size in (SMALL, PIECES):
            assert said(lab, None, floating, 5000, size) == size
            assert said(lab, stage.two, floating, 5000, size) == size
    with lab.inside_namespace(outside(lab), "hear", "5002"):
        assert said(lab, stage.one, OUTSIDE, 5002, PIECES) == PIECES
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])


def test_an_agent_that_is_killed_disturbs_nothing(lab: Lab, stage: Stage, forwarded: Forwarded) -> None:
    """A download through a forwarding goes on meanwhile, and after that."""
    with (
        lab.inside(stage.two, "pour", "5001"),
        lab.inside_namespace(outside(lab), "drink", forwarded.address, str(TCP)) as client,
    ):
        for node in ("hv1", "hv2"):
            lab.kill("agent", node)
        until(lambda: all(lab.in_sync(node) for node in ("hv1", "hv2")), "the agents are back")
        client.stop()
        silent = json.loads(client.finish()[-1])["silent_ms"]
    assert silent < 1000, "TCP would send again what was lost"
