"""Which nodes this one watches, so that a gateway that dies is replaced at once: by BFD, which vswitchd speaks itself.

A session is a tunnel port of its own to one node, since the ports of the overlay lead to all.  Its key is 0, which no
network has, so that it takes nothing else out of the overlay.  Who may have to take over, and who uses them, watch each
other: what `watched` says here of another node, it says there of this one.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from netweft.dataplane.ovsdb.rows import PortRow
from netweft.model import GatewayPort, Node
from netweft.services.addresses import endpoint
from netweft.services.l2.bridges import port_row, port_type, speaks_bfd
from netweft.services.values import HostFacts

_PREFERRED: Final = ("geneve", "vxlan", "gre")


def interface_to(host: str) -> str:
    """Its name, on the tunnel bridge."""
    return f"bfd-{hashlib.blake2s(host.encode(), digest_size=5).hexdigest()}"


def session(here: HostFacts, there: Node, *, cut: bool) -> PortRow | None:
    """cut: this node's way outside is, so that nobody may use it.  None: there is no tunnel between the two."""
    own, other = endpoint(here.tunnel_ip), endpoint(there.tunnel_ip)
    common = [name for name in _PREFERRED if name in here.tunnel_types and name in there.tunnel_types]
    if not (own and other and common) or own == other or own.version != other.version:
        return None
    options = {"local_ip": here.tunnel_ip, "remote_ip": there.tunnel_ip or "", "key": "0", "tos": "inherit"}
    row = port_row(interface_to(there.name), here.tunnel_bridge, port_type(common[0], here), **options)
    return speaks_bfd(row, here.bfd_interval, **({"cpath_down": "true"} if cut else {}))


def watched(
    node: str,
    gateways: Iterable[GatewayPort],
    networks_of: Mapping[str, Collection[str]],
    hosts_on: Mapping[str, Collection[str]],
    on_wires: Iterable[Collection[str]] = (),
) -> frozenset[str]:
    """networks_of: routers' interfaces.  hosts_on: where networks' ports are, elsewhere.  on_wires: the orders of nodes
    that answer physical hosts, which only watch each other."""
    found = set[str]().union(*(hosts for hosts in on_wires if node in hosts))
    orders: dict[str, set[str]] = {}
    for gateway in gateways:
        orders.setdefault(gateway.router_id, set()).update(gateway.order)
    for routers, networks in domains(networks_of, orders):
        able = set().union(*(orders.get(router, ()) for router in routers))
        if len(able) > 1:
            users = set().union(*(hosts_on.get(network, ()) for network in networks))
            found |= able | users if node in able else able
    return frozenset(found - {node, ""})


def domains(
    networks_of: Mapping[str, Collection[str]], routers: Iterable[str]
) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Routers and networks that hang together.  routers: which to begin with; each is in one domain."""
    routers_on: dict[str, set[str]] = {}
    for router, networks in networks_of.items():
        for network in networks:
            routers_on.setdefault(network, set()).add(router)
    seen: set[str] = set()
    for start in sorted(set(routers)):
        if start in seen:
            continue
        together, reached, ahead = {start}, set[str](), [start]
        while ahead:
            for network in set(networks_of.get(ahead.pop(), ())) - reached:
                reached.add(network)
                new = routers_on[network] - together
                together |= new
                ahead += new
        seen |= together
        yield frozenset(together), frozenset(reached)
