"""What the table of docs/layer2.md says of one way from a VM to another: measured here, written and read here.

The figures depend on the machine; the rows and their verdicts do not.
"""

import hashlib
import io
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.netns.harness import Inside, Lab
from tests.waiting import PATIENCE

from netweft.lab import guest_qemu, guest_serial
from netweft.lab.vm import Vm

ON_THE_WAY = 30  # ms: what is under way when a VM that moves pauses, and the time between two pings
ALL = bool(os.environ.get("NETWEFT_WRITE_TABLES"))  # each cell, not a sample of them
DOCUMENT = Path(__file__).parents[3] / "docs/layer2.md"
HEAD = ("segment", "way in", "other end", "verdict", "ping, ms", "TCP out, Mbit/s", "TCP in, Mbit/s", "MTU")
PHYSICAL = ("flat", "vlan")
TYPES = (*PHYSICAL, "vxlan", "gre", "geneve", "stt")
SEGMENTS = (*TYPES, "vxlan over IPv6", "gre over IPv6", "geneve over IPv6", "stt over IPv6")
WAYS: dict[str, str] = {
    "netns": "veth of a namespace",
    "internal": "OVS internal port",
    "hybrid": "hybrid plug: tap, Linux bridge, veth",
    "qemu": "tap of a real VM (QEMU)",
    "libvirt": "tap of a domain that libvirt started",
    "sub-port": "trunk's sub-port, veth of a namespace",
    "real sub-port": "trunk's sub-port, 802.1Q interface of a real VM",
    "root": "veth of a namespace, on the machine itself",
}
SAME, ACROSS, FABRIC = "same host", "other host", "plain host on the fabric"
TWO_TAGS = "any, where `vlan-limit` is not 1"
REFUSED, NOT_MEASURED = "refused: ", "-"
PORT = 5001
SILENT = 300.0  # s: a real machine on a busy one takes minutes for its megabytes


INTRODUCTION = """\
# Layer 2, measured

Every type of segment by every way that a VM can be plugged in: to a VM on the same hypervisor, to one on another, and,
of a physical network, to a plain host on it. Made by `make test-tables`, which measures all of it; `make test` tries
each type, and each way in by two types, and fails where a row or a verdict is not as written here.

"Works" means: five pings in a row, also of the network's full MTU with "don't fragment" set, and 8 MiB over TCP in
each direction (1 MiB where the VM is a real machine), compared by digest. The figures are of a small virtual machine
with two cores, with two hypervisors and the physical network on it, all of Open vSwitch in the userspace datapath, QEMU
without KVM: they show that nothing is stuck, not what Open vSwitch can do.

A sub-port's segment is its own network's; its VM tags the frames. One trunk carries sub-ports of all types, and one
libvirt domain has a NIC on each. "The machine itself" is a hypervisor that is no namespace, with the Open vSwitch at
its default paths; libvirt runs there. Refused is a sub-port of a flat network where Open vSwitch looks at a second tag:
that would be a VLAN outside ([0084](decisions/0084-vlan-transparency.md)). The port is in error, and says why.

That VMs' own tags pass on VLAN-transparent networks of each type but `stt`, and that large frames do where the fabric
carries them, is in tests of their own (`l2/test_trunk.py`, `l2/test_mtu.py`). STT is carried by a process of ours:
[stt.md](stt.md).

"""


class Row(NamedTuple):
    segment: str
    way_in: str
    other_end: str
    verdict: str
    ping_ms: float = 0.0
    out_mbit: float = 0.0
    in_mbit: float = 0.0
    mtu: int = 0

    @property
    def what(self) -> tuple[str, str, str, str]:
        return self[:4]


class End(Protocol):
    """A machine that TCP can be spoken with."""

    address: str

    @contextmanager
    def serve(self) -> Iterator["Served"]: ...

    def feed(self, address: str) -> tuple[str, float]:
        """Sends bytes to PORT there; their digest, and Mbit/s."""


class Served(Protocol):
    def digest(self) -> str:
        """Of what was received, once the connection is closed."""


class NamespaceEnd:
    """VMs and hosts that are namespaces."""

    size = 2 * 2**20

    def __init__(self, lab: Lab, namespace: str, address: str) -> None:
        self.lab, self.namespace, self.address = lab, namespace, address

    @contextmanager
    def serve(self) -> Iterator["_Listening"]:
        with self.lab.inside_namespace(self.namespace, "serve", str(PORT)) as server:
            yield _Listening(server)

    def feed(self, address: str) -> tuple[str, float]:
        with self.lab.inside_namespace(self.namespace, "feed", address, str(PORT), str(self.size)) as client:
            said = client.finish()
        assert said, f"not all came to {address}, and no more"
        digest, seconds = said[-1].split()
        return digest, self.size * 8 / 1e6 / float(seconds)


class _Listening:
    def __init__(self, server: Inside) -> None:
        self._server = server

    def digest(self) -> str:
        return self._server.finish()[-1]


class SerialEnd:
    """A real machine, which has busybox only, behind its serial port."""

    size = 2**18

    def __init__(self, commands: Path, address: str) -> None:
        self.commands, self.address = commands, address

    def shell(self, script: str, seconds: float = SILENT) -> str:
        """Raises LabError where the machine says nothing for so long: it stands still, or its command does."""
        output = io.BytesIO()
        status = guest_serial.execute(self.commands, ("sh", "-c", script), output, seconds)
        assert status == 0, output.getvalue().decode()
        return output.getvalue().decode()

    @contextmanager
    def serve(self) -> Iterator["_ShellListening"]:
        listening = _ShellListening(self)
        listening.start()
        yield listening
        listening.join(PATIENCE)

    def feed(self, address: str) -> tuple[str, float]:
        start = time.monotonic()
        self.shell(f"head -c {self.size} /dev/zero | nc {address} {PORT}")
        return hashlib.sha256(bytes(self.size)).hexdigest(), self.size * 8 / 1e6 / (time.monotonic() - start)


class _ShellListening(threading.Thread):
    def __init__(self, end: SerialEnd) -> None:
        super().__init__(daemon=True)
        self._end, self._output = end, ""

    def run(self) -> None:
        self._output = self._end.shell(f"nc -l -p {PORT} </dev/null | sha256sum")

    def digest(self) -> str:
        self.join(PATIENCE)
        return self._output.split()[0]


class Segment:
    """A network of one type, with a VM to talk to on each of two hypervisors."""

    def __init__(self, lab: Lab, kind: str, cidr: str, physical_network: str = "physnet1") -> None:
        self.lab, self.kind = lab, kind
        self.network = lab.network(cidr, **provider(kind, physical_network))
        self.others = {SAME: lab.add_vm("hv1", self.network), ACROSS: lab.add_vm("hv2", self.network)}
        self.mtu = self.others[SAME].nic.mtu

    def rows(self, way: str, subject: End, name: str = "") -> list[Row]:
        """Of a VM on the first hypervisor.  name: of the segment, where its type does not say all."""
        return [
            measure((name or self.kind, WAYS[way], where), subject, namespace_end(self.lab, other), self.mtu)
            for where, other in self.others.items()
        ]


def provider(kind: str, physical_network: str = "physnet1") -> dict[str, object]:
    found: dict[str, object] = {"provider:network_type": kind}
    return found | ({"provider:physical_network": physical_network} if kind in PHYSICAL else {})


def measure(what: tuple[str, str, str], subject: End, other: NamespaceEnd, mtu: int) -> Row:
    """Pings go from the other end: they come back as large."""
    ping(other, subject.address, mtu)  # the first one finds neighbours, and flows that the switch has not cached
    milliseconds = ping(other, subject.address, 84)
    if not ping(other, subject.address, mtu):
        return Row(*what, "no ping of full size")
    out = _tcp(subject, other)
    back = _tcp(other, subject)
    if not (out and back):
        return Row(*what, "TCP broken")
    return Row(*what, "works", round(milliseconds, 2), round(out), round(back), mtu)


def ping(end: NamespaceEnd, address: str, size: int) -> float:
    """The median in ms of a few that must not be fragmented; 0 where one is lost."""
    with end.lab.inside_namespace(end.namespace, "echo", address, "5", "0.02", str(size)) as pings:
        result = pings.result()
    return 0.0 if result["lost"] else float(result["median_ms"])


def _tcp(source: End, target: End) -> float:
    """Mbit/s; 0 where something else arrived than was sent."""
    with target.serve() as served:
        sent, mbit = source.feed(target.address)
        return mbit if served.digest() == sent else 0.0


def vm_end(lab: Lab, machine: Vm) -> End:
    if machine.kind == "qemu":
        return SerialEnd(guest_qemu.commands(lab.node(machine.node), machine.name), machine.nic.address)
    return namespace_end(lab, machine)


def namespace_end(lab: Lab, machine: Vm) -> NamespaceEnd:
    return NamespaceEnd(lab, lab.layout.vm_namespace(machine.name), machine.nic.address)


def table(rows: Iterable[Row]) -> str:
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [f"| {' | '.join(_shown(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _shown(cell: str | float) -> str:
    return cell if isinstance(cell, str) else f"{cell:g}" if cell else NOT_MEASURED


def document(rows: Iterable[Row]) -> None:
    """What was found stands in the document: all that it says of these segments by these ways in, but for the figures.
    With NETWEFT_WRITE_TABLES=1 in the environment that is written anew."""
    found = list(rows)
    assert [row for row in found if row.verdict != "works" and not row.verdict.startswith(REFUSED)] == []
    ours = {row[:2] for row in found}
    if ALL:
        kept = [row for row in _documented() if row[:2] not in ours]
        DOCUMENT.write_text(INTRODUCTION + table(sorted([*kept, *found], key=_place)))
    assert sorted(row.what for row in _documented() if row[:2] in ours) == sorted(row.what for row in found)


def _documented() -> list[Row]:
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    cells = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:])
    return [
        Row(segment, way, end, verdict, _figure(milliseconds), _figure(out), _figure(back), int(_figure(mtu)))
        for segment, way, end, verdict, milliseconds, out, back, mtu in cells
    ]


def _figure(cell: str) -> float:
    return 0.0 if cell == NOT_MEASURED else float(cell)


def _place(row: Row) -> tuple[int, ...]:
    orders = (SEGMENTS, tuple(WAYS.values()), (SAME, ACROSS, FABRIC, TWO_TAGS))
    return tuple(order.index(word) for order, word in zip(orders, row, strict=False))
