"""What the kernel should have, from what the feed says.  Pure: no I/O, no memory.

tap<port> ──┐
tap<port> ──┤ brq<network> ── nwvx<VNI> ══ VXLAN ══ other hypervisors, Open vSwitch or not
            ┘
"""

from collections.abc import Container
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from msgspec import Struct

from netweft.model import Network, NodeView, Port, PortState, PortStatus, Segment, qos_policy_id

ANYBODY = "00:00:00:00:00:00"  # where frames go whose receiver is not known, and those for all
NO_QOS = "its QoS policy is not in effect: this agent does no QoS"
LOCAL = Segment("local")
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
Address: TypeAlias = IPv4Address | IPv6Address
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


def desired(view: NodeView, plugged: Container[str], tunnel_ip: str) -> Desired:
    """plugged: names of the interfaces that are there.  A port without a tap is not mentioned."""
    result = Desired()
    wired: dict[str, Segment] = {}
    local = _address(tunnel_ip)
    for port in view.ports.values():
        if (tap := TAP + port.id[:11]) not in plugged:
            continue
        segment = _segment(port, view.networks.get(port.network_id), local)
        if isinstance(segment, PortStatus):
            result.statuses[port.id] = segment
        else:
            asks_qos = qos_policy_id(port, view.networks[port.network_id])
            result.statuses[port.id] = PortStatus(port.id, PortState.UP, NO_QOS if asks_qos else "")
            result.add(Member(tap, bridge_name(port.network_id)))
            wired[port.network_id] = segment
    for network_id, segment in wired.items():
        result.add(Bridge(bridge_name(network_id)))
        if segment.network_type == "vxlan" and segment.segmentation_id and local:
            name, mtu = f"{OVERLAY}{segment.segmentation_id}", view.networks[network_id].mtu
            result.add(Overlay(name, bridge_name(network_id), segment.segmentation_id, str(local), mtu))
    for peer in view.peers.values():
        segment, node = wired.get(peer.network_id, LOCAL), view.nodes.get(peer.host_id)
        remote = _address(node.tunnel_ip) if node else None
        if segment.segmentation_id and remote and local and remote != local and remote.version == local.version:
            for mac in (ANYBODY, peer.mac_address.lower()):
                result.add(Forward(f"{OVERLAY}{segment.segmentation_id}", mac, str(remote)))
    return result


def _segment(port: Port, network: Network | None, local: Address | None) -> Segment | PortStatus:
    """The first that this node can do, or why there is none, in a sentence for whoever looks at the port in the API."""
    if not port.admin_state_up:
        return PortStatus(port.id, PortState.DOWN)
    if network is None:
        return PortStatus(port.id, PortState.ERROR, f"network {port.network_id} is not known here")
    if not network.admin_state_up:
        return PortStatus(port.id, PortState.DOWN, f"network {network.id} is administratively down")
    possible = ["local", *(["vxlan"] if local else [])]
    for segment in network.segments:
        if segment.network_type in possible:
            return segment
    types = ", ".join(segment.network_type for segment in network.segments) or "of no type"
    reason = "" if local else "; it has no tunnel address (tunnel_ip)"
    detail = f"the network is {types}, this node can do {', '.join(possible)} only{reason}"
    return PortStatus(port.id, PortState.ERROR, detail)


def _address(text: str | None) -> Address | None:
    try:
        return ip_address(text or "")
    except ValueError:
        return None


def bridge_name(network_id: str) -> str:
    return BRIDGE + network_id[:11]
