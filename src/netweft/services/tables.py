"""What a table of the pipeline is: a record that promises what its flows match, set and where they go.

A flow is checked against its table's record when it is built, so that one which does what the list does not promise is
an error in a unit test.  The list itself is pipeline.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from netweft.dataplane.openflow.epoch import Epochs
from netweft.dataplane.openflow.fields import FIELDS
from netweft.dataplane.openflow.flow import (
    Action,
    Apart,
    CheckLarger,
    Clone,
    Controller,
    Ct,
    DecTtl,
    Flow,
    Goto,
    Match,
    Move,
    Multipath,
    Output,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
)
from netweft.services.fields import EPOCH_BITS, EPOCH_PLACES, Reason, cookie

DROP = "drop"
MAX_ACTIONS = 4000  # a flow is one message of at most 64 KiB, an action 16 bytes or more
# else vswitchd gives the kernel's datapath a flow without what we look at: one packet's verdict would be every packet's
NO_CODE = "what neighbour discovery says inside is looked at only where icmpv6_code is matched as 0"
NEIGHBOUR_FIELDS: Final = frozenset(name for name in FIELDS if name.startswith("nd_"))
_TRACKED: Final = (0x0800, 0x86DD)  # IPv4, IPv6: Open vSwitch refuses `ct` in a flow that does not match one of them
OTHERS = "others' flows"  # the bridge is not ours alone

Value: TypeAlias = int | tuple[int, int | None]  # what a field must be, or (value, mask)
Given: TypeAlias = tuple[int, tuple[Action, ...]]  # a flow's cookie and actions


class PipelineError(ValueError):
    """A flow does what its table's record does not promise."""


class BridgeFlow(NamedTuple):
    """bridge: the role, `int`, `tun` or `phys:PHYSICAL_NETWORK`; its name is a setting."""

    bridge: str
    flow: Flow


class Table(Struct, frozen=True):
    """match, set: field names.  next: tables a flow may go on to.  output, agent: whether a flow may send a frame out,
    or to our agent.  entry: packets begin here, or go on here when the datapath gives them back.
    again: tables further up, where what conntrack gives back goes on, or what a router gives to another.
    subroutine: it is resubmitted to and returns, though it resubmits to others itself: see `is_subroutine`.
    miss: `drop`, the table where a frame goes that no flow matches, or `others' flows`: we say nothing about it."""

    name: str
    about: str
    match: frozenset[str]
    set: frozenset[str] = frozenset()
    next: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    output: bool = False
    agent: bool = False
    entry: bool = False
    subroutine: bool = False
    miss: str = DROP
    # given by the pipeline
    bridge: str = ""
    id: int = -1
    next_ids: frozenset[int] = frozenset()
    again_ids: frozenset[int] = frozenset()
    entry_ids: frozenset[int] = frozenset()

    @property
    def is_subroutine(self) -> bool:
        """Packets return to the flow that resubmitted them: one that no flow here matches is not dropped."""
        return self.subroutine or not (self.next or self.output or self.agent)

    @property
    def goto(self) -> Goto:
        return Goto(self.id)

    @property
    def apart(self) -> Apart:
        return Apart(self.id)

    @property
    def resubmit(self) -> Resubmit:
        return Resubmit(self.id)

    def flow(self, priority: int, cookie: int, match: Mapping[str, Value], *actions: Action) -> BridgeFlow:
        """match: field -> value, or (value, mask).  Raises PipelineError."""
        if not match.keys() <= self.match:
            raise PipelineError(f"{self}: may not match {', '.join(sorted(match.keys() - self.match))}")
        if len(actions) > MAX_ACTIONS:
            raise PipelineError(f"{self}: {len(actions)} actions do not fit into one flow")
        neighbours = not NEIGHBOUR_FIELDS.isdisjoint(match)
        for action in actions:
            if check := _CHECKS.get(type(action)):
                check(self, action)
            if type(action) is Ct and match.get("eth_type") not in _TRACKED:
                raise PipelineError(f"{self}: sends to conntrack what is neither IPv4 nor IPv6")
            neighbours = neighbours or (type(action) is Move and action.src in NEIGHBOUR_FIELDS)
        if neighbours and match.get("icmpv6_code") != 0:
            raise PipelineError(f"{self}: {NO_CODE}")
        flow = Flow(table=self.id, priority=priority, match=_sorted(match), actions=actions, cookie=cookie)
        return BridgeFlow(self.bridge, flow)

    def flows(
        self, priority: int, match: Mapping[str, Value], name: str, mask: int, given: Iterable[Given | None]
    ) -> Iterator[BridgeFlow]:
        """One flow for each value of a field, from 0 on; `flow` for hundreds that differ in nothing else: what is
        given several times is checked once.  None: no flow.  mask: of that field, which `match` does not have.  As
        `flow`."""
        whole = _sorted({**match, name: (0, mask)})
        place = [part[0] for part in whole].index(name)
        before, after = whole[:place], whole[place + 1 :]
        checked: dict[int, tuple[Action, ...]] = {}
        for value, of_it in enumerate(given):
            if of_it is None:
                continue
            whose, actions = of_it
            if id(actions) not in checked:
                self.flow(priority, whose, {**match, name: (value, mask)}, *actions)
                checked[id(actions)] = actions
            looks = (*before, (name, value, mask), *after)
            flow = Flow(table=self.id, priority=priority, match=looks, actions=actions, cookie=whose)
            yield BridgeFlow(self.bridge, flow)

    def __str__(self) -> str:
        return f"{self.bridge}.{self.name}"


def _sets(table: Table, action: SetField | CheckLarger | Multipath) -> None:
    _may_set(table, action.field)


def _moves(table: Table, action: Move) -> None:
    _may_set(table, action.dst)


def _may_set(table: Table, name: str) -> None:
    if name not in table.set:
        raise PipelineError(f"{table}: may not set {name}")


def _tags(table: Table, _: PushVlan | PopVlan) -> None:
    if "vlan_vid" not in table.set:
        raise PipelineError(f"{table}: may not push or pop a VLAN tag")


def _goes(table: Table, action: Goto | Apart) -> None:
    if action.table not in table.next_ids:
        raise PipelineError(f"{table}: may not go to table {action.table}")


def _goes_again(table: Table, action: Resubmit | Ct) -> None:
    to = action.table
    if to is None:
        return
    if to not in table.next_ids and to not in table.again_ids:
        raise PipelineError(f"{table}: may not go to table {to}")
    if type(action) is Ct and to not in table.entry_ids:
        raise PipelineError(f"{table}: nothing goes on in table {to} when it has been tracked")


def _clones(table: Table, action: Clone) -> None:
    for inside in action.actions:
        if check := _CHECKS.get(type(inside)):
            check(table, inside)


def _sends(table: Table, _: Output) -> None:
    if not table.output:
        raise PipelineError(f"{table}: may not send a frame out")


def _tells(table: Table, _: Controller) -> None:
    if not table.agent:
        raise PipelineError(f"{table}: may not send a frame to the agent")


# by type: of thousands of flows each action is checked
_CHECKS: Mapping[type[Action], Callable[[Table, Any], None]] = {
    **dict.fromkeys((SetField, CheckLarger, Multipath), _sets),
    Move: _moves,
    **dict.fromkeys((PushVlan, PopVlan), _tags),
    DecTtl: lambda table, _: _may_set(table, "ip_ttl"),
    **dict.fromkeys((Goto, Apart), _goes),
    **dict.fromkeys((Resubmit, Ct), _goes_again),
    Clone: _clones,
    Output: _sends,
    Controller: _tells,
}


def _sorted(match: Mapping[str, Value]) -> Match:
    """The form in which a flow compares equal to what the switch says: by name, without empty masks."""
    return tuple(
        [
            (name, *value) if isinstance(value, tuple) else (name, value, None)
            for name, value in sorted(match.items())
            if not isinstance(value, tuple) or value[1] != 0
        ]
    )


class Pipeline(Struct, frozen=True):
    """One bridge's tables in order.  role: how the rest of the code calls the bridge."""

    role: str
    about: str
    tables: dict[str, Table] = field(default_factory=dict)

    @classmethod
    def of(cls, role: str, about: str, *tables: Table) -> "Pipeline":
        """Gives each table its id, and resolves names.  Raises PipelineError on a jump upwards or into nowhere."""
        ids = {table.name: number for number, table in enumerate(tables)}
        entries = frozenset(ids[table.name] for table in tables if table.entry)
        placed = {}
        for number, table in enumerate(tables):
            onward = {*table.next, *({table.miss} - {DROP, OTHERS})}
            wrong = [name for name in onward if ids.get(name, -1) <= number]
            if wrong:
                raise PipelineError(f"{role}.{table.name}: {', '.join(wrong)} is not further down")
            next_ids = frozenset(ids[name] for name in onward)
            again_ids = frozenset(ids[name] for name in table.again)
            placed[table.name] = replace(
                table, bridge=role, id=number, next_ids=next_ids, again_ids=again_ids, entry_ids=entries
            )
        return cls(role, about, placed)

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]

    def epochs(self, place: int = 0) -> Epochs:
        """Of a bridge with these tables.  place: which one it is of this role on its node."""
        entries = tuple(table.id for table in self.tables.values() if table.entry)
        field, shift, width = EPOCH_BITS[self.role]
        shift += place % EPOCH_PLACES[self.role] * 2 * width
        return Epochs(cookie(Reason.EPOCH), entries, field, shift, width)

    def misses(self) -> Iterator[BridgeFlow]:
        """What each table does with a frame that no flow matches, as flows, so that it can be counted and traced."""
        owner = cookie(Reason.PIPELINE)
        for table in self.tables.values():
            if table.miss == OTHERS:
                continue
            yield table.flow(0, owner, {}, *(() if table.miss == DROP else (self[table.miss].goto,)))


def fields(*names: str) -> frozenset[str]:
    return frozenset(names)
