"""What loads a network from inside a VM, and what counts what arrives.  A script; standard library only.

load.py flood ADDRESS PORT KBPS SIZE   UDP datagrams of that many bytes, at that rate of frames, until stdin closes
load.py burst ADDRESS PORT COUNT SIZE  that many UDP datagrams as fast as it can, for each line on stdin
load.py stream ADDRESS PORT            one TCP connection, as much as it takes, until stdin closes
load.py sink PORT                      takes UDP and TCP; for each number of seconds on stdin one line of JSON: what
                                       came in at eth0 meanwhile, as rate of bytes (in kbit/s) and of frames
"""

import contextlib
import json
import select
import socket
import sys
import time
from pathlib import Path

TICK = 0.002


def frame_size(address: str, payload: int) -> int:
    """Of a datagram, with its headers."""
    return payload + 14 + 8 + (40 if ":" in address else 20)


def udp(address: str, port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    found.connect((address, port))
    return found


def closed(seconds: float) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def send(out: socket.socket, payload: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody listens, or no room: the frame before was sent all the same
        out.send(payload)


def flood(address: str, port: int, kbps: float, size: int) -> None:
    payload = bytes(size)
    a_second = kbps * 125 / frame_size(address, size)
    with udp(address, port) as out:
        print("ready", flush=True)
        start, sent = time.monotonic(), 0
        while not closed(TICK):
            due = int((time.monotonic() - start) * a_second)
            for _ in range(sent, due):
                send(out, payload)
            sent = due


def burst(address: str, port: int, count: int, size: int) -> None:
    payload = bytes(size)
    with udp(address, port) as out:
        print("ready", flush=True)
        for _ in sys.stdin:
            for number in range(count):
                send(out, payload)
                if number % 4 == 3:
                    time.sleep(TICK)  # the queues on the way are short, and the uplink has a limit as well
            print("sent", flush=True)


def stream(address: str, port: int) -> None:
    with socket.create_connection((address, port), timeout=20) as connection:
        connection.setblocking(False)
        print("ready", flush=True)
        chunk = bytes(65536)
        while True:
            readable, writable, _ = select.select([sys.stdin], [connection], [])
            if readable:
                return
            if writable:
                connection.send(chunk)


def counters() -> tuple[float, int, int]:
    """Now; bytes and frames that came in at eth0."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    words = next(line for line in lines if line.strip().startswith("eth0:")).partition(":")[2].split()
    return time.monotonic(), int(words[0]), int(words[1])


class Sink:
    def __init__(self, port: int) -> None:
        self.server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        self.datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.datagrams.bind(("::", port))  # never read: what it cannot hold the kernel forgets
        self.streams: list[socket.socket] = []
        self.before, self.until = counters(), 0.0

    def run(self) -> None:
        print("ready", flush=True)
        while True:
            patience = max(0.0, self.until - time.monotonic()) if self.until else None
            readable, _, _ = select.select([sys.stdin, self.server, *self.streams], [], [], patience)
            if self.until and time.monotonic() >= self.until:
                self._tell()
            if sys.stdin in readable and not self._asked(sys.stdin.readline()):
                return
            if self.server in readable:
                self.streams.append(self.server.accept()[0])
            self.streams = [one for one in self.streams if one not in readable or take(one)]

    def _asked(self, line: str) -> bool:
        if line:
            self.before = counters()
            self.until = self.before[0] + float(line)
        return bool(line)

    def _tell(self) -> None:
        now, self.until = counters(), 0.0
        seconds, size, count = (b - a for a, b in zip(self.before, now, strict=True))
        print(json.dumps({"kbps": size / seconds / 125, "pps": count / seconds, "bytes": size}), flush=True)


def take(source: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        return bool(source.recv(1 << 18))
    return False


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["flood", address, port, kbps, size]:
            flood(address, int(port), float(kbps), int(size))
        case ["burst", address, port, count, size]:
            burst(address, int(port), int(count), int(size))
        case ["stream", address, port]:
            stream(address, int(port))
        case ["sink", port]:
            Sink(int(port)).run()
        case _:
            sys.exit(__doc__)
