"""Actions and instructions of OpenFlow 1.5 as bytes, and back.

What the switch says and we do not speak comes back as `Unreadable`: it differs from everything we want, so the flow
is put right.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from struct import Struct as Packer
from typing import Any

from netweft.dataplane.openflow import oxm
from netweft.dataplane.openflow.errors import ProtocolError
from netweft.dataplane.openflow.fields import FIELDS
from netweft.dataplane.openflow.flow import (
    Action,
    Apart,
    CheckLarger,
    Clone,
    Conjunction,
    Controller,
    Ct,
    CtClear,
    DecTtl,
    Goto,
    Meter,
    Move,
    Multipath,
    Nat,
    Output,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    Unreadable,
)

_TLV = Packer("!HH")
_OUTPUT = Packer("!HHIH6x")
_NX_CONTROLLER = Packer("!HHIHHHBx")
_COPY_FIELD = Packer("!HHHHH2xII4x")
_PUSH_VLAN = Packer("!HHH2x")
_BARE = Packer("!HH4x")  # pop_vlan, dec_ttl
_RESUBMIT = Packer("!HHIHHB3x")
_CT = Packer("!HHIHHIHB3xH")
_CT_CLEAR = Packer("!HHIH6x")
_NAT = Packer("!HHIH2xHH")
_CONJUNCTION = Packer("!HHIHBBI")
_METER = Packer("!HHI")
_CLONE = Packer("!HHIH6x")
_CHECK_LARGER = Packer("!HHIHHHI6x")
_MULTIPATH = Packer("!HHIHHH2xHHI2xHI")
_OUTPUT_CUT_OFF = Packer("!HHIHHI")
_GOTO = Packer("!HHB3x")
_APPLY = Packer("!HH4x")

_ACTION_OUTPUT, _ACTION_PUSH_VLAN, _ACTION_POP_VLAN, _ACTION_SET_FIELD, _ACTION_COPY_FIELD = 0, 17, 18, 25, 28
_ACTION_DEC_TTL, _ACTION_METER = 24, 29
_ACTION_EXPERIMENTER, NICIRA = 0xFFFF, 0x2320
_NX_RESUBMIT_TABLE, _NX_TO_CONTROLLER, _NX_CONJUNCTION, _NX_CT, _NX_CT_CLEAR = 14, 20, 34, 35, 43
_NX_MULTIPATH = 10
_NX_NAT, _NX_OUTPUT_CUT_OFF, _NX_CLONE, _NX_CHECK_LARGER = 36, 39, 42, 49
_NAT_SRC, _NAT_DST, _NAT_PORT_MIN = 1, 2, 1 << 4
_NAT_MIN = {4: 1, 6: 1 << 2}  # that an address of this IP version is there
_ADDRESS_BYTES = {4: 4, 6: 16}
_BY_PORTS, _BY_SOURCE, _BY_ADDRESSES, _MODULO = 3, 4, 6, 0  # what is hashed, and what becomes of it
_INSTRUCTION_GOTO, _INSTRUCTION_APPLY = 1, 4
_SAME_IN_PORT = 0xFFF8
_CONTROLLER = 0xFFFFFFFD
_BY_ACTION = 1  # why a packet comes to the controller
_NO_TABLE = 0xFF
_CT_COMMIT = 1
_LOW_BITS = 63  # of offset and number of bits in one, those of the number
_ALGS = {"": 0, "ftp": 21, "tftp": 69}
_LOW_16_BITS = 15  # offset 0, 16 bits, as conntrack's zone has it


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


@lru_cache(maxsize=1024)  # hundreds of flows of one change do the same with a connection
def _encode_ct(action: Ct) -> bytes:
    inside = encode_actions(action.exec) + _encode_nat(action.nat)
    source, zone = (0, action.zone) if isinstance(action.zone, int) else (oxm.header(FIELDS[action.zone]), _LOW_16_BITS)
    table = _NO_TABLE if action.table is None else action.table
    flags = _CT_COMMIT if action.commit else 0
    head = (_ACTION_EXPERIMENTER, _CT.size + len(inside), NICIRA, _NX_CT, flags, source, zone, table, _ALGS[action.alg])
    return _CT.pack(*head) + inside


def _encode_check_larger(action: CheckLarger) -> bytes:
    head = (_ACTION_EXPERIMENTER, _CHECK_LARGER.size, NICIRA, _NX_CHECK_LARGER)
    return _CHECK_LARGER.pack(*head, action.length, action.bit, oxm.header(FIELDS[action.field]))


def _encode_multipath(action: Multipath) -> bytes:
    hashed = _BY_SOURCE if action.source else _BY_PORTS if action.ports else _BY_ADDRESSES
    head = (_ACTION_EXPERIMENTER, _MULTIPATH.size, NICIRA, _NX_MULTIPATH, hashed, action.basis)
    return _MULTIPATH.pack(*head, _MODULO, action.links - 1, 0, action.bits - 1, oxm.header(FIELDS[action.field]))


def _encode_nat(nat: Nat | None) -> bytes:
    if nat is None:
        return b""
    flags, address = (_NAT_DST, nat.dst) if nat.dst is not None else (_NAT_SRC, nat.src)
    if address is None:
        return _NAT.pack(_ACTION_EXPERIMENTER, _NAT.size, NICIRA, _NX_NAT, 0, 0)
    port = b"" if nat.port is None else nat.port.to_bytes(2, "big")
    ends = address.to_bytes(_ADDRESS_BYTES[nat.version], "big") + port
    ends += bytes(-len(ends) % 8)
    present = _NAT_MIN[nat.version] | (_NAT_PORT_MIN if port else 0)
    return _NAT.pack(_ACTION_EXPERIMENTER, _NAT.size + len(ends), NICIRA, _NX_NAT, flags, present) + ends


def _encode_resubmit(action: Resubmit | Apart) -> bytes:
    return _RESUBMIT.pack(_ACTION_EXPERIMENTER, _RESUBMIT.size, NICIRA, _NX_RESUBMIT_TABLE, _SAME_IN_PORT, action.table)


def _encode_apart(action: Apart) -> bytes:
    return _clone(_TO_NOBODY + _encode_resubmit(action))


def _clone(inside: bytes) -> bytes:
    return _CLONE.pack(_ACTION_EXPERIMENTER, _CLONE.size + len(inside), NICIRA, _NX_CLONE) + inside


_NO_PORT, _ALL_OF_IT = 0xFEFF, 0xFFFF
_TO_NOBODY = _OUTPUT_CUT_OFF.pack(
    _ACTION_EXPERIMENTER, _OUTPUT_CUT_OFF.size, NICIRA, _NX_OUTPUT_CUT_OFF, _NO_PORT, _ALL_OF_IT
)
_POP_VLAN_BYTES = _BARE.pack(_ACTION_POP_VLAN, _BARE.size)
_DEC_TTL_BYTES = _BARE.pack(_ACTION_DEC_TTL, _BARE.size)

_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    Output: lambda a: _OUTPUT.pack(_ACTION_OUTPUT, _OUTPUT.size, a.port, 0),
    Controller: lambda a: _NX_CONTROLLER.pack(
        _ACTION_EXPERIMENTER, _NX_CONTROLLER.size, NICIRA, _NX_TO_CONTROLLER, a.max_len, a.id, _BY_ACTION
    ),
    SetField: _encode_set_field,
    Move: _encode_move,
    PushVlan: lambda a: _PUSH_VLAN.pack(_ACTION_PUSH_VLAN, _PUSH_VLAN.size, a.ethertype),
    PopVlan: lambda a: _POP_VLAN_BYTES,
    DecTtl: lambda a: _DEC_TTL_BYTES,
    CheckLarger: _encode_check_larger,
    Multipath: _encode_multipath,
    Resubmit: _encode_resubmit,
    Ct: _encode_ct,
    CtClear: lambda a: _CT_CLEAR.pack(_ACTION_EXPERIMENTER, _CT_CLEAR.size, NICIRA, _NX_CT_CLEAR),
    Conjunction: lambda a: _CONJUNCTION.pack(
        _ACTION_EXPERIMENTER, _CONJUNCTION.size, NICIRA, _NX_CONJUNCTION, a.clause - 1, a.clauses, a.id
    ),
    Meter: lambda a: _METER.pack(_ACTION_METER, _METER.size, a.id),
    Apart: _encode_apart,
    Clone: lambda a: _clone(encode_actions(a.actions)),
}


def encode_actions(actions: tuple[Action, ...]) -> bytes:
    """Raises ValueError on what is no action, or cannot be sent."""
    try:
        return b"".join([_ENCODERS[type(action)](action) for action in actions])
    except KeyError as error:
        raise ValueError(f"cannot be sent in this place: {error.args[0]}") from None


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
    body = encode_actions(actions)
    return _APPLY.pack(_INSTRUCTION_APPLY, _APPLY.size + len(body)) + body + goto


def decode_instructions(buffer: bytes, start: int, end: int) -> tuple[Action, ...]:
    """Raises ProtocolError."""
    actions: list[Action] = []
    gotos: list[Action] = []  # always the last to be done, wherever it stands
    for kind, at, after in _tlvs(buffer, start, end, minimum=8):
        if kind == _INSTRUCTION_APPLY:
            found = (_decode_action(buffer, *tlv) for tlv in _tlvs(buffer, at + 8, after, minimum=8))
            actions.extend(Unreadable(data=b"nat") if isinstance(one, Nat) else one for one in found)
        elif kind == _INSTRUCTION_GOTO:
            gotos.append(Goto(table=buffer[at + 4]))
        else:
            actions.append(Unreadable(data=buffer[at:after]))
    return (*actions, *gotos)


def _decode_action(buffer: bytes, kind: int, start: int, end: int) -> Action | Nat:
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


def _decode_dec_ttl(buffer: bytes, start: int, end: int) -> Action | None:
    return DecTtl()


def _decode_meter(buffer: bytes, start: int, end: int) -> Action | None:
    return Meter(id=_METER.unpack_from(buffer, start)[2])


def _decode_experimenter(buffer: bytes, start: int, end: int) -> Action | Nat | None:
    if end - start < _CT_CLEAR.size:
        return None
    _, _, vendor, subtype = _CT_CLEAR.unpack_from(buffer, start)
    decoder = _NICIRA_DECODERS.get(subtype) if vendor == NICIRA else None
    return decoder(buffer, start, end) if decoder else None


def _decode_resubmit(buffer: bytes, start: int, end: int) -> Action | None:
    _, _, _, _, in_port, table = _RESUBMIT.unpack_from(buffer, start)
    return Resubmit(table=table) if in_port == _SAME_IN_PORT else None


def _decode_controller(buffer: bytes, start: int, end: int) -> Action | None:
    _, _, _, _, max_len, number, reason = _NX_CONTROLLER.unpack_from(buffer, start)
    return Controller(id=number, max_len=max_len) if reason == _BY_ACTION else None


def _decode_conjunction(buffer: bytes, start: int, end: int) -> Action | None:
    _, _, _, _, clause, clauses, number = _CONJUNCTION.unpack_from(buffer, start)
    return Conjunction(id=number, clause=clause + 1, clauses=clauses)


def _decode_ct(buffer: bytes, start: int, end: int) -> Action | None:
    """Not what we never send: another ALG, `force`, a zone from other bits than the low 16."""
    if end - start < _CT.size:
        return None
    _, _, _, _, flags, source, zone, table, alg = _CT.unpack_from(buffer, start)
    inside = [_decode_action(buffer, *tlv) for tlv in _tlvs(buffer, start + _CT.size, end, minimum=8)]
    exec_ = tuple(action for action in inside if isinstance(action, SetField | Move))
    nats = [action for action in inside if isinstance(action, Nat)]
    register = oxm.field_name(source) if source else None
    named = next((name for name, number in _ALGS.items() if number == alg), None)
    if named is None or flags & ~_CT_COMMIT or len(exec_) + len(nats) < len(inside) or len(nats) > 1:
        return None
    if source and (register is None or zone != _LOW_16_BITS):
        return None
    recirculates = None if table == _NO_TABLE else table
    return Ct(register or zone, bool(flags), recirculates, exec_, nats[0] if nats else None, named)


def _decode_nat(buffer: bytes, start: int, end: int) -> Nat | None:
    """Not what we never send: of destinations, ranges, ports."""
    if end - start < _NAT.size:
        return None
    _, _, _, _, flags, present = _NAT.unpack_from(buffer, start)
    if (flags, present, end - start) == (0, 0, _NAT.size):
        return Nat()
    version = next((one for one, bit in _NAT_MIN.items() if present & ~_NAT_PORT_MIN == bit), None)
    if flags not in (_NAT_SRC, _NAT_DST) or version is None:
        return None
    ends, width = buffer[start + _NAT.size : end], _ADDRESS_BYTES[version]
    has_port = bool(present & _NAT_PORT_MIN)
    length = width + (2 if has_port else 0)
    if len(ends) != length + -length % 8:
        return None
    address = int.from_bytes(ends[:width], "big")
    port = int.from_bytes(ends[width : width + 2], "big") if has_port else None
    src, dst = (address, None) if flags == _NAT_SRC else (None, address)
    return Nat(src, dst, port, version)


def _decode_ct_clear(buffer: bytes, start: int, end: int) -> Action | None:
    return CtClear()


def _decode_check_larger(buffer: bytes, start: int, end: int) -> Action | None:
    if end - start != _CHECK_LARGER.size:
        return None
    _, _, _, _, length, bit, target = _CHECK_LARGER.unpack_from(buffer, start)
    name = oxm.field_name(target)
    return CheckLarger(length, name, bit) if name else None


def _decode_multipath(buffer: bytes, start: int, end: int) -> Action | None:
    """Not what we never send: other hashes, part of a field that is not its end."""
    if end - start != _MULTIPATH.size:
        return None
    _, _, _, _, hashed, basis, how, most, argument, place, target = _MULTIPATH.unpack_from(buffer, start)
    name = oxm.field_name(target)
    if (
        hashed not in (_BY_PORTS, _BY_SOURCE, _BY_ADDRESSES)
        or how != _MODULO
        or argument
        or place > _LOW_BITS
        or name is None
    ):
        return None
    return Multipath(name, place + 1, most + 1, basis, hashed == _BY_PORTS, hashed == _BY_SOURCE)


def _decode_clone(buffer: bytes, start: int, end: int) -> Action | None:
    inside = start + _CLONE.size + len(_TO_NOBODY)
    if buffer[start + _CLONE.size : inside] != _TO_NOBODY or end - inside != _RESUBMIT.size:
        found = [_decode_action(buffer, *tlv) for tlv in _tlvs(buffer, start + _CLONE.size, end, minimum=8)]
        tracking = tuple(action for action in found if isinstance(action, Ct | CtClear | Move))
        return Clone(tracking) if len(tracking) == len(found) else None
    resubmit = _decode_action(buffer, _ACTION_EXPERIMENTER, inside, end)
    return Apart(table=resubmit.table) if isinstance(resubmit, Resubmit) else None


_NICIRA_DECODERS: dict[int, Callable[[bytes, int, int], Action | Nat | None]] = {
    _NX_RESUBMIT_TABLE: _decode_resubmit,
    _NX_TO_CONTROLLER: _decode_controller,
    _NX_CONJUNCTION: _decode_conjunction,
    _NX_CT: _decode_ct,
    _NX_NAT: _decode_nat,
    _NX_CT_CLEAR: _decode_ct_clear,
    _NX_CLONE: _decode_clone,
    _NX_CHECK_LARGER: _decode_check_larger,
    _NX_MULTIPATH: _decode_multipath,
}

_DECODERS: dict[int, Callable[[bytes, int, int], Action | Nat | None]] = {
    _ACTION_OUTPUT: _decode_output,
    _ACTION_SET_FIELD: _decode_set_field,
    _ACTION_COPY_FIELD: _decode_copy_field,
    _ACTION_PUSH_VLAN: _decode_push_vlan,
    _ACTION_POP_VLAN: _decode_pop_vlan,
    _ACTION_DEC_TTL: _decode_dec_ttl,
    _ACTION_METER: _decode_meter,
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
