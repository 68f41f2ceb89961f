"""From the packet that a flow sent to the packet that answers it."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from msgspec.structs import replace

from netweft.agent.desired import Desired
from netweft.agent.dhcp import DhcpSide
from netweft.dataplane.dhcp import message4, message6
from netweft.dataplane.dhcp.message4 import Message, Option, Type
from netweft.dataplane.openflow.flow import Resubmit, SetField
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram
from netweft.services.addresses import octets
from netweft.services.dhcp.dhcp4 import EVERYBODY, EVERYBODYS_MAC
from netweft.services.fields import OUT_PORT
from netweft.services.kinds import LEASE
from netweft.services.pipeline import INT
from netweft.services.values import DhcpSettings, Lease, LocalNetwork, LocalPort
from netweft.testing.region import network, port, subnet

NET = network(1)
PORT, OTHER = port(5, NET, "10.0.0.5", "2001:db8::5"), port(6, NET, "10.0.0.6")
SUBNETS = (subnet(NET, "10.0.0.0/24"), subnet(NET, "2001:db8::/64"))
MAC = octets(PORT.mac_address)


class Leases(Desired):
    """What the side asks for."""

    def __init__(self) -> None:
        super().__init__()
        self._held[LEASE] = {
            number: Lease(number=number, port=wanted, mtu=1450, subnets=SUBNETS)
            for number, wanted in ((17, PORT), (18, OTHER))
        }


def frame(mac: bytes = MAC, dport: int = 67) -> bytes:
    asked = Message(op=1, xid=7, chaddr=mac, options={Option.MESSAGE_TYPE: bytes((Type.DISCOVER,))})
    ends = {"eth_src": mac, "eth_dst": EVERYBODYS_MAC, "src": IPv4Address("0.0.0.0"), "dst": EVERYBODY}
    return datagram.encode(Datagram(**ends, sport=68, dport=dport, payload=message4.encode(asked)))  # type: ignore[arg-type]


def solicit() -> bytes:
    ask = message6.encode(message6.Message(message6.Type.SOLICIT, b"abc", ((message6.Option.CLIENT_ID, b"me"),)))
    ends = {"src": IPv6Address("fe80::5"), "dst": IPv6Address("ff02::1:2"), "sport": 546, "dport": 547}
    return datagram.encode(Datagram(eth_src=MAC, eth_dst=octets("33:33:00:01:00:02"), **ends, payload=ask))  # type: ignore[arg-type]


def packet(data: bytes) -> PacketIn:
    return PacketIn(0, {}, data)


def here(number: int) -> LocalPort:
    net = LocalNetwork(network=NET, vlan=1, segment=NET.segments[0])
    open_port = replace(PORT, port_security_enabled=False)
    return LocalPort(port=open_port, network=net, port_name="tap", ofport=number)


@pytest.fixture
async def side() -> DhcpSide:
    return DhcpSide(Leases(), DhcpSettings())


@pytest.mark.parametrize(("data", "sport"), [(frame(), 67), (solicit(), 547)])
async def test_the_answer_goes_out_of_the_requesters_port(side: DhcpSide, data: bytes, sport: int) -> None:
    (answer,) = side.answer(here(17), packet(data))
    assert answer.actions == (SetField(OUT_PORT, 17), Resubmit(INT["deliver"].id))
    said = datagram.decode(answer.frame)
    assert said is not None
    assert said.sport == sport


@pytest.mark.parametrize(("number", "data"), [(99, frame()), (17, frame(dport=53)), (17, b"")])
async def test_what_is_no_request_of_a_port_with_a_lease(side: DhcpSide, number: int, data: bytes) -> None:
    assert not list(side.answer(here(number), packet(data)))
