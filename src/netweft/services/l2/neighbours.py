"""ARP and neighbour discovery: a request goes only to the port that can have the address.

A broadcast request, a multicast solicitation, of a port here for an address that the database gives to one port only:
its destination MAC becomes that port's, so that it is switched like any other frame for it, and the port itself answers
(RFC 6085 for IPv6).  Nobody answers in its place: whether it lives, whether it is a router, with which MAC, it knows.

All other requests are flooded: for unknown addresses, for those that an address pair lets move, for those of ports
without port security.  So are duplicate address detection and announcements.

Of some ARP and neighbour discovery Open vSwitch shows nothing, while hosts believe it: ARP of IEEE 802's hardware type
(Linux), an option of a link-layer address that is there twice.  Nothing of it can be judged, so it goes to nobody.
"""

from collections.abc import Iterable, Iterator

from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV6, ND_ADVERT, ND_SOLICIT, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import Action, Move, SetField
from netweft.dataplane.packets import icmp
from netweft.dataplane.packets.arp import REQUEST
from netweft.services.addresses import MAC_ANY_MULTICAST, Prefix, is_multicast, link_local, mac, prefix
from netweft.services.fields import ANY_TAG, IN_PORT, LOCAL_VLAN, Reason, cookie
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Flood, HostFacts, LocalNetwork, LocalPort, RemotePort, Uplinks

NOT_OURS, TO_EVERYBODY, TO_ONE = 30, 20, 10
VMS_OWN_VLAN, NOT_SHOWN = 40, 35  # in to_router

REQUESTS, TO_ROUTER = INT["requests"], INT["to_router"]
ON = INT["egress"].goto


def port(here: LocalPort) -> Iterator[Wanted]:
    """A request for its own IPv4 address is an announcement."""
    owner = cookie(Reason.PORT_NEIGHBOUR, here.port.id)
    addresses = [prefix(fixed.ip_address) for fixed in here.port.fixed_ips]
    for address in addresses:
        if address.version == 4:
            yield REQUESTS.flow(TO_EVERYBODY, owner, {IN_PORT: here.number, **asks_for(address)}, ON)
    if here.port.port_security_enabled:
        yield from _to_one(owner, here.network.vlan, here.port.mac_address, addresses)


def peer(_: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    if there.peer.port_security_enabled:
        owner = cookie(Reason.PEER_NEIGHBOUR, there.peer.id)
        addresses = map(prefix, there.peer.ip_addresses)
        yield from _to_one(owner, there.network.vlan, there.peer.mac_address, addresses)


def network(_: Uplinks, here: LocalNetwork, flood: Flood) -> Iterator[Wanted]:
    owner = cookie(Reason.NETWORK_NEIGHBOUR, here.network.id)
    for address in flood.paired:
        yield REQUESTS.flow(TO_EVERYBODY, owner, {LOCAL_VLAN: here.vlan, **asks_for(address)}, ON)


def host(_: HostFacts, __: Uplinks) -> Iterator[Wanted]:
    """Who has no address yet looks for duplicates.  In a VLAN of the VMs' own making we know nobody."""
    owner = cookie(Reason.PIPELINE)
    yield REQUESTS.flow(NOT_OURS, owner, {"vlan_vid": ANY_TAG}, ON)
    yield REQUESTS.flow(TO_EVERYBODY, owner, {"eth_type": ETH_ARP, "arp_op": REQUEST, "arp_spa": 0}, ON)
    solicit: dict[str, Value] = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": ND_SOLICIT}
    yield REQUESTS.flow(TO_EVERYBODY, owner, {**solicit, "ipv6_src": 0}, ON)
    yield from _not_shown(owner)
    done: dict[str, Value] = {**solicit, "icmpv6_type": ND_ADVERT}
    write, near = Move("eth_src", "nd_tll", bits=48), {**done, "ip_ttl": icmp.HOPS}
    yield INT["advertised"].flow(30, owner, {**done, "ipv6_dst": 0})  # nobody has a MAC
    yield INT["advertised"].flow(20, owner, {**near, IN_PORT: 0}, write, INT["switching"].goto)
    yield INT["advertised"].flow(10, owner, near, write, INT["answer"].goto)


def _not_shown(owner: int) -> Iterator[BridgeFlow]:
    """Of whoever sends it, but in VLANs of the VMs' own making: nobody asks for ::, nor is ARP's operation ever 0."""
    yield TO_ROUTER.flow(VMS_OWN_VLAN, owner, {"vlan_vid": ANY_TAG}, INT["switching"].goto)
    yield TO_ROUTER.flow(NOT_SHOWN, owner, {"eth_type": ETH_ARP, "arp_op": 0})
    for kind in (ND_SOLICIT, ND_ADVERT):
        discovery = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": kind}
        yield TO_ROUTER.flow(NOT_SHOWN, owner, {**discovery, "icmpv6_code": 0, "nd_target": 0})


def _to_one(owner: int, vlan: int, mac_address: str, addresses: Iterable[Prefix]) -> Iterator[BridgeFlow]:
    """With an IPv6 address comes the link-local one."""
    if is_multicast(mac_address):
        return
    known = list(addresses)
    if any(address.version == 6 for address in known):
        known.append(Prefix(6, link_local(mac(mac_address)), None))
    flooded: dict[str, Value] = {LOCAL_VLAN: vlan, "eth_dst": (MAC_ANY_MULTICAST, MAC_ANY_MULTICAST)}
    for address in known:
        yield REQUESTS.flow(TO_ONE, owner, {**flooded, **asks_for(address)}, SetField("eth_dst", mac(mac_address)), ON)


def arp_reply(eth: int, address: int, *back: Action) -> Iterator[Action]:
    """The request turned round.  back: how it gets there; by default to the requester's port.  The kernel's datapath
    cannot: vswitchd does it there, for each."""
    yield Move("eth_src", "eth_dst", bits=48)
    yield SetField("eth_src", eth)
    yield SetField("arp_op", 2)
    yield Move("arp_sha", "arp_tha", bits=48)
    yield SetField("arp_sha", eth)
    yield Move("arp_spa", "arp_tpa", bits=32)
    yield SetField("arp_spa", address)
    yield from back or (INT["answer"].goto,)


def advertisement(eth: int, address: int, *on: Action, router: bool = True) -> Iterator[Action]:
    """The solicitation turned round, where that has its sender's MAC in it: there has to be an option to write to.
    on: as `back` above.  router: whether it is one's."""
    yield Move("eth_src", "eth_dst", bits=48)
    yield SetField("eth_src", eth)
    yield Move("ipv6_src", "ipv6_dst", bits=128)
    yield SetField("ipv6_src", address)
    yield SetField("icmpv6_type", ND_ADVERT)
    yield SetField("nd_options_type", icmp.TARGET_LINK)
    yield SetField("nd_reserved", (icmp.ROUTER if router else 0) | icmp.SOLICITED | icmp.OVERRIDE)
    yield from on or (INT["advertised"].goto,)


def asks_for(address: Prefix) -> dict[str, Value]:
    target = address.value if address.mask is None else (address.value, address.mask)
    if address.version == 4:
        return {"eth_type": ETH_ARP, "arp_op": REQUEST, "arp_tpa": target}
    solicit: dict[str, Value] = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": ND_SOLICIT}
    return {**solicit, "icmpv6_code": 0, "nd_target": target}


NEIGHBOURS = Service("neighbours", host=host, network=network, port=port, peer=peer)
