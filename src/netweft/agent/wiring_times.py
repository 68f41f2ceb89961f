"""How long ports take until they are ACTIVE: since they were seen plugged in, and since they are this node's.

Of what was there before the agent nobody knows since when: it is left out.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from netweft.agent.sync import Changes
from netweft.metrics.definitions import WIRING_SECONDS
from netweft.metrics.values import Timings
from netweft.model import NodeView, PortState, PortStatus

Since: TypeAlias = Literal["plugged", "bound"]
SINCE: Final[tuple[Since, ...]] = ("plugged", "bound")


class WiringTimes:
    """timings: by since when."""

    def __init__(self) -> None:
        self.timings = {since: Timings(WIRING_SECONDS.bounds) for since in SINCE}
        self._begun: dict[Since, dict[str, float]] = {since: {} for since in SINCE}
        self._has_looked = False

    def plugged(self, ports: Mapping[str, object | None]) -> None:
        """What is plugged in otherwise than before; None: nothing any more."""
        for id, vif in ports.items():
            if vif is None:
                self._begun["plugged"].pop(id, None)
            elif self._has_looked:
                self._begun["plugged"].setdefault(id, time.monotonic())
        self._has_looked = True

    def see(self, before: NodeView, changes: Changes) -> None:
        begun = self._begun["bound"]
        for kind, id in changes.deletes:
            if kind == "port":
                begun.pop(id, None)
        if before.revision:
            for kind, id in changes.upserts:
                if kind == "port" and id not in before.ports:
                    begun.setdefault(id, time.monotonic())

    def told(self, statuses: Iterable[PortStatus]) -> None:
        for status in statuses:
            if status.state is PortState.UP:
                for since, begun in self._begun.items():
                    if (started := begun.pop(status.port_id, None)) is not None:
                        self.timings[since].add(time.monotonic() - started)
