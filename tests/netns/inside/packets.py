"""Whole frames, out of a NIC and in."""

import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33
_WAITING = 16 << 20  # bytes; the default takes some 270 frames, and who reads them may not be run for a second


def packet_socket(nic: str = "eth0") -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    found.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _WAITING)
    found.bind((nic, ETH_P_ALL))
    return found


def send(nic: str) -> None:
    with packet_socket(nic) as out:
        for line in sys.stdin:
            out.send(bytes.fromhex(line))


def repeat(frames: list[bytes]) -> None:
    """Each as often as the others."""
    times = 0
    with packet_socket() as out:
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            for frame in frames:
                out.send(frame)
                time.sleep(0.002)
            times += 1
    print(times)


def capture() -> None:
    """What has come by the time that stdin closes is told, too."""
    with packet_socket() as source:
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([source, sys.stdin], [], [])
            if source in readable:
                frame, address = source.recvfrom(65536)
                if address[2] != socket.PACKET_OUTGOING:
                    print(frame.hex(), flush=True)
            elif sys.stdin in readable:
                return


def ask(address: str) -> None:
    nic = packet_socket()
    own = nic.getsockname()[4]
    kind = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    ips = bytes(4) + bytes(6) + socket.inet_aton(address)  # from nobody's, so that nobody notes it
    frame = (b"\xff" * 6 + own + b"\x08\x06" + kind + own + ips).ljust(60, b"\0")
    print("ready", flush=True)
    while sys.stdin not in select.select([sys.stdin], [], [], 0.002)[0]:
        nic.send(frame)


def answers(address: str, names: list[str]) -> None:
    nics = {packet_socket(name): name for name in names}
    wanted, last, count, longest, at = b"\0\2" + bytes(6) + socket.inet_aton(address), "", 0, 0.0, 0.0
    print("ready", flush=True)
    while True:
        readable = select.select([*nics, sys.stdin], [], [])[0]
        if sys.stdin in readable:
            break
        for nic, name in nics.items():
            if nic not in readable:
                continue
            try:
                frame, (_, _, kind, _, _) = nic.recvfrom(2048)
            except OSError:  # it has been switched off
                continue
            said = frame[20:22] + bytes(6) + frame[28:32]
            if kind == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x06" or said != wanted:
                continue
            now = time.monotonic()
            count, longest, at = count + 1, max(longest, now - at if at else 0.0), now
            if name != last:
                last = name
                print(name, flush=True)
    print(count, round(1000 * longest))
