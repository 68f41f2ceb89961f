"""Which MACs of a network are ports': their own, and those of their allowed address pairs."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from netweft.model import Object, Peer, Port
from netweft.reconcile.memo import Fact


class PortMacs:
    """Facts: ("is a port's", network, MAC) -> True."""

    of: Final = (Port, Peer)

    def __init__(self) -> None:
        self._of: Counter[Fact] = Counter()

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[Fact, object]]:
        found = [set(_facts(one)) if isinstance(one, Port | Peer) else set() for one in (before, after)]
        for fact in sorted(found[0] ^ found[1]):
            self._of[fact] += 1 if fact in found[1] else -1
            yield fact, bool(self._of[fact]) or None
            if not self._of[fact]:
                del self._of[fact]


def _facts(port: Port | Peer) -> Iterator[tuple[str, str, str]]:
    for mac_address in (port.mac_address, *(pair.mac_address for pair in port.allowed_address_pairs)):
        yield "is a port's", port.network_id, mac_address
