"""Connections of a port that moves: what its old node reports of them, and how its new node continues them.

Most go on by themselves, since a rule permits what comes.  Not so those in which the others only answer: on the new
node answers are new, and so are those of a VM that may do nothing else.  So the new node's conntrack learns of them:

    UDP, ICMP and others    a packet of the connection's own way, made by the agent, judged by the pipeline as any other
                            and given to nobody (see `trials`); what is permitted is remembered
    TCP                     the VM says itself where it is: it acknowledges what it has when it gets a segment whose
                            numbers make no sense (RFC 9293, 3.10.7.4), and that is a packet of its own

So what a list says opens nothing that the rules of the VM do not permit, and numbers are the VM's own.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from struct import error as StructError

from msgspec.structs import replace

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP
from netweft.dataplane.packets.datagram import acknowledgement, packet
from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import Peer, Port, Tracked
from netweft.model.connections import MOST
from netweft.services.addresses import Prefix, address, octets, parsed
from netweft.services.dhcp.requests import SERVER_MAC, to_port
from netweft.services.fields import ENDED, JUDGED, REMEMBERED
from netweft.services.l2.announce import Packet
from netweft.services.security.endings import NONSENSE, Range, held_by
from netweft.services.security.ends import ELSEWHERE, End, Ends
from netweft.services.security.trials import trial
from netweft.services.values import LocalPort

UP = "ESTABLISHED"
_NONSENSE = (*NONSENSE, StructError)  # as a connection: nobody else's suffer from it
# One of these is not what the VM waits for.  And one is old in both ways: a firewall in the VM that drops what is
# invalid takes that for a packet that was late (Linux from 6.1 on).
_NUMBERS = tuple((sequence, of) for sequence in (0, 1 << 31) for of in (0, 1 << 31))


class Addresses:
    """Of a port's addresses those that no other one of its network has, as far as is known here."""

    def __init__(self, port: Port, others: Iterable[Port | Peer]) -> None:
        held = held_by(port)
        self._own = held.own
        self._pairs = Range(held.shared, (one for other in others for one in held_by(other).all) if held.shared else ())

    def __contains__(self, single: Prefix) -> bool:
        return single in self._own or single in self._pairs


def leaving(tracked: Iterable[Connection], mine: Addresses) -> tuple[Tracked, ...]:
    """What the port is connected to; of a very busy one TCP first."""
    found = (_as_told(one) for one in tracked if _goes_along(one, mine))
    return tuple(sorted(found, key=lambda one: one.protocol != PROTO_TCP)[:MOST])


def _goes_along(connection: Connection, mine: Addresses) -> bool:
    """Of TCP and SCTP numbers would have to be known; the former's, where the port is the client, are found out."""
    if connection.mark & ENDED or connection.protocol == PROTO_SCTP:
        return False
    if connection.protocol == PROTO_TCP:
        return connection.state == UP and address(connection.src) in mine
    return address(connection.src) in mine or address(connection.dst) in mine


def _as_told(one: Connection) -> Tracked:
    if one.icmp is None:
        return Tracked(one.protocol, one.src, one.dst, one.sport, one.dport)
    id, kind, code = one.icmp
    return Tracked(one.protocol, one.src, one.dst, id, kind << 8 | code)


def _as_tracked(one: Tracked, zone: int) -> Connection:
    tracked = Connection(zone=zone, protocol=one.protocol, src=one.src, dst=one.dst, sport=one.sport, dport=one.dport)
    if one.protocol not in (PROTO_ICMP, PROTO_ICMPV6):
        return tracked
    return replace(tracked, sport=0, dport=0, icmp=(one.sport, one.dport >> 8, one.dport & 0xFF))


def missing(told: Iterable[Tracked], tracked: Iterable[Connection]) -> tuple[Tracked, ...]:
    """What of TCP is not tracked here."""
    there = {_as_told(one) for one in tracked if one.protocol == PROTO_TCP}
    return tuple(one for one in told if one.protocol == PROTO_TCP and one not in there)


def remembered(here: LocalPort, told: Iterable[Tracked], mine: Addresses, ends: Ends) -> Iterator[Packet]:
    """All but TCP.  mine: of the port; what it has no part in comes to nothing."""
    for one in told:
        if one.protocol not in (PROTO_TCP, PROTO_SCTP):
            with suppress(*_NONSENSE):
                yield from tuple(_remembered(here, one, mine, ends))


def _remembered(here: LocalPort, one: Tracked, mine: Addresses, ends: Ends) -> Iterator[Packet]:
    connection = _as_tracked(one, here.network.vlan)
    if address(one.src).version != address(one.dst).version:
        return
    if address(one.src) in mine:
        client, server = _as_mine(here, one.src, ends), _other(one.dst, ends)
    elif address(one.dst) in mine:
        client, server = _other(one.src, ends), _as_mine(here, one.dst, ends)
    else:
        return
    yield from trial(connection, client, server, JUDGED | REMEMBERED)


def provoked(here: LocalPort, told: Iterable[Tracked], mine: Addresses) -> Iterator[Packet]:
    """To have the VM send something in these TCP connections, whose client it is."""
    for one in told:
        if one.protocol == PROTO_TCP:
            with suppress(*_NONSENSE):
                yield from tuple(_provoked(here, one, mine))


def _provoked(here: LocalPort, one: Tracked, mine: Addresses) -> Iterator[Packet]:
    if address(one.src) not in mine or address(one.src).version != address(one.dst).version:
        return
    ends, macs = (parsed(one.dst), parsed(one.src)), (octets(SERVER_MAC), octets(here.port.mac_address))
    for sequence, of in _NUMBERS:
        body = acknowledgement(ends, (one.dport, one.sport), sequence, of)
        yield to_port(here.number, packet(macs, ends, PROTO_TCP, body))


def _as_mine(here: LocalPort, text: str, ends: Ends) -> End:
    found = [end for end in ends.at(text) if end.port and end.port.port.id == here.port.id]
    return found[0] if found else End(here, octets(here.port.mac_address))


def _other(text: str, ends: Ends) -> End:
    found = ends.at(text)
    return found[0] if len(found) == 1 else ELSEWHERE
