"""Load balancers in labs, servers that say their name, and clients that say who answered."""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Self

from tests.netns.harness import Lab, until

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

_SERVER = """
import socket, sys, threading
name, port = sys.argv[1].encode(), int(sys.argv[2])
def tcp(one, frm):
    with one:
        while asked := one.recv(65536):
            one.sendall(name + b' ' + frm[0].encode() + b' ' + asked + b'\\n')
server = socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
datagrams.bind(('::', port))
def udp():
    while True:
        asked, frm = datagrams.recvfrom(65536)
        datagrams.sendto(name + b' ' + frm[0].encode() + b' ' + asked, frm)
threading.Thread(target=udp, daemon=True).start()
print('ready', flush=True)
while True:
    threading.Thread(target=tcp, args=server.accept(), daemon=True).start()
"""
_CLIENT = """
import json, socket, sys
address, port, times, kind, own = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
said = []
for turn in range(times):
    with socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM) as one:
        one.settimeout(3)
        try:
            if own:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(('', own))
            one.connect((address, port))
            one.send(b'?')
            said.append(one.recv(1000).decode().split()[:2])
        except OSError as error:
            said.append([type(error).__name__, ''])
print(json.dumps(said))
"""

_TALK = """
import json, socket, sys
address, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
all_ = [socket.create_connection((address, port), timeout=5) for _ in range(times)]
print('ready', flush=True)
for line in sys.stdin:
    said = []
    for one in all_:
        try:
            one.settimeout(2)
            one.send(b'?')
            said.append(one.recv(1000).decode().split()[0])
        except (OSError, IndexError):
            said.append('')
    print(json.dumps(said), flush=True)
"""


class Talk:
    """Connections that stay.  `say`: who answers on each, empty where it has ended."""

    def __init__(self, namespace: str, address: str, times: int, port: int = 80) -> None:
        words = (sys.executable, "-c", _TALK, address, str(port), str(times))
        self._running = subprocess.Popen(
            in_namespace(namespace, *words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._running.stdout is not None
        return self._running.stdout.readline().strip()

    def say(self) -> list[str]:
        assert self._running.stdin is not None
        self._running.stdin.write("\n")
        self._running.stdin.flush()
        found: list[str] = json.loads(self._line())
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.kill()
        self._running.communicate()


@contextlib.contextmanager
def serving(lab: Lab, machine: Vm, port: int = 8080, script: str = _SERVER) -> Iterator[str]:
    """Its name, which it says to whoever asks: by TCP and UDP, or as the script does."""
    command = in_namespace(lab.layout.vm_namespace(machine.name), sys.executable, "-c", script, machine.name, str(port))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        try:
            yield machine.name
        finally:
            running.kill()


def ask(namespace: str, address: str, port: int = 80, times: int = 1, kind: str = "tcp", own: int = 0) -> Counter[str]:
    """Who has answered, and as whom each saw the client: `name address`.  own: the client's port."""
    words = (address, port, times, kind, own)
    command = in_namespace(namespace, sys.executable, "-c", _CLIENT, *map(str, words))
    said = json.loads(subprocess.check_output(command, text=True))
    return Counter(f"{name} {seen.removeprefix('::ffff:')}".strip() for name, seen in said)


class Balancer:
    """Made by one request, with a listener on port 80 and these members; done when it is ACTIVE.  own, listens: what
    is to be said of itself and of its listener besides."""

    def __init__(
        self,
        lab: Lab,
        network: str,
        vip: str,
        *members: str,
        port: int = 8080,
        protocol: str = "TCP",
        own: Mapping[str, object] = MappingProxyType({}),
        listens: Mapping[str, object] = MappingProxyType({}),
        **pool: object,
    ) -> None:
        self._lab, self.vip = lab, vip
        ends = [{"address": one, "protocol_port": port} for one in members]
        made = {"name": "pool", "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", "members": ends, **pool}
        listener = {"protocol": protocol, "protocol_port": 80, "default_pool": made, **listens}
        wanted = {"vip_network_id": network, "vip_address": vip, "listeners": [listener], **own}
        with lab.cloud() as cloud:
            self.id: str = cloud.balancing("POST", "loadbalancers", {"loadbalancer": wanted})["loadbalancer"]["id"]
            tree = cloud.balancing("GET", f"loadbalancers/{self.id}/status")["statuses"]["loadbalancer"]
            self.listener: str = tree["listeners"][0]["id"]
            self.pool: str = tree["listeners"][0]["pools"][0]["id"]
            found = cloud.balancing("GET", f"pools/{self.pool}/members")["members"]
        self.members: dict[str, str] = {one["address"]: one["id"] for one in found}
        self.active()

    @property
    def port_id(self) -> str:
        with self._lab.cloud() as cloud:
            return str(cloud.balancing("GET", f"loadbalancers/{self.id}")["loadbalancer"]["vip_port_id"])

    def active(self) -> None:
        until(self._is_active, "the load balancer is active")

    def _is_active(self) -> bool:
        with self._lab.cloud() as cloud:
            said = cloud.balancing("GET", f"loadbalancers/{self.id}")["loadbalancer"]
        return bool(said["provisioning_status"] == "ACTIVE")

    def add(self, address: str, **more: object) -> None:
        member = {"address": address, "protocol_port": 8080, **more}
        with self._lab.cloud() as cloud:
            made = cloud.balancing("POST", f"pools/{self.pool}/members", {"member": member})
        self.members[address] = made["member"]["id"]
        self.active()

    def update(self, address: str, **changes: object) -> None:
        self._member("PUT", address, {"member": changes})

    def remove(self, address: str) -> None:
        self._member("DELETE", address, None)
        del self.members[address]

    def _member(self, method: str, address: str, body: object) -> None:
        with self._lab.cloud() as cloud:
            cloud.balancing(method, f"pools/{self.pool}/members/{self.members[address]}", body)
        self.active()

    def close(self) -> None:
        with self._lab.cloud() as cloud:
            cloud.balancing("DELETE", f"loadbalancers/{self.id}?cascade=true")
            until(
                lambda: all(one["id"] != self.id for one in cloud.balancing("GET", "loadbalancers")["loadbalancers"]),
                "it is gone",
            )
