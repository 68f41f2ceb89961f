"""Frames that a NIC would cut (TSO): what a VM's TCP sends, up to 64 kB at once, its checksums left to the hardware."""

import re
import socket
import struct
import subprocess
from ipaddress import ip_address
from typing import Final

from tests.ground.packets import ONE, TWO, Ends, ends_of, tcp
from tests.ground.probe import Probe, Seen
from tests.ground.stage import ELSE, GROUND, IN, OUT, Stage

from netweft.dataplane.packets.datagram import packet, upper_checksum

ENDS: Final = Ends("10.0.0.10", 40000, "198.51.100.7", 80)
NAT: Final = "203.0.113.5"
SEGMENT, SEGMENTS, HEADERS, ACK = 1000, 40, 54, 0x10
SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CHECKSUM, TCP4 = 1, 1  # of struct virtio_net_hdr


def _large() -> bytes:
    """With the header that says how it is to be cut.  The checksum is that of the addresses alone: the NIC goes on."""
    fields = struct.pack("!HHIIBBHHH", ENDS.sport, ENDS.dport, 1, 1, 5 << 4, ACK, 8192, 0, 0)
    begun = ~upper_checksum(*ENDS.addresses, 6, bytes(SEGMENTS * SEGMENT + 20)) & 0xFFFF
    body = fields[:16] + begun.to_bytes(2, "big") + bytes(2 + SEGMENTS * SEGMENT)
    whole = packet((ONE, TWO), ENDS.addresses, 6, body)
    return struct.pack("=BBHHHH", NEEDS_CHECKSUM, TCP4, HEADERS, SEGMENT, 34, 16) + whole


def _send() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as there:
        there.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        there.bind((f"far{IN}", 0x0800))
        there.send(_large())


def _cut_before(port: str) -> None:
    """By the kernel, with checksums, as for a NIC that can't."""
    subprocess.run(("ethtool", "-K", port, "tx", "off", "gso", "off"), check=True, capture_output=True)


async def _heard(stage: Stage) -> dict[int, list[bytes]]:
    """Of one whose way is known: what goes up to vswitchd the kernel cuts before."""
    await stage.hear((IN, tcp(ENDS, ACK)))
    return (await stage.hear(doing=_send)).out


async def large_frames(stage: Stage) -> Seen:
    _cut_before(f"p{OUT}")
    stage.forget()
    stage.flows(f"in_port={IN},tcp,actions=output:{OUT}")
    if not (await _heard(stage))[OUT]:
        return Seen("none comes out", False)
    longer = [await _is_longer(stage, limit) for limit in (SEGMENT + HEADERS, SEGMENT + HEADERS - 1)]
    nat, counted = await _translated(stage)
    small, large, many = [await _within(stage, *limit) for limit in (("kbps", 100), ("kbps", 400), ("pktps", 2))]
    words = (
        f"of {SEGMENTS} segments in one frame {nat} come out translated, with the right checksums, counted as "
        f"{counted}; `check_pkt_larger` compares {'a segment' if longer == [False, True] else 'the frame'}; through a "
        f"meter with a burst of 100 kbit pass {small} of them, of 400 kbit {large}, with room for one packet {many}"
    )
    return Seen(words, nat == large == SEGMENTS and longer == [False, True])


async def _is_longer(stage: Stage, limit: int) -> bool:
    stage.flows(
        f"in_port={IN},tcp,actions=check_pkt_larger({limit})->NXM_NX_REG0[0],resubmit(,1)",
        f"table=1,reg0=0,actions=output:{OUT}",
        f"table=1,reg0=1,actions=output:{ELSE}",
    )
    return bool((await _heard(stage))[ELSE])


async def _translated(stage: Stage) -> tuple[int, str]:
    """How many segments, and how many packets and bytes the flow has counted, with one small one."""
    stage.flows(f"in_port={IN},tcp,actions=ct(commit,zone=7,nat(src={NAT}),table=1)", f"table=1,actions=output:{OUT}")
    out = (await _heard(stage))[OUT]
    stage.ovs.appctl("revalidator/wait")
    said = stage.ovs.ofctl("dump-flows", GROUND, "table=1")
    found = re.search(r"n_packets=(\d+), n_bytes=(\d+)", said)
    right = [one for one in out if ends_of(one[14:]).src == NAT and _sound(one)]
    return len(right), f"{found[1]} packets with {found[2]} bytes" if found else "nothing"


def _sound(frame: bytes) -> bool:
    length = int.from_bytes(frame[16:18], "big")
    return upper_checksum(ip_address(NAT), ip_address(ENDS.dst), 6, frame[34 : 14 + length]) in (0, 0xFFFF)


async def _within(stage: Stage, unit: str, burst: int) -> int:
    for command in (
        ("del-meters", GROUND),
        ("add-meter", GROUND, f"meter=1,{unit},burst,band=type=drop,rate={burst},burst_size={burst}"),
    ):
        stage.ovs.ofctl(*command)
    stage.flows(f"in_port={IN},tcp,actions=meter:1,output:{OUT}")
    out = (await _heard(stage))[OUT]
    stage.flows()
    stage.ovs.ofctl("del-meters", GROUND)
    return len(out)


PROBES = (
    Probe(
        "Large frames that a NIC would cut",
        "A VM's TCP hands on 40 segments as one frame, without checksums (TSO). Is it translated, compared and limited "
        "as the segments that it becomes?",
        "A meter's burst is never smaller than such a frame in the kernel's datapath, and what is counted or limited "
        "in packets counts frames there. The userspace datapath is spared them: whoever plugs a namespace switches "
        "`tx` off ([datapaths.md](datapaths.md)).",
        large_frames,
    ),
)
