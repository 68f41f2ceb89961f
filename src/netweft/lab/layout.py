"""Names, places and addresses of a lab: everything that follows from its name alone.  Touches nothing.

A lab owns what carries its name: the folder `/run/netweft/lab/NAME`, the namespaces `nw-NAME-...`, every process with
`NETWEFT_LAB=NAME` in its environment, and where it has a node in the machine's own namespace, the links with its alias
there.  So a lab can be found, and taken down, without any file of its own.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias, get_args

ROOT = Path("/run/netweft/lab")
UNDERLAYS = {4: ip_network("198.18.0.0/24"), 6: ip_network("2001:2::/64")}  # set aside for benchmarks: never routed
MAX_NODES = 200
Kind: TypeAlias = Literal["netns", "internal", "hybrid", "qemu", "debian"]  # of VMs
KINDS: tuple[Kind, ...] = get_args(Kind)
SYSTEM_OVS = Path("/var/run/openvswitch")

_LAB_NAME = re.compile(r"[a-z][a-z0-9]{0,9}")  # no dash: `nw-a-` must not be the beginning of another lab's names
_VM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}")  # it is in the name of a link


class LabError(Exception):
    """What went wrong, as one message for a person."""


class NoLab(LabError):
    """lab: its name."""

    def __init__(self, lab: str) -> None:
        super().__init__(f"no lab {lab!r} here; make one: netweft lab up --name {lab}")


class PhysicalNetwork(NamedTuple):
    """nic, bridge: how a hypervisor is wired to it.  switch: the bridge that plays it in the fabric."""

    name: str
    nic: int
    bridge: str

    @property
    def switch(self) -> str:
        return f"switch{self.nic}"


UNDERLAY_NIC = 0
PHYSICAL_NETWORKS = (PhysicalNetwork("physnet1", 1, "br-eth1"), PhysicalNetwork("public", 2, "br-ex"))


class OpenVSwitch(Protocol):
    """One `ovsdb-server` and `ovs-vswitchd`, whoever they belong to."""

    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str:
        """Empty for the machine's own."""

    @property
    def ovs(self) -> Path:
        """Its run, log and database folder."""


def database(switch: OpenVSwitch) -> str:
    return f"unix:{switch.ovs}/db.sock"


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
    def hosts(self) -> Path:
        return self.folder / "hosts"

    @property
    def server_folder(self) -> Path:
        return self.folder / "server"

    @property
    def switches_file(self) -> Path:
        """Which of the fabric's switches Netweft manages: none, until somebody writes them there."""
        return self.server_folder / "switches.ini"

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
    def alias(self) -> str:
        """Of each link that is the lab's in the machine's own namespace."""
        return f"netweft-lab-{self.lab}"

    @property
    def fabric(self) -> "FabricLayout":
        return FabricLayout(self)

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    def node(self, number: int, *, is_root: bool = False, ip_version: int = 4) -> "NodeLayout":
        if not 1 <= number <= MAX_NODES:
            raise LabError(f"a lab has 1 to {MAX_NODES} nodes")
        return NodeLayout(self, number, is_root, ip_version)

    def host_namespace(self, host: str) -> str:
        return f"{self.namespace_prefix}host-{host}"

    def host_file(self, host: str) -> Path:
        if not _HOST_NAME.fullmatch(host):
            raise LabError(f"{host!r} is no host name: letters, digits, dash, dot and underscore, at most 13")
        return self.hosts / f"{host}.json"

    def vm_namespace(self, vm: str) -> str:
        return f"{self.namespace_prefix}vm-{vm}"

    def vm_file(self, vm: str) -> Path:
        if not _VM_NAME.fullmatch(vm):
            raise LabError(f"{vm!r} is no VM name: letters, digits, dash, dot and underscore, at most 40")
        return self.vms / f"{vm}.json"


@dataclass(frozen=True)
class FabricLayout:
    """The physical network: a namespace with the switches in it."""

    layout: Layout
    name: str = "fabric"

    @property
    def namespace(self) -> str:
        return f"{self.layout.namespace_prefix}{self.name}"

    @property
    def ovs(self) -> Path:
        return self.layout.folder / self.name / "ovs"


@dataclass(frozen=True)
class NodeLayout:
    """A hypervisor: hv1, hv2, ...

    is_root: it is no namespace but the machine itself, with the Open vSwitch that runs there.
    ip_version: of the underlay.
    """

    layout: Layout
    number: int
    is_root: bool = False
    ip_version: int = 4

    @property
    def name(self) -> str:
        return f"hv{self.number}"

    @property
    def namespace(self) -> str:
        return "" if self.is_root else f"{self.layout.namespace_prefix}{self.name}"

    @property
    def tunnel_ip(self) -> str:
        return str(UNDERLAYS[self.ip_version][self.number])

    @property
    def folder(self) -> Path:
        return self.layout.folder / self.name

    @property
    def ovs(self) -> Path:
        return SYSTEM_OVS if self.is_root else self.folder / "ovs"

    def nic(self, number: int) -> str:
        """The machine itself may have an eth0 already."""
        return f"{self.layout.namespace_prefix}{number}" if self.is_root else f"eth{number}"
