"""After a restart vswitchd forwards nothing until its flows are back: `other_config:flow-restore-wait`.

vswitchd reads it when it starts, and once it has seen "false" it goes on for the rest of its life.  So "true" stands in
the database while all is well, ready for the next start; after each (re)connection it becomes "false" as soon as the
flows are in place, and "true" again once vswitchd has seen that.  All bridges of the host wait, ours or not: so nobody
waits longer than PATIENCE for a view that we do not have, and an agent that is stopped on purpose takes the wait away.
"""

import asyncio
from collections.abc import Callable

import structlog

from netweft.agent.host.ovs import OvsSide
from netweft.dataplane.ovsdb.errors import OvsdbError

log = structlog.get_logger(__name__)

KEY = "flow-restore-wait"
PATIENCE = 10.0
RETRY_SECONDS = 1.0


class RestoreWait:
    """in_place: whether all wanted flows are on the bridges; called again after vswitchd has caught up."""

    def __init__(self, ovs: OvsSide, in_place: Callable[[], bool]) -> None:
        self._ovs = ovs
        self._in_place = in_place
        self._settled = asyncio.Event()
        self._restarted = asyncio.Event()

    def bridge_connected(self) -> None:
        self._settled.clear()
        self._restarted.set()

    def settled(self) -> None:
        """All that is wanted is in place."""
        self._settled.set()

    async def run(self) -> None:
        while True:
            await self._restarted.wait()
            self._restarted.clear()
            try:
                await self._wait_for_flows()
                await self._ovs.set_other_config(KEY, "false")
                await self._ovs.set_other_config(KEY, "true")
            except (OvsdbError, TimeoutError) as error:
                log.warning("flow-restore-wait not set", problem=str(error) or "vswitchd does not answer")
                await asyncio.sleep(RETRY_SECONDS)
                self._restarted.set()

    async def _wait_for_flows(self) -> None:
        """In place, and still so after vswitchd has notified us of every new port number."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._settled_for_good():
                    pass
        except TimeoutError:
            log.warning("flows are not complete, but vswitchd waits no longer", seconds=PATIENCE)

    async def _settled_for_good(self) -> bool:
        """Asks vswitchd once: with many ports an answer is dear.  It wakes the agent itself, for one more turn."""
        await self._settled.wait()
        await self._ovs.vswitchd_done()
        await asyncio.sleep(0)
        if not self._in_place():
            self._settled.clear()
            await self._settled.wait()
        return self._in_place()

    async def give_up(self) -> None:
        """The agent is stopped on purpose: a vswitchd that starts without it must not wait for it.  One that runs need
        not have read it."""
        try:
            await self._ovs.set_other_config(KEY, "false", wait=False)
        except OvsdbError as error:
            log.warning("flow-restore-wait not taken away", problem=str(error))
