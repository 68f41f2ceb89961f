"""The settings of server and agent: one typed object each, parsed once, passed as values.

Later sources win: defaults < TOML file < `NETWEFT_*` environment < command line.  In the environment a server
setting `listen` is `NETWEFT_SERVER_LISTEN`, an agent setting `node` is `NETWEFT_AGENT_NODE`; in the file they stand
in the tables `[server]` and `[agent]`.  Lists are comma separated in the environment and on the command line.
Imports nothing of ours.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_origin, get_type_hints

import msgspec
from msgspec import Struct

DEFAULT_FILE = Path("/etc/netweft/netweft.toml")
STATE_DIR = "/var/lib/netweft"


class SettingsError(Exception):
    """A setting cannot be read; the message names the source, the setting and what is wrong."""


class ServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """listen: `host:port` or `unix:/path`, any number of them.  The first `host:port` is what the catalogue names,
    unless public_url is set."""

    listen: tuple[str, ...] = ("127.0.0.1:9696",)
    database: str = f"sqlite:///{STATE_DIR}/netweft.db"
    public_url: str = ""
    state_dir: str = STATE_DIR
    region: str = "RegionOne"
    identity: Literal["embedded"] = "embedded"
    token_hours: float = 12.0
    tenant_network_types: tuple[str, ...] = ("vxlan",)
    vni_ranges: tuple[str, ...] = ("1:16777215",)
    physical_mtu: int = 1500
    mac_prefix: str = "fa:16:3e"
    agent_down_seconds: float = 75.0
    max_body_bytes: int = 4 * 2**20
    log_level: str = "info"


class AgentSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """server: `http://host:port` of any server, several allowed, or `unix:/path`.
    token_file: holds what `netweft node add NAME` printed.
    ovs_run_dir: where `db.sock` and `<bridge>.mgmt` are.
    tunnel_ip: this node's tunnel end point.  With `underlay` set the agent also keeps it configured: in the userspace
    datapath on the internal port of `underlay_bridge`, with that NIC in the bridge; else on the NIC itself.
    """

    node: str = ""
    server: tuple[str, ...] = ("http://127.0.0.1:9696",)
    token: str = ""
    token_file: str = "/etc/netweft/node.token"
    ovs_run_dir: str = "/var/run/openvswitch"
    state_dir: str = f"{STATE_DIR}/agent"
    socket: str = "/run/netweft/agent.sock"
    datapath_type: Literal["auto", "system", "netdev"] = "auto"
    integration_bridge: str = "br-int"
    tunnel_bridge: str = "br-tun"
    interconnect: Literal["patch", "veth"] = "patch"
    tunnel_ip: str = ""
    tunnel_prefix_length: int = 24
    underlay: str = ""
    underlay_bridge: str = "br-phy"
    tunnel_types: tuple[str, ...] = ("vxlan",)
    bridge_mappings: tuple[str, ...] = ()
    local_vlans: str = "1:4094"
    flow_restore_wait: bool = True
    log_level: str = "info"


S = TypeVar("S", ServerSettings, AgentSettings)


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
    hints = get_type_hints(kind)
    values: dict[str, Any] = dict(_from_file(file, section))
    prefix = f"NETWEFT_{section.upper()}_"
    values.update({k[len(prefix) :].lower(): v for k, v in environ.items() if k.startswith(prefix)})
    values.update({k: v for k, v in (overrides or {}).items() if v is not None})
    for name, value in values.items():
        if isinstance(value, str) and get_origin(hints.get(name)) is tuple:
            values[name] = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{section} settings: {error}") from None


def _from_file(file: Path | None, section: str) -> Mapping[str, Any]:
    path = file or DEFAULT_FILE
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if file is None:
            return {}
        raise SettingsError(f"{path}: no such file") from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    table = content.get(section, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [{section}] is not a table")
    return table
