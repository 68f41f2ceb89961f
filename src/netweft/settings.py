"""The settings of server and agent: one typed object each, parsed once, passed as values.

Later sources win: defaults < TOML file < `NETWEFT_*` environment < command line.  In the environment a server
setting `listen` is `NETWEFT_SERVER_LISTEN`, an agent setting `node` is `NETWEFT_AGENT_NODE`; in the file they stand
in the tables `[server]` and `[agent]`; on the command line it is `--listen`.  Lists are comma separated in the
environment and on the command line.  The description of a field is its text in `--help`.  Imports nothing of ours.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

DEFAULT_FILE = Path("/etc/netweft/netweft.toml")
STATE_DIR = "/var/lib/netweft"
DEFAULT_DOMAIN = "openstacklocal"  # Neutron's
SECTIONS = ("server", "agent")
SECRET = frozenset({"database", "token"})  # may hold what nobody prints
# each a file that is a secret, and nothing else
SECRET_FILES = frozenset(
    {"key_manager_key_file", "metadata_secret_file", "service_password_file", "token_file", "webhook_secret_file"}
)

Address: TypeAlias = Annotated[str, Meta(pattern=r"^(unix:/.+|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}|[^\[\]:/]+:[0-9]{1,5})$")]
MetricsListen: TypeAlias = Annotated[
    tuple[Address, ...],
    Meta(
        description="where Prometheus may read /metrics, as everybody who reaches it may: HOST:PORT, [IPv6]:PORT or"
        " unix:/PATH; none: nowhere"
    ),
]
OtlpEndpoint: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(https?://[^/@]+(/[^@]*)?)?$",
        description="OpenTelemetry collector that spans go to by OTLP: http://HOST:4318; empty: as OTEL_EXPORTER_OTLP_*"
        " in the environment say, or nowhere",
    ),
]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


class SettingsError(Exception):
    """A setting cannot be read; the message names the source, the setting and what is wrong."""


class ServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listen: Annotated[
        tuple[Address, ...],
        Meta(min_length=1, description="where to listen: HOST:PORT, [IPv6]:PORT or unix:/PATH; any number of them"),
    ] = ("127.0.0.1:9696",)
    database: Annotated[
        str,
        Meta(
            pattern=r"^(sqlite:///.+|postgresql\+psycopg://.+)$",
            description="sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME",
        ),
    ] = f"sqlite:///{STATE_DIR}/netweft.db"
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/]+.*)?$",
            description="what the catalogue calls this service; else the address a client reached it by",
        ),
    ] = ""
    state_dir: Annotated[str, Meta(description="folder of admin-openrc")] = STATE_DIR
    region: Annotated[str, Meta(min_length=1, description="the region's name in the catalogue")] = "RegionOne"
    identity: Annotated[str, Meta(description="identity plug-in: embedded, keystone, or another's name")] = "embedded"
    token_hours: Annotated[float, Meta(gt=0, description="how long a token lives")] = 12.0
    tenant_network_types: Annotated[
        tuple[str, ...], Meta(description="segment types for networks of plain users, in order of preference")
    ] = ("vxlan",)
    vni_ranges: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^([a-z]+:)?[0-9]+:[0-9]+$")], ...],
        Meta(description="tunnel keys to give out: FIRST:LAST, or TYPE:FIRST:LAST for one type of tunnel"),
    ] = ("1:16777215",)
    vlan_ranges: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[^:]+(:[0-9]+:[0-9]+)?$")], ...],
        Meta(
            description="VLANs to give out: PHYSICAL_NETWORK:FIRST:LAST; PHYSICAL_NETWORK alone: only admins use it,"
            " and say which VLAN"
        ),
    ] = ()
    flat_networks: Annotated[
        tuple[str, ...], Meta(description="physical networks that admins may use untagged; * for any")
    ] = ("*",)
    physical_mtu: Annotated[
        int, Meta(ge=68, le=65535, description="MTU of the physical network, and of the underlay")
    ] = 1500
    physical_network_mtus: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^.+:[0-9]{2,5}$")], ...],
        Meta(description="where it is not physical_mtu: PHYSICAL_NETWORK:MTU"),
    ] = ()
    overlay_ip_version: Annotated[Literal[4, 6], Meta(description="IP version of the tunnels' end points: 4 or 6")] = 4
    mac_prefix: Annotated[
        str, Meta(pattern=r"^([0-9a-fA-F]{2}:){2}[0-9a-fA-F]{2}$", description="first three bytes of generated MACs")
    ] = "fa:16:3e"
    dns_domain: Annotated[
        str, Meta(description="domain of ports' names, where their network has none; agents' dhcp_domain is the same")
    ] = DEFAULT_DOMAIN
    agent_down_seconds: Annotated[float, Meta(gt=0, description="an agent silent for so long is not alive")] = 75.0
    keystone_url: Annotated[
        str,
        Meta(pattern=r"^(https?://[^/]+.*)?$", description="the cloud's Keystone; empty: this server's own identity"),
    ] = ""
    keystone_cache_seconds: Annotated[
        float, Meta(ge=0, description="how long a token that Keystone validated is good without asking again")
    ] = 30.0
    service_username: Annotated[
        str, Meta(description="the user that this server is to Keystone and Nova; it has the role service")
    ] = ""
    service_password_file: Annotated[str, Meta(description="holds that user's password")] = (
        "/etc/netweft/service.password"
    )
    service_project: Annotated[str, Meta(description="that user's project, by name")] = "service"
    service_user_domain: Annotated[str, Meta(description="that user's domain, by name")] = "Default"
    service_project_domain: Annotated[str, Meta(description="that project's domain, by name")] = "Default"
    nova_events: Annotated[bool, Meta(description="tell Nova of ports plugged, unplugged, changed and deleted")] = False
    nova_url: Annotated[
        str, Meta(pattern=r"^(https?://[^/]+.*)?$", description="Nova's endpoint; empty: the catalogue's")
    ] = ""
    nova_interface: Annotated[
        Literal["public", "internal", "admin"], Meta(description="which of the catalogue's endpoints for Nova")
    ] = "public"
    nova_metadata_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/]+.*)?$",
            description="Nova's metadata service, which VMs' requests go on to; empty: this server answers them",
        ),
    ] = ""
    metadata_secret_file: Annotated[str, Meta(description="holds what Nova has as metadata_proxy_shared_secret")] = (
        "/etc/netweft/metadata.secret"
    )
    key_manager_key_file: Annotated[
        str,
        Meta(
            description="holds the key that the key manager's secrets are encrypted with, the same on all servers: 32"
            " bytes in base64; empty: key_manager.key in state_dir, made with the first secret"
        ),
    ] = ""
    barbican_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/]+.*)?$",
            description="the cloud's Barbican, where certificates of load balancers are; empty: this server's own key"
            " manager",
        ),
    ] = ""
    switches_file: Annotated[
        str,
        Meta(
            description="physical switches that VLANs are to be put on, as networking-generic-switch describes them;"
            " read again when it changes. Empty: none"
        ),
    ] = ""
    ovn_northbound: Annotated[
        str,
        Meta(
            description="OVN's northbound database, for hosts on which ovn-controller is the agent: unix:/PATH,"
            " tcp:HOST:PORT or ssl:HOST:PORT. Empty: none"
        ),
    ] = ""
    ovn_southbound: Annotated[str, Meta(description="OVN's southbound database, beside ovn_northbound")] = ""
    ovn_ca_cert: Annotated[str, Meta(description="file; whose certificates OVN's databases have, for ssl:")] = ""
    ovn_certificate: Annotated[str, Meta(description="file; what this server shows them")] = ""
    ovn_private_key: Annotated[str, Meta(description="file; the key of ovn_certificate")] = ""
    webhooks: Annotated[
        tuple[str, ...], Meta(description="URLs to which every change is posted, as in the feed over HTTP")
    ] = ()
    webhook_secret_file: Annotated[
        str, Meta(description="what such requests are signed with, by HMAC-SHA256. Empty: they are not signed")
    ] = ""
    max_body_bytes: Annotated[int, Meta(gt=0, description="larger request bodies are refused")] = 2**20
    max_connections_per_client: Annotated[
        int, Meta(gt=0, description="from one address, or /64 of IPv6; behind a proxy that is all of them")
    ] = 256
    metrics_listen: MetricsListen = ()
    otlp_endpoint: OtlpEndpoint = ""
    log_level: Annotated[LogLevel, Meta(description="debug, info, warning or error")] = "info"

    def __repr__(self) -> str:
        return _shown(self)


class AgentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    node: Annotated[str, Meta(description="this node's name; else the host name")] = ""
    server: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^(https?://[^/]+.*|unix:/.+)$")], ...],
        Meta(min_length=1, description="any servers: http://HOST:PORT or unix:/PATH"),
    ] = ("http://127.0.0.1:9696",)
    driver: Annotated[
        str, Meta(description="L2 agent: openvswitch, ovn (metadata beside ovn-controller), or a plug-in's")
    ] = "openvswitch"
    token: Annotated[str, Meta(description="node token; better kept in token_file")] = ""
    token_file: Annotated[str, Meta(description="holds what `netweft node add NAME` printed")] = (
        "/etc/netweft/node.token"
    )
    ovs_run_dir: Annotated[str, Meta(description="folder of db.sock and BRIDGE.mgmt")] = "/var/run/openvswitch"
    state_dir: Annotated[str, Meta(description="folder of the view kept over restarts")] = f"{STATE_DIR}/agent"
    socket: Annotated[str, Meta(description="the agent's own socket, for plan and explain")] = "/run/netweft/agent.sock"
    datapath_type: Annotated[
        Literal["auto", "system", "netdev"], Meta(description="auto, system (kernel) or netdev (userspace)")
    ] = "auto"
    integration_bridge: Annotated[str, Meta(description="the bridge that VIFs plug into")] = "br-int"
    tunnel_bridge: Annotated[str, Meta(description="the bridge of the overlay")] = "br-tun"
    interconnect: Annotated[Literal["patch", "veth"], Meta(description="what joins two bridges")] = "patch"
    tunnel_ip: Annotated[str, Meta(description="this node's tunnel end point")] = ""
    tunnel_prefix_length: Annotated[int, Meta(ge=0, le=128, description="of the tunnel end point's network")] = 24
    underlay: Annotated[
        str,
        Meta(
            description="NIC of the underlay; set, the agent keeps tunnel_ip configured: in the userspace datapath on"
            " underlay_bridge with that NIC in it, else on the NIC"
        ),
    ] = ""
    underlay_bridge: Annotated[str, Meta(description="the bridge of the underlay NIC")] = "br-phy"
    tunnel_types: Annotated[tuple[str, ...], Meta(description="tunnel types this node offers")] = ("vxlan",)
    bridge_mappings: Annotated[tuple[str, ...], Meta(description="PHYSICAL_NETWORK:BRIDGE")] = ()
    availability_zone: Annotated[
        str, Meta(min_length=1, max_length=255, description="the zone in which routers may ask for their gateways")
    ] = "nova"
    dscp: Annotated[int, Meta(ge=0, le=63, description="DSCP of tunnels' outer headers")] = 0
    dscp_inherit: Annotated[bool, Meta(description="tunnels' outer headers take over the DSCP of what is inside")] = (
        False
    )
    uplink_bandwidths: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^.+:[^:]+:[1-9][0-9]*$")], ...],
        Meta(
            description="what minimum bandwidth can be promised of: PHYSICAL_NETWORK:NIC:KBPS, or tunnel:NIC:KBPS for"
            " the underlay"
        ),
    ] = ()
    local_vlans: Annotated[str, Meta(pattern=r"^[0-9]+:[0-9]+$", description="local VLAN tags to use: FIRST:LAST")] = (
        "1:4094"
    )
    dhcp_lease_duration: Annotated[
        int, Meta(ge=-1, le=2**32 - 1, description="DHCP lease time in seconds; -1: infinite")
    ] = 86400
    dhcp_domain: Annotated[str, Meta(description="domain name in DHCP answers, and of ports' names; empty: none")] = (
        DEFAULT_DOMAIN
    )
    metadata: Annotated[bool, Meta(description="serve metadata at 169.254.169.254 and fe80::a9fe:a9fe")] = True
    dns: Annotated[bool, Meta(description="answer for names of networks' ports at the same addresses")] = True
    dns_servers: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[0-9a-fA-F.:]+(#[0-9]{1,5})?$")], ...],
        Meta(description="who is asked for other names: ADDRESS or ADDRESS#PORT; none: such names are refused"),
    ] = ()
    bfd_interval: Annotated[
        int,
        Meta(
            ge=20,
            le=1000,
            description="ms between two BFD messages of nodes with gateways; three are missed"
            " before a gateway is taken over. More where hypervisors give Open vSwitch no processor for so long",
        ),
    ] = 70
    firewall_log: Annotated[
        str, Meta(description="file for logs of firewall groups and security groups; empty: the agent's own log")
    ] = ""
    count_seconds: Annotated[
        float, Meta(ge=0.5, description="seconds between two reports of what floating IPs and gateways have counted")
    ] = 10.0
    conntrack_zone_limit: Annotated[
        int,
        Meta(
            ge=100,
            le=2**31 - 1,
            description="connections that this node's conntrack may have for one network, or a router's gateway,"
            " at most; also never more than it has room for. The kernel's: while it is half full, and 16,384",
        ),
    ] = 250_000
    flow_restore_wait: Annotated[
        bool, Meta(description="vswitchd forwards nothing after a restart until flows are back")
    ] = True
    metrics_listen: MetricsListen = ()
    otlp_endpoint: OtlpEndpoint = ""
    lldp_socket: Annotated[
        str, Meta(description="lldpd's socket, for where NICs are plugged in; empty: without LLDP")
    ] = ""
    lldp_seconds: Annotated[float, Meta(ge=0.5, description="seconds between two questions to lldpd")] = 10.0
    log_level: Annotated[LogLevel, Meta(description="debug, info, warning or error")] = "info"

    def __repr__(self) -> str:
        return _shown(self)


S = TypeVar("S", bound=ServerSettings | AgentSettings)


def _shown(settings: Struct) -> str:
    values = ((field, getattr(settings, field)) for field in settings.__struct_fields__)
    said = (f"{name}={'...' if name in SECRET else repr(value)}" for name, value in values)
    return f"{type(settings).__name__}({', '.join(said)})"


class Field(NamedTuple):
    """One setting, as the command line and the documentation need it."""

    name: str
    type: Any
    annotation: Any  # with what its values have to be like
    default: Any
    description: str

    @property
    def is_list(self) -> bool:
        return get_origin(self.type) is tuple

    @property
    def is_flag(self) -> bool:
        return self.type is bool


class _Given(NamedTuple):
    value: Any
    source: str  # how a person finds it: "/etc/netweft/netweft.toml: [server] listen", "--listen"


@cache  # each command that takes settings as options asks
def fields(kind: type[Struct]) -> tuple[Field, ...]:
    annotations = get_type_hints(kind, include_extras=True)
    return tuple(
        Field(
            name=field.name,
            type=get_args(annotations[field.name])[0],
            annotation=annotations[field.name],
            default=field.default,
            description=next(m.description or "" for m in annotations[field.name].__metadata__ if isinstance(m, Meta)),
        )
        for field in msgspec.structs.fields(kind)
    )


def load(
    kind: type[S],
    *,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> S:
    """`file`: must exist when given; else DEFAULT_FILE is read if it is there.  None in `overrides` means not given.

    Raises SettingsError.
    """
    section = "server" if kind is ServerSettings else "agent"
    settings: type[Struct] = kind
    known = {field.name: field for field in fields(settings)}
    given: dict[str, _Given] = {}
    for name, item in _sources(section, file, environ, overrides or {}):
        if name not in known:
            raise SettingsError(f"{item.source}: unknown setting")
        given[name] = item
    return kind(**{name: _convert(item, known[name]) for name, item in given.items()})


def _sources(
    section: str, file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]
) -> Iterator[tuple[str, _Given]]:
    """What each source says, the weakest first."""
    path = file or DEFAULT_FILE
    for name, value in _table(path, section, must_exist=file is not None).items():
        yield name, _Given(value, f"{path}: [{section}] {name}")
    prefix = f"NETWEFT_{section.upper()}_"
    for variable, value in environ.items():
        if variable.startswith(prefix):
            yield variable[len(prefix) :].lower(), _Given(value, f"environment: {variable}")
    for name, value in overrides.items():
        if value is not None:
            yield name, _Given(value, f"--{name.replace('_', '-')}")


def _convert(item: _Given, field: Field) -> Any:
    value = item.value
    if field.is_list and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return msgspec.convert(value, field.annotation, strict=False)
    except msgspec.ValidationError as error:
        reason = f"expected {field.description}" if "regex" in str(error) else str(error)
        given = "" if field.name in SECRET else f"; given: {item.value!r}"
        raise SettingsError(f"{item.source}: {reason}{given}") from None


def _table(path: Path, section: str, *, must_exist: bool) -> Mapping[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if not must_exist:
            return {}
        raise SettingsError(f"{path}: no such file") from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    for name, table in content.items():
        if name not in SECTIONS:
            raise SettingsError(f"{path}: unknown table or setting {name!r}; there are [server] and [agent]")
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: [{name}] is not a table")
    table = content.get(section, {})
    assert isinstance(table, dict)
    return table
