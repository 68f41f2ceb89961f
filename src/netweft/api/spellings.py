"""Paths as clients spell them: Neutron takes `-` and `_` for one another in the names of collections and actions.

Not in what stands between: ids and tags are what they are.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from starlette.routing import BaseRoute, Route

_PARAMETER = re.compile(r"(\{[^}]*\})")


def both(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """These routes, and behind them the same ones in the other spelling."""
    known = list(routes)
    return [*known, *(other for route in known if isinstance(route, Route) for other in _others(route))]


def _others(route: Route) -> Iterator[Route]:
    for path in _spelled(route.path):
        yield Route(path, route.endpoint, methods=list(route.methods or ()))


@cache
def _spelled(path: str) -> list[str]:
    return sorted({_respelled(path, wrong, right) for wrong, right in ("-_", "_-")} - {path})


def _respelled(path: str, wrong: str, right: str) -> str:
    parts = _PARAMETER.split(path)
    return "".join(part if part.startswith("{") else part.replace(wrong, right) for part in parts)
