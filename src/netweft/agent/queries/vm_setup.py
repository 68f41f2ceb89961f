"""What a VM does with a packet that it gets: which address it resolves, and to which MAC it sends its answer.

So it shows how the VM is set up, which nobody but itself knows: its mask, its gateway, what it keeps of neighbours.  To
make it answer, a packet is put out at its interface, and an ARP probe of its address (RFC 5227: that leaves no
trace in it).  Nothing is written.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from netweft.agent.queries.probing import LOOK, frame, mark_of
from netweft.agent.queries.trace_input import NotHere, check, mapped
from netweft.dataplane.host.listening import Listener, answers, sent_to
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.openflow.flow import Output, PushVlan, SetField
from netweft.dataplane.packets import arp
from netweft.dataplane.packets.overheard import Overheard, overheard
from netweft.dataplane.packets.probe import PROTOCOLS
from netweft.services.addresses import octets, parsed
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import Limit, meter_number, tagged
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.services.values import LocalPort
from netweft.wire.queries import MOST_HEARD, Ask, Heard, Listen, Sent

if TYPE_CHECKING:
    from netweft.agent.loop import Agent

_NOBODY: Final = IPv4Address("0.0.0.0")
ANSWER: Final = 0.3  # seconds that others on the wire have
_NETDEV: Final = "netdev"  # the datapath that completes no checksums


async def listened(agent: "Agent", question: Ask, asked: Listen) -> tuple[tuple[Heard, ...], int]:
    """And how many packets the port's limits have dropped meanwhile.  Raises NotHere."""
    packet, here = question.packet, agent.desired.local_port(question.port_id)
    if packet is None or here is None or here.ofport <= 0:
        raise NotHere("the port is not wired here")
    check(packet)
    if here.tag:
        raise NotHere("what a sub-port's VM sends cannot be distinguished from what its trunk sends")
    if asked.sends and packet.protocol not in PROTOCOLS:
        raise NotHere("there is no probe of this protocol")
    frames = list(_to_vm(packet, mark_of(asked.mark))) if asked.sends else []
    try:
        before = await _dropped(agent, here)
        with Listener(here.port_name, sent_to(parsed(packet.src))) as listener, _wires(agent, here, packet) as wires:
            for each in frames:
                await agent.bridges[INT.role].send_packet(to_port(here.number, each))
            if frames and wires:
                await agent.bridges[INT.role].send_packet(_on_the_wire(here, packet))
            least = asyncio.sleep(ANSWER if frames and wires else 0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await asyncio.gather(_until_it_answers(listener, packet), least)
            heard = list(filter(None, map(overheard, listener.frames)))
            claimed = [one for wire in wires for one in filter(None, map(overheard, wire.frames))]
        dropped = await _dropped(agent, here) - before
    except (OSError, OpenFlowError) as error:
        raise NotHere(f"its VM cannot be listened to: {error}") from None
    netdev = agent.ovs.view is not None and agent.ovs.view.datapath_of(agent.settings.integration_bridge) == _NETDEV
    own = octets(here.port.mac_address)
    said = dict.fromkeys(_told(one, netdev=netdev) for one in heard if _is_of(one, here, packet))
    others = {one.mac.hex(":") for one in claimed if one.mac != own}
    said |= dict.fromkeys(Heard(kind="claims", address=packet.dst, mac=mac) for mac in sorted(others))
    return _most(said), max(0, dropped)


@contextlib.contextmanager
def _wires(agent: "Agent", here: LocalPort, packet: Sent) -> Iterator[list[Listener]]:
    """By which the port's network leaves the node, where others may have its address.  Raises OSError."""
    view, bridge = agent.ovs.view, mapped(agent).get(here.network.segment.physical_network or "")
    nics = view.nics(bridge) if view is not None and bridge and here.uplink is not None and "." in packet.dst else []
    wanted = answers(octets(here.port.mac_address), IPv4Address(packet.dst)) if nics else []
    with contextlib.ExitStack() as opened:
        yield [opened.enter_context(Listener(nic.name, wanted)) for nic in nics]


def _on_the_wire(here: LocalPort, packet: Sent) -> Packet:
    """Probes the VM's address on this network, but not at the VM itself."""
    assert here.uplink is not None
    question = arp.request(octets(here.port.mac_address), _NOBODY, IPv4Address(packet.dst))
    return Packet(question, (PushVlan(), SetField("vlan_vid", tagged(here.network.vlan)), Output(here.uplink)))


def _to_vm(packet: Sent, mark: bytes) -> Iterator[bytes]:
    if "." in packet.dst:
        yield arp.request(octets(packet.eth_src), _NOBODY, IPv4Address(packet.dst))
    yield frame(packet, mark)


async def _until_it_answers(listener: Listener, packet: Sent) -> None:
    at = 0
    while True:
        await listener.next()
        new, at = listener.frames[at:], len(listener.frames)
        if any(_answers(one, packet) for one in map(overheard, new) if one):
            return


def _answers(one: Overheard, packet: Sent) -> bool:
    return one.kind == "sends" and one.address == parsed(packet.dst)


def _is_of(one: Overheard, here: LocalPort, packet: Sent) -> bool:
    """What it sends in the name of others says nothing of this packet; who has its address may have another MAC."""
    own, address = one.mac == octets(here.port.mac_address), one.address == parsed(packet.dst)
    return {"asks": own, "has": address, "sends": own and address}[one.kind]


def _most(said: dict[Heard, None]) -> tuple[Heard, ...]:
    """A VM that resolves every address must not hide what it sends."""
    asks = [one for one in said if one.kind == "asks"]
    return (*(one for one in said if one.kind != "asks"), *asks)[:MOST_HEARD]


def _told(one: Overheard, *, netdev: bool) -> Heard:
    return Heard(
        kind=one.kind,
        address=str(one.address),
        mac=one.mac.hex(":"),
        to=one.to.hex(":"),
        partial=netdev and one.partial,
    )


async def _dropped(agent: "Agent", here: LocalPort) -> int:
    """By the limits of its QoS policy, ever."""
    numbers = [meter_number(here.number, limit) for limit in Limit]
    return sum((await agent.meters.dropped(numbers)).values())
