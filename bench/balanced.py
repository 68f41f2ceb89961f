"""Where load balancers are measured: a client and a server on different hypervisors, whoever balances between them."""

import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

BULK, MANY = 5201, range(8000, 8010)
DIRECT = (
    7000  # no member's: a client that uses one port to the VIP and to its member has its answers taken for the VIP's
)
SERVE = """
import json, socket, sys, threading
counts = dict.fromkeys(range(8000, 8010), 0)
def accept(port):
    server = socket.create_server(("", port), backlog=4096)
    while True:
        one = server.accept()[0]
        if port in counts:
            counts[port] += 1
        try:
            one.sendall(b"%d" % port)
            one.recv(1)  # the client closes first: TIME_WAIT is where the VIP and a member are told apart
        except OSError:  # it went with its balancer, or its client
            pass
        one.close()
for port in (*counts, DIRECT):
    threading.Thread(target=accept, args=(port,), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(list(counts.values())), flush=True)
    counts.update(dict.fromkeys(counts, 0))
"""
CONNECT = """
import socket, sys, time
address, port, most, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
done, end = 0, time.monotonic() + seconds
while done < most and time.monotonic() < end:
    with socket.create_connection((address, port), timeout=5) as one:
        one.recv(10)
    done += 1
print(done)
"""
UNTIL = """
import socket, sys, time
address, port, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
print("ready", flush=True)
while True:
    with socket.socket() as one:
        one.settimeout(0.02)
        try:
            one.connect((address, port))
            one.send(b"GET / HTTP/1.0\\r\\n\\r\\n")  # of HAProxy it is asked, our servers speak first
            if wanted in one.recv(10):
                break
        except OSError:
            time.sleep(0.001)
print(time.time(), flush=True)
"""


class Stand(ABC):
    """address: the server's.  client, server: names of their VMs."""

    def __init__(self, stack: ExitStack, address: str, client: str = "client", server: str = "server") -> None:
        self.address, self._client, self._server = address, client, server
        script = SERVE.replace("DIRECT", str(DIRECT))
        self._serving = stack.enter_context(running(self.inside(server, sys.executable, "-c", script)))
        stack.enter_context(running(self.inside(server, "iperf3", "-s", "--forceflush")))

    @abstractmethod
    def inside(self, machine: str, *words: str) -> Sequence[str]:
        """A command in a VM."""

    @abstractmethod
    def free_vip(self, number: int) -> str:
        """Of a hundred."""

    @abstractmethod
    def create(
        self, *members: tuple[str, int], port: int = 80, vip: str = "", protocol: str = "TCP"
    ) -> tuple[str, str]:
        """One with a listener and a pool: its id, and its VIP.  vip: empty for any that is free."""

    @abstractmethod
    def active(self, id: str) -> None:
        """Waits until it is said to be in place."""

    @abstractmethod
    def delete(self, id: str) -> None: ...

    def ask(self, *words: object) -> str:
        command = self.inside(self._client, *map(str, words))
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def serve(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(self.inside(self._server, *words), stdout=subprocess.DEVNULL, text=True)

    def counts(self) -> list[int]:
        assert self._serving.stdin
        assert self._serving.stdout
        self._serving.stdin.write("\n")
        self._serving.stdin.flush()
        found: list[int] = json.loads(self._serving.stdout.readline())
        return found

    @contextmanager
    def trying(self, vip: str, wanted: str) -> Iterator["subprocess.Popen[str]"]:
        with running(self.inside(self._client, sys.executable, "-c", UNTIL, vip, "80", wanted)) as found:
            yield found


@contextmanager
def running(command: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """Once it has said something."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as found:
        assert found.stdout
        assert found.stdout.readline()
        try:
            yield found
        finally:
            found.kill()


def said_at(found: "subprocess.Popen[str]") -> float:
    assert found.stdout
    return float(found.stdout.readline())
