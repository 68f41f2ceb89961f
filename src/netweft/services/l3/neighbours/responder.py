"""ARP and neighbour discovery for a router's addresses are answered on the requester's node: by flows; by the agent
where the datapath cannot write a neighbour advertisement, and for duplicate address detection.

What is answered stays there: a router has the same MAC on every node.  Duplicate address detection is answered, too.
ARP from such an address and advertisements of it are dropped, with or without port security; so are those of a
gateway's address or of a floating IP on the external network.
"""

from collections.abc import Iterable, Iterator

from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV6, ND_ADVERT, ND_SOLICIT, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Action, Controller, Move, SetField
from netweft.services.addresses import Prefix, link_local, mac, prefix
from netweft.services.fields import AGENT, IN_PORT, LOCAL_VLAN, Reason, cookie
from netweft.services.l2.neighbours import advertisement, arp_reply, asks_for
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.l3.values import Interface, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, LocalNetwork, LocalPort, RemotePort, Uplinks

ASK, CLAIM = (
    26,
    28,
)  # above what `neighbours` and `dhcp` do with requests, below what is in a VLAN of the VMs' own making

NOT_SAID = "nd_sll"  # 0: a solicitation without its sender's MAC, as in looking for duplicates: the agent's to answer

REQUESTS = INT["requests"]


def answers(interface: Interface) -> Iterator[BridgeFlow]:
    owner = cookie(Reason.ROUTER_NEIGHBOUR, interface.port.id)
    own = mac(interface.port.mac_address)
    for address in interface.addresses:
        asked = {LOCAL_VLAN: interface.network.vlan, **asks_for(address)}
        if address.version == 4:
            yield REQUESTS.flow(ASK, owner, asked, *arp_reply(own, address.value))
            continue
        if interface.network.discovery:
            yield REQUESTS.flow(ASK - 1, owner, asked, *advertisement(own, address.value))
            asked[NOT_SAID] = 0
        yield REQUESTS.flow(ASK, owner, asked, Controller(AGENT))
    yield from nobody_elses(owner, interface.network, interface.addresses)


def nobody_elses(
    owner: int, network: LocalNetwork, addresses: Iterable[Prefix], mac_address: str = ""
) -> Iterator[BridgeFlow]:
    """Of what is plugged in nowhere: no port here may claim one of these addresses; nor does
    anything leave with this MAC, which the wire's switches would believe."""
    if mac_address:
        yield REQUESTS.flow(CLAIM, owner, {LOCAL_VLAN: network.vlan, "eth_src": mac(mac_address)})
    for address in addresses:
        for claim in _claims(address):
            yield REQUESTS.flow(CLAIM, owner, {LOCAL_VLAN: network.vlan, **claim})


def _gateways(owner: int, network: LocalNetwork, mac_address: str, addresses: Iterable[Prefix]) -> Iterator[BridgeFlow]:
    """Likewise of a router's gateway."""
    known = list(addresses)
    if any(address.version == 6 for address in known):
        known.append(Prefix(6, link_local(mac(mac_address)), None))
    yield from nobody_elses(owner, network, known, mac_address)


def _claims(address: Prefix) -> Iterator[dict[str, Value]]:
    """ARP and ND that claim this address for somebody else: dropped, whatever the port's security allows."""
    if address.version == 4:
        yield {"eth_type": ETH_ARP, "arp_spa": address.value}
        return
    discovery = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6}
    yield {**discovery, "icmpv6_type": ND_ADVERT, "icmpv6_code": 0, "nd_target": address.value}
    yield {**discovery, "ipv6_src": address.value}  # solicitations, and advertisements and redirects of a router's


def port(here: LocalPort) -> Iterator[Wanted]:
    """A port that floods the agent with requests is not answered for a while."""
    if Asked.NEIGHBOUR in here.deaf_to:
        owner = cookie(Reason.ROUTER_NEIGHBOUR, here.port.id)
        asks = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": ND_SOLICIT}
        yield REQUESTS.flow(ASK + 1, owner, {IN_PORT: here.number, **asks}, INT["egress"].goto)


def peer(_: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    if there.peer.is_gateway:
        owner, addresses = cookie(Reason.PEER_NEIGHBOUR, there.peer.id), map(prefix, there.peer.ip_addresses)
        yield from _gateways(owner, there.network, there.peer.mac_address, addresses)


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    """Of those that are bound to this node, wherever they are at the moment: others are peers."""
    for gateway in (*here.gateways, *here.standbys):
        if gateway.port.host_id == here.node:
            owner = cookie(Reason.ROUTER_GATEWAY, gateway.port.id)
            yield from _gateways(owner, gateway.network, gateway.port.mac_address, gateway.addresses)


ROUTERS_NEIGHBOURS = Service("router neighbours", port=port, peer=peer, router=router)


def back_to_sender(own_mac: str) -> Iterator[Action]:
    """To whoever sent the frame, in its network: it may come out where it came in."""
    yield Move("eth_src", "eth_dst", bits=48)
    yield SetField("eth_src", mac(own_mac))
    yield from LOOPBACK
    yield INT["switching"].goto
