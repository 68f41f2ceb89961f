"""The flows of one bridge that carry our mark: what is wanted against what is there, applied in atomic bundles.

Own one per bridge and connection.  It knows the mark as a cookie and mask only.  It never retries: an error leaves
the delta as it was, and the caller's loop comes back.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.epoch import Epoch, Epochs
from netweft.dataplane.openflow.errors import FlowRejected
from netweft.dataplane.openflow.flow import Action, Flow, FlowKey, Meter, Resubmit
from netweft.dataplane.openflow.messages import FlowChange
from netweft.reconcile.delta import Delta

MAX_REFUSED = 50  # units in one go; if there are more, something is wrong with the bridge, not with them


class FlowPlan(Struct, frozen=True):
    """What `apply` would do now, in order.  replaced: what the updates find there.  deletes: likewise.
    refusing: tables in which a flow more may take something away, and so may reading them."""

    adds: tuple[Flow, ...] = ()
    refusing: frozenset[int] = frozenset()
    updates: tuple[Flow, ...] = ()
    replaced: tuple[Flow, ...] = ()
    deletes: tuple[Flow, ...] = ()

    def __len__(self) -> int:
        return len(self.adds) + len(self.updates) + len(self.deletes)

    @property
    def takes_away(self) -> bool:
        """Whether something that a flow does now is not done any more: not so where actions are only added, but for
        meters."""
        pairs = zip(self.replaced, self.updates, strict=True)
        if self.deletes or any(flow.table in self.refusing for flow in self.adds):
            return True
        return not all(_does_more(now.actions, was.actions, self.refusing) for was, now in pairs)


def _does_more(now: Sequence[Action], was: Sequence[Action], refusing: frozenset[int]) -> bool:
    """Whether all that was done is done now, in the same order, and nothing more is limited or looked up."""
    rest = iter(now)
    return all(action in rest for action in was) and _limits(now, refusing) <= _limits(was, refusing)


def _limits(actions: Sequence[Action], refusing: frozenset[int]) -> set[Action]:
    return {one for one in actions if isinstance(one, Meter) or (isinstance(one, Resubmit) and one.table in refusing)}


class FlowDriver:
    """cookie, cookie_mask: whose flows these are; all others are never read, changed or deleted.

    on_drift: called (from the event loop) when somebody else changed our flows, so that the owner's loop runs again.
    taking_away: called before flows go or do less.
    unit_mask: flows whose cookies are the same in these bits are one unit.  If the switch refuses a flow, nothing of
    its unit is changed, all else is, and `refused` says why: unit -> error.  Flows of unit 0 hold up everything.
    refusing: as in FlowPlan.
    epochs: the next one begins with each bundle in which flows go or do less, so that nothing is cached of them.
    """

    def __init__(
        self,
        connection: OpenFlowConnection,
        cookie: int,
        cookie_mask: int,
        on_drift: Callable[[], None] | None = None,
        taking_away: Callable[[FlowPlan], None] | None = None,
        unit_mask: int = 0,
        epochs: Epochs | None = None,
        refusing: frozenset[int] = frozenset(),
    ) -> None:
        self._connection = connection
        self._cookie = cookie
        self._mask = cookie_mask
        self._on_drift = on_drift
        self._taking_away = taking_away
        self._unit_mask = unit_mask
        self._refusing = refusing
        self.refused: dict[int, FlowRejected] = {}  # at the last `apply`
        self._delta: Delta[FlowKey, Flow] = Delta()
        self._epoch = Epoch(epochs or Epochs())
        self._stale = True  # what is there is not known for sure: read before anything is done
        self._disturbed = False  # somebody changed something while a request of ours was under way

    @property
    def desired(self) -> Mapping[FlowKey, Flow]:
        return self._delta.desired

    @property
    def actual(self) -> Mapping[FlowKey, Flow]:
        return self._delta.actual

    async def send_packets(self, packets: Iterable[tuple[bytes, tuple[Action, ...]]]) -> None:
        """Raises OpenFlowError."""
        await self._connection.send_packets(packets)

    async def read(self) -> Mapping[FlowKey, Flow]:
        """Read our flows from the switch, and from now on monitor every change that others make to them.  Both requests
        go
        out at once, in this order: each answer is a turn of vswitchd's main loop to wait for."""
        self._stale, self._disturbed = True, False
        _, found = await asyncio.gather(
            self._connection.watch_flows(self._changed), self._connection.dump_flows(self._cookie, self._mask)
        )
        self._saw_all(found)
        self._stale = self._disturbed
        return self._delta.actual

    @property
    def in_sync(self) -> bool:
        """What is wanted is there for sure, and nothing else."""
        return not self._stale and not self._delta.dirty and self._epoch.whole

    def want(self, flows: Mapping[FlowKey, Flow]) -> None:
        """All that should be there."""
        self._delta.replace_desired(flows)

    def change(self, upserts: Sequence[Flow] = (), deletes: Sequence[FlowKey] = ()) -> None:
        """A part of what should be there: cost grows with the change, not with the bridge."""
        for key in deletes:
            self._delta.unwant(key)
        for flow in upserts:
            self._delta.want(flow.key, flow)

    def plan(self, *, delete: bool) -> FlowPlan:
        """delete=False leaves obsolete flows in place: nothing is taken away before the first full sync.  Of an
        epoch nothing stays."""
        actual = self._delta.actual
        upserts, deletes = self._accepted(self._delta.upserts()), self._accepted(self._delta.deletes())
        updates = tuple(flow for key, flow in upserts.items() if key in actual)
        plan = FlowPlan(
            adds=tuple(flow for key, flow in upserts.items() if key not in actual),
            updates=updates,
            replaced=tuple(actual[flow.key] for flow in updates),
            deletes=tuple(deletes.values()) if delete else (),
            refusing=self._refusing,
        )
        if self._epoch.whole and not plan.takes_away:
            return plan
        coming, going = self._epoch.following()
        return replace(plan, adds=(*plan.adds, *coming), deletes=(*plan.deletes, *going))

    def _accepted(self, flows: dict[FlowKey, Flow]) -> dict[FlowKey, Flow]:
        if not self.refused:
            return flows
        return {key: flow for key, flow in flows.items() if flow.cookie & self._unit_mask not in self.refused}

    async def apply(self, *, delete: bool) -> FlowPlan:
        """Do the plan in one bundle, but for what is refused.  Returns what was done; raises OpenFlowError."""
        self.refused = {}
        while True:
            try:
                return await self._apply(delete=delete)
            except FlowRejected as error:
                self._set_aside(error)
                self._stale = self._disturbed  # nothing was done

    def _set_aside(self, error: FlowRejected) -> None:
        unit = error.flow.cookie & self._unit_mask if isinstance(error.flow, Flow) else 0
        if not unit or unit in self.refused or len(self.refused) >= MAX_REFUSED:
            raise error
        self.refused[unit] = error

    async def _apply(self, *, delete: bool) -> FlowPlan:
        if self._stale:
            await self.read()
        plan = self.plan(delete=delete)
        if not plan:
            return plan
        if self._taking_away is not None and plan.takes_away:
            self._taking_away(plan)
        self._stale, self._disturbed = True, False  # if this is cut off, nobody knows how far it came
        # all is to change, as when the tables have other numbers
        if delete and not self.refused and len(self._delta.dirty) > len(self.desired) + 1:
            coming, _ = self._epoch.following()
            everything = (*self.desired.values(), *coming)
            await self._connection.apply(everything, clear=(self._cookie, self._mask))
            self._saw_all(everything)
        else:
            await self._connection.apply((*plan.adds, *plan.updates), [flow.key for flow in plan.deletes])
            for flow in plan.deletes:
                self._saw_gone(flow.key)
            for flow in (*plan.adds, *plan.updates):
                self._saw(flow)
        self._stale = self._disturbed
        return plan

    def _changed(self, change: FlowChange) -> None:
        """Somebody else's doing.  While a request of ours is under way its place in the order is not known."""
        flow = change.flow
        if flow is None:
            self._stale = self._disturbed = True
        elif self._is_ours(flow) or flow.key in self._delta.actual:
            self._disturbed = True
            if change.removed or not self._is_ours(flow):
                self._saw_gone(flow.key)
            else:
                self._saw(flow)
        else:
            return
        if self._on_drift is not None:
            self._on_drift()

    def _saw_all(self, flows: Sequence[Flow]) -> None:
        self._delta.replace_actual({flow.key: flow for flow in flows if not self._epoch.has(flow)})
        self._epoch.replace(filter(self._epoch.has, flows))

    def _saw(self, flow: Flow) -> None:
        if self._epoch.has(flow):
            self._epoch.saw(flow)
        else:
            self._delta.saw(flow.key, flow)

    def _saw_gone(self, key: FlowKey) -> None:
        self._epoch.saw_gone(key)
        self._delta.saw_gone(key)

    def _is_ours(self, flow: Flow) -> bool:
        return flow.cookie & self._mask == self._cookie & self._mask
