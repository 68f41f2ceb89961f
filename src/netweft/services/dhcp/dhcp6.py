"""DHCPv6: from a request and the lease of the port that it came from to the answer.

A subnet is stateful (it gives addresses) unless it says otherwise; a stateless one only gives servers and domain.
Whether clients use DHCPv6 at all is up to router advertisements.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address, IPv6Network

from msgspec import Struct

from netweft.dataplane.dhcp import message6, options
from netweft.dataplane.dhcp.message6 import Association, Message, Option, Options, Status, Type
from netweft.dataplane.packets.datagram import Datagram
from netweft.model import Subnet
from netweft.services.addresses import link_local, mac, octets
from netweft.services.dhcp.requests import SERVER_MAC, STATELESS, extras, offers
from netweft.services.metadata import ends
from netweft.services.values import FOR_EVER, DhcpSettings, Lease

WHO_WE_ARE = message6.duid(octets(SERVER_MAC))
SERVER = IPv6Address(link_local(mac(SERVER_MAC)))
RENEW_AFTER, REBIND_AFTER = 0.5, 0.8  # of a lease's time

FOR_US = (Type.REQUEST, Type.RENEW, Type.RELEASE, Type.DECLINE)  # they name the server that they are for
FOR_ALL = (Type.SOLICIT, Type.CONFIRM, Type.REBIND)  # they name none


class _Exchange(Struct, frozen=True):
    """subnets: at least one, those with DHCP that the port has addresses of.  addresses: what we give it."""

    request: Message
    lease: Lease
    settings: DhcpSettings
    subnets: list[Subnet]
    addresses: list[bytes]


def answer(lease: Lease, asked: Datagram, settings: DhcpSettings) -> Datagram | None:
    """None: there is nothing to say."""
    request = message6.decode(asked.payload)
    if request is None or asked.eth_src != octets(lease.port.mac_address) or not asked.src.is_link_local:
        return None
    found = offers(lease, 6)
    answerer = _ANSWERERS.get(request.kind)
    if not found or answerer is None or not _addressed(request):
        return None
    given = [IPv6Address(fixed.ip_address).packed for fixed, subnet in found if subnet.ipv6_address_mode != STATELESS]
    reply = answerer(_Exchange(request, lease, settings, [subnet for _, subnet in found], given))
    return Datagram(
        eth_src=octets(SERVER_MAC),
        eth_dst=asked.eth_src,
        src=SERVER,
        dst=asked.src,
        sport=547,
        dport=546,
        payload=message6.encode(reply),
    )


def _addressed(request: Message) -> bool:
    """As the protocol wants client and server to be named; and if a server, then we."""
    client, server = request.first(Option.CLIENT_ID), request.first(Option.SERVER_ID)
    if request.kind == Type.INFORMATION_REQUEST:
        return server in (None, WHO_WE_ARE)
    return client is not None and server == (WHO_WE_ARE if request.kind in FOR_US else None)


def _solicit(exchange: _Exchange) -> Message:
    if exchange.request.first(Option.RAPID_COMMIT) is not None:
        return _said(exchange, Type.REPLY, ((Option.RAPID_COMMIT, b""), *_associations(exchange)))
    return _said(exchange, Type.ADVERTISE, _associations(exchange))


def _give(exchange: _Exchange) -> Message:
    return _said(exchange, Type.REPLY, _associations(exchange))


def _inform(exchange: _Exchange) -> Message:
    return _said(exchange, Type.REPLY)


def _confirm(exchange: _Exchange) -> Message:
    """Whether the addresses that it has are of this network at all."""
    networks = [IPv6Network(subnet.cidr) for subnet in exchange.subnets]
    held = [IPv6Address(address) for one in _asked(exchange.request) for address in one.addresses]
    right = all(any(address in network for network in networks) for address in held)
    return _said(exchange, Type.REPLY, (_status(Status.SUCCESS if right else Status.NOT_ON_LINK),))


def _take_back(exchange: _Exchange) -> Message:
    """It is the port's all the same."""
    return _said(exchange, Type.REPLY, (_status(Status.SUCCESS),))


_ANSWERERS: Mapping[int, Callable[[_Exchange], Message]] = {
    Type.SOLICIT: _solicit,
    Type.REQUEST: _give,
    Type.RENEW: _give,
    Type.REBIND: _give,
    Type.CONFIRM: _confirm,
    Type.RELEASE: _take_back,
    Type.DECLINE: _take_back,
    Type.INFORMATION_REQUEST: _inform,
}


def _asked(request: Message) -> list[Association]:
    found = map(message6.decode_association, request.all(Option.ASSOCIATION))
    return [association for association in found if association is not None]


def _associations(exchange: _Exchange) -> Options:
    """All addresses to the first association, none to any other; what it holds besides must not be used any more."""
    made: list[tuple[int, bytes]] = []
    for number, association in enumerate(_asked(exchange.request)):
        given = exchange.addresses if number == 0 else []
        made.append((Option.ASSOCIATION, _association(exchange, association, given)))
    return tuple(made)


def _association(exchange: _Exchange, asked: Association, given: list[bytes]) -> bytes:
    seconds = exchange.settings.lease_seconds
    renew, rebind = (FOR_EVER if seconds == FOR_EVER else int(seconds * part) for part in (RENEW_AFTER, REBIND_AFTER))
    inside = [(Option.ADDRESS, message6.encode_address(address, seconds)) for address in given]
    if exchange.request.kind in (Type.RENEW, Type.REBIND):
        gone = [address for address in asked.addresses if address not in given]
        inside += [(Option.ADDRESS, message6.encode_address(address, 0)) for address in gone]
    if not inside:
        inside = [_status(Status.NO_ADDRESSES)]
    return message6.encode_association(asked.id, renew, rebind, tuple(inside))


def _status(status: Status) -> tuple[Option, bytes]:
    return Option.STATUS, message6.encode_status(status)


def _said(exchange: _Exchange, kind: Type, more: Options = ()) -> Message:
    request = exchange.request
    client = request.first(Option.CLIENT_ID)
    head = [(Option.SERVER_ID, WHO_WE_ARE), *([(Option.CLIENT_ID, client)] if client is not None else [])]
    return Message(kind, request.xid, (*head, *more, *_contents(exchange).items()))


def _contents(exchange: _Exchange) -> dict[int, bytes]:
    """What it wants to know, and what the port's owner has added."""
    servers = dict.fromkeys(server for subnet in exchange.subnets for server in subnet.dns_nameservers)
    if not servers and exchange.settings.names:
        servers = {str(ends.SERVER_6): None}
    domain = exchange.lease.domain or exchange.settings.domain
    known = {
        Option.DNS_SERVER: b"".join(IPv6Address(server).packed for server in servers if server != "::"),
        Option.DOMAIN_SEARCH: options.domains(domain) if domain else b"",
    }
    wanted = exchange.request.first(Option.WANTED) or b""
    codes = {int.from_bytes(wanted[at : at + 2], "big") for at in range(0, len(wanted), 2)}
    said: dict[int, bytes] = {code: value for code, value in known.items() if code in codes}
    reserved = set(Option) - known.keys()
    said |= {code: value for code, value in extras(exchange.lease, 6).items() if code not in reserved}
    return {code: value for code, value in said.items() if value}
