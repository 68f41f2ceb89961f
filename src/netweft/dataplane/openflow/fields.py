"""The match fields we speak, as data: name, OXM class and id, width, what must be matched first, how it is written.

A field's name is the tail of its OXM name in lower case (`OXM_OF_IPV4_SRC` is `ipv4_src`); values are ints in host
order.  The order of the list is the order on the wire, so that a prerequisite always comes before what needs it, and
the order in which ovs-ofctl prints them.  To add a field, add a line: tests/ovs tries each one on the real switch.
This module owns what a match means; its bytes are in oxm.py, its text is in text.py.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from netweft.dataplane.openflow.flow import Match

Notation: TypeAlias = Literal["dec", "hex", "mac", "ipv4", "ipv6", "port", "ct_state", "frag", "dscp"]

OXM, NXM, NXM_0, ERICOXM, PKT_REG = 0x8000, 0x0001, 0x0000, 0x1000, 0x8001

VLAN_PRESENT = 0x1000  # vlan_vid is the VLAN id with this bit set; vlan_vid=0 means that there is no tag
ETH_IPV4, ETH_ARP, ETH_RARP, ETH_IPV6 = 0x0800, 0x0806, 0x8035, 0x86DD
ETH_VLAN, ETH_QINQ = 0x8100, 0x88A8
PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_ICMPV6, PROTO_SCTP = 1, 6, 17, 58, 132
PROTO_FRAGMENT = 44  # what IPv6 says of a later fragment
ROUTER_SOLICIT, ROUTER_ADVERT, ND_SOLICIT, ND_ADVERT = 133, 134, 135, 136


class Requirement(Struct, frozen=True):
    """A match has to say of this field one of these, at least: value and mask (None: all bits)."""

    field: str
    any_of: tuple[tuple[int, int | None], ...]

    def met_by(self, value: int, mask: int | None) -> bool:
        full = FIELDS[self.field].full_mask
        return any((mask or full) & needed == needed and value & needed == wanted for wanted, needed in self._all(full))

    def __str__(self) -> str:
        words = (f"{wanted:#x}" + ("" if mask is None else f"/{mask:#x}") for wanted, mask in self.any_of)
        return f"{self.field} to be {' or '.join(words)}"

    def _all(self, full: int) -> Iterable[tuple[int, int]]:
        return ((wanted, full if mask is None else mask) for wanted, mask in self.any_of)


class Field(Struct, frozen=True):
    """vendor, id: OXM class and field.  access: `m` a match may have a mask, `w` an action may write it,
    `-` no match has it.
    texts: what ovs-ofctl calls it in set_field, in a match, and in move."""

    name: str
    vendor: int
    id: int
    bits: int
    notation: Notation
    requires: tuple[Requirement, ...]
    access: str
    texts: str

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return 4 if self.notation == "ct_state" else (self.bits + 7) // 8  # ct_state is 8 flags in a word

    @property
    def full_mask(self) -> int:
        return (1 << self.bits) - 1

    @property
    def maskable(self) -> bool:
        return "m" in self.access

    @property
    def matchable(self) -> bool:
        return "-" not in self.access

    @property
    def writable(self) -> bool:
        return "w" in self.access


def _is(field: str, *values: int) -> Requirement:
    return Requirement(field, tuple((value, None) for value in values))


_VLAN = (Requirement("vlan_vid", ((VLAN_PRESENT, VLAN_PRESENT),)),)
_IP = (_is("eth_type", ETH_IPV4, ETH_IPV6),)
_IPV4 = (_is("eth_type", ETH_IPV4),)
_IPV6 = (_is("eth_type", ETH_IPV6),)
_ARP = (_is("eth_type", ETH_ARP),)
_TCP = (*_IP, _is("ip_proto", PROTO_TCP))
_UDP = (*_IP, _is("ip_proto", PROTO_UDP))
_SCTP = (*_IP, _is("ip_proto", PROTO_SCTP))
_ICMP = (*_IPV4, _is("ip_proto", PROTO_ICMP))
_ICMPV6 = (*_IPV6, _is("ip_proto", PROTO_ICMPV6))
_ND = (*_ICMPV6, _is("icmpv6_type", ND_SOLICIT, ND_ADVERT))
_NS = (*_ICMPV6, _is("icmpv6_type", ND_SOLICIT))
_NA = (*_ICMPV6, _is("icmpv6_type", ND_ADVERT))

# what conntrack knew of the packet that a connection began with; ovs-fields(7): only of a packet that is of one,
# by +new, +est, +rel, +rpl, +snat or +dnat, or -inv+trk
_OF_A_CONNECTION = Requirement(
    "ct_state", (*((flag, flag) for flag in (0x01, 0x02, 0x04, 0x08, 0x40, 0x80)), (0x20, 0x30))
)
_CT = (*_IP, _OF_A_CONNECTION)
_CT4 = (*_IPV4, _OF_A_CONNECTION)
_CT6 = (*_IPV6, _OF_A_CONNECTION)
_CT_PORTS = (*_CT, _is("ct_nw_proto", PROTO_TCP, PROTO_UDP, PROTO_SCTP))
_CT_IPV6_SRC_TEXTS = "ct_ipv6_src ct_ipv6_src NXM_NX_CT_IPV6_SRC"
_CT_IPV6_DST_TEXTS = "ct_ipv6_dst ct_ipv6_dst NXM_NX_CT_IPV6_DST"
_TUN_IPV6_SRC_TEXTS = "tun_ipv6_src tun_ipv6_src NXM_NX_TUN_IPV6_SRC"
_TUN_IPV6_DST_TEXTS = "tun_ipv6_dst tun_ipv6_dst NXM_NX_TUN_IPV6_DST"
_ND_RESERVED_TEXTS = "nd_reserved nd_reserved ERICOXM_OF_ICMPV6_ND_RESERVED"
_ND_OPTIONS_TEXTS = "nd_options_type nd_options_type ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE"


def _register(number: int) -> Field:
    return Field(f"reg{number}", NXM, number, 32, "hex", (), "mw", f"reg{number} reg{number} NXM_NX_REG{number}")


def _wide_register(number: int) -> Field:
    name = f"xreg{number}"
    return Field(name, PKT_REG, number, 64, "hex", (), "mw", f"{name} {name} OXM_OF_PKT_REG{number}")


# fmt: off
_FIELDS: tuple[Field, ...] = (
    Field("pkt_mark",       NXM,      33,  32, "hex",      (),      "mw", "pkt_mark pkt_mark NXM_NX_PKT_MARK"),
    Field("conj_id",        NXM,      37,  32, "dec",      (),      "",   "conj_id conj_id NXM_NX_CONJ_ID"),
    Field("ct_state",       NXM,     105,   8, "ct_state", (),      "m",  "ct_state ct_state NXM_NX_CT_STATE"),
    Field("ct_zone",        NXM,     106,  16, "dec",      (),      "",   "ct_zone ct_zone NXM_NX_CT_ZONE"),
    Field("ct_mark",        NXM,     107,  32, "hex",      (),      "m",  "ct_mark ct_mark NXM_NX_CT_MARK"),
    Field("ct_label",       NXM,     108, 128, "hex",      (),      "m",  "ct_label ct_label NXM_NX_CT_LABEL"),
    Field("eth_type",       OXM,       5,  16, "hex",      (),      "",   "eth_type dl_type NXM_OF_ETH_TYPE"),
    Field("ip_proto",       OXM,      10,   8, "dec",      _IP,     "",   "nw_proto nw_proto NXM_OF_IP_PROTO"),
    # of the connection that a packet is of, or is about, as its first packet had it
    Field("ct_nw_proto",    NXM,     119,   8, "dec",      _CT,     "",   "ct_nw_proto ct_nw_proto NXM_NX_CT_NW_PROTO"),
    Field("ct_nw_src",      NXM,     120,  32, "ipv4",     _CT4,    "m",  "ct_nw_src ct_nw_src NXM_NX_CT_NW_SRC"),
    Field("ct_nw_dst",      NXM,     121,  32, "ipv4",     _CT4,    "m",  "ct_nw_dst ct_nw_dst NXM_NX_CT_NW_DST"),
    Field("ct_ipv6_src",    NXM,     122, 128, "ipv6",     _CT6,    "m",  _CT_IPV6_SRC_TEXTS),
    Field("ct_ipv6_dst",    NXM,     123, 128, "ipv6",     _CT6,    "m",  _CT_IPV6_DST_TEXTS),
    Field("ct_tp_src",      NXM,     124,  16, "dec",      _CT_PORTS, "m", "ct_tp_src ct_tp_src NXM_NX_CT_TP_SRC"),
    Field("ct_tp_dst",      NXM,     125,  16, "dec",      _CT_PORTS, "m", "ct_tp_dst ct_tp_dst NXM_NX_CT_TP_DST"),
    *map(_register, range(16)),
    *map(_wide_register, range(8)),
    Field("tun_id",         OXM,      38,  64, "hex",      (),      "mw", "tun_id tun_id NXM_NX_TUN_ID"),
    Field("tun_ipv4_src",   NXM,      31,  32, "ipv4",     (),      "mw", "tun_src tun_src NXM_NX_TUN_IPV4_SRC"),
    Field("tun_ipv4_dst",   NXM,      32,  32, "ipv4",     (),      "mw", "tun_dst tun_dst NXM_NX_TUN_IPV4_DST"),
    Field("tun_ipv6_src",   NXM,     109, 128, "ipv6",     (),      "mw", _TUN_IPV6_SRC_TEXTS),
    Field("tun_ipv6_dst",   NXM,     110, 128, "ipv6",     (),      "mw", _TUN_IPV6_DST_TEXTS),
    Field("metadata",       OXM,       2,  64, "hex",      (),      "mw", "metadata metadata OXM_OF_METADATA"),
    Field("in_port",        OXM,       0,  32, "port",     (),      "",   "in_port_oxm in_port OXM_OF_IN_PORT"),
    Field("nxm_in_port",    NXM_0,     0,  16, "dec",      (),      "-w", "in_port in_port NXM_OF_IN_PORT"),
    Field("vlan_vid",       OXM,       6,  13, "dec",      (),      "mw", "vlan_vid dl_vlan OXM_OF_VLAN_VID"),
    Field("vlan_pcp",       OXM,       7,   3, "dec",      _VLAN,   "w",  "vlan_pcp dl_vlan_pcp OXM_OF_VLAN_PCP"),
    Field("eth_src",        OXM,       4,  48, "mac",      (),      "mw", "eth_src dl_src NXM_OF_ETH_SRC"),
    Field("eth_dst",        OXM,       3,  48, "mac",      (),      "mw", "eth_dst dl_dst NXM_OF_ETH_DST"),
    Field("ipv6_src",       OXM,      26, 128, "ipv6",     _IPV6,   "mw", "ipv6_src ipv6_src NXM_NX_IPV6_SRC"),
    Field("ipv6_dst",       OXM,      27, 128, "ipv6",     _IPV6,   "mw", "ipv6_dst ipv6_dst NXM_NX_IPV6_DST"),
    Field("ipv4_src",       OXM,      11,  32, "ipv4",     _IPV4,   "mw", "ip_src nw_src NXM_OF_IP_SRC"),
    Field("ipv4_dst",       OXM,      12,  32, "ipv4",     _IPV4,   "mw", "ip_dst nw_dst NXM_OF_IP_DST"),
    Field("ip_frag",        NXM,      26,   2, "frag",     _IP,     "m",  "ip_frag nw_frag NXM_NX_IP_FRAG"),
    Field("arp_spa",        OXM,      22,  32, "ipv4",     _ARP,    "mw", "arp_spa arp_spa NXM_OF_ARP_SPA"),
    Field("arp_tpa",        OXM,      23,  32, "ipv4",     _ARP,    "mw", "arp_tpa arp_tpa NXM_OF_ARP_TPA"),
    Field("arp_op",         OXM,      21,  16, "dec",      _ARP,    "w",  "arp_op arp_op NXM_OF_ARP_OP"),
    Field("arp_sha",        OXM,      24,  48, "mac",      _ARP,    "mw", "arp_sha arp_sha NXM_NX_ARP_SHA"),
    Field("arp_tha",        OXM,      25,  48, "mac",      _ARP,    "mw", "arp_tha arp_tha NXM_NX_ARP_THA"),
    Field("ip_dscp",        OXM,       8,   6, "dscp",     _IP,     "w",  "ip_dscp nw_tos OXM_OF_IP_DSCP"),
    Field("ip_ttl",         NXM,      29,   8, "dec",      _IP,     "w",  "nw_ttl nw_ttl NXM_NX_IP_TTL"),
    Field("icmpv4_type",    OXM,      19,   8, "dec",      _ICMP,   "w",  "icmp_type icmp_type NXM_OF_ICMP_TYPE"),
    Field("icmpv4_code",    OXM,      20,   8, "dec",      _ICMP,   "w",  "icmp_code icmp_code NXM_OF_ICMP_CODE"),
    Field("icmpv6_type",    OXM,      29,   8, "dec",      _ICMPV6, "w",  "icmpv6_type icmp_type NXM_NX_ICMPV6_TYPE"),
    Field("icmpv6_code",    OXM,      30,   8, "dec",      _ICMPV6, "w",  "icmpv6_code icmp_code NXM_NX_ICMPV6_CODE"),
    Field("nd_target",      OXM,      31, 128, "ipv6",     _ND,     "mw", "nd_target nd_target NXM_NX_ND_TARGET"),
    Field("nd_sll",         OXM,      32,  48, "mac",      _NS,     "mw", "nd_sll nd_sll NXM_NX_ND_SLL"),
    Field("nd_tll",         OXM,      33,  48, "mac",      _NA,     "mw", "nd_tll nd_tll NXM_NX_ND_TLL"),
    Field("nd_reserved",    ERICOXM,   1,  32, "dec",      _ND,     "w",  _ND_RESERVED_TEXTS),
    Field("nd_options_type",ERICOXM,   2,   8, "dec",      _ND,     "w",  _ND_OPTIONS_TEXTS),
    Field("tcp_src",        OXM,      13,  16, "dec",      _TCP,    "mw", "tcp_src tp_src NXM_OF_TCP_SRC"),
    Field("tcp_dst",        OXM,      14,  16, "dec",      _TCP,    "mw", "tcp_dst tp_dst NXM_OF_TCP_DST"),
    Field("udp_src",        OXM,      15,  16, "dec",      _UDP,    "mw", "udp_src tp_src NXM_OF_UDP_SRC"),
    Field("udp_dst",        OXM,      16,  16, "dec",      _UDP,    "mw", "udp_dst tp_dst NXM_OF_UDP_DST"),
    Field("sctp_src",       OXM,      17,  16, "dec",      _SCTP,   "mw", "sctp_src tp_src OXM_OF_SCTP_SRC"),
    Field("sctp_dst",       OXM,      18,  16, "dec",      _SCTP,   "mw", "sctp_dst tp_dst OXM_OF_SCTP_DST"),
)
# fmt: on

FIELDS: dict[str, Field] = {field.name: field for field in _FIELDS}


class BadMatch(ValueError):
    """A match that no switch would take; the message names the field."""


def match(**fields: int | tuple[int, int | None]) -> Match:
    """match(in_port=1, ipv4_src=(0x0A000000, 0xFF000000)): checked and in canonical form.  Raises BadMatch."""
    parts = ((name, *value) if isinstance(value, tuple) else (name, value, None) for name, value in fields.items())
    return canonical(parts)


def canonical(parts: Iterable[tuple[str, int, int | None]]) -> Match:
    """The one form of a match in which it compares equal to what the switch says: sorted by name, no bits outside the
    mask, no full or empty masks, wide registers split.  Raises BadMatch."""
    found: dict[str, tuple[str, int, int | None]] = {}
    for part in parts:
        for name, value, mask in _split(*part):
            if name in found:
                raise BadMatch(f"{name}: matched twice")
            field = _checked(name, value, mask)
            if mask is None or mask == field.full_mask:
                found[name] = (name, value, None)
            elif mask:
                found[name] = (name, value & mask, mask)
    _check_requirements(found)
    return tuple(sorted(found.values()))


def _split(name: str, value: int, mask: int | None) -> Iterable[tuple[str, int, int | None]]:
    """xregN is reg(2N) and reg(2N+1), and the switch reports it either way."""
    if not name.startswith("xreg") or name not in FIELDS:
        return ((name, value, mask),)
    number = 2 * int(name[4:])
    low = 0xFFFFFFFF
    mask = FIELDS[name].full_mask if mask is None else mask
    return ((f"reg{number}", value >> 32, mask >> 32), (f"reg{number + 1}", value & low, mask & low))


def _checked(name: str, value: int, mask: int | None) -> Field:
    field = FIELDS.get(name)
    if field is None or not field.matchable:
        raise BadMatch(f"{name}: no such field")
    if not 0 <= value <= field.full_mask:
        raise BadMatch(f"{name}: {value:#x} does not fit into {field.bits} bits")
    if mask is not None and not 0 <= mask <= field.full_mask:
        raise BadMatch(f"{name}: mask {mask:#x} does not fit into {field.bits} bits")
    if not field.maskable and mask not in (None, 0, field.full_mask):
        raise BadMatch(f"{name}: cannot be matched with a mask")
    return field


def _check_requirements(found: dict[str, tuple[str, int, int | None]]) -> None:
    for name in found:
        for needed in FIELDS[name].requires:
            if needed.field not in found or not needed.met_by(*found[needed.field][1:]):
                raise BadMatch(f"{name}: needs {needed}")
