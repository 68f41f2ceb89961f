"""What was asked from outside by a floating IP, or by a forwarded port of one, that leads to the port no more.

Its rules still permit what is tracked, and so its answers would go on without end: by the gateway's address, even where
it may send nothing by itself.  What it has asked for goes on, from another address.
"""

from collections.abc import Callable, Collection, Iterator

from msgspec import Struct

from netweft.dataplane.unixctl.conntrack import Connection
from netweft.model import FloatingIp, Key, NodeView, Port
from netweft.services.addresses import address, prefix, within


class Translated(Struct, frozen=True):
    """To this address, from none of the networks near.  protocol: 0 for any, at any port."""

    address: str
    protocol: int = 0
    first: int = 0
    last: int = 0
    near: frozenset[str] = frozenset()


def matcher(gone: Translated) -> Callable[[Connection], bool]:
    to, near = prefix(gone.address), [prefix(net) for net in gone.near]

    def matches(one: Connection) -> bool:
        if gone.protocol and not (one.protocol == gone.protocol and gone.first <= one.dport <= gone.last):
            return False
        return address(one.dst) == to and not any(within(address(one.src), net) for net in near)

    return matches


def untranslated(before: NodeView, after: NodeView, keys: Collection[Key]) -> Iterator[tuple[Port, Translated]]:
    """Of ports here that stay here.  keys: of what differs between the two."""
    for kind, id in keys:
        if kind == "floating_ip":
            was, now = before.floating_ips.get(id), after.floating_ips.get(id)
            if was and was.fixed_ip_address and (now is None or _leads(was) != _leads(now)):
                yield from _of(before, after, was.router_id, Translated(was.fixed_ip_address))
        elif kind == "port_forwarding":
            had, has = before.port_forwardings.get(id), after.port_forwardings.get(id)
            if had and had != has:
                to = Translated(had.internal_ip_address, had.protocol, had.internal_first, had.internal_last)
                yield from _of(before, after, had.router_id, to)


def _leads(one: FloatingIp) -> tuple[str, ...]:
    return one.router_id, one.floating_ip_address, one.fixed_ip_address, one.port_id


def _of(before: NodeView, after: NodeView, router_id: str, gone: Translated) -> Iterator[tuple[Port, Translated]]:
    networks = {port.network_id for port in before.router_ports.values() if port.router_id == router_id}
    for id, port in before.ports.items():
        if port.network_id in networks and id in after.ports and _has(port, gone.address):
            yield port, gone


def _has(port: Port, address: str) -> bool:
    return any(fixed.ip_address == address for fixed in port.fixed_ips)
