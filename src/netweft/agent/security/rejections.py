"""Answers what firewalls reject (services.security.rejections)."""

from collections.abc import Iterable

from netweft.agent.desired import Desired
from netweft.dataplane.openflow.messages import PacketIn
from netweft.services.fields import LOCAL_VLAN, Reason
from netweft.services.l2.announce import Packet
from netweft.services.security.rejections import back, rejection
from netweft.services.values import Asked, LocalPort


class Rejections:
    asked = Asked.REJECTION
    reasons = frozenset({Reason.PORT_REJECTED, Reason.NETWORK_REJECTED})

    def __init__(self, desired: Desired) -> None:
        self._desired = desired

    def answer(self, here: LocalPort | None, packet: PacketIn) -> Iterable[Packet]:
        frame, vlan = rejection(packet.frame), packet.fields.get(LOCAL_VLAN, 0)
        if frame is None:
            return ()
        return (back(frame, here, vlan, self._desired.router_by_mac(vlan, packet.frame[6:12])),)
