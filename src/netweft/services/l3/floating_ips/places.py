"""Where a floating IP is: with its VM, on a node that is wired to the external network; else where the gateway is.
So it is of routers with gateways on several networks: by which one a request came is known there only
(`gateways/symmetric_replies`).

Each node derives it from what all of them receive, the VM's node and what that is wired to, so that exactly one
answers for the address.  It moves with the VM, and fails with the VM's node only.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from netweft.model import FloatingIp, GatewayPort, Network, Node, Object, Peer, Port
from netweft.reconcile.memo import Fact, Reader
from netweft.services.l3.interfaces import keep
from netweft.services.values import PHYSICAL


class Where(StrEnum):
    """As facts have it: (where, router) -> the ids of those that are there, sorted."""

    HERE = "floating IPs here"
    GATEWAY = "floating IPs at the gateway"
    ELSEWHERE = "floating IPs elsewhere"


class FloatingPlace(NamedTuple):
    """host: of its VM, if that is another node's.  by_gateway: whether it is on a wire, and this node has or may have
    its gateway there."""

    floating_ip: FloatingIp
    where: Where
    host: str
    by_gateway: bool


class Placed(NamedTuple):
    """One that has come here with its VM, or has gone."""

    floating_ip: FloatingIp
    here: bool


class FloatingPlaces:
    """read: what is known, in which a change is already when this is called for it.  wired: the physical networks that
    this node is wired to."""

    def __init__(self, read: Reader, wired: frozenset[str]) -> None:
        self._read = read
        self._wired = wired
        self._leading: defaultdict[str, set[str]] = defaultdict(set)  # port, network, router, node of the VM -> them
        self._place: dict[str, tuple[FloatingIp, Where, str]] = {}  # of each; and the VM's node, if it is another
        self._at: defaultdict[tuple[Where, str], set[str]] = defaultdict(set)
        self._moved: list[Placed] = []
        self._settled: set[str] = set()

    def settled(self) -> set[str]:
        """Those whose place may have changed since the last call."""
        settled, self._settled = self._settled, set()
        return settled

    def place(self, id: str, node: str) -> FloatingPlace | None:
        """node: this one."""
        if id not in self._place:
            return None
        one, where, host = self._place[id]
        there = (port for port in self._gateways(one.router_id) if port.network_id == one.floating_network_id)
        network: Network | None = self._read.get(("network", one.floating_network_id))
        may = network is not None and bool(_wires(network)) and any(node in port.order for port in there)
        return FloatingPlace(one, where, host, may)

    def moved(self) -> list[Placed]:
        """Since the last call."""
        moved, self._moved = self._moved, []
        return moved

    def rewired(self, names: frozenset[str]) -> Iterator[tuple[Fact, object]]:
        """These physical networks."""
        if names != self._wired:
            self._wired = names
            yield from self._settle(list(self._place))

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        obj = after or before
        if isinstance(obj, FloatingIp):
            yield from self._settle([obj.id])
        elif isinstance(obj, Port | Peer | Network | Node | GatewayPort):
            yield from self._settle(sorted(self._leading.get(_key(obj), ())))

    def _settle(self, ids: Iterable[str]) -> Iterator[tuple[Fact, object]]:
        facts: dict[tuple[Where, str], None] = {}
        for id in ids:
            before, after = self._place.pop(id, None), self._found(id)
            self._settled.add(id)
            for found, there in ((before, False), (after, True)):
                if found is not None:
                    one, where, host = found
                    facts[where, one.router_id] = None
                    for key in (one.port_id, one.floating_network_id, one.router_id, host):
                        keep(self._leading, key, id, here=there)
                    keep(self._at, (where, one.router_id), id, here=there)
            if after is not None:
                self._place[id] = after
            if _here(before) != _here(after):
                both = ((_here(before), False), (_here(after), True))
                self._moved += [Placed(one, here) for one, here in both if one]
        for fact in facts:
            yield fact, tuple(sorted(self._at.get(fact, ()))) or None

    def _found(self, id: str) -> tuple[FloatingIp, Where, str] | None:
        one: FloatingIp | None = self._read.get(("floating_ip", id))
        if one is None:
            return None
        network: Network | None = self._read.get(("network", one.floating_network_id))
        port: Port | None = self._read.get(("port", one.port_id))
        peer: Peer | None = self._read.get(("peer", one.port_id))
        may = one.distributed and one.fixed_ip_address and not self._has_several_networks(one.router_id)
        wires = _wires(network) if network and may else frozenset()
        if port is not None and port.active:
            return one, Where.HERE if wires & self._wired else Where.GATEWAY, ""
        host = peer.host_id if peer else ""
        node: Node | None = self._read.get(("node", host))
        return one, Where.ELSEWHERE if node and wires.intersection(node.floating_ips) else Where.GATEWAY, host

    def _has_several_networks(self, router_id: str) -> bool:
        return len({one.network_id for one in self._gateways(router_id) if one.order}) > 1

    def _gateways(self, router_id: str) -> list[GatewayPort]:
        return [self._read.get(("gateway_port", id)) for id in self._read.get(("gateways", router_id)) or ()]


def _key(obj: Port | Peer | Network | Node | GatewayPort) -> str:
    if isinstance(obj, GatewayPort):
        return obj.router_id
    return obj.name if isinstance(obj, Node) else obj.id


def _wires(network: Network) -> frozenset[str]:
    """The physical networks by which it can be reached.  On an overlay nothing is gained by another place."""
    segments = (one for one in network.segments if one.network_type in PHYSICAL)
    return frozenset(one.physical_network for one in segments if one.physical_network)


def _here(found: tuple[FloatingIp, Where, str] | None) -> FloatingIp | None:
    return found[0] if found is not None and found[1] is Where.HERE else None
