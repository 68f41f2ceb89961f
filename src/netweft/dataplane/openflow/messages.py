"""OpenFlow 1.5 messages as bytes, and back: what stands round matches and actions.  No I/O, no state.

Why 1.5: docs/decisions/0030.  Everything that decodes raises ProtocolError on bytes that make no sense.
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct as Packer
from struct import error as StructError
from typing import NamedTuple

from msgspec import Struct

from netweft.dataplane.openflow.actions import NICIRA, decode_instructions, encode_actions, encode_instructions
from netweft.dataplane.openflow.errors import ProtocolError
from netweft.dataplane.openflow.flow import OFPP_LOCAL, Action, Flow, FlowKey
from netweft.dataplane.openflow.oxm import Known, decode_match, encode_match

VERSION = 6
HEADER = Packer("!BBHI")  # version, type, length, xid

_FLOW_MOD = Packer("!QQBBHHHIIIHH")
_PACKET_OUT = Packer("!IH2x")
_PACKET_IN = Packer("!IHBBQ")
_CONFIG = Packer("!HH")
_ASYNC_REASONS = Packer("!HHI")
_CONTROLLER_ID = Packer("!II6xH")
_FLOW_REQUEST = Packer("!B3xII4xQQ")
_FLOW_DESC = Packer("!H2xBxHHHHHQ")
_MULTIPART = Packer("!HH4x")
_STATISTIC = Packer("!HBB")
_NUMBER = Packer("!Q")
_BUNDLE = Packer("!IHH")
_MONITOR = Packer("!IIIHBB")
_UPDATE_HEAD = Packer("!HH")
_UPDATE = Packer("!HHBBHHH4xQ")
_ERROR = Packer("!HH")
_FEATURES = Packer("!Q")

_ANY = 0xFFFFFFFF  # port, group, buffer: none
_ALL_TABLES = 0xFF
_ADD, _DELETE, _DELETE_STRICT, _ALL_TABLES = 0, 3, 4, 0xFF
_ATOMIC_ORDERED = 3
_MORE = 1
_STATISTICS, _PACKETS, _BYTES = 0x8002, 4 << 1, 5 << 1  # class, fields
_NXT_SET_CONTROLLER_ID = 20
_WHOLE = 0xFFFF
_FRAGMENTS, _NX_MATCH = 3, 3  # of the bridge's flags, those that say what becomes of fragments
# properties of set-async: packet-ins, port statuses, removed flows, each of an equal or master connection
_PACKET_INS, _BY_ACTION, _OTHERS = 1, 1 << 1, (3, 5)
# added, removed and modified flows with their instructions; not the initial ones
_MONITOR_FLAGS = 0x02 | 0x04 | 0x08 | 0x10


class Type(IntEnum):
    HELLO = 0
    ERROR = 1
    ECHO_REQUEST = 2
    ECHO_REPLY = 3
    EXPERIMENTER = 4
    FEATURES_REQUEST = 5
    FEATURES_REPLY = 6
    GET_CONFIG_REQUEST = 7
    GET_CONFIG_REPLY = 8
    SET_CONFIG = 9
    PACKET_IN = 10
    PACKET_OUT = 13
    FLOW_MOD = 14
    MULTIPART_REQUEST = 18
    MULTIPART_REPLY = 19
    BARRIER_REQUEST = 20
    BARRIER_REPLY = 21
    SET_ASYNC = 28
    METER_MOD = 29
    BUNDLE_CONTROL = 33
    BUNDLE_ADD = 34


class Multipart(IntEnum):
    FLOW_DESC = 1
    METER = 9
    METER_CONFIG = 10
    METER_FEATURES = 11
    FLOW_MONITOR = 16


class Bundle(IntEnum):
    """Requests; the reply is one more."""

    OPEN = 0
    CLOSE = 2
    COMMIT = 4
    DISCARD = 6


class _Event(IntEnum):
    INITIAL = 0
    ADDED = 1
    REMOVED = 2
    MODIFIED = 3
    ABBREVIATED = 4  # our own doing
    PAUSED = 5
    RESUMED = 6


class FlowChange(Struct, frozen=True):
    """The switch's notification of a change somebody else made.  flow None: it could not keep up, read again."""

    flow: Flow | None
    removed: bool = False


class Count(NamedTuple):
    """What a flow has counted.  flow: table, priority and match as the switch writes them: the same as long as it is
    that flow."""

    cookie: int
    flow: tuple[int, int, bytes]
    packets: int
    bytes: int


class PacketIn(Struct, frozen=True):
    """A frame that a flow sent to us.  fields: what was known besides it: in_port, and registers that are not 0."""

    cookie: int
    fields: dict[str, int]
    frame: bytes


# hello element: a bitmap of versions with only ours in it
HELLO_VERSIONS = Packer("!HHI").pack(1, 8, 1 << VERSION)


def message(kind: Type, xid: int, body: bytes = b"") -> bytes:
    return HEADER.pack(VERSION, kind, HEADER.size + len(body), xid) + body


def add_flow(flow: Flow, xid: int) -> bytes:
    """Puts the flow there, or replaces actions and cookie of the one with the same key.  Raises ValueError."""
    fixed = _FLOW_MOD.pack(flow.cookie, 0, flow.table, _ADD, 0, 0, flow.priority, _ANY, _ANY, _ANY, 0, 0)
    body = fixed + encode_match(flow.match) + encode_instructions(flow.actions)
    return HEADER.pack(VERSION, Type.FLOW_MOD, HEADER.size + len(body), xid) + body


def delete_flow(key: FlowKey, xid: int) -> bytes:
    """Exactly this flow and no other."""
    table, priority, match = key
    fixed = _FLOW_MOD.pack(0, 0, table, _DELETE_STRICT, 0, 0, priority, _ANY, _ANY, _ANY, 0, 0)
    return message(Type.FLOW_MOD, xid, fixed + encode_match(match))


def delete_flows(cookie: int, cookie_mask: int, xid: int) -> bytes:
    """Those of all tables whose cookie equals `cookie` in the bits of `cookie_mask`."""
    fixed = _FLOW_MOD.pack(cookie, cookie_mask, _ALL_TABLES, _DELETE, 0, 0, 0, _ANY, _ANY, _ANY, 0, 0)
    return message(Type.FLOW_MOD, xid, fixed + encode_match(()))


def packet_out(frame: bytes, actions: tuple[Action, ...], xid: int) -> bytes:
    """Does these actions with a frame of our own, as if the bridge's own port had sent it: one that came from no port
    is lost where it is tracked after a flow has written in_port."""
    encoded = encode_actions(actions)
    fixed = _PACKET_OUT.pack(_ANY, len(encoded)) + encode_match((("in_port", OFPP_LOCAL, None),))
    return message(Type.PACKET_OUT, xid, fixed + encoded + frame)


def show_first_fragments(xid: int) -> bytes:
    """From now on flows see the ports of first fragments, or their ICMP type: nobody's are shown otherwise.  It holds
    for all of the bridge, until somebody says otherwise or vswitchd ends."""
    return message(Type.SET_CONFIG, xid, _CONFIG.pack(_NX_MATCH, _WHOLE))


def shows_first_fragments(body: bytes) -> bool:
    """The bridge's answer to a request for its configuration."""
    flags, _ = _unpack(_CONFIG, body, 0)
    return flags & _FRAGMENTS == _NX_MATCH


def take_packets(controller_id: int, xid: int) -> Iterator[bytes]:
    """From now on this connection gets what flows send to this id, and no other asynchronous message.

    A connection to a bridge's own socket gets nothing at all until it has named a length for table misses."""
    yield show_first_fragments(xid)
    reasons = {_PACKET_INS: _BY_ACTION, **dict.fromkeys(_OTHERS, 0)}
    properties = (_ASYNC_REASONS.pack(kind, _ASYNC_REASONS.size, mask) for kind, mask in reasons.items())
    yield message(Type.SET_ASYNC, xid, b"".join(properties))
    yield message(Type.EXPERIMENTER, xid, _CONTROLLER_ID.pack(NICIRA, _NXT_SET_CONTROLLER_ID, controller_id))


def length_of_packet_in(said: int, data: bytes, start: int) -> int | None:
    """Its header says the last 16 bits of it, as Open vSwitch writes it: not all, with a frame of some 65,500 bytes.
    said: by the header, of a message that begins at start.  None: not enough of it has come to tell."""
    if len(data) < start + HEADER.size + _PACKET_IN.size:
        return None
    _, frame, *_ = _PACKET_IN.unpack_from(data, start + HEADER.size)
    return int(said) + (0x10000 if said < HEADER.size + _PACKET_IN.size + frame else 0)


def decode_packet_in(body: bytes) -> PacketIn:
    *_, cookie = _unpack(_PACKET_IN, body, 0)
    match, at = decode_match(body, _PACKET_IN.size)
    return PacketIn(cookie, {name: value for name, value, _ in match}, body[at + 2 :])


def bundle_control(step: Bundle, bundle: int, xid: int) -> bytes:
    return message(Type.BUNDLE_CONTROL, xid, _BUNDLE.pack(bundle, step, _ATOMIC_ORDERED))


def bundle_add(inner: bytes, bundle: int, xid: int) -> bytes:
    """`inner` has to have the same xid."""
    length = HEADER.size + _BUNDLE.size + len(inner)
    return HEADER.pack(VERSION, Type.BUNDLE_ADD, length, xid) + _BUNDLE.pack(bundle, 0, _ATOMIC_ORDERED) + inner


def multipart_request(kind: Multipart, body: bytes, xid: int) -> bytes:
    return message(Type.MULTIPART_REQUEST, xid, _MULTIPART.pack(kind, 0) + body)


def dump_request(cookie: int, cookie_mask: int, xid: int, table: int = _ALL_TABLES) -> bytes:
    fixed = _FLOW_REQUEST.pack(table, _ANY, _ANY, cookie, cookie_mask)
    return multipart_request(Multipart.FLOW_DESC, fixed + encode_match(()), xid)


def monitor_request(monitor: int, xid: int) -> bytes:
    """All tables.  Our own changes come abbreviated."""
    fixed = _MONITOR.pack(monitor, _ANY, _ANY, _MONITOR_FLAGS, _ALL_TABLES, 0)
    return multipart_request(Multipart.FLOW_MONITOR, fixed + encode_match(()), xid)


def multipart_head(body: bytes) -> tuple[int, bool, int]:
    """Type, whether more follows, where the content begins."""
    kind, flags = _unpack(_MULTIPART, body, 0)
    return kind, bool(flags & _MORE), _MULTIPART.size


class Decoded(NamedTuple):
    """What was decoded before of an answer, by its bytes: most of it comes again and again."""

    fields: Known
    actions: dict[bytes, tuple[Action, ...]]


def decode_flows(body: bytes, start: int, decoded: Decoded | None = None) -> Iterator[Flow]:
    """The flows of one part of the answer to a dump.  decoded: from its other parts."""
    fields, known = decoded or Decoded({}, {})
    end = len(body)
    while start < end:
        length, table, priority, _, _, _, _, cookie = _unpack(_FLOW_DESC, body, start)
        after = start + length
        if length < _FLOW_DESC.size or after > end:
            raise ProtocolError("a flow has an impossible length")
        match, at = decode_match(body, start + _FLOW_DESC.size, fields)
        instructions = body[_skip_statistics(body, at, after) : after]
        actions = known.get(instructions)
        if actions is None:
            actions = known[instructions] = decode_instructions(instructions, 0, len(instructions))
        yield Flow(table=table, priority=priority, match=match, actions=actions, cookie=cookie)
        start = after


def decode_counts(body: bytes, start: int) -> Iterator[Count]:
    """What the flows of one part of the answer to a dump have counted."""
    end = len(body)
    while start < end:
        length, table, priority, _, _, _, _, cookie = _unpack(_FLOW_DESC, body, start)
        after, match = start + length, start + _FLOW_DESC.size
        _, match_length = _unpack(_UPDATE_HEAD, body, match)
        at = match + match_length + -match_length % 8
        if length < _FLOW_DESC.size or after > end or match_length < 4 or at > after:
            raise ProtocolError("a flow has an impossible length")
        found = _statistics(body, at, after)
        yield Count(cookie, (table, priority, body[match:at]), found.get(_PACKETS, 0), found.get(_BYTES, 0))
        start = after


def _statistics(body: bytes, start: int, end: int) -> dict[int, int]:
    """Those of 64 bits."""
    found: dict[int, int] = {}
    _skip_statistics(body, start, end)
    _, length = _unpack(_UPDATE_HEAD, body, start)
    at, after = start + _UPDATE_HEAD.size, start + length
    while at < after:
        class_, field, size = _unpack(_STATISTIC, body, at)
        at += _STATISTIC.size
        if class_ == _STATISTICS and size == _NUMBER.size:
            (found[field & ~1],) = _unpack(_NUMBER, body, at)
        at += size
    return found


def decode_changes(body: bytes, start: int) -> Iterator[FlowChange]:
    """What one message of a flow monitor says of others' changes."""
    end = len(body)
    while start < end:
        length, event = _unpack(_UPDATE_HEAD, body, start)
        after = start + length
        if length < 8 or after > end:
            raise ProtocolError("a flow update has an impossible length")
        if event in (_Event.ADDED, _Event.REMOVED, _Event.MODIFIED):
            yield _decode_change(body, start, after)
        elif event == _Event.RESUMED:
            yield FlowChange(None)
        start = after


def speaks_our_version(hello_version: int, body: bytes) -> bool:
    """By the version bitmap if there is one, else by the header."""
    if len(body) >= 8 and body[:2] == HELLO_VERSIONS[:2]:
        return bool(body[7] & 1 << VERSION)
    return hello_version >= VERSION


def decode_error(body: bytes) -> tuple[int, int]:
    """Type and code."""
    kind, code = _unpack(_ERROR, body, 0)
    return kind, code


def decode_features(body: bytes) -> int:
    """The datapath id."""
    (datapath_id,) = _unpack(_FEATURES, body, 0)
    return int(datapath_id)


def _decode_change(body: bytes, start: int, end: int) -> FlowChange:
    _, event, table, _, _, _, priority, cookie = _unpack(_UPDATE, body, start)
    match, at = decode_match(body, start + _UPDATE.size)
    flow = Flow(
        table=table,
        priority=priority,
        match=match,
        actions=decode_instructions(body, min(at, end), end),
        cookie=cookie,
    )
    return FlowChange(flow, removed=event == _Event.REMOVED)


def _skip_statistics(body: bytes, start: int, end: int) -> int:
    """struct ofp_stats: 2 bytes reserved, 2 bytes length, padded to 8."""
    _, length = _unpack(_UPDATE_HEAD, body, start)
    after = start + length + -length % 8
    if length < 4 or after > end:
        raise ProtocolError("a flow's statistics have an impossible length")
    return after


def _unpack(packer: Packer, body: bytes, start: int) -> tuple[int, ...]:
    try:
        return packer.unpack_from(body, start)
    except StructError:
        raise ProtocolError("a message is cut short") from None
