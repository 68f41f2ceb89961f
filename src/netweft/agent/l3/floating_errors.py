"""Translates ICMP errors to and from whom a floating IP, or ports of one, stand for; gives them back to the router."""

from collections.abc import Iterable

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import readdressed
from netweft.services.fields import NEXT_HOP, ROUTER, Reason, owner
from netweft.services.l2.announce import Packet
from netweft.services.l3.floating_ips.ends import ends_of
from netweft.services.l3.floating_ips.icmp_errors import came_in, goes_out
from netweft.services.values import Asked, LocalPort


class FloatingErrors:
    asked = Asked.FLOATING_ERROR
    reasons = frozenset({Reason.ROUTER_ERROR_IN, Reason.ROUTER_ERROR_OUT})

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        router = self._desired.router_at(packet.fields.get(ROUTER, 0))
        error, whose = readdressed.error(packet.frame), owner(packet.cookie)
        if router is None or error is None or whose is None:
            return ()
        for ends in ends_of(router, self._desired.forwarded, packet.frame[6:12]):
            if whose.reason is Reason.ROUTER_ERROR_IN:
                said = came_in(router, ends, error)
            else:
                said = goes_out(router, ends, error, packet.fields.get(NEXT_HOP[-1], 0))
            if said is not None:
                return (said,)
        return ()
