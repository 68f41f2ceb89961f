"""Names, places and addresses of a lab: everything that follows from its name alone.  Touches nothing.

A lab owns what carries its name: the folder `/run/netweft/lab/NAME`, the namespaces `nw-NAME-...`, and every process
with `NETWEFT_LAB=NAME` in its environment.  So a lab can be found, and taken down, without any file of its own.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

ROOT = Path("/run/netweft/lab")
UNDERLAY = ip_network("198.18.0.0/24")  # set aside for benchmarks: never routed
MAX_NODES = 200

_LAB_NAME = re.compile(r"[a-z][a-z0-9]{0,9}")  # no dash: `nw-a-` must not be the beginning of another lab's names
_VM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class LabError(Exception):
    """What went wrong, as one message for a person."""


@dataclass(frozen=True)
class Layout:
    lab: str

    def __post_init__(self) -> None:
        if not _LAB_NAME.fullmatch(self.lab):
            raise LabError(f"{self.lab!r} is no lab name: up to 10 small letters and digits, a letter first")

    @property
    def folder(self) -> Path:
        return ROOT / self.lab

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def processes(self) -> Path:
        """One file per process that the supervisor keeps running."""
        return self.folder / "processes"

    @property
    def vms(self) -> Path:
        return self.folder / "vms"

    @property
    def server_folder(self) -> Path:
        return self.folder / "server"

    @property
    def server_socket(self) -> Path:
        """How the agents, each in its own network namespace, reach the server: unix sockets know no namespace."""
        return self.folder / "server.sock"

    @property
    def openrc(self) -> Path:
        return self.server_folder / "admin-openrc"

    @property
    def namespace_prefix(self) -> str:
        return f"nw-{self.lab}-"

    @property
    def fabric(self) -> str:
        """The namespace of the physical network."""
        return f"{self.namespace_prefix}fabric"

    def node(self, number: int) -> "NodeLayout":
        if not 1 <= number <= MAX_NODES:
            raise LabError(f"a lab has 1 to {MAX_NODES} nodes")
        return NodeLayout(self, number)

    def vm_namespace(self, vm: str) -> str:
        return f"{self.namespace_prefix}vm-{vm}"

    def vm_file(self, vm: str) -> Path:
        if not _VM_NAME.fullmatch(vm):
            raise LabError(f"{vm!r} is no VM name: letters, digits, dash, dot and underscore, at most 40")
        return self.vms / f"{vm}.json"


@dataclass(frozen=True)
class NodeLayout:
    """A hypervisor: hv1, hv2, ..."""

    layout: Layout
    number: int

    @property
    def name(self) -> str:
        return f"hv{self.number}"

    @property
    def namespace(self) -> str:
        return f"{self.layout.namespace_prefix}{self.name}"

    @property
    def tunnel_ip(self) -> str:
        return str(UNDERLAY[self.number])

    @property
    def folder(self) -> Path:
        return self.layout.folder / self.name

    @property
    def ovs(self) -> Path:
        """Run, log and database folder of this hypervisor's Open vSwitch."""
        return self.folder / "ovs"

    @property
    def database(self) -> str:
        return f"unix:{self.ovs}/db.sock"
