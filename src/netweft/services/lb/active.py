"""How many connections by way of VIPs are open, by what conntrack lists (decision 0597)."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TypeAlias

from netweft.dataplane.openflow.fields import PROTO_TCP
from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import NodeView
from netweft.services.addresses import prefix, text
from netweft.services.fields import BALANCED_ZONE
from netweft.services.lb.endings import parts_of
from netweft.services.lb.trees import Parts
from netweft.services.lb.wiring import addresses, served

OPEN = "ESTABLISHED"
_Vip: TypeAlias = tuple[int, str, int]  # protocol, address, port
_Member: TypeAlias = tuple[str, int]  # address, port


def active(view: NodeView, tracked: Iterable[Connection]) -> Counter[str]:
    """By listener's id: of TCP what is established, of others what conntrack has not forgotten.  Where tenants have
    the same VIP, the member shows whose a connection is; one that leads to no current member is the first one's."""
    found: Counter[str] = Counter()
    listeners = _listeners(view)
    for one in tracked:
        whose = listeners.get((one.protocol, one.dst, one.dport)) if one.zone & BALANCED_ZONE else None
        if whose and (one.protocol != PROTO_TCP or one.state == OPEN):
            member = (one.answers_from, one.answering_port)
            found[next((id for id, members in whose.items() if member in members), next(iter(whose)))] += 1
    return found


def _listeners(view: NodeView) -> dict[_Vip, dict[str, frozenset[_Member]]]:
    found: defaultdict[_Vip, dict[str, frozenset[_Member]]] = defaultdict(dict)
    parts = parts_of(view, view.load_balancers)
    for id, balancer in sorted(view.load_balancers.items()):
        vips = [text(vip) for vip in map(prefix, addresses(balancer))]
        for one in served(Parts(tuple(parts[id].values())), vips):
            members = frozenset((text(backend.at.address), backend.at.port) for backend in one.spread.backends)
            for vip in vips:
                found[one.protocol, vip, one.listener.protocol_port][one.listener.id] = members
    return found
