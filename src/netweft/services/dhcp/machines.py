"""DHCP of machines behind a VTEP: the node that answers there for routers answers it, too (decision 0686).

Their requests come by the tunnels, since the switch floods them; so does what they ask of the server later on, by the
MAC that it says it has.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.fields import ETH_ARP
from netweft.dataplane.openflow.flow import Controller, Output, PushVlan, SetField
from netweft.dataplane.packets.arp import REQUEST
from netweft.services.addresses import mac
from netweft.services.dhcp.requests import REQUESTS, SERVER_ADDRESS, SERVER_MAC, offers
from netweft.services.fields import AGENT, LOCAL_VLAN, Reason, RouterLimit, cookie, tagged
from netweft.services.l2.announce import Packet
from netweft.services.l2.neighbours import arp_reply
from netweft.services.l3.neighbours.unknown_hosts import limited
from netweft.services.l3.routing.next_hops import LOOPBACK
from netweft.services.pipeline import INT, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import RemotePort, Uplinks

TO_ROUTER = INT["to_router"]
ASKS: Final = 33  # above whatever else comes from there
_MATCHED: Final = ("eth_type", "ip_proto", "udp_dst")


def peer(_: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    if there.lease is None:
        return
    owner, limit = cookie(Reason.PEER_DHCP, there.peer.id), limited(there.network, RouterLimit.ASKED_FOR)
    from_it: dict[str, Value] = {LOCAL_VLAN: there.network.vlan, "eth_src": mac(there.peer.mac_address)}
    versions = [version for version in there.network.dhcp if offers(there.lease, version)]
    for version in versions:
        asks = {name: REQUESTS[version][name] for name in _MATCHED}
        yield TO_ROUTER.flow(ASKS, owner, {**from_it, **asks}, *limit, Controller(AGENT))
    if 4 in versions:
        looks_for: dict[str, Value] = {"eth_type": ETH_ARP, "arp_op": REQUEST, "arp_tpa": int(SERVER_ADDRESS)}
        reply = arp_reply(mac(SERVER_MAC), int(SERVER_ADDRESS), *LOOPBACK, INT["switching"].goto)
        yield TO_ROUTER.flow(ASKS, owner, {**from_it, **looks_for}, *limit, *reply)


def to_it(there: RemotePort, near: int, frame: bytes) -> Packet:
    """near: the way to the tunnels."""
    return Packet(frame, (PushVlan(), SetField("vlan_vid", tagged(there.network.vlan)), Output(near)))


MACHINES = Service("dhcp of machines", peer=peer)
