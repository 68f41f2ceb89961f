"""Which MAC a routed packet is for: the database knows the addresses of ports, here and elsewhere, and of routers."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6
from netweft.dataplane.openflow.flow import Action, CtClear, Flow, SetField
from netweft.services.addresses import Prefix, is_multicast, mac, prefix, text, text_of_mac
from netweft.services.fields import HANDED_UP, IN_PORT, LOCAL_VLAN, NEXT_HOP, Reason, Why, cookie
from netweft.services.fields import owner as owner_of
from netweft.services.l3.firewalls import handed_on
from netweft.services.l3.values import Interface
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Flood, HostFacts, LocalNetwork, LocalPort, RemotePort, Uplinks

TABLE = INT["next_hop"]
KNOWN, PAIRED, LEARNED = 10, 8, 5
# a routed packet may come out where it came in: of a trunk's interface, to the wire
LOOPBACK: Final[tuple[Action, ...]] = (SetField(IN_PORT, 0), SetField("nxm_in_port", 0))


def at(address: Prefix) -> dict[str, Value]:
    """Matches packets that are sent to this address next."""
    if address.version == 4:
        return {"eth_type": ETH_IPV4, NEXT_HOP[-1]: address.value}
    words = (address.value >> 32 * place & 0xFFFFFFFF for place in reversed(range(len(NEXT_HOP))))
    return {"eth_type": ETH_IPV6, **dict(zip(NEXT_HOP, words, strict=True))}


def port(here: LocalPort) -> Iterator[Wanted]:
    addresses = [prefix(fixed.ip_address) for fixed in here.port.fixed_ips]
    yield from _known(cookie(Reason.PORT_NEXT_HOP, here.port.id), here.network, here.port.mac_address, addresses)


def peer(_: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    addresses = map(prefix, there.peer.ip_addresses)
    yield from _known(cookie(Reason.PEER_NEXT_HOP, there.peer.id), there.network, there.peer.mac_address, addresses)


def network(_: Uplinks, here: LocalNetwork, flood: Flood) -> Iterator[Wanted]:
    """Addresses of allowed address pairs, as far as it is sure which MAC has them: the same for all who may have it, as
    in VRRP (RFC 5798 7.3), or there is one such port.  Its own addresses come before another's pair."""
    owner = cookie(Reason.NETWORK_NEIGHBOUR, here.network.id)
    for address, mac_address in flood.paired_macs:
        yield from _known(owner, here, mac_address, [address], priority=PAIRED)


def _known(
    owner: int, network: LocalNetwork, mac_address: str, addresses: Iterable[Prefix], priority: int = KNOWN
) -> Iterator[BridgeFlow]:
    if not (network.routed or network.balanced) or is_multicast(mac_address):
        return
    to_it = (SetField("eth_dst", mac(mac_address)), *LOOPBACK, CtClear(), INT["switching"].goto)
    for address in addresses:
        yield TABLE.flow(priority, owner, {LOCAL_VLAN: network.vlan, **at(address)}, *to_it)


def learned(network: LocalNetwork, address: Prefix, mac_address: str, *, guarded: bool) -> BridgeFlow:
    """Resolved by the agent.  What the database knows comes first.
    guarded: routers' firewall policies apply here, since no port has that MAC: at a port they apply there."""
    owner = cookie(Reason.NETWORK_LEARNED, network.network.id)
    to_it: tuple[Action, ...] = (SetField("eth_dst", mac(mac_address)), *LOOPBACK, CtClear(), INT["switching"].goto)
    if guarded:
        to_it = handed_on(network, mac(mac_address), *LOOPBACK)
    return TABLE.flow(LEARNED, owner, {LOCAL_VLAN: network.vlan, **at(address)}, *to_it)


class Learned(NamedTuple):
    """As a flow says it: in the network with this local VLAN that address has that MAC."""

    vlan: int
    address: str
    mac: str


def learned_by(flow: Flow) -> Learned | None:
    """None for a flow that `learned` has not made, or that somebody has changed."""
    if flow.priority != LEARNED:  # one of tens of thousands is
        return None
    whose = owner_of(flow.cookie)
    match = {name: value for name, value, _ in flow.match}
    to = next((one.value for one in flow.actions if isinstance(one, SetField) and one.field == "eth_dst"), None)
    if whose is None or whose.reason is not Reason.NETWORK_LEARNED or to is None or LOCAL_VLAN not in match:
        return None
    version = 4 if match.get("eth_type") == ETH_IPV4 else 6
    words = NEXT_HOP[-1:] if version == 4 else NEXT_HOP
    value = 0
    for register in words:
        value = value << 32 | match.get(register, 0)
    return Learned(match[LOCAL_VLAN], text(Prefix(version, value, None)), text_of_mac(to))


def reached(interface: Interface) -> Iterator[BridgeFlow]:
    """Another router's interface, whose router goes on with the packet."""
    owner = cookie(Reason.ROUTER_NEIGHBOUR, interface.port.id)
    into_it = handed_on(interface.network, mac(interface.port.mac_address))
    for address in interface.addresses:
        yield TABLE.flow(10, owner, {LOCAL_VLAN: interface.network.vlan, **at(address)}, *into_it)


def host(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    if not uplinks.routed:
        return
    owner = cookie(Reason.PIPELINE)
    yield TABLE.flow(20, owner, {HANDED_UP: Why.TOO_BIG}, INT["hand_up"].goto)
    unknown = (SetField(HANDED_UP, Why.UNKNOWN_NEXT_HOP), INT["hand_up"].goto)
    yield TABLE.flow(1, owner, {}, *unknown)


NEXT_HOPS = Service("next hops", host=host, network=network, port=port, peer=peer)
