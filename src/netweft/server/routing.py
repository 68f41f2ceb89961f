"""Of some 500 routes those that a path can be of: looked up by its first two segments, not tried one by one."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

_SEGMENTS = 2
Key = tuple[str, ...]


class Routes(BaseRoute):
    """These routes as one: the first that matches is taken, as if they stood one after the other."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._general: list[BaseRoute] = []  # paths that begin in any way
        self._by_key: dict[Key, list[BaseRoute]] = {}
        for route in routes:
            key = _key_of(route)
            if key is None:
                for known in (self._general, *self._by_key.values()):
                    known.append(route)
            elif key in self._by_key:
                self._by_key[key].append(route)
            else:
                self._by_key[key] = [*self._general, route]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        partial: tuple[Match, Scope] = (Match.NONE, {})
        for route in self._by_key.get(_key(path), self._general):
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, "route": route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**found, "route": route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["route"].handle(scope, receive, send)


def _key_of(route: BaseRoute) -> Key | None:
    """None: it is tried with each path."""
    key = _key(route.path) if isinstance(route, Route | WebSocketRoute) else ("{",)
    return None if "{" in "".join(key) else key


def _key(path: str) -> Key:
    return tuple(path.split("/", _SEGMENTS + 1)[1 : _SEGMENTS + 1])
