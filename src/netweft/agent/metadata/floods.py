"""VMs that open connections to metadata and names and leave them open: all VMs of the node share one conntrack zone.

Requests are counted where they are accepted (`requesters`); half-open connections never get there.  Once the zone is
half
full, the port with most of it is ignored for a while, and the zone is flushed: a connection that is in use is tracked
again with its next packet.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import structlog

from netweft.agent.desired import Desired
from netweft.agent.metadata.requesters import Requesters
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.conntrack import LISTING, connections
from netweft.services.metadata import ends
from netweft.services.values import Asked

SHARE: Final = 8  # who has so much of the zone floods it
DEAF_SECONDS: Final = 60.0
IN_PLACE_SECONDS: Final = 1.0  # until its flows are there; if they are not, the zone is soon half full again
FLUSH: Final = "dpctl/flush-conntrack"

log = structlog.get_logger(__name__)


class Floods:
    """wake: the loop, when a port is not listened to for a while."""

    def __init__(self, run_dir: Path, desired: Desired, wake: Callable[[], None]) -> None:
        self.ask: Callable[..., Awaitable[str]] = partial(command, run_dir)
        self._desired, self._wake = desired, wake
        self._requesters = Requesters(desired, Asked.METADATA, 0, wake)

    async def end(self) -> None:
        """The zone is half full."""
        zone = f"zone={ends.ZONE}"
        try:
            listing = await self.ask(LISTING, zone)
            found = await asyncio.to_thread(_by_asker, listing)
            greedy = [here.port.id for here in map(self._requesters.who, _most(found)) if here]
            for port_id in greedy:
                log.warning("port opens connections to metadata or names without end", port=port_id)
                self._listen_to(port_id, False)
                asyncio.get_running_loop().call_later(DEAF_SECONDS, self._listen_to, port_id, True)
            if greedy:
                self._wake()
                await asyncio.sleep(IN_PLACE_SECONDS)
                await self.ask(FLUSH, zone)
        except CommandFailed as problem:  # whoever keeps Open vSwitch in view says more
            log.debug("connections to metadata are not looked at", problem=str(problem))

    def _listen_to(self, port_id: str, again: bool) -> None:
        for asked in (Asked.METADATA, Asked.DNS):
            self._desired.listen(port_id, asked, again=again)
        self._wake()


def _by_asker(listing: str) -> Counter[str]:
    """By its IPv4 address; in IPv6 by each /64 that it sends from.  Health monitors' probes are in the zone, too."""
    found: Counter[str] = Counter()
    for src, count in Counter(one.src for one in connections(listing) if one.zone == ends.ZONE).items():
        address = ip_address(src)
        if address.is_link_local if address.version == 6 else int(address) >= ends.ASKERS_4:
            found[str(ip_address(ends.ASKERS_4 | ends.numbers(address)[0]))] += count
    return found


def _most(found: Counter[str]) -> list[str]:
    return [src for src, count in found.most_common(SHARE) if count * SHARE >= found.total()]
