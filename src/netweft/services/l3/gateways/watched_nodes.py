"""Which nodes this one watches, so that a gateway that dies is replaced at once: by BFD, which vswitchd speaks itself.

A session is a tunnel port of its own to one node, since the ports of the overlay lead to all.  Its key is 0, which no
network has, so that it takes nothing else out of the overlay.  Who may have to take over, and who uses them, watch each
other: what `of_domain` says here of another node, it says there of this one.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from netweft.dataplane.ovsdb.rows import PortRow
from netweft.model import Node
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


def of_domain(node: str, able: Collection[str], users: Iterable[str]) -> frozenset[str]:
    """Whom this node watches for routers that hang together.  able: who has their gateways or may take over; users: who
    has ports on their networks."""
    if len(able) < 2:
        return frozenset()
    return frozenset((*able, *users) if node in able else able)


class Watched:
    """Which nodes this one watches, and for how many: routers with theirs, interfaces on wires."""

    def __init__(self, node: str) -> None:
        self._but = {node, ""}
        self._wanted: dict[str, frozenset[str]] = {}
        self._times: Counter[str] = Counter()
        self._changed: set[str] = set()
        self._mute: set[str] = set()

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(self._times.keys() - self._mute)

    def mute(self, host: str, *, is_so: bool) -> None:
        """Whether nothing can be heard of this host, alive or not: it is nobody's to watch."""
        if is_so != (host in self._mute):
            self._mute ^= {host}
            self._changed.add(host)

    def want(self, id: str, hosts: frozenset[str]) -> None:
        """hosts: all that are watched for it from now on."""
        before, now = self._wanted.pop(id, frozenset()), hosts - self._but
        if now:
            self._wanted[id] = now
        for one in (now - before, before - now):
            for host in one:
                self._times[host] += 1 if host in now else -1
                if self._times[host] == (1 if host in now else 0):
                    self._changed.add(host)
                if not self._times[host]:
                    del self._times[host]

    def take_changed(self) -> list[tuple[str, bool]]:
        """Those whose watching may have changed since the last call, and whether they are watched."""
        changed, self._changed, hosts = sorted(self._changed), set(), self.hosts
        return [(host, host in hosts) for host in changed]
