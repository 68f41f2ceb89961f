"""What services work on and what they make, as values.

    LocalPort, RemotePort, LocalNetwork, Flood, HostFacts  ──service──▶  Wanted

`wiring` builds the former from the view and from what was observed; the agent's drivers apply the latter.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from msgspec import Struct

from netweft.dataplane.host.values import Address, VethPair
from netweft.dataplane.ovsdb.rows import BridgeRow, PortRow, VifTag
from netweft.model import Network, Peer, Port
from netweft.services.addresses import Prefix
from netweft.services.pipeline import BridgeFlow

Wanted: TypeAlias = BridgeFlow | BridgeRow | PortRow | VifTag | VethPair | Address


class HostFacts(Struct, frozen=True, kw_only=True):
    """This node: what its settings say.  Names and choices, nothing that changes while the agent runs."""

    integration_bridge: str = "br-int"
    tunnel_bridge: str = "br-tun"
    datapath_type: str = "system"
    interconnect: str = "patch"
    tunnel_ip: str = ""
    tunnel_prefix_length: int = 24
    tunnel_types: tuple[str, ...] = ("vxlan",)
    underlay: str = ""
    underlay_bridge: str = "br-phy"


class Uplinks(Struct, frozen=True, kw_only=True):
    """The OpenFlow ports that join the bridges and the overlay, as observed; None while there is none.

    to_tun on the integration bridge, to_int and overlay on the tunnel bridge."""

    to_tun: int | None = None
    to_int: int | None = None
    overlay: int | None = None


class LocalNetwork(Struct, frozen=True, kw_only=True):
    """A network that is wired here.  tunnel_key: None when it does not leave the node."""

    network: Network
    vlan: int
    tunnel_key: int | None = None


class LocalPort(Struct, frozen=True, kw_only=True):
    """A port that is plugged in here and can be wired."""

    port: Port
    network: LocalNetwork
    port_name: str
    ofport: int


class RemotePort(Struct, frozen=True, kw_only=True):
    """A port on another node.  tunnel: that node's end point; None when it cannot be reached."""

    peer: Peer
    network: LocalNetwork
    tunnel: Prefix | None


class Flood(Struct, frozen=True):
    """Where a frame for everybody goes: OpenFlow ports here, tunnel end points elsewhere; both sorted."""

    ofports: tuple[int, ...] = ()
    tunnels: tuple[Prefix, ...] = ()


def _nothing(*_: object) -> Iterable[Wanted]:
    return ()


@dataclass(frozen=True, slots=True)
class Service:
    """One feature: what it wants for the node, for each network, for each port here and for each peer elsewhere."""

    name: str
    host: Callable[[HostFacts, Uplinks], Iterable[Wanted]] = _nothing
    network: Callable[[Uplinks, LocalNetwork, Flood], Iterable[Wanted]] = _nothing
    port: Callable[[LocalPort], Iterable[Wanted]] = _nothing
    peer: Callable[[Uplinks, RemotePort], Iterable[Wanted]] = _nothing
