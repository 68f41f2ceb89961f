"""The MACs that operators' bridges, which are learning switches, have learned."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import structlog

from netweft.dataplane.unixctl.client import CommandFailed, command

log = structlog.get_logger(__name__)


class LearnedMacs:
    def __init__(self, run_dir: Path) -> None:
        self._command = partial(command, run_dir)

    async def forget(self, bridges: Iterable[str]) -> None:
        """Those behind a link that is about to go: until they are learned elsewhere, frames for them are flooded."""
        try:
            for bridge in bridges:
                await self._command("fdb/flush", bridge)
            await self._command("revalidator/purge")  # what is cached goes where they were
        except CommandFailed as error:  # Open vSwitch forgets them by itself a moment after the link has gone
            log.warning("learned MACs not dropped", problem=str(error))
