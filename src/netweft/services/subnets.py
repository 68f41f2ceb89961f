"""Which subnets a network has, looked up by network: for its ports, and what is said of it at all."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from netweft.model import Object, Subnet
from netweft.reconcile.memo import Fact
from netweft.services.dhcp.requests import served


class Subnets:
    """Facts: ("subnets", network) -> its Subnets; ("dhcp", network) -> the IP versions in which DHCP is answered;
    ("advertised", network) -> True: routers say one of them."""

    of: Final = (Subnet,)

    def __init__(self) -> None:
        self._of: defaultdict[str, dict[str, Subnet]] = defaultdict(dict)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        for subnet in (before, after):
            if isinstance(subnet, Subnet):
                self._of[subnet.network_id].pop(subnet.id, None)
        if isinstance(after, Subnet):
            self._of[after.network_id][after.id] = after
        networks = {subnet.network_id for subnet in (before, after) if isinstance(subnet, Subnet)}
        for network_id in sorted(networks):
            found = self._of[network_id]
            yield ("subnets", network_id), tuple(found[id] for id in sorted(found)) or None
            versions = {subnet.ip_version for subnet in found.values() if served(subnet)}
            yield ("dhcp", network_id), tuple(sorted(versions)) or None
            yield ("advertised", network_id), any(subnet.ipv6_ra_mode for subnet in found.values()) or None
            if not found:
                del self._of[network_id]
