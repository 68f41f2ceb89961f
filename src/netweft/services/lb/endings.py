"""Balanced connections that end: their member was removed, is down or has failed, or the listener leads there no more.

The client's next packet is led to another member, which knows no such connection and says so: nobody waits for what
does not come.  Of a member that is drained they stay.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from netweft.model import Key, Listener, LoadBalancer, Member, NodeView, Pool, Proxy, key_of
from netweft.services.addresses import text
from netweft.services.lb.trees import Parts
from netweft.services.lb.wiring import addresses, served

Led: TypeAlias = Listener | Pool | Member | Proxy  # says where connections are led
Tree: TypeAlias = Callable[[str], Parts]
_KINDS: Final = ("listener", "pool", "member", "proxy")


class Balanced(NamedTuple):
    """From a VIP's port to where somebody listens for it."""

    protocol: int
    vip: str
    vip_port: int
    address: str
    port: int


def unbalanced(
    before: NodeView, after: NodeView, keys: Collection[Key], tree: Tree | None = None
) -> Iterator[tuple[str, Balanced]]:
    """With the VIP's network.  keys: of what differs between the two.  tree: what belongs to a balancer in the first
    one, by whoever knows it without a look at all that there is."""
    balancers = _balancers(before, keys)
    if not balancers:
        return
    had = {id: _led_by(tree(id)) for id in balancers} if tree else parts_of(before, balancers)
    has = _changed(had, after, frozenset(keys))
    for id in balancers:
        balancer, now = before.load_balancers[id], after.load_balancers.get(id)
        for gone in sorted(_led(balancer, had[id]) - _led(now, has[id])):
            yield balancer.vip_network_id, gone


def _balancers(view: NodeView, keys: Collection[Key]) -> list[str]:
    found = {id for kind, id in keys if kind == "load_balancer"}
    found |= {one.load_balancer_id for key in keys if (one := _part(view, key))}
    return sorted(found & view.load_balancers.keys())


def _part(view: NodeView, key: Key) -> Led | None:
    one = view.get(key) if key[0] in _KINDS else None
    return one if isinstance(one, Led) else None


def _led_by(parts: Parts) -> dict[Key, Led]:
    return {key_of(one): one for one in parts.parts if isinstance(one, Led)}


def parts_of(view: NodeView, balancers: Iterable[str]) -> dict[str, dict[Key, Led]]:
    """Of each of these, by one look at all that a view has: a node may have 1,000 balancers."""
    found: dict[str, dict[Key, Led]] = {id: {} for id in balancers}
    for rows in (view.listeners, view.pools, view.members, view.proxies):
        for one in rows.values():
            if one.load_balancer_id in found:
                found[one.load_balancer_id][key_of(one)] = one
    return found


def _changed(had: Mapping[str, dict[Key, Led]], after: NodeView, keys: Collection[Key]) -> dict[str, dict[Key, Led]]:
    found = {id: {key: one for key, one in parts.items() if key not in keys} for id, parts in had.items()}
    for key in keys:
        one = _part(after, key)
        if one is not None and one.load_balancer_id in found:
            found[one.load_balancer_id][key] = one
    return found


def _led(balancer: LoadBalancer | None, parts: Mapping[Key, Led]) -> set[Balanced]:
    if balancer is None or not balancer.admin_state_up:
        return set()
    vips = addresses(balancer)
    return {
        Balanced(one.protocol, vip, one.listener.protocol_port, text(backend.at.address), backend.at.port)
        for one in served(Parts(tuple(parts.values())), vips)
        for backend in one.spread.backends
        for vip in vips
        if (":" in vip) == (backend.at.address.version == 6)
    }
