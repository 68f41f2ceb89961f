"""Holds trials of connections when less is permitted (services.security.trials), beside the loop: nobody waits.

A few packets at a time, and these done before the next: the userspace datapath forwards in between.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import structlog

from netweft.dataplane.openflow.driver import FlowPlan
from netweft.dataplane.openflow.errors import OpenFlowError
from netweft.dataplane.openflow.flow import Flow
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.dataplane.unixctl.conntrack import LISTING, udp_connections
from netweft.services.l2.announce import Packet
from netweft.services.security.ends import End, Ends
from netweft.services.security.trials import Concern, concern, may_refuse, trials

log = structlog.get_logger(__name__)

AT_ONCE = 16


class Trials:
    """ends: who has which address in the network with a local VLAN."""

    def __init__(
        self, run_dir: Path, ends: Callable[[int], Ends], send: Callable[[Sequence[Packet]], Awaitable[None]]
    ) -> None:
        self._command = partial(command, run_dir)
        self._ends, self._send = ends, send
        self._taken: list[Flow] = []
        self._called = asyncio.Event()

    def taking_away(self, plan: FlowPlan) -> None:
        """Flows of the integration bridge are about to go, to do something else, or to refuse."""
        self._taken += (*plan.deletes, *plan.replaced, *(flow for flow in plan.adds if may_refuse(flow, plan.refusing)))

    def call(self) -> None:
        """It is done."""
        if self._taken:
            self._called.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._called.wait()
            self._called.clear()
            taken, self._taken = self._taken, []
            try:
                await self._hold(concern(taken))
            except (CommandFailed, OpenFlowError) as error:  # their clients' next packets end them
                log.warning("connections not judged", problem=str(error))

    async def _hold(self, concern: Concern) -> None:
        if not concern:
            return
        await self._command("revalidator/purge")  # a packet of ours may still meet what is cached of how it was
        connections = udp_connections(await self._command(LISTING))
        ends: dict[int, Ends] = {}

        def at(vlan: int, address: str) -> tuple[End, ...]:
            if vlan not in ends:
                ends[vlan] = self._ends(vlan)
            return ends[vlan].at(address)

        packets = trials(concern, connections, at)
        while batch := list(islice(packets, AT_ONCE)):
            await self._send(batch)
