"""A ping that counts what is lost, comes twice and comes late."""

import json
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress

INTERVAL = 0.01
PATIENCE = 10.0  # for the last replies, which a busy machine may hold up
SILENCE = 1.5  # once the last one is answered: those sent before it stood before it in each queue, and had their turn
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Ping:
    def __init__(self, address: str, interval: float = INTERVAL, size: int = 28) -> None:
        self.address, self.interval, self.payload = address, interval, bytes(size - 28)
        self.six = ":" in address
        if self.six:
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        self.asks, self.answers = (128, 129) if self.six else (8, 0)
        self.identifier = os.getpid() & 0xFFFF
        self.sent: list[float] = []
        self.answered: dict[int, float] = {}
        self.duplicates = 0

    def run(self, count: int = 0) -> None:
        """count: 0 for as many as there are until stdin closes."""
        start = time.monotonic()
        print("ready", flush=True)
        while not count or len(self.sent) < count:
            due = start + len(self.sent) * self.interval
            readable = self._wait(due, stdin=not count)
            if sys.stdin in readable:
                break
            if time.monotonic() >= due:
                self._send()
        self._hear_the_last()
        print(json.dumps(self._result()))

    def _hear_the_last(self) -> None:
        end = time.monotonic() + PATIENCE
        while len(self.answered) < len(self.sent) and (now := time.monotonic()) < end:
            is_last = len(self.sent) - 1 in self.answered
            if not self._wait(min(end, now + SILENCE) if is_last else end, stdin=False):
                return

    def _wait(self, until: float, *, stdin: bool = True) -> list[object]:
        sources = [self.socket, sys.stdin] if stdin else [self.socket]
        readable, _, _ = select.select(sources, [], [], max(0.0, until - time.monotonic()))
        if self.socket in readable:
            self._receive()
        return readable

    def _send(self) -> None:
        """Sequence numbers are 16 bits wide: enough for ten minutes."""
        number = len(self.sent)
        header = struct.pack("!BBHHH", self.asks, 0, 0, self.identifier, number)  # the kernel writes ICMPv6's checksum
        packet = struct.pack("!BBHHH", self.asks, 0, checksum(header), self.identifier, number) + self.payload
        self.sent.append(time.monotonic())
        with suppress(OSError):  # not sent is not answered: it counts as lost
            self.socket.sendto(packet, (self.address, 0))

    def _receive(self) -> None:
        data = self.socket.recv(2048)
        start = 0 if self.six else (data[0] & 15) * 4
        kind, _, _, identifier, number = struct.unpack_from("!BBHHH", data, start)
        if kind == self.answers and identifier == self.identifier:
            self.duplicates += number in self.answered
            self.answered.setdefault(number, time.monotonic())

    def _result(self) -> dict[str, float]:
        lost = [number for number in range(len(self.sent)) if number not in self.answered]
        waits = [self.answered[number] - self.sent[number] for number in self.answered]
        return {
            "sent": len(self.sent),
            "lost": len(lost),
            "duplicates": self.duplicates,
            "lost_from_ms": round((self.sent[lost[0]] - self.sent[0]) * 1000) if lost else 0,
            "lost_span_ms": round((self.sent[lost[-1]] - self.sent[lost[0]] + INTERVAL) * 1000) if lost else 0,
            "slowest_ms": round(max(waits, default=0) * 1000, 1),
            "median_ms": sorted(waits)[len(waits) // 2] * 1000 if waits else 0,
        }
