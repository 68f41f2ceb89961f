"""TCP: one connection that carries something, and how it flows."""

import hashlib
import json
import os
import select
import socket
import sys
import time
from contextlib import suppress


def serve(port: int) -> None:
    digest = hashlib.sha256()
    with socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        with connection:
            while chunk := connection.recv(65536):
                digest.update(chunk)
    print(digest.hexdigest())


def feed(address: str, port: int, size: int) -> None:
    data = os.urandom(size)
    print("ready", flush=True)
    with connected(address, port) as connection:
        start = time.monotonic()
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # the other end closes when it has everything
        seconds = time.monotonic() - start
    print(hashlib.sha256(data).hexdigest(), seconds)


def connected(address: str, port: int) -> socket.socket:
    """As soon as somebody listens there, who may not be able to say so."""
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection((address, port), timeout=20)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def pour(port: int) -> None:
    with socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        with connection, suppress(OSError):
            while not select.select([sys.stdin], [], [], 0)[0]:
                connection.sendall(bytes(1000))
                time.sleep(0.001)


def pass_on(port: int) -> None:
    with socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        with connection:
            for line in sys.stdin:
                connection.sendall(line.encode())


def drink(address: str, port: int) -> None:
    with socket.create_connection((address, port), timeout=20) as connection:
        print("ready", flush=True)
        connection.settimeout(0.1)
        last, silent = time.monotonic(), 0.0
        while not select.select([sys.stdin], [], [], 0)[0]:
            end, got = time.monotonic() + 0.1, 0
            while time.monotonic() < end:
                with suppress(TimeoutError):
                    got += len(connection.recv(65536))
                    now = time.monotonic()
                    last, silent = now, max(silent, now - last)
            print(got, flush=True)
        print(json.dumps({"silent_ms": round(1000 * silent)}))
