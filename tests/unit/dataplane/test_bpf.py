"""The kernel's filter, run as the kernel runs it: which frames it takes, plain, tagged and within a tunnel."""

import struct
from collections.abc import Iterator
from ipaddress import ip_address
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netweft.dataplane.host.bpf import PLAIN, TUNNELS, Pattern, program
from netweft.dataplane.packets.datagram import packet
from netweft.dataplane.packets.dissect import dissect

MACS = (bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000002"))
FOUR, SIX = (ip_address("10.0.0.1"), ip_address("10.0.0.2")), (ip_address("fd00::1"), ip_address("fd00::2"))
UNDERLAY = {4: (ip_address("198.18.0.1"), ip_address("198.18.0.2")), 6: (ip_address("fd01::1"), ip_address("fd01::2"))}
KEEP = 320


def run(code: bytes, frame: bytes) -> int:
    """Classic BPF.  Bytes that are kept; 0: it is not taken."""
    program = [struct.unpack_from("HBBI", code, at) for at in range(0, len(code), 8)]
    a = x = at = 0
    while True:
        op, yes, no, k = program[at]
        at += 1
        size = {0x20: 4, 0x28: 2, 0x30: 1, 0x48: 2, 0x50: 1}.get(op)
        if size is not None:
            start = k + (x if op in (0x48, 0x50) else 0)
            if start + size > len(frame):
                return 0
            a = int.from_bytes(frame[start : start + size], "big")
        elif op == 0xB1:
            if k >= len(frame):
                return 0
            x = (frame[k] & 15) * 4
        elif op == 0x01:
            x = k
        elif op in (0x15, 0x45):
            at += yes if (a == k if op == 0x15 else a & k) else no
        else:
            assert op == 0x06
            return int(k)


class Sent(NamedTuple):
    version: int
    protocol: int
    sport: int
    dport: int

    def frame(self) -> bytes:
        ends = FOUR if self.version == 4 else SIX
        icmp = self.protocol in (1, 58)
        body = struct.pack("!BBHHH", self.sport, 0, 0, 7, 1) if icmp else struct.pack("!HH", self.sport, self.dport)
        rest = b"" if icmp else struct.pack("!IIBBHHH", 5, 6, 0x50, 2, 0, 0, 0) if self.protocol == 6 else bytes(4)
        return packet(MACS, ends, self.protocol, body + rest + b"x" * 20)


PING, SYN = Sent(4, 1, 8, 0), Sent(4, 6, 1000, 443)
PACKETS = (PING, SYN, Sent(4, 17, 1000, 53), Sent(6, 58, 128, 0), Sent(6, 6, 1000, 443), Sent(6, 17, 1000, 53))


def tagged(frame: bytes) -> bytes:
    return frame[:12] + struct.pack("!HH", 0x8100, 101) + frame[12:]


def tunnelled(frame: bytes, kind: str, version: int = 4) -> bytes:
    if kind == "gre":
        return packet(MACS, UNDERLAY[version], 47, struct.pack("!HHI", 0x2000, 0x6558, 77) + frame)
    options = 2 if kind == "geneve8" else 0
    port = 4789 if kind == "vxlan" else 6081
    first = bytes([8, 0, 0, 0]) if kind == "vxlan" else bytes([options, 0]) + b"\x65\x58"
    head = struct.pack("!HHHH", 5, port, 16 + options * 4 + len(frame), 0) + first
    return packet(MACS, UNDERLAY[version], 17, head + (77 << 8).to_bytes(4, "big") + bytes(options * 4) + frame)


def pattern(sent: Sent, *, ports: bool = True) -> Pattern:
    ends = FOUR if sent.version == 4 else SIX
    return Pattern(sent.version, sent.protocol, *ends, *((sent.sport, sent.dport) if ports else ()))


def every_form(sent: Sent) -> Iterator[tuple[str, bytes]]:
    yield "", sent.frame()
    yield "tag", tagged(sent.frame())
    for version in (4, 6):
        for kind in ("gre", "vxlan", "geneve0", "geneve8"):
            yield kind, tunnelled(sent.frame(), kind, version)


@pytest.mark.parametrize("sent", PACKETS, ids=str)
def test_a_packet_is_taken_in_each_of_its_forms_and_no_other(sent: Sent) -> None:
    code = program([pattern(sent)], (*PLAIN, *TUNNELS), KEEP)
    for kind, frame in every_form(sent):
        assert run(code, frame) == KEEP, kind
        known = dissect(frame, None, tunnels=True)
        assert known is not None
        assert (known.protocol, known.sport) == (sent.protocol, sent.sport)
        key = {"": 0, "tag": 101}.get(kind, 77)
        assert (known.tunnel, known.key) == (kind.rstrip("08") if key == 77 else "", key)
    for other in PACKETS:
        if other != sent:
            assert not any(run(code, frame) for _, frame in every_form(other))
    assert not run(code, packet(MACS, tuple(reversed(FOUR)), sent.protocol, sent.frame()[34:]))  # type: ignore[arg-type]


def test_what_is_left_out_is_any() -> None:
    code = program([Pattern(4, 6, dst=FOUR[1])], PLAIN, KEEP)
    assert run(code, SYN.frame()) == KEEP
    assert run(code, Sent(4, 6, 2, 3).frame()) == KEEP
    code = program([pattern(SYN)], PLAIN, KEEP)
    assert not run(code, Sent(4, 6, 1000, 80).frame())
    later = bytearray(SYN.frame())
    later[20:22] = b"\x00\x10"  # a fragment that is not the first has no ports
    assert not run(code, bytes(later))


def test_a_vm_that_makes_tunnels_is_not_believed() -> None:
    frame = tunnelled(SYN.frame(), "vxlan")
    assert not run(program([pattern(SYN)], PLAIN, KEEP), frame)
    known = dissect(frame, None, tunnels=False)
    assert known is not None
    assert (known.tunnel, known.dport) == ("", 4789)


def test_a_packet_is_known_again_after_nat_and_routing() -> None:
    """What NAT and routers change is not part of it; what differs between two packets is."""
    for sent in PACKETS:
        there = dissect(sent.frame(), None, tunnels=True)
        other = sent.frame()[:14] + sent.frame()[14:].replace(FOUR[0].packed, FOUR[1].packed)
        changed = dissect(tunnelled(other, "gre"), None, tunnels=True)
        assert there is not None
        assert changed is not None
        assert there.print == changed.print
        assert (there.number, there.payload) == (changed.number, changed.payload)
    pings = [dissect(PING.frame()[:-1] + end, None, tunnels=False) for end in (b"x", b"y")]
    assert pings[0] != pings[1]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(PACKETS))
def test_whatever_comes_is_looked_at(noise: bytes, sent: Sent) -> None:
    for frame in (noise, sent.frame()[: len(noise)], tunnelled(sent.frame(), "geneve8")[: len(noise)]):
        run(program([pattern(sent)], (*PLAIN, *TUNNELS), KEEP), frame)
        dissect(frame, None, tunnels=True)


def test_what_the_kernel_would_not_take() -> None:
    with pytest.raises(ValueError, match="too many"):
        program([pattern(PACKETS[4])] * 40, (*PLAIN, *TUNNELS), KEEP)
    most = program([pattern(PACKETS[4])] * 8, (*PLAIN, *TUNNELS), KEEP)
    assert len(most) // 8 <= 4096
