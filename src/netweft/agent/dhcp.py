"""DHCP requests that flows send to the agent: each to the packet that answers it, of ports here and of machines."""

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import datagram
from netweft.dataplane.packets.datagram import Datagram
from netweft.services.addresses import octets
from netweft.services.dhcp import dhcp4, dhcp6
from netweft.services.dhcp.machines import to_it
from netweft.services.dhcp.requests import to_port
from netweft.services.fields import LOCAL_VLAN, Reason
from netweft.services.l2.announce import Packet
from netweft.services.values import Asked, DhcpSettings, Lease, LocalPort

_SERVERS: Mapping[int, Callable[[Lease, Datagram, DhcpSettings], Datagram | None]] = {
    67: dhcp4.answer,
    547: dhcp6.answer,
}


class DhcpSide:
    asked = Asked.DHCP
    reasons = frozenset({Reason.NETWORK_DHCP, Reason.PORT_DHCP})

    def __init__(self, desired: Desired, settings: DhcpSettings) -> None:
        self._desired = desired
        self._settings = settings

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        """Empty: there is nothing to say, or it was no request."""
        if here is None:
            return ()
        lease, asked = self._desired.leases.get(here.number), datagram.decode(packet.frame)
        server = _SERVERS.get(asked.dport) if asked else None
        if lease is None or asked is None or server is None:
            return ()
        reply = server(lease, asked, self._settings)
        return () if reply is None else (to_port(here.number, datagram.encode(reply)),)


class MachinesDhcp:
    """Of machines behind VTEPs that this node answers.  Nobody there reaches the names that a node knows."""

    asked = Asked.DHCP
    reasons = frozenset({Reason.PEER_DHCP})

    def __init__(self, desired: Desired, settings: DhcpSettings) -> None:
        self._desired = desired
        self._settings = replace(settings, names=False)

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        network_id, asked = self._desired.network_at(packet.fields.get(LOCAL_VLAN, 0)), datagram.decode(packet.frame)
        server = _SERVERS.get(asked.dport) if asked else None
        there = self._desired.machine(network_id, packet.frame[6:12].hex(":")) if server else None
        near = self._desired.wire_of(network_id) if there else None
        if asked is None or server is None or there is None or there.lease is None or near is None:
            return ()
        reply = server(there.lease, asked, self._settings)
        if reply is None:
            return ()
        to = octets(there.peer.mac_address)  # alone: who is asked to say it to everybody would say it to all VMs, too
        return (to_it(there, near, datagram.encode(replace(reply, eth_dst=to))),)
