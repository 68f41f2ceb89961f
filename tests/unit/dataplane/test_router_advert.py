"""Router advertisements: bytes as the RFCs have them, never more of them than any link carries."""

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.dataplane.packets.datagram import packet, upper_checksum
from netweft.dataplane.packets.router_advert import (
    LONGEST,
    Advertisement,
    Domain,
    PrefixInfo,
    Server,
    encode,
    solicitation,
)

MAC, THEIRS = bytes.fromhex("fa163eff0001"), bytes.fromhex("fa163e00000a")
SOURCE, ASKER = IPv6Address("fe80::f816:3eff:feff:1"), IPv6Address("fe80::f816:3eff:fe00:a")
BLUE = PrefixInfo(IPv6Network("fd00:a::/64"), True, 86400, 14400)
SERVERS = tuple(Server(IPv6Address(f"fd00::{number}"), 1800) for number in (1, 2))
SAID = Advertisement(mac=MAC, source=SOURCE, lifetime=1800, mtu=1450, prefixes=(BLUE,), servers=SERVERS)
DOMAINS = (Domain("corp.example", 1800), Domain("abcdef", 0))


def body(frame: bytes) -> bytes:
    """The ICMPv6 message, once all before it is seen to be right."""
    assert frame[12:14] == bytes.fromhex("86dd")
    assert int.from_bytes(frame[18:20], "big") == len(frame) - 54
    assert frame[20:22] == bytes((58, 255)), "neighbour discovery: hop limit 255"
    ends = IPv6Address(frame[22:38]), IPv6Address(frame[38:54])
    assert upper_checksum(*ends, 58, frame[54:]) == 0
    return frame[54:]


def options(message: bytes) -> Iterator[bytes]:
    rest = message[16:]
    while rest:
        yield rest[: rest[1] * 8]
        rest = rest[rest[1] * 8 :]


def test_all_that_is_said_stands_where_it_belongs() -> None:
    (frame,) = encode(SAID)
    assert frame[:12] == bytes.fromhex("333300000001") + MAC
    assert frame[22:54] == SOURCE.packed + IPv6Address("ff02::1").packed
    message = body(frame)
    assert message[:2] == bytes((134, 0))
    assert message[4:16] == bytes((64, 0)) + (1800).to_bytes(2, "big") + bytes(8)
    link, mtu, prefix, servers = options(message)
    assert link == bytes((1, 1)) + MAC
    assert mtu == bytes((5, 1, 0, 0)) + (1450).to_bytes(4, "big")
    times = (86400).to_bytes(4, "big") + (14400).to_bytes(4, "big")
    assert prefix == bytes((3, 4, 64, 0xC0)) + times + bytes(4) + BLUE.network.network_address.packed
    both = b"".join(server.address.packed for server in SERVERS)
    assert servers == bytes((25, 5, 0, 0)) + (1800).to_bytes(4, "big") + both


def test_the_requester_gets_it_alone() -> None:
    (frame,) = encode(SAID, (THEIRS, ASKER))
    assert frame[:6] == THEIRS
    assert frame[38:54] == ASKER.packed
    body(frame)


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ({}, 0),
        ({"managed": True}, 0x80),
        ({"other": True}, 0x40),
        ({"managed": True, "other": True, "low": True}, 0xD8),
        ({"low": True, "lifetime": 0}, 0),
    ],
)
def test_flags(more: dict[str, bool], flags: int) -> None:
    (frame,) = encode(replace(SAID, **more))
    assert body(frame)[5] == flags


def test_addresses_that_dhcp_gives_are_on_the_link_only() -> None:
    (frame,) = encode(replace(SAID, prefixes=(replace(BLUE, autonomous=False),)))
    assert list(options(body(frame)))[2][3] == 0x80


def test_an_mtu_below_ipv6s_is_not_said() -> None:
    (frame,) = encode(replace(SAID, mtu=1279))
    assert 5 not in [option[0] for option in options(body(frame))]


def test_servers_that_are_none_any_more_stand_apart() -> None:
    (frame,) = encode(replace(SAID, servers=(replace(SERVERS[0], lifetime=0), SERVERS[1])))
    lives, gone = list(options(body(frame)))[3:]
    assert (lives[4:8], lives[8:]) == ((1800).to_bytes(4, "big"), SERVERS[1].address.packed)
    assert (gone[4:8], gone[8:]) == (bytes(4), SERVERS[0].address.packed)


def test_domains_are_filled_up_to_eight_bytes() -> None:
    (frame,) = encode(replace(SAID, domains=DOMAINS))
    lives, gone = list(options(body(frame)))[4:]
    assert lives == bytes((31, 3, 0, 0)) + (1800).to_bytes(4, "big") + b"\4corp\7example\0\0\0"
    assert gone == bytes((31, 2, 0, 0)) + bytes(4) + b"\6abcdef\0", "and not further"


@given(st.integers(0, 120), st.integers(0, 200))
def test_however_much_it_is_all_of_it_is_said_in_packets_that_every_link_carries(prefixes: int, servers: int) -> None:
    said = replace(
        SAID,
        managed=True,
        prefixes=tuple(replace(BLUE, network=IPv6Network(f"fd00:{n:x}::/64")) for n in range(prefixes)),
        servers=tuple(Server(IPv6Address(n + 1), 1800) for n in range(servers)),
    )
    messages = [body(frame) for frame in encode(said) if len(frame) <= 14 + LONGEST]
    assert len(messages) == len(encode(said)), "none is longer"
    assert {message[4:16] for message in messages} == {messages[0][4:16]}, "each says what the router is"
    found = [option for message in messages for option in options(message)]
    assert [o[16:32] for o in found if o[0] == 3] == [one.network.network_address.packed for one in said.prefixes]
    packed = b"".join(option[8:] for option in found if option[0] == 25)
    assert packed == b"".join(server.address.packed for server in said.servers)


def asks(src: str, more: bytes = b"", *, kind: int = 133, code: int = 0, hops: int = 255, mac: bytes = THEIRS) -> bytes:
    ends = IPv6Address(src), IPv6Address("ff02::2")
    return packet((mac, bytes.fromhex("333300000002")), ends, 58, bytes((kind, code)) + bytes(6) + more, hops)


LINK = bytes((1, 1)) + THEIRS


@pytest.mark.parametrize(("src", "more"), [(str(ASKER), b""), (str(ASKER), LINK), ("fd00:a::5", LINK)])
def test_solicitations_are_answered_to_the_requester(src: str, more: bytes) -> None:
    asked = solicitation(asks(src, more))
    assert asked is not None
    assert asked.to == (THEIRS, IPv6Address(src))


def test_one_without_an_address_is_answered_for_all() -> None:
    asked = solicitation(asks("::"))
    assert asked is not None
    assert asked.to == (bytes.fromhex("333300000001"), IPv6Address("ff02::1"))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        asks("::", LINK),  # RFC 4861 6.1.1: who has no address names no MAC
        asks(str(ASKER), hops=64),
        asks(str(ASKER), code=1),
        asks(str(ASKER), kind=134),
        asks(str(ASKER), bytes((1, 0)) + THEIRS),  # an option without length
        asks(str(ASKER), LINK[:5]),
        asks("ff02::1"),
        asks("::1"),
        asks(str(ASKER), mac=bytes.fromhex("333300000001")),
        asks(str(ASKER))[:-1],
        asks(str(ASKER), LINK)[:-3],
        asks(str(ASKER)).replace(bytes.fromhex("86dd"), bytes.fromhex("0800")),
    ],
)
def test_what_is_not_answered(frame: bytes) -> None:
    assert solicitation(frame) is None


@given(st.binary(max_size=120), st.integers(0, 120))
def test_whatever_is_sent_breaks_nothing(noise: bytes, at: int) -> None:
    good = asks(str(ASKER), LINK)
    solicitation(noise)
    solicitation(good[:at] + noise)
    solicitation(good[:54] + noise)
