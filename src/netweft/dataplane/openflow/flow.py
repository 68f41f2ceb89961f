"""A flow as a value: match, priority, actions, cookie.  `str()` gives `ovs-ofctl` syntax.

Field names are those of ovs-fields(7).  Values are ints in host order (MAC and IP addresses too).
Nothing here talks to a switch; the codec beside this file turns a Flow into bytes.
"""

from typing import TypeAlias

from msgspec import Struct

# A match is a sorted tuple of (field, value, mask); mask None means exact.
Match: TypeAlias = tuple[tuple[str, int, int | None], ...]


class Output(Struct, frozen=True):
    """To one OpenFlow port; `in_port` to send back where it came from needs port=OFPP_IN_PORT."""

    port: int


class Controller(Struct, frozen=True):
    """To whoever has taken this id on its connection to the switch, and to nobody else.

    max_len: bytes of the frame that are enough; Open vSwitch 3.1 sends all of it anyway."""

    id: int
    max_len: int = 0xFFFF


class SetField(Struct, frozen=True):
    """mask None: the whole field, and so it should be written, since that is how the switch reports it."""

    field: str
    value: int
    mask: int | None = None


class Move(Struct, frozen=True):
    """Copy bits: dst[dst_start .. dst_start+bits] = src[src_start .. src_start+bits]."""

    src: str
    dst: str
    bits: int
    src_start: int = 0
    dst_start: int = 0


class PushVlan(Struct, frozen=True):
    ethertype: int = 0x8100


class PopVlan(Struct, frozen=True):
    pass


class DecTtl(Struct, frozen=True):
    """One less of an IPv4 or IPv6 packet's TTL.  Of one that has no more than 1 left, the actions that follow are not
    done, and it ends: match `ip_ttl` before, where somebody has to hear of it."""


class CheckLarger(Struct, frozen=True):
    """Set one bit of `field` to whether the frame is longer than `length` bytes, its Ethernet header counted and an
    802.1Q tag not; of one that is cut for the wire later, each part.  What follows is done for both answers: of a
    table that is resubmitted to, that is not what follows the resubmit."""

    length: int
    field: str
    bit: int


class Multipath(Struct, frozen=True):
    """Write which of `links` the packet's flow gets, 0 to links - 1, into the low `bits` of `field`: the same for all
    of its packets and its replies', on every switch.

    ports: by addresses, and ports of TCP, UDP and SCTP; else by addresses alone.  source: by the source's address
    alone, which is not the same for answers.  basis: with another one, flows are spread otherwise."""

    field: str
    bits: int
    links: int
    basis: int = 0
    ports: bool = True
    source: bool = False


class Resubmit(Struct, frozen=True):
    """To a table, as an action: processing comes back and goes on with the next action."""

    table: int


class Goto(Struct, frozen=True):
    """To a table, as the last instruction."""

    table: int


class Nat(Struct, frozen=True):
    """What conntrack does to addresses: of a connection that is committed, from now on the source is
    `src`, or the destination `dst`, and answers go back to who it was; with neither, what was decided when it was
    committed.

    port: of that end, from now on.  Without one the sender's own is kept where no other connection has it, and the
    receiver's always.  version: of the address."""

    src: int | None = None
    dst: int | None = None
    port: int | None = None
    version: int = 4


class Ct(Struct, frozen=True):
    """Through conntrack.

    zone: a number, or the name of a register whose low 16 bits say it.
    commit: remember the connection, and do `exec` (to ct_mark or ct_label) to its entry.
    table: where a copy of the packet goes on with what conntrack knows of it; what follows does not see that.
    alg: conntrack's helper that reads along, `ftp` or `tftp`: connections that it expects are related; empty: none.
    """

    zone: int | str = 0
    commit: bool = False
    table: int | None = None
    exec: tuple[SetField | Move, ...] = ()
    nat: Nat | None = None
    alg: str = ""


class CtClear(Struct, frozen=True):
    """Forget what conntrack said of this packet."""


class Clone(Struct, frozen=True):
    """What conntrack does with a copy of the packet, which ends after it, as does whatever else
    conntrack gives out then."""

    actions: tuple[Ct | CtClear | Move, ...]


class Conjunction(Struct, frozen=True):
    """One of the `clauses` that together match as conj_id=`id`; clause counts from 1."""

    id: int
    clause: int
    clauses: int


class Meter(Struct, frozen=True):
    """What comes faster than the bridge's meter allows ends here, and so do all actions of this packet that follow."""

    id: int


class Apart(Struct, frozen=True):
    """To a table with a copy of its own: a meter that drops it there drops nothing of what follows here.

    On the wire that is `clone`, which Open vSwitch does in the datapath only if it finds something in it that cannot be
    undone; a table that it leads to does not count.  So the copy is first sent, cut off, to a port that is none.
    """

    table: int


class Unreadable(Struct, frozen=True):
    """An action or instruction that the switch reported and we do not speak.  Never sent."""

    data: bytes


Action: TypeAlias = (
    Output
    | Controller
    | SetField
    | Move
    | PushVlan
    | PopVlan
    | DecTtl
    | CheckLarger
    | Multipath
    | Resubmit
    | Goto
    | Ct
    | CtClear
    | Clone
    | Conjunction
    | Meter
    | Apart
    | Unreadable
)

OFPP_IN_PORT = 0xFFFFFFF8
OFPP_NORMAL = 0xFFFFFFFA  # as an ordinary learning switch does
OFPP_CONTROLLER = 0xFFFFFFFD
OFPP_LOCAL = 0xFFFFFFFE


class Flow(Struct, frozen=True, kw_only=True):
    """table, priority and match identify a flow in its bridge; the rest is what it does and whose it is."""

    table: int
    priority: int
    match: Match = ()
    actions: tuple[Action, ...] = ()
    cookie: int = 0

    @property
    def key(self) -> "FlowKey":
        return (self.table, self.priority, self.match)

    def __str__(self) -> str:
        from netweft.dataplane.openflow.text import format_flow  # how it is written builds on what it is

        return format_flow(self)


FlowKey: TypeAlias = tuple[int, int, Match]
