"""A bundle that empties Open vSwitch's cache of flows, by itself and at once (docs/decisions/0125).

The mask of a cached flow covers what the tables looked at when it was made.  When tables change, vswitchd deletes each
cached flow whose mask does not cover what they look at now; one whose mask does, it changes in place, and in the
userspace datapath that may hit another one than it means.  So in each table in which a packet begins there is one flow
that no packet matches, but with which each is compared: it looks at some bits of a field that nobody sets.  A bundle
that moves it to other bits makes every cached mask too small.

    epoch 5   00000101 11111010 ─┐  no number with its complement covers another one's
    epoch 6   00000110 11111001 ─┘
"""

from collections.abc import Iterable

from msgspec import Struct

from netweft.dataplane.openflow.flow import OFPP_IN_PORT, Flow, FlowKey

HIGHEST = 0xFFFF


class Epochs(Struct, frozen=True):
    """The flows of each epoch of one bridge: one in each of these tables, with this cookie.

    shift, width: where the number begins in the field, and how many bits it has; its complement comes above it.
    Bridges that a packet may pass need bits of their own each: a cached flow's mask covers all of them."""

    cookie: int = 0
    tables: tuple[int, ...] = ()
    field: str = "pkt_mark"
    shift: int = 0
    width: int = 1

    def flows(self, number: int) -> tuple[Flow, ...]:
        """number: any; counted round."""
        looks: tuple[str, int, int | None] = (self.field, 0, self._bits(number))
        match = tuple(sorted((("in_port", OFPP_IN_PORT, None), looks)))
        return tuple(Flow(table=table, priority=HIGHEST, match=match, cookie=self.cookie) for table in self.tables)

    def number(self, flow: Flow) -> int | None:
        """None: it looks at nothing that an epoch does."""
        marks = next((mask or 0 for name, _, mask in flow.match if name == self.field), 0)
        number = marks >> self.shift & self._all
        return number if marks == self._bits(number) else None

    @property
    def _all(self) -> int:
        return (1 << self.width) - 1

    def _bits(self, number: int) -> int:
        number &= self._all
        return (number | (number ^ self._all) << self.width) << self.shift


class Epoch:
    """Which one it is on a bridge."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs
        self._there: dict[FlowKey, Flow] = {}
        self._last = -1

    def has(self, flow: Flow) -> bool:
        """Whether the flow is one of an epoch's."""
        return bool(self._epochs.tables) and flow.cookie == self._epochs.cookie

    def replace(self, flows: Iterable[Flow]) -> None:
        """All that are there."""
        self._there.clear()
        for flow in flows:
            self.saw(flow)

    def saw(self, flow: Flow) -> None:
        self._there[flow.key] = flow
        number = self._epochs.number(flow)
        self._last = self._last if number is None else number

    def saw_gone(self, key: FlowKey) -> None:
        self._there.pop(key, None)

    @property
    def whole(self) -> bool:
        """One epoch's flows are there, and no others."""
        return self._there == _by_key(self._epochs.flows(self._last))

    def following(self) -> tuple[tuple[Flow, ...], tuple[Flow, ...]]:
        """What comes and what goes when the next one begins."""
        coming = _by_key(self._epochs.flows(self._last + 1))
        return tuple(coming.values()), tuple(flow for key, flow in self._there.items() if key not in coming)


def _by_key(flows: Iterable[Flow]) -> dict[FlowKey, Flow]:
    return {flow.key: flow for flow in flows}
