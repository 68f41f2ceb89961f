"""Which physical networks this node is cut off from: its own NICs there have no carrier, or have it again only just.

no carrier ─▶ nothing leaves by it: gateways and floating IPs go to other nodes, reported to the server
carrier, and it stays ─▶ gateways may be here again, reported to the server ─▶ floating IPs are with their VMs again

One that flaps counts as cut all the time: nothing moves, and nothing is reported.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

STEADY = 1.0  # seconds that a carrier has been back before it is believed
NEVER = float("inf")


class Look(Protocol):
    """What is read from Open vSwitch's database."""

    def has_carrier(self, bridge: str) -> bool: ...


class Carriers:
    """again: called when time has made a difference."""

    def __init__(self, again: Callable[[], None]) -> None:
        self._again = again
        self._back: dict[str, float] = {}  # physical network -> since when it has a carrier again

    def observe(self, look: Look, mappings: Mapping[str, str], *, connected: bool) -> None:
        """mappings: physical networks to bridges.  connected: to a server, which gets reports of what is cut."""
        for name in self._back.keys() - mappings.keys():
            del self._back[name]
        for name, bridge in mappings.items():
            self._look_at(name, has_carrier=look.has_carrier(bridge), connected=connected)

    def _look_at(self, name: str, *, has_carrier: bool, connected: bool) -> None:
        now, back = asyncio.get_running_loop().time(), self._back.get(name)
        if not has_carrier:
            if back is None:
                log.warning("no carrier: gateways and floating IPs are elsewhere", physical_network=name)
            self._back[name] = NEVER
        elif back == NEVER:
            self._back[name] = now
            asyncio.get_running_loop().call_later(STEADY + 0.01, self._again)
        elif back is not None and now - back > STEADY and connected:
            log.info("carrier again", physical_network=name)
            del self._back[name]

    @property
    def cut(self) -> frozenset[str]:
        """Those that nothing is to leave by."""
        now = asyncio.get_running_loop().time()
        return frozenset(name for name, back in self._back.items() if now - back <= STEADY)

    @property
    def apart(self) -> frozenset[str]:
        """Those on which no floating IP is here: others have them as long as no server has the report that they may
        be."""
        return frozenset(self._back)
