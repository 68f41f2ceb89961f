"""The DHCP codec: what is written is read; what makes no sense is nothing, whatever bytes they are."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweft.dataplane.dhcp import message4, options
from netweft.dataplane.dhcp.message4 import Message, Option
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram

MACS = st.binary(min_size=6, max_size=6)
PAYLOADS = st.binary(max_size=600)


@given(MACS, MACS, st.ip_addresses(), st.data(), PAYLOADS)
def test_a_datagram_is_read_as_it_was_written(
    eth: bytes, to: bytes, src: object, data: st.DataObject, payload: bytes
) -> None:
    source = ip_address(str(src))
    dst = data.draw(st.ip_addresses(v=source.version))
    sent = Datagram(eth_src=eth, eth_dst=to, src=source, dst=dst, sport=68, dport=67, payload=payload)
    frame = datagram.encode(sent)
    assert datagram.decode(frame) == sent
    assert datagram.decode(frame + b"padding") == sent
    assert all(datagram.decode(frame[:cut]) is None for cut in range(0, len(frame), 7))


@given(st.binary(max_size=100), st.sampled_from([0x0800, 0x86DD]))
def test_any_frame_can_be_read(data: bytes, eth_type: int) -> None:
    datagram.decode(data)
    datagram.decode(bytes(12) + eth_type.to_bytes(2, "big") + data)


def test_a_fragment_is_no_datagram() -> None:
    here = ip_address("10.0.0.1")
    frame = datagram.encode(
        Datagram(eth_src=bytes(6), eth_dst=bytes(6), src=here, dst=here, sport=1, dport=2, payload=b"")
    )
    assert datagram.decode(frame) is not None
    assert datagram.decode(frame[:20] + b"\x20\x00" + frame[22:]) is None


OPTIONS = st.dictionaries(st.integers(1, 254).filter(lambda code: code != Option.OVERLOAD), st.binary(max_size=600))


@given(st.integers(0, 2**32 - 1), MACS, st.binary(min_size=4, max_size=4), OPTIONS)
def test_a_message_is_read_as_it_was_written(xid: int, mac: bytes, address: bytes, found: dict[int, bytes]) -> None:
    sent = Message(op=1, xid=xid, chaddr=mac, ciaddr=address, flags=0x8000, options=found)
    assert message4.decode(message4.encode(sent)) == sent


@given(st.binary(max_size=400))
def test_any_message_can_be_read(data: bytes) -> None:
    message4.decode(data)
    message4.decode(message4.encode(Message(op=1, xid=1, chaddr=bytes(6)))[:240] + data)


def test_options_go_on_in_the_fields_of_file_and_name() -> None:
    data = bytearray(message4.encode(Message(op=1, xid=1, chaddr=bytes(6), options={Option.OVERLOAD: b"\3"})))
    data[108:113] = bytes((Option.HOSTNAME, 2)) + b"ab" + b"\xff"
    data[44:49] = bytes((Option.HOSTNAME, 2)) + b"cd" + b"\xff"
    found = message4.decode(bytes(data))
    assert found is not None
    assert found.options[Option.HOSTNAME] == b"abcd"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mtu", "1400", (26, b"\x05\x78")),
        ("option:mtu", "0x578", (26, b"\x05\x78")),
        ("26", "1400", (26, b"\x05\x78")),
        ("router", "10.0.0.1, 10.0.0.2", (3, b"\x0a\0\0\1\x0a\0\0\2")),
        ("router", "", (3, b"")),
        ("bootfile-name", "pxe.0", (67, b"pxe.0")),
        ("domain-search", "a.example,b", (119, b"\1a\7example\0\1b\0")),
        ("classless-static-route", "0.0.0.0/0,10.0.0.1,10.1.0.0/16,0.0.0.0", (121, b"\0\x0a\0\0\1\x10\x0a\1\0\0\0\0")),
        ("210", "/tftpboot/", (210, b"/tftpboot/")),
        ("200", "10.0.0.1,10.0.0.2", (200, b"\x0a\0\0\1\x0a\0\0\2")),
        ("43", "01:04:0a:00:00:01", (43, b"\1\4\x0a\0\0\1")),
        ("200", "300", (200, b"\x01\x2c")),
    ],
)
def test_options_by_name_or_number(name: str, value: str, expected: tuple[int, bytes]) -> None:
    assert options.encode(name, value) == expected


def test_options_of_version_6_have_numbers_of_their_own() -> None:
    assert options.encode("option6:dns-server", "[2001:db8::1]", 6) == (23, ip_address("2001:db8::1").packed)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("mtu", "much", "cannot be 'much'"),
        ("mtu", "70000", "cannot be '70000'"),
        ("router", "here", "cannot be 'here'"),
        ("colour", "blue", "'colour' is the name of no DHCP option"),
        ("255", "1", "'255' is the name of no DHCP option"),
        ("classless-static-route", "10.0.0.0/8", "no next hop"),
    ],
)
def test_what_cannot_be_sent_is_said_in_words(name: str, value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        options.encode(name, value)


@given(st.text(max_size=20) | st.integers(0, 300).map(str), st.text(max_size=40), st.sampled_from([4, 6]))
def test_any_text_is_an_option_or_a_value_error(name: str, value: str, version: int) -> None:
    try:
        code, found = options.encode(name, value, version)
    except ValueError:
        return
    assert 0 < code <= 0xFFFF
    assert isinstance(found, bytes)
