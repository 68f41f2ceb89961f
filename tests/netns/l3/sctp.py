"""SCTP made by hand, where the kernel has none: the four packets that begin an association, then data.  A script.

sctp.py hear PORT              answers what comes to this port with a right checksum, and says "ready"
sctp.py say ADDRESS PORT SOURCE   prints, as JSON, what was answered: the chunks' types, [2, 11, 3] where all went well
"""

import json
import socket
import struct
import sys
import time

SCTP = 132
ANSWERS = {1: 2, 10: 11, 0: 3}  # INIT, COOKIE ECHO, DATA: INIT ACK, COOKIE ACK, SACK (RFC 9260)
TAG, COOKIE = 0x6E657477, b"netweft!"
SECONDS = 2.0
_INIT = struct.pack("!IIHHI", TAG, 65536, 1, 1, 1)
_BODIES = {
    1: _INIT,
    2: _INIT + struct.pack("!HH", 7, 12) + COOKIE,
    10: COOKIE,
    11: b"",
    0: struct.pack("!IHHI", 1, 0, 0, 0) + b"data",
    3: struct.pack("!IIHH", 1, 65536, 0, 0),
}


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def packet(source: int, target: int, chunk: int, tag: int = TAG, padding: int = 0) -> bytes:
    """tag: of who it is for, which the kernel's conntrack looks at; an INIT has none yet.  padding: how many bytes more
    an INIT has, in a parameter for that (RFC 4820)."""
    body = _BODIES[chunk] + (struct.pack("!HH", 0x8005, 4 + padding) + bytes(padding) if padding else b"")
    flags = 3 if chunk == 0 else 0
    tag = 0 if chunk == 1 else tag
    rest = struct.pack("!BBH", chunk, flags, 4 + len(body)) + body
    head = struct.pack("!HHI", source, target, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + rest)) + rest


def read(data: bytes) -> tuple[str, int, int, int] | None:
    """From, its port, to which port, the first chunk.  None where the checksum is wrong."""
    start = (data[0] & 15) * 4
    source, target = struct.unpack_from("!HH", data, start)
    said = struct.unpack_from("<I", data, start + 8)[0]
    bare = data[start : start + 8] + bytes(4) + data[start + 12 :]
    return (socket.inet_ntoa(data[12:16]), source, target, data[start + 12]) if crc32c(bare) == said else None


def opened() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)


def hear(port: str) -> None:
    with opened() as here:
        print("ready", flush=True)
        while True:
            data = here.recv(65536)
            found = read(data)
            if found and found[2] == int(port) and found[3] in ANSWERS:
                tag = int.from_bytes(data[36:40], "big") if found[3] == 1 else TAG
                here.sendto(packet(int(port), found[1], ANSWERS[found[3]], tag), (found[0], 0))


def say(address: str, port: str, source: str) -> None:
    answered = []
    with opened() as here:
        for chunk, answer in ANSWERS.items():
            here.sendto(packet(int(source), int(port), chunk), (address, 0))
            end = time.monotonic() + SECONDS
            while (left := end - time.monotonic()) > 0:
                here.settimeout(left)
                try:
                    found = read(here.recv(65536))
                except TimeoutError:
                    break
                if found == (address, int(port), int(source), answer):
                    answered.append(answer)
                    break
    print(json.dumps(answered))


if __name__ == "__main__":
    {"hear": hear, "say": say}[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
