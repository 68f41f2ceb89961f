"""What a router says about a packet that it cannot deliver.

To a port of this node straight out of its interface, from the router's address that the packet came to.  To anybody
else, on another node or outside, as a packet that the router routes: it is translated like any other on its way.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from netweft.dataplane.openflow.fields import PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import SetField
from netweft.dataplane.packets import icmp, readdressed6
from netweft.dataplane.packets.icmp import Offending
from netweft.dataplane.packets.readdressed import End, ports, readdressed
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import Prefix, mac, octets, parsed, text, within
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import LOCAL_VLAN, ROUTER, Why
from netweft.services.l2.announce import Packet
from netweft.services.l3.floating_ips.ends import Ends
from netweft.services.l3.floating_ips.icmp_errors import to_outside
from netweft.services.l3.port_forwarding.wiring import ForwardedAddresses
from netweft.services.l3.values import Gateway, Interface, LocalFloatingIp, LocalRouter
from netweft.services.pipeline import INT
from netweft.services.values import LocalPort

# (type, code) in IPv4 (RFC 792, RFC 1812) and IPv6 (RFC 4443)
_MESSAGES: Final = {
    Why.TTL_EXCEEDED: {4: (11, 0), 6: (3, 0)},
    Why.NO_ROUTE: {4: (3, 0), 6: (1, 0)},
    Why.UNKNOWN_NEXT_HOP: {4: (3, 1), 6: (1, 3)},
    Why.NOT_LISTENING: {4: (3, 3), 6: (1, 4)},
    Why.TOO_BIG: {4: (3, 4), 6: (2, 0)},
}
_WITH_PORTS = (PROTO_TCP, PROTO_UDP)


def icmp_error(
    why: Why, frame: bytes, here: LocalPort, at: Interface, near: Interface, *, mtu: int = 0
) -> Packet | None:
    """at: the interface that the packet came to, which is who says it.  near: the router's on the port's own network,
    from whose MAC it comes.  mtu: of the network that it is too big for.  None: nothing may be said about it."""
    about = _offending(why, frame)
    if about is None:
        return None
    own = (parsed(fixed.ip_address) for fixed in at.port.fixed_ips)
    says = next((address for address in own if address.version == about.src.version), None)
    if says is None:
        return None
    macs = (octets(near.port.mac_address), octets(here.port.mac_address))
    return to_port(here.number, icmp.error(macs, says, about, *_MESSAGES[why][says.version], mtu))


def routed_error(
    why: Why, frame: bytes, router: LocalRouter, forwarded: ForwardedAddresses, fields: Mapping[str, int]
) -> Packet | None:
    """forwarded: all on this node.  fields: what was known besides it.  None: it came to none of the router's MACs, or
    nothing may be said."""
    about, to = _offending(why, frame), int.from_bytes(frame[:6], "big")
    mtu = mtu_of(router, fields) if why is Why.TOO_BIG else 0
    floating = _floating_ip_at(router, to)
    if about is not None and floating is not None:
        return _by_floating_ip(why, about, router, floating, mtu)
    entry = next((one for one in _entries(router) if to in one.macs), None)
    if about is None or entry is None:
        return None
    if entry.gateway is not None:
        ends = Ends(router, entry.gateway.port.id, forwarded)
        about = about._replace(quoted=_as_it_was_sent(ends, entry.gateway, about, fields))
    return _routed(why, about, router, entry, mtu)


def unanswered(frame: bytes, router: LocalRouter) -> Packet | None:
    """Nobody on the external network has the address that this packet was for, which has been translated already: as if
    the error came from there."""
    about = _offending(Why.UNKNOWN_NEXT_HOP, frame)
    by = int.from_bytes(frame[6:12], "big")
    floating = _floating_ip_at(router, by)
    if about is not None and floating is not None:
        return _by_floating_ip(Why.UNKNOWN_NEXT_HOP, about, router, floating, 0)
    outside = [one for one in _entries(router) if one.gateway is not None]
    entry = next((one for one in outside if by in one.macs), next(iter(outside), None))
    return _routed(Why.UNKNOWN_NEXT_HOP, about, router, entry, 0) if about and entry else None


def mtu_of(router: LocalRouter, fields: Mapping[str, int]) -> int:
    """Of the network that the packet was about to be in; 0: it is none of the router's."""
    return next((one.network.mtu for one in router.networks if one.vlan == fields.get(LOCAL_VLAN)), 0)


class _Entry(NamedTuple):
    """Where packets come into a router: to which MACs, from which network.  addresses: who says it, then."""

    macs: tuple[int, ...]
    vlan: int
    addresses: tuple[Prefix, ...]
    gateway: Gateway | None = None


def _entries(router: LocalRouter) -> Iterator[_Entry]:
    """One for each network: a packet may come to the MAC of the interface that has the other IP version's address."""
    networks = sorted({one.network.vlan for one in router.interfaces})
    for vlan in networks:
        there = [one for one in router.interfaces if one.network.vlan == vlan]
        macs = (which for one in there for which in (mac(one.port.mac_address), wire_mac(router.node, one.port.id)))
        yield _Entry(tuple(macs), vlan, tuple(address for one in there for address in one.addresses))
    for gateway in router.gateways:
        yield _Entry((mac(gateway.port.mac_address),), gateway.network.vlan, gateway.addresses, gateway)


def _offending(why: Why, frame: bytes) -> Offending | None:
    about = icmp.offending(frame) if why in _MESSAGES else None
    return None if about and why is Why.NOT_LISTENING and about.protocol not in _WITH_PORTS else about


def _as_it_was_sent(ends: Ends, gateway: Gateway, about: Offending, fields: Mapping[str, int]) -> bytes:
    if isinstance(about.dst, IPv4Address):
        return readdressed(about.quoted, dst=_before_translation(ends, gateway, about, fields))
    becomes = ends.router.nat66(gateway)
    is_answer = becomes is not None and fields.get("ct_ipv6_src") == int(about.dst)
    to = readdressed6.End(IPv6Address(becomes)) if becomes is not None and is_answer else None
    return readdressed6.readdressed(about.quoted, dst=to)


def _before_translation(ends: Ends, gateway: Gateway, about: Offending, fields: Mapping[str, int]) -> End | None:
    """As the packet's sender knows it.  A reply to an SNATed connection was for the gateway's address; its port is the
    client's own unless two clients had the same."""
    address = IPv4Address(int(about.dst))
    if fields.get("ct_nw_src") == int(address):
        return None if gateway.snat_address is None else End(IPv4Address(gateway.snat_address))
    first_to = fields.get("ct_nw_dst", 0)
    if any(one.outside == first_to and one.inside == int(address) for one in gateway.forwarded):
        return End(IPv4Address(first_to), fields.get("ct_tp_dst"))
    return ends.outside(address, ports(about.quoted))


def _floating_ip_at(router: LocalRouter, own: int) -> LocalFloatingIp | None:
    """With this MAC."""
    return next((one for one in router.floating_ips if one.own_mac and mac(one.end.port.mac_address) == own), None)


def _by_floating_ip(why: Why, about: Offending, router: LocalRouter, one: LocalFloatingIp, mtu: int) -> Packet | None:
    """About what came by it, back to outside: said with its gateway's address, wherever that is, and by this way."""
    if not isinstance(about.src, IPv4Address):
        return None
    near_it = (address for address in router.outside if any(within(address, net) for net in one.end.on_link))
    own = next((address.value for address in near_it), one.address)
    if about.dst == IPv4Address(one.fixed):
        about = about._replace(quoted=readdressed(about.quoted, dst=End(IPv4Address(one.address))))
    frame = icmp.error((bytes(6), bytes(6)), IPv4Address(own), about, *_MESSAGES[why][4], mtu)
    near = any(within(Prefix(4, int(about.src), None), net) for net in one.end.on_link)
    next_hop = int(about.src) if near else next((hop.value for hop in one.end.next_hops), None)
    return None if next_hop is None else to_outside(router, one, frame, next_hop)


def _routed(why: Why, about: Offending, router: LocalRouter, entry: _Entry, mtu: int) -> Packet | None:
    version = about.src.version
    says = next((one for one in entry.addresses if one.version == version), None)
    if says is None:
        return None
    macs = (bytes(6), bytes(6))  # as routes and next hops write them
    frame = icmp.error(macs, parsed(text(says)), about, *_MESSAGES[why][version], mtu)
    in_it = (SetField(ROUTER, router.number), SetField(LOCAL_VLAN, entry.vlan))
    return Packet(frame, (*in_it, INT["routing"].resubmit))
