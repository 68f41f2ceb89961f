"""What belongs to each load balancer, looked up by its id."""

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeAlias, TypeVar

from msgspec import Struct

from netweft.model import Key, L7Policy, L7Rule, Listener, Member, Object, Pool, Proxy, key_of

Part: TypeAlias = Listener | Pool | Member | L7Policy | L7Rule | Proxy
T = TypeVar("T", bound=Part)
_PARTS = (Listener, Pool, Member, L7Policy, L7Rule, Proxy)


class Parts(Struct, frozen=True):
    """Of one balancer: a value that is another one after each change."""

    parts: tuple[Part, ...]

    def of(self, kind: type[T]) -> tuple[T, ...]:
        """By id."""
        return tuple(one for one in self.parts if isinstance(one, kind))


class Trees:
    """Facts: ("tree", balancer) -> its Parts, but for health monitors; the balancer itself is a fact of its own."""

    def __init__(self) -> None:
        self._of: defaultdict[str, dict[Key, Part]] = defaultdict(dict)

    def changed(self, before: Object | None, after: Object | None) -> Iterator[tuple[tuple[str, str], Parts | None]]:
        ids = set()
        for one in (before, after):
            if isinstance(one, _PARTS):
                self._of[one.load_balancer_id].pop(key_of(one), None)
                ids.add(one.load_balancer_id)
        if isinstance(after, _PARTS):
            self._of[after.load_balancer_id][key_of(after)] = after
        for id in sorted(ids):
            found = self._of[id]
            yield ("tree", id), Parts(tuple(found[key] for key in sorted(found))) if found else None
            if not found:
                del self._of[id]
