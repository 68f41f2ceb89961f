"""How many addresses that nobody knows one port may have: its share of what each node holds of its network.

All that a port says of itself passes the node that it is on, and each node asks again for what it knows (`resolver`):
what a port has not said for a while is known nowhere.  One that says that it has more than its share is not heard until
all of it is forgotten.
"""

from collections.abc import Callable

import structlog

from netweft.agent.desired import Desired
from netweft.dataplane.packets.datagram import IpAddress
from netweft.services.values import Asked

log = structlog.get_logger(__name__)

MOST = 256  # addresses; a node holds 1,024 of a network
WITHIN = 30.0  # seconds; what is known is asked for again after 25, and given up 3.5 later
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
