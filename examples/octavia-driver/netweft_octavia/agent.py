"""What Octavia's driver agent runs: it tells Octavia what has become of its objects, and what listeners have carried.

Level-triggered: it looks at all of it, and tells what differs from what it has told.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from octavia_lib.api.drivers import driver_lib, exceptions

from netweft_octavia.netweft import Netweft, from_environment
from netweft_octavia.translate import TAG

LOOK_SECONDS: Final = 0.5
STATS_EVERY: Final = 20  # looks
_KINDS: Final = ("loadbalancers", "listeners", "pools", "healthmonitors", "l7policies")
_NESTED: Final = {"pools": "members", "l7policies": "rules"}
_OCTAVIAS: Final = {"rules": "l7rules"}

_NOT_TOLD: Final = (
    exceptions.DriverAgentNotFound,
    exceptions.DriverAgentTimeout,
    exceptions.UpdateStatusError,
    exceptions.UpdateStatisticsError,
)

log = logging.getLogger(__name__)

Statuses = dict[str, dict[str, dict[str, str]]]  # kind -> Octavia's id -> what is told of it


class Event(Protocol):
    """Of the driver agent's: it is set when it ends."""

    def wait(self, timeout: float | None = None) -> bool: ...


class Octavia(Protocol):
    def update_loadbalancer_status(self, status: Mapping[str, Any]) -> Any: ...

    def update_listener_statistics(self, statistics: Mapping[str, Any]) -> Any: ...


def follow(exit_event: Event) -> None:
    """Until that is set."""
    follower = Follower(Netweft(from_environment()), driver_lib.DriverLibrary())
    looks = 0
    while not exit_event.wait(LOOK_SECONDS):
        try:
            follower.tell_statuses()
            if looks % STATS_EVERY == 0:
                follower.tell_statistics()
        except (exceptions.DriverError, exceptions.UnsupportedOptionError, OSError) as error:
            log.warning("Netweft could not be asked: %s", error)
        except _NOT_TOLD as error:
            log.warning("Octavia was not told: %s", error)
        looks += 1


class Follower:
    def __init__(self, netweft: Netweft, octavia: Octavia) -> None:
        self._netweft, self._octavia = netweft, octavia
        self._told: Statuses = {}

    def tell_statuses(self) -> None:
        now = self.statuses()
        news = {kind: list(_news(self._told.get(kind, {}), found)) for kind, found in now.items()}
        if any(news.values()):
            self._octavia.update_loadbalancer_status({kind: told for kind, told in news.items() if told})
        self._told = now

    def statuses(self) -> Statuses:
        found: Statuses = {}
        for kind in _KINDS:
            rows = self._netweft.list(f"/{kind}")
            found[kind] = dict(_tagged(rows))
            nested = _NESTED.get(kind)
            for row in rows if nested else ():
                below = self._netweft.list(f"/{kind}/{row['id']}/{nested}")
                found.setdefault(_OCTAVIAS.get(nested or "", nested or ""), {}).update(_tagged(below))
        return found

    def tell_statistics(self) -> None:
        told = []
        for row in self._netweft.list("/listeners"):
            for id, _ in _tagged([row]):
                told.append({"id": id, **self._netweft.get(f"/listeners/{row['id']}/stats")})
        if told:
            self._octavia.update_listener_statistics({"listeners": told})


def _tagged(rows: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, str]]]:
    for row in rows:
        for each in row.get("tags") or ():
            if each.startswith(TAG):
                names = ("provisioning_status", "operating_status")
                yield each.removeprefix(TAG), {name: row[name] for name in names}


def _news(told: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, str]]:
    for id, status in now.items():
        if told.get(id) != status and status["provisioning_status"] in ("ACTIVE", "ERROR"):
            yield {"id": id, **status}
    for id in told.keys() - now.keys():
        yield {"id": id, "provisioning_status": "DELETED"}
