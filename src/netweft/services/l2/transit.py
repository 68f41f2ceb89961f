"""Which networks that routers lead to, and which gateways, the link to the tunnel bridge names on its row.

Each with its local VLAN or conntrack zone, so that an agent without any memory finds them again.
"""

from collections.abc import Iterator, Mapping

from netweft.reconcile.memo import Fact
from netweft.services import node_facts


class Transit:
    """assigned: what the row says when the agent starts, which holds until something else is said."""

    def __init__(self, assigned: Mapping[str, int]) -> None:
        self._numbers = dict(assigned)
        self._is_new = bool(assigned)

    def carry(self, name: str, number: int | None) -> None:
        """None: not any more."""
        if self._numbers.get(name) != number:
            self._is_new = True
            self._numbers.pop(name, None)
            if number is not None:
                self._numbers[name] = number

    def refresh(self) -> Iterator[tuple[Fact, object]]:
        """The fact that has changed since the last call, if it has."""
        if self._is_new:
            self._is_new = False
            yield node_facts.TRANSIT, tuple(sorted((number, name) for name, number in self._numbers.items())) or None
