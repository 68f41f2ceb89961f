"""What one bridge's datapath supports, as ovs-vswitchd says: read whenever the bridge is connected anew.

Number of meters apart (agent/meters), which OpenFlow says.
"""

from pathlib import Path

import structlog

from netweft.dataplane.unixctl import features
from netweft.dataplane.unixctl.client import CommandFailed, command

log = structlog.get_logger(__name__)


class BridgeDatapath:
    """compares_lengths: whether it has `check_pkt_larger`; assumed until it is read.
    writes_discovery: whether it can write all of an answer of neighbour discovery; until it is read the userspace one
    is assumed to, which it can: else all routers would be rendered a second time as soon as it is read.
    What a datapath does not support vswitchd does for each packet, at a hundredth of the speed.
    problem: what it lacks of what our flows need, for the node's status; "" for nothing."""

    def __init__(self, run_dir: Path, bridge: str) -> None:
        self.problem = ""
        self.compares_lengths = True
        self.writes_discovery = False
        self._run_dir = run_dir
        self._bridge = bridge
        self._asked = False

    def assume(self, datapath_type: str) -> None:
        """Until it is read."""
        if not self._asked:
            self.writes_discovery = datapath_type == "netdev"

    async def read(self) -> None:
        try:
            said = await command(self._run_dir, features.COMMAND, self._bridge)
        except CommandFailed as error:  # as before: it is read again when the bridge is connected anew
            log.warning("what the datapath can do is not known", bridge=self._bridge, problem=str(error))
            return
        self._asked = True
        self.compares_lengths = features.has(said, features.COMPARES_LENGTHS)
        self.writes_discovery = features.has(said, features.WRITES_DISCOVERY)
        lacking = ", ".join(features.lacking(said))
        self.problem = f"the datapath of {self._bridge} lacks {lacking}" if lacking else ""
