"""On which physical networks this node's VMs have their floating IPs elsewhere, for its own NICs there have no carrier.

no carrier ─▶ they are not here, and the server is told: whoever has the gateway has them
carrier, and it stays ─▶ the server is told ─▶ (the gateway's node has heard) ─▶ they are here again
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

STEADY = 1.0  # seconds that a carrier has been back before it is believed
HEARD = 2.0  # seconds after which whoever has them has heard of it: never two nodes at once
NEVER = float("inf")


class Look(Protocol):
    """What is asked of Open vSwitch's database."""

    def has_carrier(self, bridge: str) -> bool: ...


class Carriers:
    """again: called when time has made a difference."""

    def __init__(self, again: Callable[[], None]) -> None:
        self._again = again
        self._back: dict[str, float] = {}  # physical network -> since when it has a carrier again

    def observe(self, look: Look, mappings: Mapping[str, str]) -> None:
        """mappings: physical networks to bridges."""
        for name in self._back.keys() - mappings.keys():
            del self._back[name]
        for name, bridge in mappings.items():
            self._look_at(name, has_carrier=look.has_carrier(bridge))

    def _look_at(self, name: str, *, has_carrier: bool) -> None:
        now, back = asyncio.get_running_loop().time(), self._back.get(name)
        if not has_carrier:
            if back is None:
                log.warning("no carrier: floating IPs are at the gateway", physical_network=name)
            self._back[name] = NEVER
        elif back == NEVER:
            self._back[name] = now
            for after in (STEADY, STEADY + HEARD):
                asyncio.get_running_loop().call_later(after + 0.01, self._again)
        elif back is not None and now - back > STEADY + HEARD:
            log.info("carrier again: floating IPs are with their VMs", physical_network=name)
            del self._back[name]

    @property
    def told(self) -> frozenset[str]:
        """Those that the server is told not to be wired to here."""
        now = asyncio.get_running_loop().time()
        return frozenset(name for name, back in self._back.items() if now - back <= STEADY)

    @property
    def cut(self) -> frozenset[str]:
        """Those on which no floating IP is here."""
        return frozenset(self._back)
