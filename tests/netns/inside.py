"""What tests run inside a VM: a ping that counts, and raw frames in and out.  A script; standard library only.

inside.py ping ADDRESS            every 10 ms until its stdin closes; then one line of JSON
inside.py echo ADDRESS COUNT INTERVAL SIZE   so many, of so many bytes with their IP header, not to be fragmented; then
                                  such a line.  Late is not lost: the ping command waits for two round trips only
inside.py send [NIC]              frames from stdin, one a line in hexadecimal, out of eth0
inside.py repeat FRAME...         these frames in turn, one each 2 ms, until its stdin closes; then how often each
inside.py capture                 says "ready", then prints each frame that comes in at eth0, until its stdin closes
inside.py serve PORT              takes one TCP connection, reads to its end, prints what it got as a digest
inside.py feed ADDRESS PORT SIZE  sends that many bytes over TCP, prints their digest and the seconds it took
inside.py pour PORT               takes one TCP connection, and sends until its stdin closes
inside.py greet PORT              takes TCP connections, and sends one byte on each when a line comes in at its stdin
inside.py crowd ADDRESS PORT N    N TCP connections; says "here" when they stand, then nothing on them, and how many of
                                  them have got something by then when its stdin closes
inside.py mirror PORT             takes TCP connections, and sends back what comes, until its stdin closes
inside.py chat ADDRESS PORT N     N TCP connections to a mirror; says "here" when each has had an answer; then for each
                                  line at its stdin says something on each, and prints how many are answered
inside.py ask ADDRESS             ARP requests for this address out of eth0, one each 2 ms, until its stdin closes
inside.py answers ADDRESS NIC...  which of these NICs ARP replies from this address come in at, one line each time that
                                  it is another one than before, until its stdin closes; then how many there were
inside.py hear PORT...            every UDP datagram to these ports, and every ICMP message, that the kernel gives to
                                  sockets: a line each, as {"udp": PORT, "size": N} or {"icmp": TYPE, "size": N};
                                  UDP is answered
inside.py say ADDRESS PORT SIZE   one UDP datagram; then the size of the answer, 0 when there is none in a second, or -1
                                  when it is another than the question
inside.py pass PORT               takes one TCP connection, and sends each line of its stdin
inside.py drink ADDRESS PORT      connects, says nothing, prints how many bytes came in each tenth of a second, and in
                                  the end for how many ms nothing came at the longest, as {"silent_ms": N}
inside.py vlan ID MAC ADDRESS/LENGTH MTU   a NIC vlanID on top of eth0, for 802.1Q tag ID, until its stdin closes: what
                                  "ip link add type vlan" does where the kernel knows of 802.1Q
"""

import fcntl
import hashlib
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress

INTERVAL = 0.01
MANY_FILES = 4096
PATIENCE = 10.0  # for the last replies, which a busy machine may hold up
ETH_P_ALL, ETH_P_8021Q = 3, 0x8100
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 0x10


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
        end = time.monotonic() + PATIENCE
        while len(self.answered) < len(self.sent) and time.monotonic() < end:
            self._wait(end, stdin=False)
        print(json.dumps(self._result()))

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
            "lost_span_ms": round((self.sent[lost[-1]] - self.sent[lost[0]] + INTERVAL) * 1000) if lost else 0,
            "slowest_ms": round(max(waits, default=0) * 1000, 1),
            "median_ms": sorted(waits)[len(waits) // 2] * 1000 if waits else 0,
        }


def packet_socket(nic: str = "eth0") -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    found.bind((nic, ETH_P_ALL))
    return found


def send(nic: str) -> None:
    with packet_socket(nic) as out:
        for line in sys.stdin:
            out.send(bytes.fromhex(line))


def repeat(frames: list[bytes]) -> None:
    """Each as often as the others."""
    times = 0
    with packet_socket() as out:
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            for frame in frames:
                out.send(frame)
                time.sleep(0.002)
            times += 1
    print(times)


def capture() -> None:
    with packet_socket() as source:
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([source, sys.stdin], [], [])
            if sys.stdin in readable:
                return
            frame, address = source.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                print(frame.hex(), flush=True)


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


def ask(address: str) -> None:
    nic = packet_socket()
    own = nic.getsockname()[4]
    kind = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    ips = bytes(4) + bytes(6) + socket.inet_aton(address)  # from nobody's, so that nobody notes it
    frame = (b"\xff" * 6 + own + b"\x08\x06" + kind + own + ips).ljust(60, b"\0")
    print("ready", flush=True)
    while sys.stdin not in select.select([sys.stdin], [], [], 0.002)[0]:
        nic.send(frame)


def answers(address: str, names: list[str]) -> None:
    nics = {packet_socket(name): name for name in names}
    wanted, last, count = b"\0\2" + bytes(6) + socket.inet_aton(address), "", 0
    print("ready", flush=True)
    while True:
        readable = select.select([*nics, sys.stdin], [], [])[0]
        if sys.stdin in readable:
            break
        for nic, name in nics.items():
            if nic not in readable:
                continue
            try:
                frame, (_, _, kind, _, _) = nic.recvfrom(2048)
            except OSError:  # it has been switched off
                continue
            said = frame[20:22] + bytes(6) + frame[28:32]
            if kind == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x06" or said != wanted:
                continue
            count += 1
            if name != last:
                last = name
                print(name, flush=True)
    print(count)


def mirror(port: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, MANY_FILES))
    with socket.create_server(("", port), backlog=4096) as server:
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
    end, got = time.monotonic() + 2 * PATIENCE, 0
    while waiting and time.monotonic() < end:
        for guest in select.select([*waiting], [], [], 1.0)[0]:
            waiting.discard(guest)
            with suppress(OSError):
                got += bool(guest.recv(4096))
    return got


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


def vlan(tag: int, mac: str, address: str, mtu: int) -> None:
    name = f"vlan{tag}"
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    for words in (f"link set {name} address {mac} mtu {mtu} up", f"address add {address} dev {name}"):
        subprocess.run(("ip", *words.split()), check=True)
    with packet_socket() as nic:
        nic.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([nic, tap, sys.stdin], [], [])
            if sys.stdin in readable:
                return
            if tap in readable:
                frame = os.read(tap, 65536)
                nic.send(frame[:12] + struct.pack("!HH", ETH_P_8021Q, tag) + frame[12:])
            if nic in readable and (untagged := _untagged(nic, tag)):
                os.write(tap, untagged)


def _untagged(nic: socket.socket, tag: int) -> bytes:
    """What came in with this tag, which the kernel has put beside the frame; else nothing."""
    frame, extra, _, address = nic.recvmsg(65536, 256)
    if address[2] == socket.PACKET_OUTGOING:
        return b""
    for level, kind, data in extra:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tci, _ = struct.unpack("=IIIHHHH", data[:20])
            if status & TP_STATUS_VLAN_VALID and tci & 0xFFF == tag:
                return frame
    return b""


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ping", address]:
            Ping(address).run()
        case ["echo", address, count, interval, size]:
            Ping(address, float(interval), int(size)).run(int(count))
        case ["send", *nic]:
            send(*nic or ["eth0"])
        case ["repeat", *frames]:
            repeat([bytes.fromhex(frame) for frame in frames])
        case ["capture"]:
            capture()
        case ["serve", port]:
            serve(int(port))
        case ["feed", address, port, size]:
            feed(address, int(port), int(size))
        case ["pour", port]:
            pour(int(port))
        case ["hear", *ports]:
            hear([int(port) for port in ports])
        case ["say", address, port, size]:
            say(address, int(port), int(size))
        case ["refused", address, port]:
            refused(address, int(port))
        case ["greet", port]:
            greet(int(port))
        case ["crowd", address, port, number]:
            crowd(address, int(port), int(number))
        case ["ask", address]:
            ask(address)
        case ["answers", address, *nics]:
            answers(address, nics)
        case ["mirror", port]:
            mirror(int(port))
        case ["chat", address, port, number]:
            chat(address, int(port), int(number))
        case ["pass", port]:
            pass_on(int(port))
        case ["drink", address, port]:
            drink(address, int(port))
        case ["vlan", tag, mac, address, mtu]:
            vlan(int(tag), mac, address, int(mtu))
        case _:
            sys.exit(__doc__)
