"""QoS policies of floating IPs and of gateways: what goes out with such an address, and what comes in for it.

    to_outside ─▶ outside_egress ─▶ next_hop         with the address that it has outside: after the translation
    to_router ─▶ outside_ingress ─▶ from_outside     for that address: before it

On whichever node translates: the address is there only.  A floating IP without a policy of its own, and a gateway
without one, have their external network's.  Bandwidth and packet rates are meters, as ports' are (`services/qos`).
"""

from collections.abc import Iterator
from functools import partial

from netweft.dataplane.openflow.fields import ETH_IPV4
from netweft.dataplane.openflow.flow import Meter
from netweft.services.fields import ROUTER, Reason, cookie, outside_meter
from netweft.services.l3.values import Limited, LocalRouter
from netweft.services.pipeline import INT, Value
from netweft.services.qos import meters
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

EGRESS, INGRESS = INT["outside_egress"], INT["outside_ingress"]


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    for limited in here.limited if here.router.admin_state_up else ():
        yield from _limit(here, limited)


def _limit(here: LocalRouter, limited: Limited) -> Iterator[Wanted]:
    number = partial(outside_meter, limited.id)
    packet: dict[str, Value] = {ROUTER: here.number, "eth_type": ETH_IPV4}
    owner = cookie(Reason.ROUTER_LIMIT, here.router.id)
    for direction, table, end, onward in (
        ("egress", EGRESS, "ipv4_src", INT["next_hop"].goto),
        ("ingress", INGRESS, "ipv4_dst", INT["from_outside"].goto),
    ):
        made = list(meters(limited.policy, direction, limited.frame, number))
        yield from made
        if made:
            match: dict[str, Value] = {**packet, end: limited.address}
            yield table.flow(10, owner, match, *(Meter(meter.id) for meter in made), onward)


LIMITS = Service("limits outside", router=router)
