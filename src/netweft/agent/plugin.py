"""L2 agents as plug-ins: what the agent process runs, chosen by name (`agent.driver`).

A third party adds one as an entry point of the group `netweft.l2_agents`: a callable that takes AgentSettings and
returns an `L2Agent`.  Ours is one of them.  For a host whose wiring is looked at and made as a whole, `follower` does
all but the wiring.  See docs/plugins.md.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeAlias, runtime_checkable

from netweft.metrics.values import Reading
from netweft.reconcile.plan import Plan
from netweft.settings import AgentSettings, SettingsError

GROUP = "netweft.l2_agents"
OURS: Final = "openvswitch"
OF_OVN: Final = "ovn"  # beside ovn-controller, which wires: metadata


class NotKnown(Exception):
    """There is no answer for now; the message says why."""


class L2Agent(Protocol):
    """Keeps one hypervisor's wiring equal to its part of the feed.  Constructing it does no I/O; `run` does it all."""

    async def run(self) -> None:
        """Until cancelled; returns or raises only when it cannot go on at all."""
        ...

    async def stop(self) -> None:
        """The process ends on purpose: everything stays wired.  `run` is cancelled afterwards."""
        ...

    async def plan(self) -> Plan:
        """What would change now; changes nothing.  Raises NotKnown."""
        ...

    async def readings(self) -> Iterable[Reading]:
        """Of the metrics in `netweft.metrics.definitions.AGENT`, those that it knows.  Asked where there is
        `metrics_listen`."""
        ...

    def show(self) -> str:
        """What this node has, for a person."""
        ...


@runtime_checkable
class Explains(Protocol):
    """What an L2 agent may answer besides, to commands on the node."""

    async def explain(self, name: str) -> bytes:
        """How a port here is, as JSON.  Raises NotKnown."""
        ...

    async def trace(self, packet: bytes) -> bytes:
        """What becomes of a packet (JSON) here, as JSON.  Raises NotKnown."""
        ...


Factory: TypeAlias = Callable[[AgentSettings], L2Agent]


def l2_agent(name: str) -> Factory:
    """Raises SettingsError."""
    if name == OURS:
        return _ours()
    if name == OF_OVN:
        from netweft.agent.metadata.chassis import ChassisAgent

        return ChassisAgent
    from importlib.metadata import entry_points  # with this, and with looking them up, a start of ours does not wait

    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        raise SettingsError(f"driver: no L2 agent {name!r}; there are: {', '.join(sorted({OURS, OF_OVN, *known}))}")
    try:
        factory: Factory = known[name].load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"driver: L2 agent {name!r} cannot be loaded: {error}") from None
    return factory


def _ours() -> Factory:
    from netweft.agent.loop import Agent

    return Agent
