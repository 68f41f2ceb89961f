"""What checks look at: the host, and what each role needs of it.  Values only; no secret is ever among them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that is written to, or a file that is read.  problem: why it cannot be.
    open_to_all: others write there, or read it."""

    path: str
    problem: str = ""
    open_to_all: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """packages: name -> version, of what we need and is there.  missing: what is not.
    open_files: role -> how many it may have open.  clock_kept: by NTP or the like; None: not known."""

    python: tuple[int, int]
    packages: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    open_files: Mapping[str, int] = field(default_factory=dict)
    clock_kept: bool | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """schema: the newest migration that it has had; empty: none yet."""

    problem: str = ""
    schema: str = ""
    newest: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """listen: address -> why it cannot listen there.  secrets: files that the settings ask for.
    keystone: why it does not answer."""

    state_dir: Place
    database: Database = Database()
    listen: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[Place, ...] = ()
    keystone: str = ""


@dataclass(frozen=True, slots=True)
class Bridge:
    """interfaces: name -> type, as Open vSwitch calls it; empty or `system`: a NIC or a tap."""

    datapath_type: str = ""
    interfaces: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenVSwitch:
    """ovsdb, vswitchd: why they do not answer.  kernel: whether the kernel has the datapath.
    tun: whether /dev/net/tun is there, which the userspace datapath makes bridges of.
    tracked, most_tracked: connections in the kernel's conntrack, and how many fit; None: it has none, or they are not
    known.  loose: whether it takes up TCP connections in the middle.  limits_zones: whether the kernel keeps a
    conntrack zone to a limit.  ends_connections: whether it lets them be listed and ended.  lacking: what the kernel's
    datapath has not, of what flows need.  filters_bridges: whether the host's firewall sees what Linux bridges
    forward."""

    installed: bool
    ovsdb: str = ""
    vswitchd: str = ""
    version: str = ""
    kernel: bool = True
    tun: bool = True
    tracked: int = 0
    most_tracked: int | None = None
    loose: bool = True
    limits_zones: bool = True
    ends_connections: bool = True
    lacking: tuple[str, ...] = ()
    filters_bridges: bool = False
    bridges: Mapping[str, Bridge] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """vxlan_port: of a VXLAN device of the kernel."""

    mtu: int
    up: bool = True
    addresses: tuple[str, ...] = ()
    vxlan_port: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of going to a server.  behind: seconds that this clock is behind the server's."""

    problem: str = ""
    token_refused: bool = False
    behind: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of the agent's settings, what the host has to have.  mappings: physical network -> bridge."""

    node: str
    ovs_run_dir: str
    datapath_type: str = "auto"
    tunnel_ip: str = ""
    tunnel_types: tuple[str, ...] = ("vxlan",)
    underlay: str = ""
    underlay_bridge: str = "br-phy"
    mappings: Mapping[str, str] = field(default_factory=dict)
    physical_mtu: int = 1500


@dataclass(frozen=True, slots=True)
class Agent:
    """token_node: whose the token is.  udp: port -> the process that has it.  rivals: processes here that keep Open
    vSwitch too.  managed: our bridges that NetworkManager manages.
    haproxy: its version; empty: it is not there.
    stt_built: the library that carries STT is there."""

    wanted: Wanted
    token: Place
    state_dir: Place
    socket_dir: Place
    ovs: OpenVSwitch
    token_node: str = ""
    links: Mapping[str, Link] = field(default_factory=dict)
    udp: Mapping[int, str] = field(default_factory=dict)
    servers: Mapping[str, Asked] = field(default_factory=dict)
    rivals: tuple[str, ...] = ()
    managed: tuple[str, ...] = ()
    haproxy: str = ""
    stt_built: bool = True

    @property
    def userspace(self) -> bool:
        asked = self.wanted.datapath_type
        return asked == "netdev" or (asked == "auto" and not self.ovs.kernel)


@dataclass(frozen=True, slots=True)
class Facts:
    """settings: role -> what is wrong with its settings.  A role that was not asked for, or whose settings cannot be
    used, is None."""

    host: Host
    server: Server | None = None
    agent: Agent | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
