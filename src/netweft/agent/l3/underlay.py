"""Whether this node reaches others on the underlay, probed on demand."""

from collections.abc import Iterable
from typing import Final

from netweft.agent.desired import Desired
from netweft.dataplane.host.echo import anybody_answers
from netweft.services.addresses import endpoint, text

# seconds: with the 210 ms after which BFD hears nobody, less than the 300 that a cut may stay unseen
WAIT: Final = 0.05


class Underlay:
    """own: this node's end of tunnels; empty: it has none."""

    def __init__(self, own: str, desired: Desired) -> None:
        self._own, self._desired = own, desired

    async def reaches(self, hosts: Iterable[str]) -> bool:
        """Any of these nodes."""
        own, nodes = endpoint(self._own), self._desired.view.nodes
        ends = filter(None, (endpoint(nodes[host].tunnel_ip) for host in hosts if host in nodes))
        others = [text(end) for end in ends if own and end.version == own.version]
        return own is not None and bool(others) and await anybody_answers(text(own), others, seconds=WAIT)
