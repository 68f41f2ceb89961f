"""Desired rows of the Open_vSwitch database, as values.

A row of ours carries `external_ids:netweft-*`.  A VIF's rows were made by someone else (libvirt, Nova, ovs-vsctl): of
the Port we own `tag` and our external_ids only, of the Interface `mtu_request`.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

PREFIX = "netweft-"  # of every external_ids key that is ours
MARK = "netweft-owner"  # external_ids key on every row that we made; its value says what it is for
NUMBER = "netweft-vlan-"  # and a number: external_ids key whose value says what it stands for


class BridgeRow(Struct, frozen=True, kw_only=True):
    name: str
    datapath_type: str = ""
    fail_mode: str = "secure"
    protocols: tuple[str, ...] = ("OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15")
    other_config: tuple[tuple[str, str], ...] = ()
    external_ids: tuple[tuple[str, str], ...] = ()


class PortRow(Struct, frozen=True, kw_only=True):
    """A port of ours with one interface: patch, tunnel, internal, or system (veth, NIC).  bfd: keys of that column."""

    name: str
    bridge: str
    type: str = ""
    options: tuple[tuple[str, str], ...] = ()
    tag: int | None = None
    bfd: tuple[tuple[str, str], ...] = ()
    external_ids: tuple[tuple[str, str], ...] = ()


class VifRow(PortRow, frozen=True, kw_only=True):
    """A port of ours that is a VIF to another agent.  interface_ids: external_ids of its Interface."""

    interface_ids: tuple[tuple[str, str], ...] = ()


class VifTag(Struct, frozen=True, kw_only=True):
    """What we set on somebody's VIF: the local VLAN and which network it stands for, and what its MTU is to be."""

    port_name: str
    tag: int
    mtu: int | None = None
    external_ids: tuple[tuple[str, str], ...] = ()


class KeptNumber(Struct, frozen=True, kw_only=True):
    """What a number stands for, among the external_ids of a port of ours.  There may be thousands on one port, so each
    is a row by itself here: one more costs one."""

    port_name: str
    number: int
    name: str

    @property
    def column_key(self) -> str:
        return f"{NUMBER}{self.number}"


class Vif(Struct, frozen=True, kw_only=True):
    """An observed Interface on the integration bridge with `external_ids:iface-id`.

    ofport: None while vswitchd has not assigned one; -1 when it could not (see `error`).
    ifindex: the kernel's number of the device, 0 when it has gone, which ofport does not show; None: it has none.
    down: the device is switched off.  It says nothing of who is at its other end.
    """

    iface_id: str
    port_name: str
    name: str
    ofport: int | None
    mac: str = ""
    error: str = ""
    ifindex: int | None = None
    down: bool = False
    tag: int | None = None
    external_ids: tuple[tuple[str, str], ...] = ()


Row: TypeAlias = BridgeRow | PortRow | KeptNumber | VifTag
RowKind: TypeAlias = Literal["bridge", "port", "number", "vif"]
RowKey: TypeAlias = tuple[RowKind, str]
OURS: tuple[RowKind, ...] = ("bridge", "port", "number")
OTHERS: tuple[RowKind, ...] = ("vif",)
ROW_KINDS = (*OURS, *OTHERS)  # in which order they are made


def row_key(row: Row) -> RowKey:
    match row:
        case BridgeRow():
            return ("bridge", row.name)
        case PortRow():
            return ("port", row.name)
        case VifTag():
            return ("vif", row.port_name)
        case KeptNumber():
            return ("number", f"{row.port_name} {NUMBER}{row.number}")


def number_of(column_key: str) -> int | None:
    """None: it is another's."""
    digits = column_key.removeprefix(NUMBER)
    return int(digits) if f"{NUMBER}{digits}" == column_key and digits.isdigit() else None


def number_key(port_name: str, column_key: str) -> RowKey:
    """Of a `KeptNumber`."""
    return ("number", f"{port_name} {column_key}")
