"""By which interface and MAC peers are reached: as the kernel's routes and neighbours say, read periodically.

The kernel does not see what the carrier sends, so a neighbour in use is confirmed to it: else it would never find out
that one has another MAC now.
"""

import time
from collections.abc import Iterable
from errno import EADDRNOTAVAIL
from ipaddress import ip_address
from socket import if_indextoname, if_nametoindex
from typing import Any, Final, NamedTuple

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

ROUTE_SECONDS: Final = 10.0  # for so long a route is believed
USE_SECONDS: Final = 5.0
_FAMILY: Final = {4: 2, 6: 10}
_USE: Final = 0x01  # NTF_USE
_KNOWN: Final = 0x02 | 0x04 | 0x08 | 0x10 | 0x80  # REACHABLE, STALE, DELAY, PROBE, PERMANENT


class Route(NamedTuple):
    interface: int
    next_hop: str
    mac: bytes
    mtu: int


class NextHop(NamedTuple):
    """own_mac, mtu: of the interface."""

    interface: int
    mac: bytes
    own_mac: bytes
    mtu: int


class NextHops:
    """own: the address that packets have as source.  find: blocks for as long as the kernel takes to say."""

    def __init__(self, own: str) -> None:
        self._own, self._family = own, _FAMILY[ip_address(own).version]
        self._routes: dict[str, tuple[float, Route | None]] = {}
        self._used: dict[tuple[int, str], float] = {}

    def find(self, peers: Iterable[str]) -> dict[str, NextHop]:
        """Those that are known.  Raises OSError."""
        wanted = list(peers)
        if not wanted:
            return {}
        now = time.monotonic()
        with IPRoute() as kernel:
            self._routes = {peer: self._route(kernel, peer, now) for peer in wanted}
            macs = _neighbours(kernel, self._family)
            found = {}
            for peer, (_, route) in self._routes.items():
                if route is None:
                    continue
                mac = macs.get((route.interface, ip_address(route.next_hop)))
                if now - self._used.get((route.interface, route.next_hop), -USE_SECONDS) >= (USE_SECONDS if mac else 0):
                    self._use(kernel, route, now)
                if mac:
                    found[peer] = NextHop(route.interface, mac, route.mac, route.mtu)
        return found

    def interface_of_own(self) -> str:
        """The one that has our address.  Raises OSError."""
        with IPRoute() as kernel:
            for one in kernel.addr("dump", family=self._family):
                text = one.get("IFA_LOCAL") or one.get("IFA_ADDRESS")
                if ip_address(text) == ip_address(self._own):
                    return if_indextoname(one["index"])
        raise OSError(EADDRNOTAVAIL, "no interface has the address")

    def _route(self, kernel: IPRoute, peer: str, now: float) -> tuple[float, Route | None]:
        since, before = self._routes.get(peer, (0.0, None))
        if before is not None and now - since < ROUTE_SECONDS:
            return since, before
        try:
            (found,) = kernel.route("get", dst=peer, src=self._own, family=self._family)
            interface = int(found.get("RTA_OIF"))
            (link,) = kernel.link("get", index=interface)
        except (NetlinkError, ValueError):
            return now, None
        text = link.get("IFLA_ADDRESS") or "00:00:00:00:00:00"
        mac, mtu = bytes.fromhex(text.replace(":", "")), int(link.get("IFLA_MTU"))
        return now, Route(interface, str(found.get("RTA_GATEWAY") or peer), mac, mtu)

    def _use(self, kernel: IPRoute, route: Route, now: float) -> None:
        self._used[route.interface, route.next_hop] = now
        try:
            kernel.neigh("replace", dst=route.next_hop, ifindex=route.interface, family=self._family, flags=_USE)
        except NetlinkError:
            self._routes = {peer: one for peer, one in self._routes.items() if one[1] != route}


def other_end(interface: str) -> int:
    """Of a veth pair; 0: it is none.  Raises OSError."""
    with IPRoute() as kernel:
        (link,) = kernel.link("get", index=if_nametoindex(interface))
        return int(link.get("IFLA_LINK") or 0)


def _neighbours(kernel: IPRoute, family: int) -> dict[tuple[int, Any], bytes]:
    """By interface and address."""
    found = {}
    for one in kernel.neigh("dump", family=family):
        mac = one.get("NDA_LLADDR")
        if mac and one["state"] & _KNOWN:
            found[one["ifindex"], ip_address(one.get("NDA_DST"))] = bytes.fromhex(mac.replace(":", ""))
    return found
