"""Flows in ovs-ofctl syntax, as `ovs-ofctl -O OpenFlow15 --no-stats --no-names dump-flows` writes them.

For plans, golden files and people.  Table numbers become names where the caller knows them.
"""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from netweft.dataplane.openflow import flow as values
from netweft.dataplane.openflow.fields import (
    ETH_ARP,
    ETH_IPV4,
    ETH_IPV6,
    FIELDS,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_SCTP,
    PROTO_TCP,
    PROTO_UDP,
    VLAN_PRESENT,
    Field,
)

TableNames = Mapping[int, str]
Part = tuple[int, int | None]  # value, mask

DEFAULT_PRIORITY = 32768
_VLAN_ID = 0x0FFF
_PORTS = {
    0xFFFFFFF8: "IN_PORT",
    0xFFFFFFFA: "NORMAL",
    0xFFFFFFFB: "FLOOD",
    0xFFFFFFFC: "ALL",
    0xFFFFFFFE: "LOCAL",
}
_CT_STATES = ("new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat")
# of (value, mask): bit 0 a fragment, bit 1 not the first one
_FRAGMENTS = {(0, None): "no", (1, None): "first", (3, None): "later", (1, 1): "yes", (0, 2): "not_later"}
_PROTOCOLS = {
    (ETH_ARP, None): "arp",
    (ETH_IPV4, None): "ip",
    (ETH_IPV6, None): "ipv6",
    (ETH_IPV4, PROTO_ICMP): "icmp",
    (ETH_IPV4, PROTO_TCP): "tcp",
    (ETH_IPV4, PROTO_UDP): "udp",
    (ETH_IPV4, PROTO_SCTP): "sctp",
    (ETH_IPV6, PROTO_ICMPV6): "icmp6",
    (ETH_IPV6, PROTO_TCP): "tcp6",
    (ETH_IPV6, PROTO_UDP): "udp6",
    (ETH_IPV6, PROTO_SCTP): "sctp6",
}
# where ovs-ofctl prints what _PROTOCOLS did not say
_LATE = {"eth_dst": "eth_type", "ipv4_dst": "ip_proto"}


def format_flow(flow: values.Flow, tables: TableNames | None = None) -> str:
    names = tables or {}
    head = [f"cookie={flow.cookie:#x}"] if flow.cookie else []
    if flow.table or tables:
        head.append(f"table={names.get(flow.table, flow.table)}")
    match = [f"priority={flow.priority}"] if flow.priority != DEFAULT_PRIORITY else []
    match += _match_parts(flow.match)
    head += [",".join(match)] if match else []
    return f"{', '.join(head)} actions={format_actions(flow.actions, names)}".strip()


def format_actions(actions: tuple[values.Action, ...], tables: TableNames | None = None) -> str:
    return ",".join(_ACTIONS[type(action)](action, tables or {}) for action in actions) or "drop"


# what comes before the protocol, which it needs and so follows in a message
_EARLY = ("ct_nw_src", "ct_nw_dst", "ct_ipv6_src", "ct_ipv6_dst", "ct_nw_proto", "ct_tp_src", "ct_tp_dst")


def _match_parts(match: values.Match) -> Iterator[str]:
    parts: dict[str, Part] = {name: (value, mask) for name, value, mask in match}
    protocol, told = _protocol(parts)
    for name, field in FIELDS.items():
        if name == "eth_type":
            yield from (_part_text(FIELDS[early], *parts[early]) for early in _EARLY if early in parts)
        if name == "eth_type" and protocol:
            yield protocol
        elif name in parts and name not in ("eth_type", "ip_proto", *_EARLY):
            yield _vlan_text(*parts[name]) if name == "vlan_vid" else _part_text(field, *parts[name])
        late = _LATE.get(name)
        if late in parts and late not in told:
            yield _part_text(FIELDS[late], *parts[late])
    yield from (f"{name}={value:#x}" for name, (value, _) in parts.items() if name not in FIELDS)


def _protocol(parts: Mapping[str, Part]) -> tuple[str, tuple[str, ...]]:
    """`tcp` and the like, and which fields that stands for."""
    eth_type, ip_proto = (parts[name][0] if name in parts else None for name in ("eth_type", "ip_proto"))
    if eth_type is None:
        return "", ()
    if (eth_type, ip_proto) in _PROTOCOLS:
        return _PROTOCOLS[eth_type, ip_proto], ("eth_type", "ip_proto")
    if (eth_type, None) in _PROTOCOLS:
        return _PROTOCOLS[eth_type, None], ("eth_type",)
    return "", ()


def _part_text(field: Field, value: int, mask: int | None) -> str:
    name = field.texts.split()[1]
    if field.notation == "ct_state":
        return f"{name}={_flags(value, mask)}"
    if field.notation == "frag":
        return f"{name}={_FRAGMENTS.get((value, mask), 'error')}"
    if field.notation == "dscp":
        return f"{name}={value << 2}"  # the whole byte
    return f"{name}={_masked(field, value, mask)}"


def _vlan_text(value: int, mask: int | None) -> str:
    """ovs-ofctl knows the VLAN field of a match as the tag it came from."""
    if mask is None and value & VLAN_PRESENT:
        return f"dl_vlan={value & _VLAN_ID}"
    if mask is None:
        return f"vlan_tci={value:#06x}/0x1fff"
    return f"vlan_tci={value:#06x}/{mask:#06x}"


def _masked(field: Field, value: int, mask: int | None) -> str:
    text = _NOTATIONS[field.notation](value)
    if mask is None:
        return text
    if field.notation in ("ipv4", "ipv6"):
        return f"{text}/{_address_mask(field, mask)}"
    if field.notation == "dec":
        return f"{value:#x}/{mask:#x}"
    return f"{text}/{_NOTATIONS[field.notation](mask)}"


def _address_mask(field: Field, mask: int) -> str:
    """The prefix length, if it is a prefix."""
    host_bits = (mask ^ field.full_mask).bit_length()
    if mask == field.full_mask >> host_bits << host_bits:
        return str(field.bits - host_bits)
    return _NOTATIONS[field.notation](mask)


def _flags(value: int, mask: int | None) -> str:
    if mask is None:
        return "|".join(name for bit, name in enumerate(_CT_STATES) if value >> bit & 1) or "0"
    return "".join(
        f"{'+' if value >> bit & 1 else '-'}{name}" for bit, name in enumerate(_CT_STATES) if mask >> bit & 1
    )


def _hex(value: int) -> str:
    return f"{value:#x}" if value else "0"


def _mac(value: int) -> str:
    text = f"{value:012x}"
    return ":".join(text[i : i + 2] for i in range(0, 12, 2))


_NOTATIONS: dict[str, Callable[[int], str]] = {
    "dec": str,
    "hex": _hex,
    "mac": _mac,
    "ipv4": lambda value: str(IPv4Address(value)),
    "ipv6": lambda value: _ipv6(value),
    "port": lambda value: _PORTS.get(value, str(value)),
    "ct_state": _hex,
    "frag": _hex,
    "dscp": str,
}


def _ipv6(value: int) -> str:
    """As inet_ntop writes it: addresses that embed an IPv4 address show it."""
    if value >> 32 in (0, 0xFFFF) and value > 0xFFFF:
        prefix = "::ffff:" if value >> 32 else "::"
        return prefix + str(IPv4Address(value & 0xFFFFFFFF))
    return str(IPv6Address(value))


def _output(action: values.Output, _: TableNames) -> str:
    return _PORTS.get(action.port, f"output:{action.port}")


def _controller(action: values.Controller, _: TableNames) -> str:
    most = [f"max_len={action.max_len}"] if action.max_len != 0xFFFF else []
    return f"controller({','.join([*most, f'id={action.id}'])})"


def _set_field(action: values.SetField, _: TableNames) -> str:
    field = FIELDS[action.field]
    if action.mask is not None and field.notation == "dec":
        text = f"{action.value}/{action.mask:#x}"
    else:
        text = _masked(field, action.value, action.mask)
    return f"set_field:{text}->{field.texts.split()[0]}"


def _move(action: values.Move, _: TableNames) -> str:
    source = _subfield(action.src, action.src_start, action.bits)
    return f"move:{source}->{_subfield(action.dst, action.dst_start, action.bits)}"


def _multipath(action: values.Multipath, _: TableNames) -> str:
    hashed = "nw_src" if action.source else "symmetric_l3l4+udp" if action.ports else "symmetric_l3"
    target = _subfield(action.field, 0, action.bits)
    return f"multipath({hashed},{action.basis},modulo_n,{action.links},0,{target})"


def _subfield(name: str, start: int, bits: int) -> str:
    field = FIELDS[name]
    nxm = field.texts.split()[2]
    if start == 0 and bits == field.bits:
        return f"{nxm}[]"
    return f"{nxm}[{start}]" if bits == 1 else f"{nxm}[{start}..{start + bits - 1}]"


def _nat(nat: values.Nat) -> str:
    side, address = ("dst", nat.dst) if nat.dst is not None else ("src", nat.src)
    if address is None:
        return "nat"
    there = str(IPv4Address(address) if nat.version == 4 else IPv6Address(address))
    if nat.port is not None:
        there = f"{there}:{nat.port}" if nat.version == 4 else f"[{there}]:{nat.port}"
    return f"nat({side}={there})"


def _ct(action: values.Ct, names: TableNames) -> str:
    parts = ["commit"] if action.commit else []
    if action.table is not None:
        parts.append(f"table={names.get(action.table, action.table)}")
    if isinstance(action.zone, str):
        parts.append(f"zone={_subfield(action.zone, 0, 16)}")
    elif action.zone:
        parts.append(f"zone={action.zone}")
    if action.nat:
        parts.append(_nat(action.nat))
    if action.alg:
        parts.append(f"alg={action.alg}")
    if action.exec:
        parts.append(f"exec({format_actions(action.exec, names)})")
    return f"ct({','.join(parts)})"


_ACTIONS: dict[type, Callable[[Any, TableNames], str]] = {
    values.Output: _output,
    values.Controller: _controller,
    values.SetField: _set_field,
    values.Move: _move,
    values.PushVlan: lambda action, _: f"push_vlan:{action.ethertype:#x}",
    values.PopVlan: lambda action, _: "pop_vlan",
    values.DecTtl: lambda action, _: "dec_ttl",
    values.CheckLarger: lambda action, _: (
        f"check_pkt_larger({action.length})->{_subfield(action.field, action.bit, 1)}"
    ),
    values.Multipath: _multipath,
    values.Resubmit: lambda action, names: f"resubmit(,{names.get(action.table, action.table)})",
    values.Goto: lambda action, names: f"goto_table:{names.get(action.table, action.table)}",
    values.Ct: _ct,
    values.CtClear: lambda action, _: "ct_clear",
    values.Clone: lambda action, names: f"clone({format_actions(action.actions, names)})",
    values.Conjunction: lambda action, _: f"conjunction({action.id},{action.clause}/{action.clauses})",
    values.Meter: lambda action, _: f"meter:{action.id}",
    values.Apart: lambda action, names: (
        f"clone(output(port={0xFEFF},max_len={0xFFFF}),resubmit(,{names.get(action.table, action.table)}))"
    ),
    values.Unreadable: lambda action, _: f"unreadable({action.data.hex()})",
}
