"""Which other hosts have ports of each network: where a flooded frame has to go."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator

from netweft.model import Object, Peer


class NetworkHosts:
    def __init__(self) -> None:
        self._hosts: defaultdict[str, Counter[str]] = defaultdict(Counter)  # network -> host -> ports there

    def on(self, network_id: str) -> Collection[str]:
        return self._hosts.get(network_id, ())

    def changed(self, before: Object | None, after: Object | None) -> Iterator[str]:
        """The networks for which it makes a difference."""
        for peer, step in ((before, -1), (after, 1)):
            if isinstance(peer, Peer):
                hosts = self._hosts[peer.network_id]
                hosts[peer.host_id] += step
                if not hosts[peer.host_id]:
                    del hosts[peer.host_id]
                if not hosts:
                    del self._hosts[peer.network_id]
                yield peer.network_id
