"""What a VTEP should have, from what is behind it and what it has as neighbours: pure.

switch NETWORK           -> [VNI, how it floods]     a logical switch for each VXLAN network that is behind it
binding PORT VLAN        -> NETWORK                  frames of this VLAN on this port, 0 for those without a tag
mac NETWORK MAC          -> tunnel address           a port of the network that is elsewhere, or a node's MAC for a
                                                     router's interface that it answers for, or may have to
flood NETWORK            -> tunnel addresses         who has the network: multicast, broadcast, unknown unicast
"""

from collections.abc import Iterable, Mapping
from typing import Final

from netweft.model import Network, Node, Peer
from netweft.model.wire_macs import wire_mac
from netweft.plugins.mechanisms import BareMetal, Host, View, Wanted
from netweft.plugins.mechanisms.switches.desired import named_in, port_refusal, vlan_of
from netweft.plugins.mechanisms.switches.inventory import Switch

VXLAN: Final = "vxlan"
UNTAGGED: Final = 0
SOURCE_NODE: Final = "source_node"  # the VTEP sends a copy to each itself: hypervisors hand nothing on
ORDER: Final = ("switch", "binding", "flood", "mac")  # in which they are made


def switch_key(network_id: str) -> str:
    return f"switch {network_id}"


def binding_key(port: str, vlan: int | str) -> str:
    return f"binding {port} {vlan}"


def mac_key(network_id: str, mac: str) -> str:
    return f"mac {network_id} {mac}"


def flood_key(network_id: str) -> str:
    return f"flood {network_id}"


def parts(key: str) -> tuple[str, str, str]:
    """What kind of thing, of which port or network, and its VLAN or MAC, if any.  A port's name may have blanks."""
    way, _, rest = key.partition(" ")
    whose, _, which = rest.rpartition(" ") if way in ("binding", "mac") else (rest, "", "")
    return way, whose, which


def vni_of(network: Network) -> int | None:
    ids = (segment.segmentation_id for segment in network.segments if segment.network_type == VXLAN)
    return next(ids, None)


def desired(switch: Switch, own: str, view: View) -> Mapping[str, Wanted]:
    """own: the host that the switch is."""
    found = _Found(switch)
    for bare in sorted(view.bare_metal(), key=lambda port: port.id):
        for port in dict.fromkeys(port for link in bare.links for port in named_in(switch, link)):
            found.plug(port, bare)
    for host, ports in switch.hosts.items():
        there = view.host(host)
        for network in there.networks.values():
            found.rack(ports, network, {port.id for port in there.ports.values() if port.network_id == network.id})
    for host in sorted({own, *switch.hosts}):
        found.neighbours({own, *switch.hosts}, view.host(host))
    return found.wanted


def refusal(switch: Switch, network: Network, port: str) -> str:
    """Why what is plugged in there cannot be on the network; empty: it can."""
    if vni_of(network) is None:
        return f"switch {switch.name} is a VTEP, and network {network.id} has no VXLAN"
    return port_refusal(switch, port)


class _Found:
    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._behind: dict[str, set[str]] = {}  # network -> ports behind the switch
        self._ends: dict[str, set[str]] = {}  # network -> tunnel addresses
        self.wanted: dict[str, Wanted] = {}

    def plug(self, port: str, bare: BareMetal) -> None:
        self._bind(port, UNTAGGED, bare.network, {bare.id})
        for sub_port in bare.tagged:
            why = f"switch {self._switch.name} is a VTEP, which leads no sub-ports of bare metal"
            self.wanted[f"sub-port {sub_port}"] = Wanted(None, frozenset({sub_port}), why)

    def rack(self, links: Iterable[str], network: Network, ports: set[str]) -> None:
        """ports: of a host there.  Without a VLAN on its wire yet, or without a VXLAN, the network is not led on."""
        vlan = vlan_of(self._switch, network)
        if vlan is not None and vni_of(network) is not None:
            for link in links:
                self._bind(link, vlan, network, ports)

    def _bind(self, port: str, vlan: int, network: Network, port_ids: set[str]) -> None:
        """Where two want a port for themselves, the one whose id is first has it."""
        key, why = binding_key(port, vlan), refusal(self._switch, network, port)
        before = self.wanted.get(key)
        if not why and before is not None and not before.refused and before.value != network.id:
            why = f"switch {self._switch.name}: another port is plugged in at {port}"
            key, before = f"{key} of {min(port_ids, default='')}", None
        ports = frozenset(port_ids) | (before.ports if before else frozenset())
        self.wanted[key] = Wanted(network.id, ports, why)
        if not why:
            self._behind.setdefault(network.id, set()).update(port_ids)
            value = [vni_of(network), SOURCE_NODE]
            self.wanted[switch_key(network.id)] = Wanted(value, frozenset(self._behind[network.id]))

    def neighbours(self, own: Iterable[str], there: Host) -> None:
        """own: hosts that are behind this switch, or itself."""
        for peer in there.peers.values():
            if peer.host_id not in own:
                mac = None if is_for_many(peer) else peer.mac_address.lower()
                self._neighbour(peer.network_id, there.nodes.get(peer.host_id), mac)
        for interface in there.interfaces.values():
            for host in interface.order:
                mac = wire_mac(host, interface.id).to_bytes(6).hex(":")
                self._neighbour(interface.network_id, there.nodes.get(host), mac)
            # nodes ask by the router's own MAC who has an address, and machines learn that, too: one node routes it
            first = there.nodes.get(next(iter(interface.order), ""))
            self._neighbour(interface.network_id, first, interface.mac_address.lower())
        for network_id, addresses in self._ends.items():
            ports = frozenset(self._behind[network_id])
            self.wanted[flood_key(network_id)] = Wanted(sorted(addresses), ports)

    def _neighbour(self, network_id: str, node: Node | None, mac: str | None) -> None:
        """mac: None for what is for many."""
        address = tunnel_address(node)
        if network_id in self._behind and address:
            self._ends.setdefault(network_id, set()).add(address)
            if mac is not None:
                self.wanted[mac_key(network_id, mac)] = Wanted(address, frozenset(self._behind[network_id]))


def tunnel_address(node: Node | None) -> str:
    """Empty where there is none that a VTEP can send to: the schema knows VXLAN over IPv4 only."""
    ip = node.tunnel_ip if node is not None and VXLAN in node.tunnel_types else None
    return ip if ip and ":" not in ip else ""


def is_for_many(peer: Peer) -> bool:
    return bool(int(peer.mac_address[:2], 16) & 1)
