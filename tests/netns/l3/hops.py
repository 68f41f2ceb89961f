"""What a path answers to one packet, as a socket hears it.  A script; standard library only.

hops.py ADDRESS PORT TTL SIZE   SIZE bytes with IP header, not to be fragmented.  Prints one line of JSON: {"from",
                                "type", "code", "mtu"} of the ICMP error that the kernel found to be about it,
                                {"answer": true}, {"too big": MTU} that it knew before, or {} when nothing comes in two
                                seconds
hops.py ADDRESS PORT TTL tcp    the beginning of a TCP connection; likewise, or {"refused": true}
hops.py ADDRESS PORT TTL SIZE SOURCE   from this port
"""

import errno
import json
import select
import socket
import struct
import sys
from contextlib import suppress
from typing import NamedTuple

MSG_ERRQUEUE, PMTUDISC_DO = 0x2000, 2
SECONDS = 2.0
_ERROR = struct.Struct("=IBBBBII")


class Version(NamedTuple):
    """recverr, mtu, discover, hops: the numbers of socket options.  headers: of IP and UDP, in bytes.
    from_icmp: who has said it, as the kernel says.  sender: where in its address that is."""

    family: int
    level: int
    recverr: int
    mtu: int
    discover: int
    hops: int
    headers: int
    from_icmp: int
    sender: slice


IPV4 = Version(socket.AF_INET, socket.IPPROTO_IP, 11, 14, 10, socket.IP_TTL, 28, 2, slice(4, 8))
IPV6 = Version(socket.AF_INET6, socket.IPPROTO_IPV6, 25, 24, 23, socket.IPV6_UNICAST_HOPS, 48, 3, slice(8, 24))


def main(address: str, port: str, ttl: str, size: str, source: str = "0") -> None:
    ip = IPV6 if ":" in address else IPV4
    there = socket.socket(ip.family, socket.SOCK_STREAM if size == "tcp" else socket.SOCK_DGRAM)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    there.bind(("", int(source)))
    there.setsockopt(ip.level, ip.discover, PMTUDISC_DO)
    there.setsockopt(ip.level, ip.recverr, 1)
    there.setsockopt(ip.level, ip.hops, int(ttl))
    there.setblocking(False)
    try:
        with suppress(BlockingIOError):
            there.connect((address, int(port)))
        if size != "tcp":
            there.send(bytes(int(size) - ip.headers))
    except OSError:
        print(json.dumps({"too big": there.getsockopt(ip.level, ip.mtu)}))
        return
    poll = select.poll()
    poll.register(there, select.POLLIN | select.POLLERR)
    events = poll.poll(SECONDS * 1000)
    if not events:
        print("{}")
    elif events[0][1] & select.POLLERR:
        refused = there.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        print(json.dumps({"refused": True} if refused and size == "tcp" else _error(there, ip)))
    else:
        print(json.dumps({"answer": True}))


def _error(there: socket.socket, ip: Version) -> dict[str, object]:
    _, control, _, _ = there.recvmsg(0, 512, MSG_ERRQUEUE)
    for level, kind, data in control:
        if (level, kind) == (ip.level, ip.recverr):
            _, origin, type_, code, _, info, _ = _ERROR.unpack_from(data)
            if origin == ip.from_icmp:
                sender = socket.inet_ntop(ip.family, data[_ERROR.size :][ip.sender])
                return {"from": sender, "type": type_, "code": code, "mtu": info}
    return {}


if __name__ == "__main__":
    main(*sys.argv[1:])
