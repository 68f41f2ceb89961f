"""How many addresses unknown to the database one port may have: its share of each node's entries of its network.

All that a port announces passes its own node, and each node probes its entries again (`resolver`): an address that a
port has not confirmed for a while is known nowhere.  A port that announces more than its share is ignored until all of
its entries have expired.
"""

from collections.abc import Callable

import structlog

from netweft.agent.desired import Desired
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.values import Asked

log = structlog.get_logger(__name__)

MOST = 256  # addresses; a node holds 1,024 of a network
WITHIN = 30.0  # seconds; an entry is probed again after 25, and removed 3.5 later
DEAF_FOR = 2 * WITHIN


class Shares:
    def __init__(self, desired: Desired, wake: Callable[[], None]) -> None:
        self._desired = desired
        self._wake = wake
        self._said: dict[str, dict[IpAddress, float]] = {}  # of each port, the oldest first
        self._deaf: dict[str, float] = {}  # until when

    def takes(self, port_id: str, address: IpAddress, now: float) -> bool:
        """Whether the port is heard when it says that it has this address."""
        if port_id in self._deaf:
            self._listen(port_id, False)  # somebody else has listened to it again
            return False
        said = self._said.setdefault(port_id, {})
        said.pop(address, None)
        said[address] = now
        _forget(said, now)
        if len(said) <= MOST:
            return True
        log.warning("port has too many addresses", port=port_id, most=MOST, deaf_for=DEAF_FOR)
        del self._said[port_id]
        self._deaf[port_id] = now + DEAF_FOR
        self._listen(port_id, False)
        return False

    def tick(self, now: float) -> None:
        for port_id in [id for id, until in self._deaf.items() if now >= until]:
            del self._deaf[port_id]
            self._listen(port_id, True)
        for port_id, said in list(self._said.items()):
            _forget(said, now)
            if not said:
                del self._said[port_id]

    def _listen(self, port_id: str, again: bool) -> None:
        self._desired.listen(port_id, Asked.NEXT_HOP, again=again)
        self._wake()


def _forget(said: dict[IpAddress, float], now: float) -> None:
    """What was said too long ago."""
    while said and now - said[oldest := next(iter(said))] > WITHIN:
        del said[oldest]
