"""A service, and what services make.

    LocalPort, RemotePort, LocalNetwork, Flood, HostFacts, LocalRouter  ──service──▶  Wanted

The agent's drivers apply that.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import Struct

from netweft.dataplane.host.values import Address, Endpoint, Guarantee, VethPair
from netweft.dataplane.openflow.meters import DropMeter
from netweft.dataplane.ovsdb.rows import BridgeRow, KeptNumber, PortRow, VifTag
from netweft.dataplane.stt.values import SttNetwork
from netweft.services.l3.values import (
    LocalForwarding,
    LocalRouter,
)
from netweft.services.names import Named
from netweft.services.pipeline import BridgeFlow
from netweft.services.values import (
    Advertised,
    Flood,
    HostFacts,
    Lease,
    LocalGroup,
    LocalNetwork,
    LocalPort,
    PolicyRule,
    RemoteAddress,
    RemotePort,
    Uplinks,
)

Wanted: TypeAlias = (
    BridgeFlow
    | BridgeRow
    | PortRow
    | KeptNumber
    | VifTag
    | VethPair
    | Address
    | Endpoint
    | Lease
    | Advertised
    | Named
    | DropMeter
    | Guarantee
    | SttNetwork
)


def nothing(*_: object) -> Iterable[Wanted]:
    return ()


class Service(Struct, frozen=True):
    """One feature: what it wants for the node, for each network, for each port here, for each peer elsewhere, for each
    security group of a port here, for each remote address that such groups' rules name, for each router, for each
    forwarding of one whose gateway is here, and for each rule of each firewall policy."""

    name: str
    host: Callable[[HostFacts, Uplinks], Iterable[Wanted]] = nothing
    network: Callable[[Uplinks, LocalNetwork, Flood], Iterable[Wanted]] = nothing
    port: Callable[[LocalPort], Iterable[Wanted]] = nothing
    peer: Callable[[Uplinks, RemotePort], Iterable[Wanted]] = nothing
    group: Callable[[LocalGroup], Iterable[Wanted]] = nothing
    remote: Callable[[RemoteAddress], Iterable[Wanted]] = nothing
    router: Callable[[Uplinks, LocalRouter], Iterable[Wanted]] = nothing
    forwarding: Callable[[LocalForwarding], Iterable[Wanted]] = nothing
    policy_rule: Callable[[PolicyRule], Iterable[Wanted]] = nothing
