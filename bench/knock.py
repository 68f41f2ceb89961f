"""What bench/routers.py runs on the external network: `knock.py NIC ADDRESS`.  A script; standard library only.

Every 2 ms it asks by ARP for the address, and once that is answered sends a UDP datagram there instead; until its stdin
closes.  Where the address is it learns from each ARP of its owner, gratuitous ones too, as hosts do.
"""

import select
import socket
import struct
import subprocess
import sys
import time

INTERVAL, ETH_ARP = 0.002, 0x0806
PORT = 4791


def main(nic: str, address: str) -> None:
    words = ("ip", "-4", "-br", "address", "show", "dev", nic)
    own = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[2].partition("/")[0]
    arp = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ARP))
    arp.bind((nic, ETH_ARP))
    mac = arp.getsockname()[4]
    ends = mac + socket.inet_aton(own) + bytes(6) + socket.inet_aton(address)
    question = b"\xff" * 6 + mac + struct.pack("!HHHBBH", ETH_ARP, 1, 0x0800, 6, 4, 1) + ends
    print("ready", flush=True)
    found, due = b"", time.monotonic()
    while sys.stdin not in (readable := select.select([arp, sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]):
        if arp in readable:
            frame = arp.recv(2048)
            if frame[28:32] == socket.inet_aton(address) and frame[22:28] != mac:
                found = frame[22:28]
        if time.monotonic() >= due:
            arp.send(datagram(found, mac, own, address) if found else question)
            due += INTERVAL


def datagram(to: bytes, mac: bytes, own: str, address: str) -> bytes:
    """UDP without a checksum, as RFC 768 lets it."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0)
    head += socket.inet_aton(own) + socket.inet_aton(address)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:]
    return to + mac + b"\x08\x00" + head + struct.pack("!HHHH", PORT, PORT, 8, 0)


if __name__ == "__main__":
    main(*sys.argv[1:3])
