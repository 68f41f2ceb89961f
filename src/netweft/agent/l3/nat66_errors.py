"""Translates ICMPv6 errors about what NAT66 has translated; gives them back to the router."""

from collections.abc import Iterable

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import readdressed6
from netweft.services.fields import ROUTER, Reason, owner
from netweft.services.l2.announce import Packet
from netweft.services.l3.gateways.nat66_errors import came_in, goes_out
from netweft.services.values import Asked, LocalPort


class Nat66Errors:
    asked = Asked.NAT66_ERROR
    reasons = frozenset({Reason.ROUTER_NAT66_IN, Reason.ROUTER_NAT66_OUT})

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        router = self._desired.router_at(packet.fields.get(ROUTER, 0))
        error, whose = readdressed6.error(packet.frame), owner(packet.cookie)
        if router is None or error is None or whose is None:
            return ()
        translate = came_in if whose.reason is Reason.ROUTER_NAT66_IN else goes_out
        said = translate(router, error, packet.fields)
        return () if said is None else (said,)
