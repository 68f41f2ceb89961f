"""Anti-spoofing: a VM sends only as itself.

Its own MAC, its fixed IPs, what its allowed address pairs add, and the link-local address of each of its MACs; in IPv4,
IPv6, in the sender of ARP, in the target and options of neighbour discovery.  It may ask as a DHCP client and for
duplicate addresses, but not answer as a DHCP server or router, in pieces neither (see `fragments`); and a hypervisor
may announce it after a move (RARP).
Everything is let through when port security is off.  Fragments are not while conntrack has too many of the port's
(agent/security/fragment_shares), with or without port security.
"""

from collections.abc import Iterator
from typing import NamedTuple

from netweft.dataplane.openflow.fields import (
    ETH_ARP,
    ETH_IPV4,
    ETH_IPV6,
    ETH_RARP,
    ND_ADVERT,
    ND_SOLICIT,
    PROTO_ICMPV6,
    PROTO_UDP,
    ROUTER_ADVERT,
    ROUTER_SOLICIT,
)
from netweft.dataplane.openflow.flow import Action, Move
from netweft.model import Port
from netweft.services.addresses import Prefix, link_local, mac, prefix
from netweft.services.fields import CLAIMED_HIGH, CLAIMED_LOW, IN_PORT, SECOND_TAGS, Reason, cookie
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security import fragments
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, HostFacts, LocalPort, Uplinks

NEVER, OWN, ANYBODY = 300, 200, 100

# MLD reports, looking for routers and for duplicates, before there is an address
UNSPECIFIED_MAY_SEND = (131, ROUTER_SOLICIT, ND_SOLICIT, 143)

MAC, ADDRESS, CLAIMS, CLAIMED = (
    INT[name] for name in ("source_mac", "source_address", "neighbour_claims", "claimed_mac")
)
PASSED = INT["requests"].goto


class Source(NamedTuple):
    """A MAC together with an address it may be used with."""

    mac: int
    address: Prefix


def sources(port: Port) -> list[Source]:
    """Without duplicates, in a fixed order."""
    own = mac(port.mac_address)
    found = {Source(own, prefix(fixed.ip_address)) for fixed in port.fixed_ips}
    found |= {Source(mac(pair.mac_address), prefix(pair.ip_address)) for pair in port.allowed_address_pairs}
    macs = {own} | {source.mac for source in found}
    found |= {Source(address, Prefix(6, link_local(address), None)) for address in macs}
    return sorted(found, key=lambda source: (source.mac, source.address[:2], source.address.mask or 0))


def port(here: LocalPort) -> Iterator[Wanted]:
    in_port, owner = here.number, cookie(Reason.PORT_SECURITY, here.port.id)
    if here.tag and not here.network.network.vlan_transparent:
        yield from _no_tag_below(in_port, owner)
    if Asked.WHOLE in here.deaf_to:
        for eth_type in (ETH_IPV4, ETH_IPV6):
            yield MAC.flow(NEVER, owner, {IN_PORT: in_port, "eth_type": eth_type, "ip_frag": fragments.ANY})
    if not here.port.port_security_enabled:
        yield MAC.flow(OWN, owner, {IN_PORT: in_port}, PASSED)
        return
    allowed = sources(here.port)
    for eth_src in sorted({source.mac for source in allowed}):
        yield from _as_mac(in_port, owner, eth_src)
    for source in allowed:
        yield from (_as_ipv4 if source.address.version == 4 else _as_ipv6)(in_port, owner, source)


def _no_tag_below(in_port: int, owner: int) -> Iterator[BridgeFlow]:
    """Of a frame with two tags the sub-port's is off by now; the other must not become another network's outside."""
    for second in SECOND_TAGS:
        yield MAC.flow(NEVER, owner, {IN_PORT: in_port, **second})


def _as_mac(in_port: int, owner: int, eth: int) -> Iterator[BridgeFlow]:
    """What a MAC may do: send, and be named inside of ARP and neighbour discovery."""
    yield MAC.flow(OWN, owner, {IN_PORT: in_port, "eth_src": eth}, ADDRESS.goto)
    named: dict[str, Value] = {IN_PORT: in_port, CLAIMED_HIGH: eth >> 32, CLAIMED_LOW: eth & 0xFFFFFFFF}
    yield CLAIMED.flow(OWN, owner, named, PASSED)


def _as_ipv4(in_port: int, owner: int, source: Source) -> Iterator[BridgeFlow]:
    frm: dict[str, Value] = {IN_PORT: in_port, "eth_src": source.mac}
    address = (source.address.value, source.address.mask)
    yield ADDRESS.flow(OWN, owner, {**frm, "eth_type": ETH_IPV4, "ipv4_src": address}, PASSED)
    yield ADDRESS.flow(OWN, owner, {**frm, "eth_type": ETH_ARP, "arp_spa": address}, *_claims("arp_sha"))


def _as_ipv6(in_port: int, owner: int, source: Source) -> Iterator[BridgeFlow]:
    address = (source.address.value, source.address.mask)
    frm: dict[str, Value] = {IN_PORT: in_port, "eth_src": source.mac, "eth_type": ETH_IPV6, "ipv6_src": address}
    yield ADDRESS.flow(OWN, owner, frm, CLAIMS.goto)
    target = _icmpv6(ND_ADVERT, **{IN_PORT: in_port}, icmpv6_code=0, nd_target=address)
    yield CLAIMS.flow(OWN, owner, target, *_claims("nd_tll"))


def _claims(field: str) -> tuple[Action, ...]:
    """On to ask whether the MAC in this field is the port's."""
    return (
        Move(field, CLAIMED_HIGH, bits=16, src_start=32),
        Move(field, CLAIMED_LOW, bits=32),
        CLAIMED.goto,
    )


def host(_: HostFacts, __: Uplinks) -> Iterator[Wanted]:
    """What holds for every port with port security."""
    owner = cookie(Reason.PIPELINE)
    for eth_type, client in ((ETH_IPV4, 68), (ETH_IPV6, 546)):  # clients look at no port of who answers
        yield ADDRESS.flow(NEVER, owner, {"eth_type": eth_type, "ip_proto": PROTO_UDP, "udp_dst": client})
    yield ADDRESS.flow(NEVER, owner, _icmpv6(ROUTER_ADVERT))
    for match in fragments.unacceptable():
        yield ADDRESS.flow(NEVER, owner, match)
    ask = {"eth_type": ETH_IPV4, "ip_proto": PROTO_UDP, "ipv4_src": 0, "udp_src": 68, "udp_dst": 67}
    yield ADDRESS.flow(ANYBODY, owner, ask, PASSED)
    for kind in UNSPECIFIED_MAY_SEND:
        yield ADDRESS.flow(ANYBODY, owner, _icmpv6(kind, ipv6_src=0), CLAIMS.goto)
    probe: dict[str, Value] = {"eth_type": ETH_ARP, "arp_op": 1, "arp_spa": 0}
    yield ADDRESS.flow(ANYBODY, owner, probe, *_claims("arp_sha"))
    yield ADDRESS.flow(ANYBODY, owner, {"eth_type": ETH_RARP}, PASSED)
    yield CLAIMS.flow(OWN, owner, _icmpv6(ND_SOLICIT, icmpv6_code=0), *_claims("nd_sll"))
    for kind in (ND_SOLICIT, ND_ADVERT):
        yield CLAIMS.flow(ANYBODY, owner, _icmpv6(kind))
    no_option: dict[str, Value] = {"eth_type": ETH_IPV6, CLAIMED_HIGH: 0, CLAIMED_LOW: 0}
    yield CLAIMED.flow(ANYBODY, owner, no_option, PASSED)


def _icmpv6(kind: int, **fields: Value) -> dict[str, Value]:
    return {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_type": kind, **fields}


PORT_SECURITY = Service("port security", host=host, port=port)
