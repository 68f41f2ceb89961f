"""TCP: many connections at once, and which of them live."""

import resource
import select
import socket
import sys
import time
from contextlib import suppress

MANY_FILES = 4096
PATIENCE = 20.0  # for answers, which a busy machine may hold up


def greet(port: int) -> None:
    """Whoever comes is not answered before."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, MANY_FILES))
    guests = []
    with socket.create_server(("", port), backlog=4096) as server:
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([server, sys.stdin], [], [])
            if server in readable:
                guests.append(server.accept()[0])
            elif sys.stdin.readline():
                for guest in guests:
                    guest.send(b"!")
            else:
                return


def crowd(address: str, port: int, number: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, MANY_FILES))
    print("ready", flush=True)
    guests = [socket.create_connection((address, port), timeout=20) for _ in range(number)]
    print("here", flush=True)
    sys.stdin.read()
    for guest in guests:
        guest.setblocking(False)
    got = 0
    for guest in guests:
        with suppress(OSError):
            got += len(guest.recv(1))
    print(got)


def mirror(port: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, MANY_FILES))
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096) as server:
        print("ready", flush=True)
        guests: set[socket.socket] = set()
        while True:
            readable = select.select([server, sys.stdin, *guests], [], [])[0]
            if sys.stdin in readable:
                return
            if server in readable:
                guests.add(server.accept()[0])
            for guest in guests.intersection(readable):
                if not _sent_back(guest):
                    guests.discard(guest)
                    guest.close()


def _sent_back(guest: socket.socket) -> bool:
    """False: it has ended."""
    with suppress(OSError):
        heard = guest.recv(4096)
        guest.sendall(heard)
        return bool(heard)
    return False


def chat(address: str, port: int, number: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, MANY_FILES))
    print("ready", flush=True)
    guests = [socket.create_connection((address, port), timeout=20) for _ in range(number)]
    if _answered(guests) == number:
        print("here", flush=True)
    while sys.stdin.readline():
        print(_answered(guests), flush=True)


def _answered(guests: list[socket.socket]) -> int:
    waiting = set()
    for guest in guests:
        with suppress(OSError):
            guest.send(b"?")
            waiting.add(guest)
    end, got = time.monotonic() + PATIENCE, 0
    while waiting and time.monotonic() < end:
        for guest in select.select([*waiting], [], [], 1.0)[0]:
            waiting.discard(guest)
            with suppress(OSError):
                got += bool(guest.recv(4096))
    return got
