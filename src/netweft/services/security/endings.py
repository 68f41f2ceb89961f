"""Connections that end because an address does not stand any more for the port that it stood for.

Rules say who may begin one; answers pass by what is tracked.  So what is tracked must not outlive the port it was
allowed for: the next one with that address would get its answers, whatever its own groups say.

    address gone from its port, or the port gone      its connections end, on each node that knew the port, in its
                                                      network and in those that routers lead to from there
    port gone to another node, and still known here   those that nobody here has a part in end, here
    a router routes no more from one network to another   those between the two
    a load balancer leads no more to a member             those of its clients with that member (lb.endings)
    a floating IP, or a port of one, leads no more to it  what has been asked from outside, there (translated_endings)
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from netweft.dataplane.openflow.conntrack import Connections
from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP
from netweft.dataplane.openflow.flow import Ct, SetField
from netweft.dataplane.packets.datagram import echo, packet
from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import Key, NodeView, Peer, Port
from netweft.services.addresses import Prefix, address, link_local, mac, parsed, prefix, text, within
from netweft.services.fields import BALANCED_ZONE, ENDED, NOBODY
from netweft.services.l2.announce import Packet
from netweft.services.lb.endings import Balanced, Tree, unbalanced
from netweft.services.security.translated_endings import Translated, matcher, untranslated

NONSENSE = (ValueError, TypeError, AttributeError)  # as an address
FORGETTABLE = (PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_SCTP)


_LINK_LOCAL = prefix("fe80::/10")


class Ended(Struct, frozen=True):
    """Of the connections of this network those with this address, or with one of this range; empty: those in which no
    port here has a part.  kept: what of the range is held as before.
    balanced: those only that its clients have by a load balancer, and are led so.
    translated: those only that have come to it so."""

    network_id: str
    address: str = ""
    kept: frozenset[str] = frozenset()
    balanced: Balanced | None = None
    translated: Translated | None = None

    def zone(self, vlan: int) -> int:
        """vlan: the network's."""
        return BALANCED_ZONE | vlan if self.balanced else vlan


class Held(NamedTuple):
    """What a port holds.  shared: what others may hold, too."""

    own: frozenset[Prefix] = frozenset()
    shared: frozenset[Prefix] = frozenset()

    @property
    def all(self) -> frozenset[Prefix]:
        return self.own | self.shared


def ended(before: NodeView, after: NodeView, keys: Collection[Key], tree: Tree | None = None) -> frozenset[Ended]:
    """keys: of what differs between the two.  tree: as of `unbalanced`."""
    found: set[Ended] = set()
    for id in {id for kind, id in keys if kind in ("port", "peer")}:
        was = before.ports.get(id) or before.peers.get(id)
        if was is None:
            continue
        now = after.ports.get(id) or after.peers.get(id)
        held, still = held_by(was), held_by(now) if now else Held()
        for lost in held.own - still.all:
            networks = {was.network_id} if within(lost, _LINK_LOCAL) else _routed_with(was.network_id, before, after)
            found |= {Ended(network_id, text(lost)) for network_id in networks}
        for lost in held.shared - held.own - still.all:
            kept = {one for one in still.all if within(one, lost)} | _others(before, after, was, lost)
            if lost not in kept:
                found.add(Ended(was.network_id, text(lost), frozenset(map(text, kept))))
        if now and id in before.ports and id not in after.ports:
            found.add(Ended(was.network_id))
    found |= _parted(before, after, keys)
    return frozenset(found).union(_unbalanced(before, after, keys, tree), _untranslated(before, after, keys))


def _untranslated(before: NodeView, after: NodeView, keys: Collection[Key]) -> Iterator[Ended]:
    """Where the port is, of one that stays here: it answers by what is tracked here, however it leaves."""
    for port, gone in untranslated(before, after, keys):
        near = {net.cidr for net in before.subnets.values() if net.network_id in _routed_with(port.network_id, before)}
        yield Ended(port.network_id, gone.address, translated=replace(gone, near=frozenset(near)))


def _unbalanced(before: NodeView, after: NodeView, keys: Collection[Key], tree: Tree | None) -> Iterator[Ended]:
    """Of clients in all networks that are routed to the VIP, and outside."""
    for vip_network, gone in unbalanced(before, after, keys, tree):
        networks = _routed_with(vip_network, before, after)
        routers = {port.router_id for port in before.router_ports.values() if port.network_id in networks}
        outside = {port.network_id for port in before.gateway_ports.values() if port.router_id in routers}
        for network_id in networks | outside:
            yield Ended(network_id, balanced=gone)


def _parted(before: NodeView, after: NodeView, keys: Collection[Key]) -> frozenset[Ended]:
    """Of networks between which no router routes any more: while there is none, nobody would say what becomes of the
    addresses of one in the other."""
    changed = {port.network_id for kind, id in keys if kind == "router_port" if (port := before.router_ports.get(id))}
    found: set[Ended] = set()
    for one in changed:
        for other in _routed_with(one, before) - _routed_with(one, after):
            for here, there in ((one, other), (other, one)):
                cidrs = (subnet.cidr for subnet in before.subnets.values() if subnet.network_id == there)
                found |= {Ended(here, cidr) for cidr in cidrs}
    return frozenset(found)


def _routed_with(network_id: str, *views: NodeView) -> set[str]:
    """This network, and those that packets of it are routed to."""
    ports = {(port.router_id, port.network_id) for view in views for port in view.router_ports.values()}
    found, routers, size = {network_id}, set[str](), 0
    while size < len(found):
        size = len(found)
        routers |= {router for router, network in ports if network in found}
        found |= {network for router, network in ports if router in routers}
    return found


def chosen(
    connections: Iterable[Connection], ends: Mapping[int, Sequence[Ended]], ports: Mapping[int, Iterable[Port]]
) -> Iterator[Connection]:
    """Which of these end.  By zone: what has ended there, and which ports of its network are here."""
    over = {zone: _Over(found, ports.get(zone, ())) for zone, found in ends.items()}
    for connection in connections:
        marked = connection.protocol not in FORGETTABLE and connection.mark == ENDED
        if connection.zone in over and not marked and over[connection.zone].has(connection):
            yield connection


class _Over:
    def __init__(self, ends: Sequence[Ended], ports: Iterable[Port]) -> None:
        self._balanced = {end.balanced for end in ends if end.balanced}
        self._translated = [matcher(end.translated) for end in ends if end.translated]
        ends = [end for end in ends if not (end.balanced or end.translated)]
        self._ends = [Range([prefix(end.address)], map(prefix, end.kept)) for end in ends if end.address]
        idle = any(not end.address for end in ends)
        self._here = Range(one for port in ports for one in held_by(port).all) if idle else None

    def has(self, connection: Connection) -> bool:
        if self._balanced:
            led = (connection.dst, connection.dport, connection.answers_from, connection.answering_port)
            return Balanced(connection.protocol, *led) in self._balanced
        if any(matches(connection) for matches in self._translated):
            return True
        both = [address(connection.src), address(connection.dst)]
        if any(end in ended for ended in self._ends for end in both):
            return True
        return self._here is not None and not any(end in self._here for end in both)


class Range:
    """Addresses, those within some prefixes; but for some."""

    def __init__(self, prefixes: Iterable[Prefix], kept: Iterable[Prefix] = ()) -> None:
        self._all, self._kept = _Places(prefixes), _Places(kept)

    def __contains__(self, single: Prefix) -> bool:
        return single in self._all and single not in self._kept


class _Places:
    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        prefixes = frozenset(prefixes)
        self._single = {one for one in prefixes if one.mask is None}
        self._wide = [one for one in prefixes if one.mask is not None]

    def __contains__(self, single: Prefix) -> bool:
        return single in self._single or any(within(single, one) for one in self._wide)


def held_by(one: Port | Peer) -> Held:
    fixed = one.ip_addresses if isinstance(one, Peer) else [fixed.ip_address for fixed in one.fixed_ips]
    pairs = one.allowed_address_pairs
    return Held(
        own=_known(fixed, [one.mac_address]),
        shared=_known([pair.ip_address for pair in pairs], [pair.mac_address for pair in pairs]),
    )


def _known(addresses: Iterable[str], macs: Iterable[str]) -> frozenset[Prefix]:
    """And the link-local address of each MAC.  What is no address stands for nothing: its port's status says so."""
    found: set[Prefix] = set()
    for said in addresses:
        with suppress(*NONSENSE):
            found.add(prefix(said))
    for said in macs:
        with suppress(*NONSENSE):
            found.add(Prefix(6, link_local(mac(said)), None))
    return frozenset(found)


def _others(before: NodeView, after: NodeView, one: Port | Peer, lost: Prefix) -> set[Prefix]:
    """What others in its network hold of a range, before and after."""
    found: set[Prefix] = set()
    for then, now in ((before.ports, after.ports), (before.peers, after.peers)):
        for id, other in then.items():
            if id != one.id and other.network_id == one.network_id and id in now:
                found |= {held for held in held_by(other).all & held_by(now[id]).all if within(held, lost)}
    return found


def by_tuple(connection: Connection) -> Connections | None:
    """How to flush it.  None: Open vSwitch cannot: the kernel's conntrack knows these protocols only, and 3.1
    in the userspace crashes when it is asked to flush one of ICMPv6."""
    if connection.protocol not in FORGETTABLE:
        return None
    src, dst = address(connection.src), address(connection.dst)
    return Connections(
        zone=connection.zone,
        version=src.version,
        src=src.value,
        dst=dst.value,
        protocol=connection.protocol,
        sport=connection.sport,
        dport=connection.dport,
        icmp=connection.icmp,
    )


def by_mark(connection: Connection) -> Packet:
    """Another packet of it that gives it the mark ENDED, and goes nowhere."""
    ends = parsed(connection.src), parsed(connection.dst)
    body = echo(ends, *connection.icmp) if connection.icmp else b""
    end = Ct(zone=connection.zone, commit=True, exec=(SetField("ct_mark", ENDED),))
    return Packet(packet((NOBODY, NOBODY), ends, connection.protocol, body), (end,))
