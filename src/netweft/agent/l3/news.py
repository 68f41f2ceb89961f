"""Whether this node's routers, or VIPs on wires, may be otherwise than when one looked last: who has made something of
all of them makes it again then only.  A turn, and a tick, cost what has changed, and not what there is."""

from netweft.agent.desired import Desired


class News:
    def __init__(self, desired: Desired) -> None:
        self._desired = desired
        self._seen = (-1, -1)

    def __call__(self) -> bool:
        before, self._seen = self._seen, (self._desired.routers, self._desired.vips_version)
        return self._seen != before
