"""A VLAN's NIC, where the kernel knows nothing of 802.1Q.

A header goes with each frame that says whether its checksum is to be filled in, and how it is to be cut: on the
kernel's datapath the sender has left that to his NIC."""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

from tests.netns.inside.packets import packet_socket

ETH_P_8021Q = 0x8100
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 2, 0x1000, 0x4000
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, TP_STATUS_VLAN_VALID = 263, 8, 15, 0x10
HEADER = 10  # bytes
LARGEST = HEADER + 14 + 65536


def vlan(tag: int, mac: str, address: str, mtu: int) -> None:
    name = f"vlan{tag}"
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    for words in (f"link set {name} address {mac} mtu {mtu} up", f"address add {address} dev {name}"):
        subprocess.run(("ip", *words.split()), check=True)
    with packet_socket() as nic:
        nic.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        nic.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([nic, tap, sys.stdin], [], [])
            if sys.stdin in readable:
                return
            if tap in readable:
                frame = os.read(tap, LARGEST)[HEADER:]  # it leaves nothing to us
                nic.send(bytes(HEADER) + frame[:12] + struct.pack("!HH", ETH_P_8021Q, tag) + frame[12:])
            if nic in readable and (untagged := _untagged(nic, tag)):
                os.write(tap, untagged)


def _untagged(nic: socket.socket, tag: int) -> bytes:
    """What came in with this tag, which the kernel has put beside the frame, and its header; else nothing."""
    frame, extra, _, address = nic.recvmsg(LARGEST, 256)
    if address[2] == socket.PACKET_OUTGOING:
        return b""
    for level, kind, data in extra:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tci, _ = struct.unpack("=IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID and tci & 0xFFF == tag:
                return frame
    return b""
