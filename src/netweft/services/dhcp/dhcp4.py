"""DHCPv4: from a request and the lease of the port that it came from to the answer.

We are the only server that a port with a lease hears, and what we say comes from the database; so an address that is
not the port's is refused (NAK) though we have never given it out, and nothing has to be remembered.
"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from msgspec import Struct

from netweft.dataplane.dhcp import message4, options
from netweft.dataplane.dhcp.message4 import NONE, Message, Option, Type
from netweft.dataplane.packets.datagram import Datagram
from netweft.model import Subnet
from netweft.model.names import host_name
from netweft.services.addresses import octets
from netweft.services.dhcp.requests import SERVER_ADDRESS, SERVER_MAC, extras, offers
from netweft.services.values import DhcpSettings, Lease

EVERYBODY, EVERYBODYS_MAC = IPv4Address("255.255.255.255"), b"\xff" * 6
ON_LINK, ANYWHERE = "0.0.0.0", "0.0.0.0/0"
LEAST_ROOM = 576  # bytes of a packet that every client has to take
HEADERS = 28  # of IPv4 and UDP
RENEW_AFTER, REBIND_AFTER = 0.5, 0.875  # of a lease's time
ON_REQUEST = frozenset({Option.HOSTNAME, Option.MICROSOFT_STATIC_ROUTES})

Contents = Mapping[int, bytes]  # by the option's code


class _Offer(Struct, frozen=True):
    """One of the port's addresses, and its subnet."""

    address: IPv4Address
    subnet: Subnet


class _Exchange(Struct, frozen=True):
    """offers: at least one."""

    request: Message
    lease: Lease
    settings: DhcpSettings
    offers: list[_Offer]

    def asked(self, option: Option, default: bytes = b"") -> bytes:
        return self.request.options.get(option, default)

    def offer_of(self, address: bytes) -> _Offer | None:
        return next((offer for offer in self.offers if offer.address.packed == address), None)


def answer(lease: Lease, asked: Datagram, settings: DhcpSettings) -> Datagram | None:
    """None: there is nothing to say."""
    request = message4.decode(asked.payload)
    if request is None or request.op != message4.BOOT_REQUEST or request.giaddr != NONE:
        return None
    if not request.chaddr == asked.eth_src == octets(lease.port.mac_address):
        return None
    found = [_Offer(IPv4Address(fixed.ip_address), subnet) for fixed, subnet in offers(lease, 4)]
    answerer = _ANSWERERS.get(request.options.get(Option.MESSAGE_TYPE, b""))
    if answerer is None or not found:
        return None
    reply = answerer(_Exchange(request, lease, settings, found))
    return None if reply is None else _sent(request, reply)


def _discover(exchange: _Exchange) -> Message:
    offer = exchange.offer_of(exchange.asked(Option.REQUESTED_ADDRESS)) or exchange.offers[0]
    if Option.RAPID_COMMIT in exchange.request.options:
        return _given(exchange, offer, Type.ACK, {Option.RAPID_COMMIT: b""})
    return _given(exchange, offer, Type.OFFER)


def _request(exchange: _Exchange) -> Message | None:
    """What we have offered, what is to be renewed, or what a client remembers; not another server's offer."""
    if exchange.asked(Option.SERVER_ID, SERVER_ADDRESS.packed) != SERVER_ADDRESS.packed:
        return None
    offer = exchange.offer_of(exchange.asked(Option.REQUESTED_ADDRESS, exchange.request.ciaddr))
    if offer is None:
        return _message(exchange, Type.NAK, {Option.MESSAGE: b"this address is not this port's"})
    return _given(exchange, offer, Type.ACK)


def _inform(exchange: _Exchange) -> Message:
    """DHCPINFORM: it has its address from elsewhere, and wants the options only (RFC 2131 3.4)."""
    offer = exchange.offer_of(exchange.request.ciaddr) or exchange.offers[0]
    said = _chosen(exchange, {}, _contents(exchange, offer))
    return _message(exchange, Type.ACK, said, ciaddr=exchange.request.ciaddr)


_ANSWERERS: Mapping[bytes, Callable[[_Exchange], Message | None]] = {
    bytes((Type.DISCOVER,)): _discover,
    bytes((Type.REQUEST,)): _request,
    bytes((Type.INFORM,)): _inform,
}


def _given(exchange: _Exchange, offer: _Offer, kind: Type, more: Contents | None = None) -> Message:
    seconds = extras(exchange.lease, 4).get(Option.LEASE_TIME)
    times = _times(int.from_bytes(seconds, "big") if seconds else exchange.settings.lease_seconds)
    said = _chosen(exchange, {**times, **(more or {})}, _contents(exchange, offer))
    return _message(exchange, kind, said, ciaddr=exchange.request.ciaddr, yiaddr=offer.address.packed)


def _message(exchange: _Exchange, kind: Type, said: Contents, *, ciaddr: bytes = NONE, yiaddr: bytes = NONE) -> Message:
    request = exchange.request
    return Message(
        op=message4.BOOT_REPLY,
        xid=request.xid,
        flags=request.flags,
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        chaddr=request.chaddr,
        options={**_head(request, kind), **said, **_head(request, kind)},  # first, and not to be replaced
    )


def _head(request: Message, kind: Type) -> Contents:
    client = {code: value for code, value in request.options.items() if code == Option.CLIENT_ID}
    return {Option.MESSAGE_TYPE: bytes((kind,)), Option.SERVER_ID: SERVER_ADDRESS.packed, **client}


def _sent(request: Message, reply: Message) -> Datagram:
    """To the address that the client has; else, by its broadcast flag, to everybody or to the one that it is about to
    get."""
    eth_dst, dst = request.chaddr, reply.yiaddr if reply.ciaddr == NONE else reply.ciaddr
    if dst == NONE or (reply.ciaddr == NONE and request.flags & message4.BROADCAST_FLAG):
        eth_dst, dst = EVERYBODYS_MAC, EVERYBODY.packed
    return Datagram(
        eth_src=octets(SERVER_MAC),
        eth_dst=eth_dst,
        src=SERVER_ADDRESS,
        dst=IPv4Address(dst),
        sport=67,
        dport=68,
        payload=message4.encode(reply),
    )


# what an answer says


def _times(seconds: int) -> Contents:
    times = {
        Option.LEASE_TIME: seconds,
        Option.RENEWAL_TIME: int(seconds * RENEW_AFTER),
        Option.REBINDING_TIME: int(seconds * REBIND_AFTER),
    }
    return {option: number.to_bytes(4, "big") for option, number in times.items()}


def _contents(exchange: _Exchange, offer: _Offer) -> Contents:
    """What there is to say of the subnet, the most important first."""
    subnet, network = offer.subnet, IPv4Network(offer.subnet.cidr)
    gateway, routes = _routes(exchange.lease, subnet)
    ours = (str(SERVER_ADDRESS),) if exchange.settings.names else ()
    servers = [IPv4Address(one).packed for one in subnet.dns_nameservers or ours if one != ON_LINK]
    said = {
        Option.NETMASK: network.netmask.packed,
        Option.STATIC_ROUTES: options.classless(routes),
        Option.ROUTER: IPv4Address(gateway).packed if gateway else b"",
        Option.MTU: exchange.lease.mtu.to_bytes(2, "big"),
        Option.DNS_SERVER: b"".join(servers),
        Option.DOMAIN_NAME: (exchange.lease.domain or exchange.settings.domain).encode(),
        Option.BROADCAST: network.broadcast_address.packed,
        Option.HOSTNAME: (exchange.lease.port.dns_name.removesuffix(".") or host_name(str(offer.address))).encode(),
        Option.MICROSOFT_STATIC_ROUTES: options.classless(routes),
    }
    return {option: value for option, value in said.items() if value}


def _routes(lease: Lease, subnet: Subnet) -> tuple[str | None, list[tuple[str, str]]]:
    """The gateway, and all routes: a client that takes these does not look at the gateway any more.  Among them the
    way to ourselves, so that a lease can be renewed where there is no gateway."""
    gateway = subnet.gateway_ip
    if gateway is None:
        gateway = next((route.nexthop for route in subnet.host_routes if route.destination == ANYWHERE), None)
    routes = [(route.destination, route.nexthop) for route in subnet.host_routes if route.destination != ANYWHERE]
    others = [other.cidr for other in lease.subnets if other.ip_version == 4 and other.id != subnet.id]
    routes += [(cidr, ON_LINK) for cidr in (*others, f"{SERVER_ADDRESS}/32")]
    return gateway, [*routes, *([(ANYWHERE, gateway)] if gateway else [])]


def _chosen(exchange: _Exchange, first: Contents, rest: Contents) -> Contents:
    """As much as the client has room for, in the order in which it wants it.  What the port's owner has added replaces
    what we would say, and is sent unrequested."""
    added = extras(exchange.lease, 4)
    contents = {**first, **rest, **added}
    wanted = [code for code in exchange.asked(Option.WANTED) if code in contents]
    order = dict.fromkeys([*first, *wanted, *added, *(code for code in rest if code not in ON_REQUEST)])
    given = ((code, contents[code]) for code in order if contents[code] or code in first)
    return dict(_fitting(given, _room(exchange)))


def _fitting(given: Iterator[tuple[int, bytes]], room: int) -> Iterator[tuple[int, bytes]]:
    for code, value in given:
        size = len(message4.encode_option(code, value))
        if size <= room:
            room -= size
            yield code, value


def _room(exchange: _Exchange) -> int:
    """For options, besides those of every message."""
    most = max(int.from_bytes(exchange.asked(Option.MAX_MESSAGE_SIZE)[:2], "big"), LEAST_ROOM)
    head = sum(len(message4.encode_option(*one)) for one in _head(exchange.request, Type.ACK).items())
    return min(most, exchange.lease.mtu) - HEADERS - message4.OVERHEAD - head
