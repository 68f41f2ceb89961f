"""How long requests take, by what was requested and the answer's status."""

from collections.abc import Iterable
from typing import Any, Final

from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from netweft.metrics.definitions import REQUEST_SECONDS
from netweft.metrics.values import Reading, Timings

NOWHERE: Final = "none"  # no such path
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Requests:
    def __init__(self) -> None:
        self._resources: dict[Any, str] = {}  # by the function that answers
        self._timings: dict[tuple[str, str, str], Timings] = {}

    def know(self, routes: Iterable[BaseRoute]) -> None:
        for route in routes:
            if isinstance(route, Route):
                self._resources.setdefault(route.endpoint, _resource(route.path))

    def add(self, scope: Scope, status: int, seconds: float) -> None:
        """When it was answered, and whoever has answered is in `scope`, as the router leaves it."""
        resource = self._resources.get(scope.get("endpoint"), NOWHERE)
        method = scope["method"] if scope["method"] in METHODS else "other"
        key = (resource, method, str(status or "gone"))
        timings = self._timings.get(key)
        if timings is None:
            timings = self._timings[key] = Timings(REQUEST_SECONDS.bounds)
        timings.add(seconds)

    def readings(self) -> Iterable[Reading]:
        return [REQUEST_SECONDS.at(timings, *key) for key, timings in self._timings.items()]


def _resource(path: str) -> str:
    """`/v2.0/qos/policies/{id}/bandwidth_limit_rules` -> `qos/policies/bandwidth_limit_rules`."""
    words = [word for word in path.split("/") if word and not word.startswith("{") and word not in ("v2.0", "v3")]
    return "/".join(words) or "/"
