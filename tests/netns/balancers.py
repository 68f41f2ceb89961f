"""Load balancers in labs: made as rows, servers that say their name, and clients that say who answered.

The API's own tests make them by requests; here it is the packets that count.
"""

import contextlib
import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

from tests.netns.harness import Lab

from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm
from netweft.model.load_balancer import LOAD_BALANCER, NETWORK, VIP_ADDRESSES, VIP_DEVICE, VIP_MAC, VIP_OWNER
from netweft.store import Store, WriteTransaction

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


@contextlib.contextmanager
def serving(lab: Lab, machine: Vm, port: int = 8080) -> Iterator[str]:
    """Its name, which it says to whoever asks, by TCP and UDP."""
    command = in_namespace(
        lab.layout.vm_namespace(machine.name), sys.executable, "-c", _SERVER, machine.name, str(port)
    )
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
    """Of one network.  Its rows are written into the database, and the server's doorbell is rung by a request."""

    def __init__(self, lab: Lab, network: str, *addresses: str, protocol: str = "TCP", **pool: object) -> None:
        self._lab = lab
        self._made: list[tuple[str, str]] = []
        self.id, self.pool = str(uuid.uuid4()), str(uuid.uuid4())
        self.addresses = addresses
        with lab.cloud() as cloud:
            subnets = {one["ip_version"]: one["id"] for one in cloud.list("subnets", network_id=network)}
            fixed = [{"ip_address": one, "subnet_id": subnets[6 if ":" in one else 4]} for one in addresses]
            self.port = cloud.create(
                "ports",
                network_id=network,
                fixed_ips=fixed,
                device_owner=VIP_OWNER,
                device_id=f"{VIP_DEVICE}{self.id}",
            )
        rows = [
            (
                "loadbalancers",
                {
                    "id": self.id,
                    "vip_address": addresses[0],
                    "vip_port_id": self.port["id"],
                    "vip_network_id": network,
                    NETWORK: network,
                    VIP_MAC: self.port["mac_address"],
                    VIP_ADDRESSES: fixed,
                },
            ),
            (
                "pools",
                {"id": self.pool, "protocol": protocol, "lb_algorithm": "ROUND_ROBIN", LOAD_BALANCER: self.id, **pool},
            ),
        ]
        self._insert(*rows)
        self.listener = self.listen(80, protocol)

    def listen(self, port: int, protocol: str = "TCP", **more: object) -> str:
        id = str(uuid.uuid4())
        row = {"id": id, "protocol": protocol, "protocol_port": port, "default_pool_id": self.pool, **more}
        self._insert(("listeners", {**row, LOAD_BALANCER: self.id}))
        return id

    def add(self, address: str, port: int = 8080, **more: object) -> str:
        id = str(uuid.uuid4())
        row = {"id": id, "pool_id": self.pool, LOAD_BALANCER: self.id, "address": address, "protocol_port": port}
        self._insert(("members", {**row, **more}))
        return id

    def close(self) -> None:
        for kind, id in reversed(self._made):
            self._write(lambda tx, kind=kind, id=id: tx.delete(kind, id))  # type: ignore[misc]
        with self._lab.cloud() as cloud:
            cloud.delete("ports", self.port["id"])

    def update(self, kind: str, id: str, **changes: object) -> None:
        self._write(lambda tx: tx.update(kind, id, changes))

    def remove(self, kind: str, id: str) -> None:
        self._write(lambda tx: tx.delete(kind, id))
        self._made.remove((kind, id))

    def _insert(self, *rows: tuple[str, dict[str, object]]) -> None:
        self._made += [(kind, str(row["id"])) for kind, row in rows]

        def all_of_them(tx: WriteTransaction) -> None:
            for kind, row in rows:
                tx.insert(kind, row)

        self._write(all_of_them)

    def _write(self, change: Callable[[WriteTransaction], object]) -> None:
        url = f"sqlite:///{self._lab.layout.server_folder}/netweft.db"
        with contextlib.closing(Store.open(url)) as store, store.write() as tx:
            change(tx)
        self._ring()

    def _ring(self) -> None:
        with self._lab.cloud() as cloud:
            cloud.update("ports", self.port["id"], {"description": str(uuid.uuid4())})
