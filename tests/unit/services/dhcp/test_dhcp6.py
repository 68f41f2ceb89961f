"""DHCPv6: what a port is told, by every message that a client may send."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.dataplane.dhcp import message6
from netweft.dataplane.dhcp.message6 import Message, Option, Options, Status, Type
from netweft.dataplane.packets.datagram import Datagram
from netweft.model import ExtraDhcpOpt
from netweft.services.addresses import octets
from netweft.services.dhcp import dhcp6
from netweft.services.dhcp.dhcp6 import WHO_WE_ARE
from netweft.services.values import DhcpSettings, Lease
from netweft.testing.region import network, port, subnet

NET = network(1)
SUBNET = subnet(NET, "2001:db8::/64", dns_nameservers=("2001:db8::53",))
PORT = port(5, NET, "2001:db8::5")
LEASE = Lease(number=17, port=PORT, mtu=1450, subnets=(SUBNET,))
SETTINGS = DhcpSettings(lease_seconds=1000, domain="example.org")
MAC, ME, IAID = octets(PORT.mac_address), IPv6Address("fe80::f816:3eff:fe00:5"), b"\0\0\0\7"
ADDRESS, ANOTHER = (IPv6Address(text).packed for text in ("2001:db8::5", "2001:db8::6"))
CLIENT, SERVER = (Option.CLIENT_ID, b"it is me"), (Option.SERVER_ID, WHO_WE_ARE)
EVERYTHING = (Option.WANTED, b"\0\x17\0\x18")


def sent(kind: int, *options: tuple[int, bytes]) -> Datagram:
    return Datagram(
        eth_src=MAC, eth_dst=octets("33:33:00:01:00:02"), src=ME, dst=IPv6Address("ff02::1:2"), sport=546, dport=547,
        payload=message6.encode(Message(kind, b"abc", options)),
    )  # fmt: skip


def association(*addresses: bytes, id: bytes = IAID) -> tuple[int, bytes]:
    inside = tuple((Option.ADDRESS, message6.encode_address(address, 1)) for address in addresses)
    return Option.ASSOCIATION, message6.encode_association(id, 0, 0, inside)


def ask(kind: Type, *options: tuple[int, bytes], lease: Lease = LEASE) -> Message | None:
    reply = dhcp6.answer(lease, sent(kind, *options), SETTINGS)
    return message6.decode(reply.payload) if reply else None


def given_in(reply: Message | None) -> Options:
    """Inside the first association."""
    assert reply is not None
    found = reply.first(Option.ASSOCIATION)
    assert found is not None
    assert found[:4] == IAID
    inside = message6.decode(b"\0abc" + found[12:])
    assert inside is not None
    return inside.options


OURS = ((Option.ADDRESS, ADDRESS + (1000).to_bytes(4, "big") * 2),)


@pytest.mark.parametrize(
    ("kind", "named", "reply"),
    [
        (Type.SOLICIT, (), Type.ADVERTISE),
        (Type.REQUEST, (SERVER,), Type.REPLY),
        (Type.RENEW, (SERVER,), Type.REPLY),
        (Type.REBIND, (), Type.REPLY),
    ],
)
def test_the_ports_address_is_given(kind: Type, named: Options, reply: Type) -> None:
    got = ask(kind, CLIENT, *named, association(), EVERYTHING)
    assert given_in(got) == OURS
    assert got is not None
    assert (got.kind, got.xid, got.first(Option.CLIENT_ID)) == (reply, b"abc", b"it is me")
    assert got.first(Option.SERVER_ID) == WHO_WE_ARE
    assert got.first(Option.DNS_SERVER) == IPv6Address("2001:db8::53").packed
    assert got.first(Option.DOMAIN_SEARCH) == b"\7example\3org\0"


def test_where_the_answer_goes() -> None:
    reply = dhcp6.answer(LEASE, sent(Type.SOLICIT, CLIENT, association()), SETTINGS)
    assert reply is not None
    assert (reply.eth_dst, reply.dst, reply.sport, reply.dport) == (MAC, ME, 547, 546)


def test_in_a_hurry() -> None:
    got = ask(Type.SOLICIT, CLIENT, association(), (Option.RAPID_COMMIT, b""))
    assert got is not None
    assert got.kind == Type.REPLY
    assert given_in(got) == OURS


def test_another_address_ends_when_it_is_renewed() -> None:
    assert given_in(ask(Type.RENEW, CLIENT, SERVER, association(ANOTHER))) == (
        *OURS,
        (Option.ADDRESS, ANOTHER + bytes(8)),
    )


def test_only_the_first_association_gets_something() -> None:
    got = ask(Type.SOLICIT, CLIENT, association(), association(id=b"more"))
    assert got is not None
    _, second = got.all(Option.ASSOCIATION)
    assert second[12:] == message6.encode_options(((Option.STATUS, message6.encode_status(Status.NO_ADDRESSES)),))


@pytest.mark.parametrize(("held", "status"), [(ANOTHER, Status.SUCCESS), (b"\x20" * 16, Status.NOT_ON_LINK)])
def test_whether_an_address_is_of_this_network(held: bytes, status: Status) -> None:
    got = ask(Type.CONFIRM, CLIENT, association(held))
    assert got is not None
    assert got.first(Option.STATUS) == message6.encode_status(status)


@pytest.mark.parametrize("kind", [Type.RELEASE, Type.DECLINE])
def test_to_give_it_back_changes_nothing(kind: Type) -> None:
    got = ask(kind, CLIENT, SERVER, association(ADDRESS))
    assert got is not None
    assert got.first(Option.STATUS) == message6.encode_status(Status.SUCCESS)


def test_a_stateless_subnet_gives_options_but_no_addresses() -> None:
    lease = replace(LEASE, subnets=(replace(SUBNET, ipv6_address_mode="dhcpv6-stateless"),))
    got = ask(Type.INFORMATION_REQUEST, EVERYTHING, lease=lease)
    assert got is not None
    assert got.first(Option.DNS_SERVER) == IPv6Address("2001:db8::53").packed
    solicited = ask(Type.SOLICIT, CLIENT, association(), lease=lease)
    assert given_in(solicited) == ((Option.STATUS, message6.encode_status(Status.NO_ADDRESSES)),)


@pytest.mark.parametrize(
    "changes",
    [
        {"enable_dhcp": False},
        {"ipv6_address_mode": "slaac"},
        {"ipv6_ra_mode": "slaac"},
        {"ipv6_ra_mode": "dhcpv6-stateful"},
    ],
)
def test_addresses_come_from_router_advertisements(changes: dict[str, object]) -> None:
    assert ask(Type.SOLICIT, CLIENT, association(), lease=replace(LEASE, subnets=(replace(SUBNET, **changes),))) is None


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Type.SOLICIT, ()),
        (Type.SOLICIT, (CLIENT, SERVER)),
        (Type.REQUEST, (CLIENT,)),
        (Type.REQUEST, (CLIENT, (Option.SERVER_ID, b"another"))),
        (Type.INFORMATION_REQUEST, ((Option.SERVER_ID, b"another"),)),
        (Type.REPLY, (CLIENT,)),
        (Type.ADVERTISE, (CLIENT,)),
    ],
)
def test_what_is_not_for_us_is_not_answered(kind: Type, options: Options) -> None:
    assert ask(kind, *options, association()) is None


def test_only_the_ports_own_mac_is_answered() -> None:
    foreign = replace(sent(Type.SOLICIT, CLIENT, association()), eth_src=octets("fa:16:3e:00:00:99"))
    assert dhcp6.answer(LEASE, foreign, SETTINGS) is None


def test_what_the_ports_owner_adds() -> None:
    added = (ExtraDhcpOpt("bootfile-url", "tftp://[::1]/x", 6), ExtraDhcpOpt("2", "1", 6), ExtraDhcpOpt("mtu", "9000"))
    got = ask(Type.SOLICIT, CLIENT, association(), lease=replace(LEASE, port=replace(PORT, extra_dhcp_opts=added)))
    assert got is not None
    assert dict(got.options)[59] == b"tftp://[::1]/x"
    assert list(got.all(Option.SERVER_ID)) == [WHO_WE_ARE]


@given(
    st.binary(max_size=200),
    st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=60)), max_size=6),
    st.integers(0, 255),
)
def test_any_request_gets_an_answer_or_none(data: bytes, options: list[tuple[int, bytes]], kind: int) -> None:
    good = message6.encode(Message(kind, b"abc", (CLIENT, *options)))
    for payload in (data, good, good + data):
        reply = dhcp6.answer(LEASE, replace(sent(Type.SOLICIT), payload=payload), SETTINGS)
        assert reply is None or message6.decode(reply.payload) is not None
