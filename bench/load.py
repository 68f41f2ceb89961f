#!/usr/bin/env python3
"""What runs inside the VMs of `bench/throughput.py`: both ends of each measure.  A script; standard library only.

load.py serve                        says "ready", then takes what the others send, until it is killed
load.py connections ADDRESS S TURN   connect, wait for the end, close, in four processes, for S seconds; how many
load.py frames ADDRESS S TURN        small UDP frames as fast as they go, for S seconds
load.py pingpong ADDRESS S TURN      one UDP datagram to and fro, for S seconds; the median of the times in µs

TURN: counts; no two connections of neighbouring turns have the same ports: ovs-vswitchd 3.1.0 failed an assertion
(conn_update_state) in OVN's labs when they came again soon.  TCP in bulk is iperf3's, on port 5201.
"""

import ctypes
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable

PORTS = range(5200, 5232)  # what a firewall has to let in
ECHO, SINK = 5203, 5204
CONNECTIONS = range(5216, 5232)  # one a turn
CLIENTS = 4
FIRST_PORT, CLIENT_PORTS = 10000, 13000
PAYLOAD = bytes(18)  # the smallest frame that Ethernet knows: 64 bytes with its checksum
BATCH = 64


class Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """struct mmsghdr of sendmmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("iovec", ctypes.POINTER(Iovec)),
        ("iovecs", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


def serve() -> None:
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # never read: frames are counted at the NIC
    sink.bind(("", SINK))
    echoes = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echoes.bind(("", ECHO))
    for port in CONNECTIONS:
        server = socket.create_server(("", port), backlog=1024)
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
    print("ready", flush=True)
    _echo(echoes)


def _accept(server: socket.socket) -> None:
    while True:
        server.accept()[0].close()


def _echo(echoes: socket.socket) -> None:
    while True:
        echoes.sendto(*echoes.recvfrom(64))


def connections(address: str, seconds: float, turn: int) -> None:
    """The other end closes first, so its ports are the ones that have to wait."""
    to, pipes = (address, CONNECTIONS[turn % len(CONNECTIONS)]), []
    for client in range(CLIENTS):
        ports = iter(range(FIRST_PORT + client * CLIENT_PORTS, FIRST_PORT + (client + 1) * CLIENT_PORTS))
        reader, writer = os.pipe()
        if os.fork() == 0:
            done: list[bool] = []
            _for(seconds, lambda ports=ports, done=done: done.append(_connect(to, next(ports))))  # type: ignore[misc]
            os.write(writer, b"%d" % sum(done))
            os._exit(0)
        os.close(writer)
        pipes.append(reader)
    print(sum(int(os.read(pipe, 32)) for pipe in pipes))


def _connect(to: tuple[str, int], port: int) -> bool:
    """Whether it came about."""
    try:
        with socket.create_connection(to, timeout=1, source_address=("", port)) as connection:
            return connection.recv(1) == b""
    except OSError:
        return False


def frames(address: str, seconds: float) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect((address, SINK))
        iovec = Iovec(PAYLOAD, len(PAYLOAD))
        batch = (Message * BATCH)(*(Message(iovec=ctypes.pointer(iovec), iovecs=1) for _ in range(BATCH)))
        _for(seconds, lambda: libc.sendmmsg(out.fileno(), batch, BATCH, 0))


def pingpong(address: str, seconds: float) -> None:
    times: list[int] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as both:
        both.settimeout(2)
        both.connect((address, ECHO))

        def once() -> None:
            start = time.perf_counter_ns()
            both.send(PAYLOAD)
            both.recv(64)
            times.append(time.perf_counter_ns() - start)

        _for(seconds, once)
    print(statistics.median(times) / 1e3)


def _for(seconds: float, work: Callable[[], object]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        work()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["connections", address, seconds, turn]:
            connections(address, float(seconds), int(turn))
        case ["frames", address, seconds, _]:
            frames(address, float(seconds))
        case ["pingpong", address, seconds, _]:
            pingpong(address, float(seconds))
        case _:
            sys.exit(__doc__)
