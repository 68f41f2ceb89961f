"""Balanced connections that end: their member was removed, is down or has failed, or the listener leads there no more.

The client's next packet is led to another member, which knows no such connection and says so: nobody waits for what
does not come.  Of a member that is drained they stay.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from netweft.model import Key, Listener, Member, NodeView, Pool, Proxy
from netweft.services.addresses import text
from netweft.services.lb.trees import Parts
from netweft.services.lb.wiring import addresses, served


class Balanced(NamedTuple):
    """From a VIP's port to where somebody listens for it."""

    protocol: int
    vip: str
    vip_port: int
    address: str
    port: int


def unbalanced(before: NodeView, after: NodeView, keys: Collection[Key]) -> Iterator[tuple[str, Balanced]]:
    """With the VIP's network.  keys: of what differs between the two."""
    for id in _balancers(before, keys):
        balancer = before.load_balancers[id]
        for gone in sorted(_led(before, id) - _led(after, id)):
            yield balancer.vip_network_id, gone


def _balancers(view: NodeView, keys: Collection[Key]) -> list[str]:
    found = set()
    for kind, id in keys:
        if kind == "load_balancer":
            found.add(id)
        elif kind in ("listener", "pool", "member", "proxy"):
            one = view.get((kind, id))
            if isinstance(one, Listener | Pool | Member | Proxy):
                found.add(one.load_balancer_id)
    return sorted(found & view.load_balancers.keys())


def parts_of(view: NodeView, id: str) -> Parts:
    of_it = (view.listeners, view.pools, view.members, view.proxies)
    return Parts(tuple(one for kind in of_it for one in kind.values() if one.load_balancer_id == id))


def _led(view: NodeView, id: str) -> set[Balanced]:
    balancer = view.load_balancers.get(id)
    if balancer is None or not balancer.admin_state_up:
        return set()
    parts = parts_of(view, id)
    vips = addresses(balancer)
    return {
        Balanced(one.protocol, vip, one.listener.protocol_port, text(backend.at.address), backend.at.port)
        for one in served(parts, vips)
        for backend in one.spread.backends
        for vip in vips
        if (":" in vip) == (backend.at.address.version == 6)
    }
