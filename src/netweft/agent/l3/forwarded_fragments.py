"""Fragments to and from forwarded ports whose connection conntrack does not know: made known, and given back."""

from collections.abc import Iterable

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.fields import PIECES_ZONE, ROUTER, Reason, owner
from netweft.services.l2.announce import Packet
from netweft.services.l3.port_forwarding.fragments import given_back
from netweft.services.values import Asked, LocalPort


class ForwardedPieces:
    asked = Asked.PIECES
    reasons = frozenset({Reason.ROUTER_PIECES_IN, Reason.ROUTER_PIECES_OUT})

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        router, zone = self._desired.router_at(packet.fields.get(ROUTER, 0)), packet.fields.get("ct_zone", 0)
        whose = owner(packet.cookie)
        if router is None or whose is None or not any(one.zone | PIECES_ZONE == zone for one in router.gateways):
            return ()
        return given_back(packet.frame, packet.fields, zone, leaves=whose.reason is Reason.ROUTER_PIECES_OUT)
