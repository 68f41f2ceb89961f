"""UDP, and the ICMP errors that it meets."""

import json
import select
import socket
import sys
from contextlib import suppress


def hear(ports: list[int]) -> None:
    """What comes to the last port is told after all that came before it.  Closed stdin ends it."""
    sockets: dict[socket.socket, int] = {}
    for family, protocol in ((socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6)):
        sockets[socket.socket(family, socket.SOCK_RAW, protocol)] = 0
    for port in ports:
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        udp.bind(("::", port))
        sockets[udp] = port
    print("ready", flush=True)
    while sys.stdin not in select.select([*sockets, sys.stdin], [], [])[0]:
        for one, port in sockets.items():
            if port == ports[-1] and select.select([one], [], [], 0)[0]:
                _tell_all({other: number for other, number in sockets.items() if number != port})
            _tell(one, port)


def _tell_all(sockets: dict[socket.socket, int]) -> None:
    while any(_tell(one, port) for one, port in sockets.items()):
        pass


def _tell(one: socket.socket, port: int) -> bool:
    """False: nothing has come."""
    if not select.select([one], [], [], 0)[0]:
        return False
    data, sender = one.recvfrom(65536)
    if port:
        print(json.dumps({"udp": port, "size": len(data)}), flush=True)
        with suppress(OSError):
            one.sendto(data, sender)
    else:
        message = data if one.family == socket.AF_INET6 else data[(data[0] & 15) * 4 :]
        print(json.dumps({"icmp": message[0], "size": len(message)}), flush=True)
    return True


def say(address: str, port: int, size: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(1)
        print("ready", flush=True)
        udp.connect((address, port))
        said = bytes(place % 251 for place in range(size))
        udp.send(said)
        try:
            heard = udp.recv(65536)
            print(len(heard) if heard == said else -1)
        except OSError:
            print(0)


def refused(address: str, port: int) -> None:
    """Tells when an ICMP error has said that nobody listens there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(1)
        udp.connect((address, port))
        print("ready", flush=True)
        while True:
            try:
                udp.send(b"anybody?")
                udp.recv(1)
            except ConnectionRefusedError:
                return print("refused", flush=True)
            except TimeoutError:
                continue
