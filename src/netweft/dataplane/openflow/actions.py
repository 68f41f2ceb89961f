"""Actions and instructions of OpenFlow 1.5 as bytes, and back.

What the switch says and we do not speak comes back as `Unreadable`: it differs from everything we want, so the flow
is put right.
"""

from collections.abc import Callable, Iterable
from struct import Struct as Packer
from typing import Any

from netweft.dataplane.openflow import oxm
from netweft.dataplane.openflow.errors import ProtocolError
from netweft.dataplane.openflow.fields import FIELDS
from netweft.dataplane.openflow.flow import (
    Action,
    Goto,
    Move,
    Output,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Unreadable,
)

_TLV = Packer("!HH")
_OUTPUT = Packer("!HHIH6x")
_COPY_FIELD = Packer("!HHHHH2xII4x")
_PUSH_VLAN = Packer("!HHH2x")
_POP_VLAN = Packer("!HH4x")
_RESUBMIT = Packer("!HHIHHB3x")
_GOTO = Packer("!HHB3x")
_APPLY = Packer("!HH4x")

_ACTION_OUTPUT, _ACTION_PUSH_VLAN, _ACTION_POP_VLAN, _ACTION_SET_FIELD, _ACTION_COPY_FIELD = 0, 17, 18, 25, 28
_ACTION_EXPERIMENTER, _NICIRA, _NX_RESUBMIT_TABLE = 0xFFFF, 0x2320, 14
_INSTRUCTION_GOTO, _INSTRUCTION_APPLY = 1, 4
_SAME_IN_PORT = 0xFFF8
_CONTROLLER = 0xFFFFFFFD


def _encode_set_field(action: SetField) -> bytes:
    field = oxm.encode_field(action.field, action.value, action.mask)
    length = 4 + len(field)
    padding = -length % 8
    return _TLV.pack(_ACTION_SET_FIELD, length + padding) + field + bytes(padding)


def _encode_move(action: Move) -> bytes:
    source, target = oxm.header(FIELDS[action.src]), oxm.header(FIELDS[action.dst])
    return _COPY_FIELD.pack(
        _ACTION_COPY_FIELD, _COPY_FIELD.size, action.bits, action.src_start, action.dst_start, source, target
    )


_POP_VLAN_BYTES = _POP_VLAN.pack(_ACTION_POP_VLAN, _POP_VLAN.size)

_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    Output: lambda a: _OUTPUT.pack(_ACTION_OUTPUT, _OUTPUT.size, a.port, 0),
    SetField: _encode_set_field,
    Move: _encode_move,
    PushVlan: lambda a: _PUSH_VLAN.pack(_ACTION_PUSH_VLAN, _PUSH_VLAN.size, a.ethertype),
    PopVlan: lambda a: _POP_VLAN_BYTES,
    Resubmit: lambda a: _RESUBMIT.pack(
        _ACTION_EXPERIMENTER, _RESUBMIT.size, _NICIRA, _NX_RESUBMIT_TABLE, _SAME_IN_PORT, a.table
    ),
}


def encode_instructions(actions: tuple[Action, ...]) -> bytes:
    """One apply-actions, then goto-table if the last action is a Goto.  Raises ValueError on what cannot be sent."""
    if not actions:
        return b""
    last = actions[-1]
    goto = b""
    if isinstance(last, Goto):
        goto = _GOTO.pack(_INSTRUCTION_GOTO, _GOTO.size, last.table)
        actions = actions[:-1]
        if not actions:
            return goto
    try:
        body = b"".join([_ENCODERS[type(action)](action) for action in actions])
    except KeyError as error:
        raise ValueError(f"cannot be sent in this place: {error.args[0]}") from None
    return _APPLY.pack(_INSTRUCTION_APPLY, _APPLY.size + len(body)) + body + goto


def decode_instructions(buffer: bytes, start: int, end: int) -> tuple[Action, ...]:
    """Raises ProtocolError."""
    actions: list[Action] = []
    gotos: list[Action] = []  # always the last to be done, wherever it stands
    for kind, at, after in _tlvs(buffer, start, end, minimum=8):
        if kind == _INSTRUCTION_APPLY:
            actions.extend(_decode_action(buffer, *tlv) for tlv in _tlvs(buffer, at + 8, after, minimum=8))
        elif kind == _INSTRUCTION_GOTO:
            gotos.append(Goto(table=buffer[at + 4]))
        else:
            actions.append(Unreadable(data=buffer[at:after]))
    return (*actions, *gotos)


def _decode_action(buffer: bytes, kind: int, start: int, end: int) -> Action:
    decoder = _DECODERS.get(kind)
    action = decoder(buffer, start, end) if decoder else None
    return Unreadable(data=buffer[start:end]) if action is None else action


def _decode_output(buffer: bytes, start: int, end: int) -> Action | None:
    if end - start != _OUTPUT.size:
        return None
    port = _OUTPUT.unpack_from(buffer, start)[2]
    return None if port == _CONTROLLER else Output(port=port)


def _decode_set_field(buffer: bytes, start: int, end: int) -> Action | None:
    name, value, mask = oxm.decode_field(buffer, start + 4, end)
    return SetField(field=name, value=value, mask=mask) if name in FIELDS else None


def _decode_copy_field(buffer: bytes, start: int, end: int) -> Action | None:
    if end - start != _COPY_FIELD.size:
        return None
    _, _, bits, src_start, dst_start, source, target = _COPY_FIELD.unpack_from(buffer, start)
    src, dst = oxm.field_name(source), oxm.field_name(target)
    if src is None or dst is None:
        return None
    return Move(src=src, dst=dst, bits=bits, src_start=src_start, dst_start=dst_start)


def _decode_push_vlan(buffer: bytes, start: int, end: int) -> Action | None:
    return PushVlan(ethertype=_PUSH_VLAN.unpack_from(buffer, start)[2])


def _decode_pop_vlan(buffer: bytes, start: int, end: int) -> Action | None:
    return PopVlan()


def _decode_experimenter(buffer: bytes, start: int, end: int) -> Action | None:
    if end - start != _RESUBMIT.size:
        return None
    _, _, vendor, subtype, in_port, table = _RESUBMIT.unpack_from(buffer, start)
    if (vendor, subtype, in_port) != (_NICIRA, _NX_RESUBMIT_TABLE, _SAME_IN_PORT):
        return None
    return Resubmit(table=table)


_DECODERS: dict[int, Callable[[bytes, int, int], Action | None]] = {
    _ACTION_OUTPUT: _decode_output,
    _ACTION_SET_FIELD: _decode_set_field,
    _ACTION_COPY_FIELD: _decode_copy_field,
    _ACTION_PUSH_VLAN: _decode_push_vlan,
    _ACTION_POP_VLAN: _decode_pop_vlan,
    _ACTION_EXPERIMENTER: _decode_experimenter,
}


def _tlvs(buffer: bytes, start: int, end: int, *, minimum: int) -> Iterable[tuple[int, int, int]]:
    """(type, where it begins, where it ends) of each; lengths are checked here and nowhere else."""
    while start < end:
        if start + minimum > end:
            raise ProtocolError("an action or instruction is cut short")
        kind, length = _TLV.unpack_from(buffer, start)
        after = start + length
        if length < minimum or after > end:
            raise ProtocolError("an action or instruction has an impossible length")
        yield kind, start, after
        start = after
