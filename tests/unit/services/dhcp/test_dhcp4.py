"""DHCPv4: what a port is told, by every message that a client may send."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from netweft.dataplane.dhcp import message4
from netweft.dataplane.dhcp.message4 import Message, Option, Type
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram
from netweft.model import ExtraDhcpOpt, FixedIp, HostRoute
from netweft.services.addresses import octets
from netweft.services.dhcp import dhcp4
from netweft.services.dhcp.requests import SERVER_ADDRESS, SERVER_MAC
from netweft.services.values import DhcpSettings, Lease
from netweft.testing.region import network, port, subnet

NET = network(1)
SUBNET = subnet(NET, "10.0.0.0/24", gateway_ip="10.0.0.254", dns_nameservers=("9.9.9.9", "1.1.1.1"))
PORT = port(5, NET, "10.0.0.5")
LEASE = Lease(number=17, port=PORT, mtu=1450, subnets=(SUBNET,))
SETTINGS = DhcpSettings(lease_seconds=1000, domain="example.org")
MAC = octets(PORT.mac_address)
ADDRESS, SERVER = IPv4Address("10.0.0.5"), SERVER_ADDRESS


def sent(kind: Type | int, *, src: str = "0.0.0.0", mac: bytes = MAC, **more: object) -> Datagram:
    options: dict[int, bytes] = {Option.MESSAGE_TYPE: bytes((kind,)), **more.pop("options", {})}  # type: ignore[dict-item]
    request = replace(Message(op=1, xid=7, chaddr=mac, options=options), **more)
    return Datagram(
        eth_src=mac, eth_dst=b"\xff" * 6, src=IPv4Address(src), dst=IPv4Address("255.255.255.255"), sport=68, dport=67,
        payload=message4.encode(request),
    )  # fmt: skip


def ask(kind: Type, lease: Lease = LEASE, settings: DhcpSettings = SETTINGS, **more: object) -> Message | None:
    reply = dhcp4.answer(lease, sent(kind, **more), settings)  # type: ignore[arg-type]
    return message4.decode(reply.payload) if reply else None


def said(kind: Type, lease: Lease = LEASE, settings: DhcpSettings = SETTINGS, **more: object) -> dict[int, bytes]:
    reply = ask(kind, lease, settings, **more)
    assert reply is not None
    return dict(reply.options)


def kind_of(reply: Message | None) -> Type | None:
    return Type(reply.options[Option.MESSAGE_TYPE][0]) if reply else None


def packed(*addresses: str) -> bytes:
    return b"".join(IPv4Address(address).packed for address in addresses)


def test_an_offer_says_it_all() -> None:
    reply = ask(Type.DISCOVER)
    assert reply is not None
    assert (reply.op, reply.xid, reply.chaddr, reply.yiaddr) == (2, 7, MAC, ADDRESS.packed)
    everywhere = b"\x20\xa9\xfe\xa9\xfe\0\0\0\0" + b"\0" + packed("10.0.0.254")
    assert reply.options == {
        Option.MESSAGE_TYPE: bytes((Type.OFFER,)),
        Option.SERVER_ID: SERVER.packed,
        Option.LEASE_TIME: (1000).to_bytes(4, "big"),
        Option.RENEWAL_TIME: (500).to_bytes(4, "big"),
        Option.REBINDING_TIME: (875).to_bytes(4, "big"),
        Option.NETMASK: packed("255.255.255.0"),
        Option.STATIC_ROUTES: everywhere,
        Option.ROUTER: packed("10.0.0.254"),
        Option.MTU: (1450).to_bytes(2, "big"),
        Option.DNS_SERVER: packed("9.9.9.9", "1.1.1.1"),
        Option.DOMAIN_NAME: b"example.org",
        Option.BROADCAST: packed("10.0.0.255"),
    }


def test_some_things_are_said_on_request_only() -> None:
    wanted = bytes((Option.HOSTNAME, Option.MICROSOFT_STATIC_ROUTES))
    answer = said(Type.DISCOVER, options={Option.WANTED: wanted})
    assert answer[Option.HOSTNAME] == b"host-10-0-0-5"
    assert answer[Option.MICROSOFT_STATIC_ROUTES] == answer[Option.STATIC_ROUTES]


@pytest.mark.parametrize(
    ("more", "to", "mac"),
    [
        ({}, ADDRESS, MAC),
        ({"flags": 0x8000}, IPv4Address("255.255.255.255"), b"\xff" * 6),
        ({"flags": 0x8000, "ciaddr": ADDRESS.packed}, ADDRESS, MAC),
    ],
)
def test_where_an_answer_goes(more: dict[str, object], to: IPv4Address, mac: bytes) -> None:
    reply = dhcp4.answer(LEASE, sent(Type.REQUEST, **{"ciaddr": b"\0" * 4, **more, "options": OF_ADDRESS}), SETTINGS)  # type: ignore[arg-type]
    assert reply is not None
    assert (reply.src, reply.eth_src, reply.sport, reply.dport) == (SERVER, octets(SERVER_MAC), 67, 68)
    assert (reply.dst, reply.eth_dst) == (to, mac)
    assert datagram.decode(datagram.encode(reply)) == reply


OF_ADDRESS = {Option.REQUESTED_ADDRESS: ADDRESS.packed}
OF_ANOTHER = {Option.REQUESTED_ADDRESS: packed("10.0.0.6")}
OURS = {Option.SERVER_ID: SERVER.packed}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"options": OF_ADDRESS | OURS}, Type.ACK),  # selecting
        ({"options": OF_ADDRESS}, Type.ACK),  # rebooting
        ({"ciaddr": ADDRESS.packed}, Type.ACK),  # renewing, rebinding
        ({"options": OF_ANOTHER | OURS}, Type.NAK),
        ({"options": OF_ANOTHER}, Type.NAK),
        ({"ciaddr": packed("192.168.0.5")}, Type.NAK),
        ({}, Type.NAK),
        ({"options": OF_ADDRESS | {Option.SERVER_ID: packed("10.0.0.254")}}, None),  # it has chosen another server
    ],
)
def test_a_request_is_granted_refused_or_not_for_us(more: dict[str, object], kind: Type | None) -> None:
    reply = ask(Type.REQUEST, **more)  # type: ignore[arg-type]
    assert kind_of(reply) == kind
    if reply and kind == Type.ACK:
        assert reply.yiaddr == ADDRESS.packed
    if reply and kind == Type.NAK:
        assert reply.yiaddr == message4.NONE
        assert set(reply.options) == {Option.MESSAGE_TYPE, Option.SERVER_ID, Option.MESSAGE}


def test_a_refusal_goes_to_everybody() -> None:
    reply = dhcp4.answer(LEASE, sent(Type.REQUEST, ciaddr=packed("10.0.0.9")), SETTINGS)
    assert reply is not None
    assert (reply.eth_dst, str(reply.dst)) == (b"\xff" * 6, "255.255.255.255")


def test_in_a_hurry_the_offer_is_the_grant() -> None:
    answer = said(Type.DISCOVER, options={Option.RAPID_COMMIT: b""})
    assert answer[Option.MESSAGE_TYPE] == bytes((Type.ACK,))
    assert answer[Option.RAPID_COMMIT] == b""


def test_who_has_an_address_from_elsewhere_gets_no_lease() -> None:
    reply = ask(Type.INFORM, ciaddr=ADDRESS.packed)
    assert reply is not None
    assert kind_of(reply) == Type.ACK
    assert reply.yiaddr == message4.NONE
    assert Option.LEASE_TIME not in reply.options
    assert reply.options[Option.MTU] == (1450).to_bytes(2, "big")


@pytest.mark.parametrize("kind", [Type.DECLINE, Type.RELEASE, Type.OFFER, Type.ACK, Type.NAK, 99])
def test_nothing_is_to_be_said_to_these(kind: int) -> None:
    assert dhcp4.answer(LEASE, sent(kind, ciaddr=ADDRESS.packed), SETTINGS) is None


def test_only_the_ports_own_mac_is_answered() -> None:
    stranger = octets("fa:16:3e:00:00:99")
    assert dhcp4.answer(LEASE, sent(Type.DISCOVER, mac=stranger), SETTINGS) is None
    assert dhcp4.answer(LEASE, replace(sent(Type.DISCOVER), eth_src=stranger), SETTINGS) is None
    assert dhcp4.answer(LEASE, sent(Type.DISCOVER, chaddr=stranger), SETTINGS) is None


def test_a_relay_is_not_answered() -> None:
    assert ask(Type.DISCOVER, giaddr=packed("10.0.0.1")) is None


def test_of_several_addresses_the_first_or_the_requested_one() -> None:
    second = subnet(NET, "10.8.0.0/16", id="second", gateway_ip=None)
    off = subnet(NET, "10.9.0.0/16", id="off", enable_dhcp=False)
    fixed = (FixedIp("off", "10.9.0.5"), *PORT.fixed_ips, FixedIp("second", "10.8.0.5"))
    lease = replace(LEASE, port=replace(PORT, fixed_ips=fixed), subnets=(SUBNET, off, second))
    first = ask(Type.DISCOVER, lease)
    assert first is not None
    assert first.yiaddr == ADDRESS.packed
    assert b"\x10\x0a\x08\0\0\0\0" in first.options[Option.STATIC_ROUTES], "the other subnet is on the link"
    other = ask(Type.DISCOVER, lease, options={Option.REQUESTED_ADDRESS: packed("10.8.0.5")})
    assert other is not None
    assert other.yiaddr == packed("10.8.0.5")
    assert Option.ROUTER not in other.options
    assert kind_of(ask(Type.REQUEST, lease, ciaddr=packed("10.9.0.5"))) == Type.NAK


def test_without_an_address_with_dhcp_there_is_no_answer() -> None:
    assert ask(Type.DISCOVER, replace(LEASE, subnets=())) is None
    assert ask(Type.DISCOVER, replace(LEASE, subnets=(replace(SUBNET, enable_dhcp=False),))) is None


def test_host_routes_and_no_gateway() -> None:
    routes = (HostRoute("172.16.0.0/12", "10.0.0.9"), HostRoute("0.0.0.0/0", "10.0.0.7"))
    lonely = replace(SUBNET, gateway_ip=None, host_routes=routes, dns_nameservers=("0.0.0.0",))
    answer = said(Type.DISCOVER, replace(LEASE, subnets=(lonely,)))
    assert answer[Option.ROUTER] == packed("10.0.0.7")
    assert answer[Option.STATIC_ROUTES].startswith(b"\x0c\xac\x10" + packed("10.0.0.9"))
    assert answer[Option.STATIC_ROUTES].endswith(b"\0" + packed("10.0.0.7"))
    assert Option.DNS_SERVER not in answer


def test_a_subnet_without_name_servers_has_the_node_where_that_answers_for_names() -> None:
    lease = replace(LEASE, subnets=(replace(SUBNET, dns_nameservers=()),), domain="corp.test")
    answer = said(Type.DISCOVER, lease, settings=replace(SETTINGS, names=True))
    assert (answer[Option.DNS_SERVER], answer[Option.DOMAIN_NAME]) == (packed("169.254.169.254"), b"corp.test")
    assert Option.DNS_SERVER not in said(Type.DISCOVER, lease)
    none = replace(lease, subnets=(replace(SUBNET, dns_nameservers=("0.0.0.0",)),))
    assert Option.DNS_SERVER not in said(Type.DISCOVER, none, settings=replace(SETTINGS, names=True))


def test_a_port_is_called_what_its_name_says() -> None:
    wanted = {Option.WANTED: bytes((Option.HOSTNAME,))}
    named = replace(LEASE, port=replace(PORT, dns_name="web"))
    assert said(Type.DISCOVER, named, options=wanted)[Option.HOSTNAME] == b"web"


def test_what_the_ports_owner_adds_replaces_what_we_say() -> None:
    added = (
        ExtraDhcpOpt("mtu", "1300"),
        ExtraDhcpOpt("option:router", ""),
        ExtraDhcpOpt("210", "/boot/"),
        ExtraDhcpOpt("53", "1"),
        ExtraDhcpOpt("colour", "blue"),
        ExtraDhcpOpt("dns-server", "2001:db8::1", ip_version=6),
    )
    answer = said(Type.DISCOVER, replace(LEASE, port=replace(PORT, extra_dhcp_opts=added)))
    assert answer[Option.MTU] == (1300).to_bytes(2, "big")
    assert Option.ROUTER not in answer
    assert answer[210] == b"/boot/"
    assert answer[Option.MESSAGE_TYPE] == bytes((Type.OFFER,))
    assert answer[Option.DNS_SERVER] == packed("9.9.9.9", "1.1.1.1")


def test_a_lease_of_the_owners_length_is_renewed_in_time() -> None:
    answer = said(
        Type.DISCOVER, replace(LEASE, port=replace(PORT, extra_dhcp_opts=(ExtraDhcpOpt("lease-time", "60"),)))
    )
    times = [int.from_bytes(answer[code], "big") for code in (Option.LEASE_TIME, Option.RENEWAL_TIME)]
    assert times == [60, 30]


def test_what_has_no_room_is_left_out_and_what_is_wanted_comes_first() -> None:
    many = tuple(HostRoute(f"10.{number}.0.0/16", "10.0.0.9") for number in range(100))
    lease = replace(LEASE, subnets=(replace(SUBNET, host_routes=many),))
    small = sent(Type.DISCOVER, options={Option.WANTED: bytes((Option.MTU,)), Option.MAX_MESSAGE_SIZE: b"\2\x40"})
    reply = dhcp4.answer(lease, small, SETTINGS)
    assert reply is not None
    assert len(reply.payload) <= 576 - 28
    answer = message4.decode(reply.payload)
    assert answer is not None
    assert Option.STATIC_ROUTES not in answer.options
    assert {Option.MTU, Option.ROUTER, Option.LEASE_TIME} <= answer.options.keys()
    assert Option.STATIC_ROUTES in said(Type.DISCOVER, lease, options={Option.MAX_MESSAGE_SIZE: b"\5\xdc"})


@given(st.binary(max_size=400), st.dictionaries(st.integers(1, 254), st.binary(max_size=40)), st.integers(0, 255))
def test_any_request_gets_an_answer_or_none(data: bytes, options: dict[int, bytes], op: int) -> None:
    good = message4.encode(Message(op=op, xid=1, chaddr=MAC, options={53: b"\3", **options}))
    for payload in (data, good, good[:240] + data):
        reply = dhcp4.answer(LEASE, replace(sent(Type.REQUEST), payload=payload), SETTINGS)
        if reply is not None:
            decoded = message4.decode(reply.payload)
            assert decoded is not None
            assert decoded.yiaddr in (ADDRESS.packed, message4.NONE), "never another's address"
