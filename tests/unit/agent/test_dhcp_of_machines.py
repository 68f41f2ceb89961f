"""A machine behind a VTEP asks for its address: the node that answers there for its router answers it, alone."""

from ipaddress import IPv4Address

import pytest
from tests.unit.services.l3.neighbours.test_behind_a_vtep import BLUE, M, World

from netweft.agent.desired import Desired
from netweft.agent.dhcp import MachinesDhcp
from netweft.dataplane.dhcp import message4
from netweft.dataplane.dhcp.message4 import Message, Option, Type
from netweft.dataplane.openflow.fields import ETH_IPV4, PROTO_UDP
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram
from netweft.model import view_of
from netweft.services.addresses import mac, octets
from netweft.services.dhcp.requests import SERVER_ADDRESS, SERVER_MAC
from netweft.services.fields import LOCAL_VLAN, Reason, cookie
from netweft.services.values import DhcpSettings
from netweft.testing import packets
from netweft.testing.switch import Packet

EVERYBODY = "ff:ff:ff:ff:ff:ff"


class Agent(Desired):
    def __init__(self, world: World, node: str) -> None:
        super().__init__()
        self._rendering = world.region.nodes[node].rendering
        self.view = view_of(node, 1, world.region.view_of(node))


def discover(flags: int = 0) -> Datagram:
    request = Message(
        op=message4.BOOT_REQUEST,
        xid=7,
        flags=flags,
        ciaddr=message4.NONE,
        yiaddr=message4.NONE,
        chaddr=octets(M.mac_address),
        options={Option.MESSAGE_TYPE: bytes((Type.DISCOVER,))},
    )
    return Datagram(
        eth_src=octets(M.mac_address),
        eth_dst=b"\xff" * 6,
        src=IPv4Address(0),
        dst=IPv4Address("255.255.255.255"),
        sport=68,
        dport=67,
        payload=message4.encode(request),
    )


def asks(src: str = M.mac_address) -> Packet:
    ends = {"ipv4_src": 0, "ipv4_dst": 0xFFFFFFFF, "udp_src": 68, "udp_dst": 67}
    at = {"eth_src": mac(src), "eth_dst": mac(EVERYBODY), "eth_type": ETH_IPV4, "ip_proto": PROTO_UDP}
    return {**at, **ends, "ip_ttl": 64, "ip_frag": 0}


def handed_up(world: World) -> list[str]:
    return [name for name, node in world.region.nodes.items() if node.bridges["int"].punted]


def test_its_request_goes_to_one_node() -> None:
    world = World()
    assert world.sends(asks(), "hv1", "hv2", "hv3") == []
    assert handed_up(world) == ["hv1"]


def test_a_request_of_somebody_who_is_no_port_goes_to_nobody() -> None:
    world = World()
    world.sends(asks("02:00:00:00:00:77"), "hv1", "hv2", "hv3")
    assert handed_up(world) == []


def test_it_finds_the_server_to_renew_with() -> None:
    world = World()
    world.sends(packets.arp(M.mac_address, "10.0.0.10", str(SERVER_ADDRESS)), "hv1", "hv2", "hv3")
    (said,) = world.end.heard
    assert (said["arp_sha"], said["eth_dst"]) == (mac(SERVER_MAC), mac(M.mac_address))


@pytest.mark.parametrize("flags", [0, message4.BROADCAST_FLAG])
def test_the_answer_goes_to_it_alone_through_its_switch(flags: int) -> None:
    world = World()
    node = world.region.nodes["hv1"]
    desired = Agent(world, "hv1")
    (vlan,) = [vlan for vlan in range(1, 50) if node.rendering.vlans.network_at(vlan) == BLUE.id]
    packet = PacketIn(cookie(Reason.PEER_DHCP, M.id), {LOCAL_VLAN: vlan}, datagram.encode(discover(flags)))
    (answer,) = MachinesDhcp(desired, DhcpSettings(names=True)).answer(None, packet)
    said = datagram.decode(answer.frame)
    assert said is not None
    assert (said.eth_dst, said.eth_src) == (octets(M.mac_address), octets(SERVER_MAC))
    reply = message4.decode(said.payload)
    assert reply is not None
    assert reply.yiaddr == IPv4Address("10.0.0.10").packed
    assert reply.options[Option.NETMASK] == IPv4Address("255.255.255.0").packed
    assert Option.DNS_SERVER not in reply.options
    fields = {"eth_src": mac(SERVER_MAC), "eth_dst": mac(M.mac_address), "eth_type": ETH_IPV4, "ip_proto": PROTO_UDP}
    list(node.bridges["int"].packet_out(fields, answer.actions))
    assert [one["eth_dst"] for one in world.end.heard] == [mac(M.mac_address)]
