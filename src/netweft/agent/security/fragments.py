"""What Open vSwitch has to do with fragments on the integration bridge, and forgets when it is started anew.

    flows see the ports of first fragments        of the bridge; anybody who has a connection to it can change it
    fragments of 400 bytes or more are tracked    of the userspace datapath, which takes none under 1,200 (IPv4) or
                                                  1,280 (IPv6) for sound, and paths with a smaller MTU are
    conntrack keeps 5,000 fragments at once     likewise; 1,000 by default

Until the former is so, the flows let no first fragment pass (services.fragments).
"""

from pathlib import Path

import structlog

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.unixctl import fragments
from netweft.dataplane.unixctl.client import CommandFailed, command
from netweft.reconcile.plan import Step

log = structlog.get_logger(__name__)


class BridgeFragments:
    """Of one bridge and connection."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._connection: OpenFlowConnection | None = None
        self._shown = True
        self._wanting: list[tuple[str, ...]] = []
        self._full = False

    async def read(self, connection: OpenFlowConnection) -> None:
        """Raises OpenFlowError."""
        self._connection = connection
        await self.look()

    def lost(self) -> None:
        self._connection = None
        self._shown, self._wanting = True, []

    async def look(self) -> bool:
        """Whether something is to be done.  Raises OpenFlowError."""
        if self._connection is not None:
            self._shown = await self._connection.shows_first_fragments()
            try:
                status = await command(self._run_dir, *fragments.STATUS)
            except CommandFailed:  # another datapath, which takes fragments of any size
                self._wanting = []
            else:
                self._wanting = fragments.wanting(status)
                self._look_how_full(status)
        return bool(self.plan())

    def _look_how_full(self, status: str) -> None:
        """Said once, until there is room again."""
        full = fragments.nearly_full(status)
        if full and not self._full:
            log.warning("conntrack has no room for fragments: what comes in pieces is lost", kept=full[0], most=full[1])
        self._full = full is not None

    async def put(self) -> int:
        """Returns how much was set.  Raises OpenFlowError."""
        steps = len(self.plan())
        if self._connection is not None and not self._shown:
            await self._connection.show_first_fragments()
            self._shown = True
        wanting, self._wanting = self._wanting, []
        try:
            for words in wanting:
                await command(self._run_dir, *words)
        except CommandFailed as error:  # tried again at the next look
            log.warning("fragments are tracked as Open vSwitch does by itself", problem=str(error))
        return steps

    def plan(self) -> list[Step]:
        if self._connection is None:
            return []
        shown = [] if self._shown else [Step("fragments", "nx-match", "normal", "nx-match")]
        return [*shown, *(Step("fragments", " ".join(words[:-1]), now=words[-1]) for words in self._wanting)]
