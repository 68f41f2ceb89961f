"""Which networks that routers lead to, and which gateways, stand on the row of the link to the tunnel bridge.

Each with its local VLAN or conntrack zone, so that an agent without any memory finds them again.  Each is a fact and a
unit: one more writes one more key, however many there are.
"""

from collections.abc import Mapping
from typing import Any

from netweft.reconcile.memo import Memo
from netweft.services import node_facts


class Transit:
    """assigned: what the row says when the agent starts, which holds until something else is said."""

    def __init__(self, memo: Memo[Any, Any], assigned: Mapping[str, int]) -> None:
        self._memo = memo
        self._names: set[str] = set()
        for name, number in assigned.items():
            self.carry(name, number)

    def carry(self, name: str, number: int | None) -> None:
        """None: not any more."""
        (self._names.discard if number is None else self._names.add)(name)
        self._memo.put(("carried", name), number)
        self._memo.mark(("carried", name))

    def refresh(self) -> None:
        """Whether there are any."""
        self._memo.put(node_facts.ROUTED, bool(self._names) or None)
