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

IP_RECVERR, MSG_ERRQUEUE, IP_MTU = 11, 0x2000, 14
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
SECONDS = 2.0
FROM_ICMP = 2
_ERROR = struct.Struct("=IBBBBII")


def main(address: str, port: str, ttl: str, size: str, source: str = "0") -> None:
    there = socket.socket(socket.AF_INET, socket.SOCK_STREAM if size == "tcp" else socket.SOCK_DGRAM)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    there.bind(("", int(source)))
    there.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    there.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    there.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(ttl))
    there.setblocking(False)
    try:
        with suppress(BlockingIOError):
            there.connect((address, int(port)))
        if size != "tcp":
            there.send(bytes(int(size) - 28))
    except OSError:
        print(json.dumps({"too big": there.getsockopt(socket.IPPROTO_IP, IP_MTU)}))
        return
    poll = select.poll()
    poll.register(there, select.POLLIN | select.POLLERR)
    events = poll.poll(SECONDS * 1000)
    if not events:
        print("{}")
    elif events[0][1] & select.POLLERR:
        refused = there.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        print(json.dumps({"refused": True} if refused and size == "tcp" else _error(there)))
    else:
        print(json.dumps({"answer": True}))


def _error(there: socket.socket) -> dict[str, object]:
    _, control, _, _ = there.recvmsg(0, 512, MSG_ERRQUEUE)
    for level, kind, data in control:
        if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
            _, origin, type_, code, _, info, _ = _ERROR.unpack_from(data)
            if origin == FROM_ICMP:
                sender = socket.inet_ntoa(data[_ERROR.size + 4 : _ERROR.size + 8])
                return {"from": sender, "type": type_, "code": code, "mtu": info}
    return {}


if __name__ == "__main__":
    main(*sys.argv[1:])
