"""All bridges of this node, by role: as the settings name them, and which of them have to be there."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from netweft.agent import facts
from netweft.agent.desired import Desired
from netweft.agent.host.bridge import BridgeSide
from netweft.agent.host.datapath import BridgeDatapath
from netweft.agent.host.meters import BridgeMeters
from netweft.agent.security.fragments import BridgeFragments
from netweft.dataplane.openflow.driver import FlowPlan
from netweft.services.pipeline import INT, TUN, physical_role
from netweft.settings import AgentSettings


class Bridges(Mapping[str, BridgeSide]):
    """taking_away: of the integration bridge, called with each plan before it is applied.  meters, datapath: its."""

    def __init__(
        self,
        settings: AgentSettings,
        desired: Desired,
        wake: Callable[[], None],
        taking_away: Callable[[FlowPlan], None],
        *,
        meters: BridgeMeters,
        datapath: BridgeDatapath,
    ) -> None:
        run_dir = Path(settings.ovs_run_dir)
        names = {INT.role: settings.integration_bridge, TUN.role: settings.tunnel_bridge}
        names |= {physical_role(name): bridge for name, bridge in facts.bridge_mappings(settings).items()}
        self._sides = {
            role: BridgeSide(
                role,
                run_dir / f"{name}.mgmt",
                partial(desired.flows, role),
                wake,
                taking_away if role == INT.role else None,
                meters if role == INT.role else None,
                place,
                BridgeFragments(run_dir) if role == INT.role else None,
                datapath if role == INT.role else None,
            )
            for place, (role, name) in enumerate(names.items())
        }
        for side in self._sides.values():
            side.on_lost = self._lost
        self.on_lost: Callable[[], None] = lambda: None
        self._missing: frozenset[str] = frozenset()  # that the operator has not made

    def __getitem__(self, role: str) -> BridgeSide:
        return self._sides[role]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sides)

    def __len__(self) -> int:
        return len(self._sides)

    def expect_all_but(self, missing: frozenset[str]) -> None:
        for role in self._missing - missing:
            self[role].expect()
        self._missing = missing

    @property
    def needed(self) -> list[BridgeSide]:
        return [side for role, side in self.items() if role not in self._missing]

    async def asked(self, seconds: float) -> None:
        """Returns when each one's flows were read, or it does not answer; at the latest after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(side.asked.wait() for side in self.values()))

    @property
    def connected(self) -> bool:
        return all(side.connected for side in self.needed)

    @property
    def in_sync(self) -> bool:
        return all(side.in_sync for side in self.needed)

    def sessions(self) -> dict[str, int]:
        """The number of each one's, by role."""
        return {role: side.sessions for role, side in self.items()}

    def _lost(self) -> None:
        """vswitchd may have ended, and then those at rest have lost what they had, too."""
        for side in self.values():
            side.expect()
        self.on_lost()
