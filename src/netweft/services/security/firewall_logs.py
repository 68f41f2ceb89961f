"""What is logged of firewalls (the `logging` API): copies of packets, for the agent to write down.

    ACCEPT   new connections that a port's firewall lets through, and nobody refused before
    DROP     what it refuses, whether it says so (reject) or not; likewise

and, before the firewall group is evaluated, of its security groups.

Of each port so much a second, and of all ports on the node: a flood of one is not another's silence, nor the agent's.
Where the datapath has no meters nothing is logged: better that than an agent that does nothing else.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from netweft.dataplane.openflow.flow import Action, Controller, Meter, Move, SetField
from netweft.dataplane.openflow.meters import DropMeter
from netweft.services.fields import (
    AGENT,
    JUDGED,
    MEMBERS,
    PERMIT,
    PERMITTED,
    POLICY,
    TRIAL,
    Reason,
    RouterLimit,
    cookie,
    logged_port,
    logging_meter,
    router_meter_number,
)
from netweft.services.pipeline import INT, Value
from netweft.services.security.conntrack import IS_NEW
from netweft.services.service import Wanted
from netweft.services.values import Firewall

LOG: Final = INT["firewall_log"]
RATE, BURST = 100, 25  # of one port, as Neutron's defaults
OF_ALL: Final = 1000  # a second, on this node
_BEFORE: Final = 30  # the bit of MEMBERS
_NOBODY_BEFORE: Final[Value] = (1 << _BEFORE, 1 << _BEFORE)
_NODES: Final = router_meter_number(0, RouterLimit.LOGGED)
_VERDICTS: Final[dict[str, dict[str, Value]]] = {
    "ACCEPT": {PERMITTED: PERMIT, "ct_state": IS_NEW},
    "DROP": {PERMITTED: (0, PERMIT)},
}
_FIREWALLS: Final = {"ACCEPT": Reason.PORT_ACCEPTED, "DROP": Reason.PORT_REFUSED}
_GROUPS: Final = {"ACCEPT": Reason.PORT_GROUPS_ACCEPTED, "DROP": Reason.PORT_GROUPS_REFUSED}


def before(firewall: Firewall) -> Iterator[Action]:
    if firewall.events:
        yield Move(PERMITTED, MEMBERS, bits=1, src_start=0, dst_start=_BEFORE)


def after(firewall: Firewall) -> Iterator[Action]:
    if firewall.events:
        yield SetField(POLICY, logged_port(firewall.port_id))
        yield LOG.apart


def of_groups(port_id: str, events: tuple[str, ...]) -> Iterator[Action]:
    """Behind its security groups."""
    if events:
        yield SetField(POLICY, logged_port(port_id, of_groups=True))
        yield LOG.apart


def logged(firewall: Firewall | None, *, can_limit: bool) -> Iterator[Wanted]:
    if firewall is not None:
        of_it: dict[str, Value] = {POLICY: logged_port(firewall.port_id), MEMBERS: _NOBODY_BEFORE}
        yield from _logged(firewall.port_id, firewall.events if can_limit else (), of_it, _FIREWALLS)


def groups_logged(port_id: str, events: tuple[str, ...], *, can_limit: bool) -> Iterator[Wanted]:
    of_them: dict[str, Value] = {POLICY: logged_port(port_id, of_groups=True)}
    yield from _logged(port_id, events if can_limit else (), of_them, _GROUPS)


def _logged(
    port_id: str, events: tuple[str, ...], match: dict[str, Value], reasons: Mapping[str, Reason]
) -> Iterator[Wanted]:
    """A port's meter is one for all that is logged of it."""
    if not events:
        return
    meters = logging_meter(port_id), _NODES
    for number, rate, burst in zip(meters, (RATE, OF_ALL), (BURST, OF_ALL), strict=True):
        yield DropMeter(id=number, unit="pktps", rate=rate, burst=burst)
    up: tuple[Action, ...] = (*map(Meter, meters), Controller(AGENT))
    for event in events:
        looked_at: dict[str, Value] = {**match, TRIAL: (0, JUDGED), **_VERDICTS[event]}
        yield LOG.flow(10, cookie(reasons[event], port_id), looked_at, *up)
