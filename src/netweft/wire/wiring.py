"""How a port is wired on its node, as the node answers a query: interfaces on the way, and their counters."""

from typing import Final

from msgspec import Struct

MOST_FAR: Final = 100  # nodes at the other ends of tunnels


class Counts(Struct, frozen=True, omit_defaults=True):
    """Of one interface, as Open vSwitch counted some seconds ago at most; rx: what came in there."""

    rx_packets: int = 0
    rx_bytes: int = 0
    rx_dropped: int = 0
    rx_errors: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    tx_dropped: int = 0
    tx_errors: int = 0


class Station(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An interface on the way; empty `bridge`: it is in none of Open vSwitch."""

    name: str
    bridge: str = ""
    ofport: int = 0
    link: str = ""
    mtu: int = 0
    counts: Counts = Counts()


class Far(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node to which the network goes on by a tunnel."""

    host: str
    address: str = ""


class Wiring(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """From a port to its node's uplink or tunnel.  port_id: whose the interface is: of a sub-port its parent.
    sub_tag: which a sub-port's frames have there.  tag: the local VLAN, as it stands in Open vSwitch.
    link: the two ends of what joins `br-int` to the next bridge; none: the network does not leave the node.
    out: by what it leaves there.  uplinks: of the underlay, where that is in a bridge, too."""

    vif: Station
    port_id: str = ""
    sub_tag: int = 0
    tag: int = 0
    network_type: str = ""
    physical_network: str = ""
    key: int = 0
    link: tuple[Station, ...] = ()
    out: tuple[Station, ...] = ()
    tunnel_ip: str = ""
    uplinks: tuple[Station, ...] = ()
    far: tuple[Far, ...] = ()
