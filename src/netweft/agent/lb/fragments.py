"""Fragments to VIPs whose connection conntrack does not know: made known, and given back."""

from collections.abc import Iterable

from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.fields import ORIGIN, Reason
from netweft.services.l2.announce import Packet
from netweft.services.lb.fragments import given_back
from netweft.services.values import Asked, LocalPort


class VipPieces:
    asked = Asked.VIP_PIECES
    reasons = frozenset({Reason.BALANCER_PIECES})

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        """Nothing is done with what conntrack has given back of another zone: it came with others' (decision 0337)."""
        zone = packet.fields.get("ct_zone", 0)
        if not zone or zone != packet.fields.get(ORIGIN, 0) & 0xFFFF:
            return ()
        return given_back(packet.frame, packet.fields)
