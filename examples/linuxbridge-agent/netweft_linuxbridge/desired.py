"""What the kernel should have, from what the feed says.  Pure: no I/O, no memory.

tap<port> ──┐
tap<port> ──┤ brq<network> ── nwvx<VNI> ══ VXLAN ══ other hypervisors, Open vSwitch or not
            ┘
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TypeAlias

from msgspec import Struct

from netweft.model import Network, NodeView, Port, PortState, PortStatus

ANYBODY = "00:00:00:00:00:00"  # where frames go whose receiver is not known, and those for all
TAP, BRIDGE, OVERLAY = "tap", "brq", "nwvx"  # the first two are Neutron's, so Nova knows them; the third is our mark


class Bridge(Struct, frozen=True):
    name: str
    up: bool = True


class Overlay(Struct, frozen=True):
    """The network's way to other hypervisors: a VXLAN device in its bridge."""

    name: str
    bridge: str
    vni: int
    local_ip: str
    mtu: int
    up: bool = True


class Member(Struct, frozen=True):
    """A VM's tap in its network's bridge."""

    name: str
    bridge: str
    up: bool = True


class Forward(Struct, frozen=True):
    """Frames for `mac` go to the hypervisor `remote_ip`."""

    overlay: str
    mac: str
    remote_ip: str


Item: TypeAlias = Bridge | Overlay | Member | Forward
Key: TypeAlias = tuple[str, ...]
ORDER = ("bridge", "overlay", "port", "forward")  # the first word of a key; each after what it needs


@dataclass
class Desired:
    """statuses: as they are once `items` are there."""

    items: dict[Key, Item] = field(default_factory=dict)
    statuses: dict[str, PortStatus] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        self.items[key_of(item)] = item

    def bridge_of(self, item: Item) -> str:
        """The network, so to speak, that the item belongs to."""
        match item:
            case Bridge(name=name):
                return name
            case Forward(overlay=overlay):
                found = self.items.get(("overlay", overlay))
                return self.bridge_of(found) if found else ""
            case _:
                return item.bridge


def key_of(item: Item) -> Key:
    match item:
        case Bridge():
            return "bridge", item.name
        case Overlay():
            return "overlay", item.name
        case Member():
            return "port", item.name
        case Forward(mac=mac):  # one place for a MAC; any number of them for what goes to all
            return "forward", item.overlay, mac, item.remote_ip if mac == ANYBODY else ""


def desired(view: NodeView, plugged: Container[str], local_ip: str) -> Desired:
    """plugged: names of the interfaces that are there.  A port without a tap is not mentioned."""
    result = Desired()
    wired: dict[str, Network] = {}
    for port in view.ports.values():
        if (tap := TAP + port.id[:11]) not in plugged:
            continue
        network = view.networks.get(port.network_id)
        obstacle = _obstacle(port, network, local_ip)
        result.statuses[port.id] = obstacle or PortStatus(port.id, PortState.UP)
        if network is not None and obstacle is None:
            wired[network.id] = network
            result.add(Member(tap, bridge_name(network.id)))
    forwards = _forwards(view, local_ip)
    for network in wired.values():
        result.add(Bridge(bridge_name(network.id)))
        if (vni := _vni(network)) is not None:
            overlay = Overlay(f"{OVERLAY}{vni}", bridge_name(network.id), vni, local_ip, network.mtu)
            result.add(overlay)
            for mac, remote_ip in forwards.get(network.id, ()):
                result.add(Forward(overlay.name, ANYBODY, remote_ip))
                result.add(Forward(overlay.name, mac, remote_ip))
    return result


def _obstacle(port: Port, network: Network | None, local_ip: str) -> PortStatus | None:
    """Why the port is not to be wired; the sentence is for whoever looks at the port in the API."""
    if not port.admin_state_up:
        return PortStatus(port.id, PortState.DOWN)
    if network is None:
        return PortStatus(port.id, PortState.ERROR, f"network {port.network_id} is not known here")
    if not network.admin_state_up:
        return PortStatus(port.id, PortState.DOWN, f"network {network.id} is administratively down")
    types = [segment.network_type for segment in network.segments]
    if "vxlan" not in types and "local" not in types:
        can_be = ", ".join(types) or "of no type"
        return PortStatus(port.id, PortState.ERROR, f"the network is {can_be}; this node can do vxlan and local")
    if "vxlan" in types and not local_ip:
        return PortStatus(port.id, PortState.ERROR, "this node has no tunnel address (tunnel_ip), which vxlan needs")
    return None


def _forwards(view: NodeView, local_ip: str) -> Mapping[str, list[tuple[str, str]]]:
    """Per network: (MAC, hypervisor) of the ports on other nodes that can be reached."""
    found: dict[str, list[tuple[str, str]]] = {}
    for peer in view.peers.values():
        node = view.nodes.get(peer.host_id)
        if node and node.tunnel_ip and _can_reach(local_ip, node.tunnel_ip):
            found.setdefault(peer.network_id, []).append((peer.mac_address, node.tunnel_ip))
    return found


def _can_reach(local_ip: str, remote_ip: str) -> bool:
    return bool(local_ip) and local_ip != remote_ip and ip_address(local_ip).version == ip_address(remote_ip).version


def _vni(network: Network) -> int | None:
    return next((s.segmentation_id for s in network.segments if s.network_type == "vxlan"), None)


def bridge_name(network_id: str) -> str:
    return BRIDGE + network_id[:11]
