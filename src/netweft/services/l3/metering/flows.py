"""Metering: what goes through a router from and to the external network is counted by labels' rules.

    routing ─┬─▶ to_outside …         leaves: counted by each label
             └─▶ next_hop …           a packet from the external network: likewise

A label's flows are a subroutine and do nothing else, so that a packet is counted once by each label, whatever
others say.  Addresses are those inside: it is before they are translated, and after.  Only routers with labels have any
of this.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.flow import Action, SetField
from netweft.model.metering import MeteringRule
from netweft.services.addresses import Prefix, prefix
from netweft.services.fields import LOCAL_VLAN, METERED, ROUTER, Reason, cookie
from netweft.services.l3.routing.routes import DST, ETH, SRC
from netweft.services.l3.values import LocalLabel, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.service import Service, Wanted
from netweft.services.values import Uplinks

METERING = INT["metering"]
REASONS: Final = {"ingress": Reason.METERING_IN, "egress": Reason.METERING_OUT}


def metered(here: LocalRouter, direction: str) -> Iterator[Action]:
    for label in here.labels:
        if any(rule.direction == direction for rule in label.label.rules):
            yield SetField(METERED, label.numbers[direction])
            yield METERING.resubmit


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    for outside in sorted({one.network.vlan for one in here.exits}) if here.router.admin_state_up else ():
        for label in here.labels:
            for rule in label.label.rules:
                yield from _counts(here, outside, label, rule)


def _counts(here: LocalRouter, outside: int, label: LocalLabel, rule: MeteringRule) -> Iterator[BridgeFlow]:
    source, destination = _ends(rule)
    given = [end for end in (source, destination) if end is not None]
    if len({end.version for end in given}) != 1:
        return
    (version,) = {end.version for end in given}
    packet: dict[str, Value] = {METERED: label.numbers[rule.direction], ROUTER: here.number, "eth_type": ETH[version]}
    packet |= {LOCAL_VLAN: outside}  # not yet that of where it goes: it comes from there; or already: it leaves
    for name, end in ((SRC[version], source), (DST[version], destination)):
        if end is not None:
            packet[name] = end.value if end.mask is None else (end.value, end.mask)
    reason = Reason.METERING_EXCLUDED if rule.excluded else REASONS[rule.direction]
    yield METERING.flow(20 if rule.excluded else 10, cookie(reason, label.label.id), packet)


def _ends(rule: MeteringRule) -> tuple[Prefix | None, Prefix | None]:
    """Source, destination.  The remote one of old is the end inside, as Neutron's agent has it."""
    inside = rule.remote_ip_prefix
    source = inside if inside and rule.direction == "egress" else rule.source_ip_prefix
    destination = inside if inside and rule.direction == "ingress" else rule.destination_ip_prefix
    return (prefix(source) if source else None, prefix(destination) if destination else None)


METERINGS = Service("metering", router=router)
