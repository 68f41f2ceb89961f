"""Hosts of mechanisms, which are no nodes of ours: in the database they are agents like others, with their ports."""

import time
from collections.abc import Mapping
from functools import partial

from netweft.control.l2 import binding
from netweft.control.lb import health
from netweft.plugins.mechanisms import Seen
from netweft.store import Store

SIGN_SECONDS = 20.0  # between two signs of life


class Hosts:
    """As one mechanism sees them, in one server.  In a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, Seen] = {}
        self._heard: dict[str, float] = {}

    def told(self, seen: Mapping[str, Seen]) -> None:
        """Writes what is new; and now and then that a host is there still."""
        now = time.monotonic()
        for host, one in seen.items():
            before = self._seen.get(host)
            if before is None or before.facts != one.facts:
                self._store.run(partial(binding.node_connected, node=host, facts=one.facts))
                self._heard[host] = now
            elif now > self._heard[host] + SIGN_SECONDS:
                self._store.run(partial(binding.node_seen, node=host))
                self._heard[host] = now
            if before is None or before.ports != one.ports:
                self._store.run(partial(binding.report_ports, node=host, statuses=one.ports, complete=True))
            if one.members:
                self._store.run(partial(health.report, node=host, health=one.members))
            self._seen[host] = one
        for host in self._seen.keys() - seen.keys():
            self._store.run(partial(binding.node_gone, node=host))
            del self._seen[host], self._heard[host]
