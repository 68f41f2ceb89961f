"""Where hosts may be that the database does not know, and which nodes route into which network: looked up by network.

A guarded port has the addresses that the database gives it.  One without port security may have any, one with allowed
address pairs those of the pairs, which others may have too, each with a MAC of its own.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Final

from netweft.model import GatewayPort, Node, Object, Peer, Port, Proxy, RouterPort, VipPort
from netweft.reconcile.memo import Fact, Reader
from netweft.services.addresses import Prefix, within
from netweft.services.l3.gateways.watched_nodes import Watched, of_domain
from netweft.services.l3.interfaces import count
from netweft.services.values import LocalNetwork


def may_be_there(read: Reader, network: LocalNetwork, address: Prefix) -> bool:
    """Whether a host may have this address that the database does not know: agents ask for such only."""
    network_id = network.network.id
    if not network.unsure:
        return False
    if not network.tunnelled or read.get(("unguarded", network_id)):
        return True
    return any(within(address, pair) for pair in read.get(("paired", network_id)) or ())


class UnguardedPorts:
    """Facts: ("unguarded", network) -> True where a port may have any address; ("unsure", network) -> True where one
    may have any, or those of pairs."""

    of: Final = (Port, Peer)

    def __init__(self) -> None:
        self._of: defaultdict[Fact, int] = defaultdict(int)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        places = []
        for port, step in ((before, -1), (after, 1)):
            if isinstance(port, Port | Peer):
                for fact in _facts(port):
                    self._of[fact] += step
                    places.append(fact)
        for fact in dict.fromkeys(places):
            yield fact, self._of[fact] > 0 or None
            if not self._of[fact]:
                del self._of[fact]


def _facts(port: Port | Peer) -> Iterator[Fact]:
    if not port.port_security_enabled:
        yield "unguarded", port.network_id
    if not port.port_security_enabled or port.allowed_address_pairs:
        yield "unsure", port.network_id


class Domains:
    """What routers join.  Facts: ("domain", network) -> the other nodes that route into it, sorted: those with ports on
    a network that routers join to it, those with the routers' gateways, those that answer physical hosts for them, and
    those that may have to take over.

    node: this one.  watched: the nodes that it watches for gateways, and for load balancers' HAProxy."""

    of: Final = (RouterPort, GatewayPort, Proxy, VipPort, Node)

    def __init__(self, node: str) -> None:
        self._node = node
        self.watched = Watched(node)
        self._networks: defaultdict[str, Counter[str]] = defaultdict(Counter)  # router -> of its interfaces
        self._routers: defaultdict[str, Counter[str]] = defaultdict(Counter)  # network -> with interfaces on it
        self._gateways: defaultdict[str, Counter[str]] = defaultdict(Counter)  # router -> nodes
        self._answering: defaultdict[str, Counter[str]] = defaultdict(Counter)  # router -> nodes
        self._proxies: defaultdict[str, Counter[str]] = defaultdict(Counter)  # network -> nodes with HAProxy for it
        self._hosts: dict[str, tuple[str, ...]] = {}
        self._said: dict[str, tuple[str, ...]] = {}
        self._dirty: set[str] = set()  # networks
        self._dirty_routers: set[str] = set()

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        """What follows is said by `refresh`."""
        if isinstance(one := after or before, Node):
            self.watched.mute(one.name, is_so=isinstance(after, Node) and not after.speaks_bfd)
        for port, step in ((before, -1), (after, 1)):
            if isinstance(port, RouterPort):
                count(self._networks, port.router_id, port.network_id, step)
                count(self._routers, port.network_id, port.router_id, step)
                for host in port.order:
                    count(self._answering, port.router_id, host, step)
                self._dirty |= {port.network_id, *self._networks.get(port.router_id, ())}
                self._dirty_routers.add(port.router_id)
                self._watch_on_wire(port, step)
            elif isinstance(port, VipPort):
                self._watch_on_wire(port, step)
            elif isinstance(port, GatewayPort):
                for host in port.order:
                    count(self._gateways, port.router_id, host, step)
                self._dirty_routers.add(port.router_id)
            elif isinstance(port, Proxy) and port.host_id:
                count(self._proxies, port.network_id, port.host_id, step)
                self._dirty.add(port.network_id)
        yield from ()

    def _watch_on_wire(self, port: RouterPort | VipPort, step: int) -> None:
        on_a_wire = port.order if step > 0 and self._node in port.order else ()
        self.watched.want(port.id, frozenset(on_a_wire))

    def has_hosts(self, network_id: str, hosts: Iterable[str]) -> None:
        """Other nodes with ports on it."""
        found = tuple(sorted(hosts))
        if found != self._hosts.get(network_id, ()):
            self._dirty.add(network_id)
            self._hosts[network_id] = found
            if not found:
                del self._hosts[network_id]

    def refresh(self) -> Iterator[tuple[Fact, object]]:
        for networks, routers in self._changed_domains():
            users = {host for id in networks for host in self._hosts.get(id, ())}
            able = {host for id in routers for host in self._gateways.get(id, ())}
            watched = of_domain(self._node, able, users)
            for router_id in routers:
                self.watched.want(router_id, watched)
            for network_id in networks:  # who sends to a VIP there: clients' nodes, and those with gateways
                proxies = self._proxies.get(network_id, ())
                self.watched.want(network_id, of_domain(self._node, {*proxies}, users | able))
            answering = {host for id in routers for host in self._answering.get(id, ())}
            found = tuple(sorted((users | able | answering) - {"", self._node}))
            for network_id in sorted(networks):
                here = found if network_id in self._routers else ()
                if here != self._said.get(network_id, ()):
                    yield ("domain", network_id), here or None
                    self._said[network_id] = here
                    if not here:
                        del self._said[network_id]

    def _changed_domains(self) -> Iterator[tuple[set[str], set[str]]]:
        """Networks and routers.  A router without interfaces is one by itself; so is one that is gone."""
        for router_id in self._dirty_routers:
            self._dirty.update(self._networks.get(router_id, ()))
        while self._dirty:
            networks, routers = self._joined(self._dirty.pop())
            self._dirty -= networks
            self._dirty_routers -= routers
            yield networks, routers
        while self._dirty_routers:
            yield set(), {self._dirty_routers.pop()}

    def _joined(self, network_id: str) -> tuple[set[str], set[str]]:
        """The networks that routers join to this one, itself among them, and these routers."""
        networks, routers, left = {network_id}, set[str](), deque([network_id])
        while left:
            for router in self._routers.get(left.popleft(), ()):
                if router not in routers:
                    routers.add(router)
                    left += self._networks[router].keys() - networks
                    networks |= self._networks[router].keys()
        return networks, routers
