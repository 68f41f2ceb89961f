"""Keeps the host's own connection tracking away from this node's tunnels, by a table of its firewall that is ours.

Other rule sets may flush all tables when loaded: so it is checked now and then.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import structlog

from netweft.dataplane.host import nftables
from netweft.dataplane.host.nftables import Chain, Expression
from netweft.services.addresses import text
from netweft.services.untracked import Untracked

log = structlog.get_logger(__name__)

TABLE: Final = "netweft"
LOOK_SECONDS: Final = 10.0
_SOURCE, _DESTINATION = "source", "destination"
_ADDRESS_AT: Final = {4: {_SOURCE: 12, _DESTINATION: 16}, 6: {_SOURCE: 8, _DESTINATION: 24}}
_FAMILY: Final = {4: nftables.IP, 6: nftables.IP6}


class UntrackedSide:
    """problem: why they are tracked all the same, for a person."""

    def __init__(self) -> None:
        self.problem = ""
        self._wanted: Untracked | None = None
        self._due = asyncio.Event()

    def want(self, wanted: Untracked | None) -> None:
        if wanted != self._wanted:
            self._wanted = wanted
            self._due.set()

    async def run(self) -> None:
        """Until cancelled.  What was made stays: who comes next makes it anew."""
        await self._due.wait()
        while True:
            anew = self._due.is_set()
            self._due.clear()
            self._look(anew=anew)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._due.wait()

    def _look(self, *, anew: bool) -> None:
        wanted, before = self._wanted, self.problem
        try:
            if wanted is not None and (anew or not nftables.is_there(_FAMILY[wanted.address.version], TABLE)):
                nftables.replace(_FAMILY[wanted.address.version], TABLE, chains(wanted))
                log.info("tunnels are not tracked by the host", address=text(wanted.address))
            self.problem = ""
        except OSError as error:
            self.problem = f"the host tracks its tunnels' packets as connections: {error.strerror or error}"
        if self.problem and self.problem != before:
            log.warning("tunnels' packets take place in conntrack", problem=self.problem)


def chains(wanted: Untracked) -> Iterator[Chain]:
    """What comes to the tunnels' address, and what goes out from it."""
    yield Chain("prerouting", nftables.PREROUTING, nftables.RAW, tuple(_rules(wanted, _DESTINATION)))
    yield Chain("output", nftables.OUTPUT, nftables.RAW, tuple(_rules(wanted, _SOURCE)))


def _rules(wanted: Untracked, own: str) -> Iterator[tuple[Expression, ...]]:
    version, value, _ = wanted.address
    address = nftables.network_is(_ADDRESS_AT[version][own], value.to_bytes(4 if version == 4 else 16, "big"))
    for protocol, port in wanted.carried_by:
        carried = nftables.protocol_is(protocol)
        to = () if port is None else nftables.transport_is(2, port.to_bytes(2, "big"))
        yield (*address, *carried, *to, nftables.untracked())
