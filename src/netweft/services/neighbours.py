"""ARP and neighbour discovery, answered on the node from the port database.

Only what would be flooded is answered: a broadcast request, a multicast solicitation, for an address of a port we know,
here or elsewhere.  The frame is turned round into the answer and sent back, so that it never leaves the node.  Unknown
addresses are flooded as ever.  What asks for its own address looks for duplicates and must hear nobody but a real one.
"""

from collections.abc import Iterable, Iterator

from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV6, ND_ADVERT, ND_SOLICIT, PROTO_ICMPV6
from netweft.dataplane.openflow.flow import OFPP_IN_PORT, Action, Move, Output, PushVlan, SetField
from netweft.services.addresses import MAC_ANY_MULTICAST, link_local, mac, prefix
from netweft.services.fields import ANY_TAG, IN_PORT, LOCAL_VLAN, TAG_BITS, TAG_SHIFT, Reason, cookie
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.values import HostFacts, LocalPort, RemotePort, Service, Uplinks, Wanted

NOT_OURS, DUPLICATE_CHECK, ANSWER = 30, 20, 10
REQUEST, REPLY = 1, 2
TARGET_LINK_ADDRESS = 2  # the option of an advertisement that carries a MAC
SOLICITED_OVERRIDE = 0x60000000

ANSWERS = INT["neighbour_answers"]
ON = INT["egress"].goto
BACK = INT["answer"].goto


def port(here: LocalPort) -> Iterator[Wanted]:
    owner = cookie(Reason.PORT_NEIGHBOUR, here.port.id)
    addresses = [fixed.ip_address for fixed in here.port.fixed_ips]
    for version, address in _addresses(here.port.mac_address, addresses):
        ask = arp_for(address) if version == 4 else _solicit_for(address)
        yield ANSWERS.flow(DUPLICATE_CHECK, owner, {IN_PORT: here.number, **ask}, ON)
    yield from _answers(owner, here.network.vlan, here.port.mac_address, addresses)


def peer(_: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    owner = cookie(Reason.PEER_NEIGHBOUR, there.peer.id)
    yield from _answers(owner, there.network.vlan, there.peer.mac_address, there.peer.ip_addresses)


def host(_: HostFacts, __: Uplinks) -> Iterator[Wanted]:
    """Without the asker's MAC in an option (as in duplicate address detection) there is none to turn round.  In a
    VLAN of the VMs' own making we know nobody."""
    owner = cookie(Reason.PIPELINE)
    yield ANSWERS.flow(NOT_OURS, owner, {"vlan_vid": ANY_TAG}, ON)
    solicit: dict[str, Value] = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": ND_SOLICIT}
    yield ANSWERS.flow(DUPLICATE_CHECK, owner, {**solicit, "nd_sll": 0}, ON)
    yield INT["answer_nd"].flow(
        10,
        owner,
        {**solicit, "icmpv6_type": ND_ADVERT},
        Move("eth_src", "nd_tll", bits=48),
        BACK,
    )
    untagged = {IN_PORT: (0, ((1 << TAG_BITS) - 1) << TAG_SHIFT)}
    retag = Move(IN_PORT, "vlan_vid", bits=TAG_BITS, src_start=TAG_SHIFT)
    yield INT["answer"].flow(20, owner, untagged, Output(OFPP_IN_PORT))
    yield INT["answer"].flow(10, owner, {}, PushVlan(), retag, Output(OFPP_IN_PORT))


def _answers(owner: int, vlan: int, mac_address: str, addresses: Iterable[str]) -> Iterator[BridgeFlow]:
    for version, address in _addresses(mac_address, addresses):
        ask = arp_for(address) if version == 4 else _solicit_for(address)
        answer = arp_reply if version == 4 else _advertisement
        flooded: dict[str, Value] = {LOCAL_VLAN: vlan, "eth_dst": (MAC_ANY_MULTICAST, MAC_ANY_MULTICAST)}
        yield ANSWERS.flow(ANSWER, owner, {**flooded, **ask}, *answer(mac(mac_address), address))


def _addresses(mac_address: str, addresses: Iterable[str]) -> Iterator[tuple[int, int]]:
    """(IP version, address) of each; with an IPv6 address comes the link-local one."""
    known = [prefix(address) for address in addresses]
    yield from ((address.version, address.value) for address in known)
    if any(address.version == 6 for address in known):
        yield 6, link_local(mac(mac_address))


def arp_for(address: int) -> dict[str, Value]:
    return {"eth_type": ETH_ARP, "arp_op": REQUEST, "arp_tpa": address}


def _solicit_for(address: int) -> dict[str, Value]:
    return {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": ND_SOLICIT, "nd_target": address}


def arp_reply(eth: int, address: int) -> Iterator[Action]:
    yield Move("eth_src", "eth_dst", bits=48)
    yield SetField("eth_src", eth)
    yield SetField("arp_op", REPLY)
    yield Move("arp_sha", "arp_tha", bits=48)
    yield SetField("arp_sha", eth)
    yield Move("arp_spa", "arp_tpa", bits=32)
    yield SetField("arp_spa", address)
    yield BACK


def _advertisement(eth: int, address: int) -> Iterator[Action]:
    yield Move("eth_src", "eth_dst", bits=48)
    yield SetField("eth_src", eth)
    yield Move("ipv6_src", "ipv6_dst", bits=128)
    yield SetField("ipv6_src", address)
    yield SetField("icmpv6_type", ND_ADVERT)
    yield SetField("nd_options_type", TARGET_LINK_ADDRESS)
    yield SetField("nd_reserved", SOLICITED_OVERRIDE)
    yield INT["answer_nd"].goto


NEIGHBOURS = Service("neighbours", host=host, port=port, peer=peer)
