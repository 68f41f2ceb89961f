"""What a router says of a packet that it cannot deliver, to ports here, other nodes' ports, hosts outside."""

from collections.abc import Iterable

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.addresses import mac
from netweft.services.fields import HANDED_UP, ROUTER, Why
from netweft.services.l2.announce import Packet
from netweft.services.l3.icmp_errors import icmp_error, mtu_of, routed_error
from netweft.services.l3.values import Interface
from netweft.services.values import LocalPort


def undelivered(desired: Desired, here: LocalPort | None, packet: PacketIn) -> Packet | None:
    """here: the port that it came from, None for one from outside.  None: nothing may be said, or by nobody."""
    why = packet.fields.get(HANDED_UP, 0)
    router = desired.router_at(packet.fields.get(ROUTER, 0))
    if router is None:
        return None
    to = int.from_bytes(packet.frame[:6], "big")
    at = _only(one for one in router.interfaces if mac(one.port.mac_address) == to)
    if here is None or at is None:
        return routed_error(Why(why), packet.frame, router, desired.forwarded, packet.fields)
    near = at if at.port.network_id == here.port.network_id else _gateway(desired, here)
    mtu = mtu_of(router, packet.fields) if why == Why.TOO_BIG else 0
    return icmp_error(Why(why), packet.frame, here, at, near, mtu=mtu) if near else None


def _gateway(desired: Desired, here: LocalPort) -> Interface | None:
    """By which the packet may have left the port's network, when it ended at a router further on."""
    return _only(desired.interfaces_on(here.port.network_id))


def _only(interfaces: Iterable[Interface]) -> Interface | None:
    return next(iter(interfaces), None)
