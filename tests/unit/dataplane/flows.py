"""Flows to test with: a value for every field, what each field needs to be matched, a list of action lists."""

from hypothesis import strategies as st

from netweft.dataplane.openflow.fields import FIELDS, VLAN_PRESENT, Field
from netweft.dataplane.openflow.flow import (
    OFPP_IN_PORT,
    OFPP_LOCAL,
    Action,
    Apart,
    CheckLarger,
    Clone,
    Conjunction,
    Controller,
    Ct,
    CtClear,
    Goto,
    Move,
    Multipath,
    Nat,
    Output,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
)

ACTIONS: list[tuple[Action, ...]] = [
    (),
    (Output(5),),
    (Output(OFPP_IN_PORT),),
    (Output(OFPP_LOCAL), Output(1), Output(0xFF00 - 1)),
    (Controller(0x4E57), Output(1)),
    (Controller(1, max_len=1500),),
    (Goto(9),),
    (Output(1), Goto(200)),
    (Resubmit(4), Resubmit(253), Output(2)),
    (PushVlan(), SetField("vlan_vid", VLAN_PRESENT | 100), Output(2), PopVlan(), Output(3)),
    (PushVlan(ethertype=0x88A8), Output(2)),
    (Move(src="eth_src", dst="eth_dst", bits=48),),
    (Move(src="reg0", dst="reg1", bits=1, src_start=3, dst_start=31),),
    (Move(src="reg4", dst="tun_id", bits=24, src_start=0, dst_start=40),),
    (Ct(),),
    (Ct(zone=7, table=9),),
    (Ct(zone="reg0", table=9), Output(1)),
    (Ct(zone="reg0", commit=True), Goto(8)),
    (CtClear(), Output(1)),
    (CheckLarger(1514, "reg11", 3), CheckLarger(0xFFFF, "reg5", 31), Goto(8)),
    (Multipath("reg12", 6, 64, 0xFFFF), Multipath("reg0", 8, 200, ports=False), Goto(8)),
    (Multipath("reg12", 8, 256, 9, ports=False, source=True), Goto(8)),
    (Ct(zone=5000, table=9, nat=Nat()),),
    (Ct(zone=5000, commit=True, table=9, nat=Nat(0xCB007105)),),
    (Ct(zone=5000, commit=True, table=9, nat=Nat(src=0xCB007105, port=80)),),
    (Ct(zone=5000, commit=True, table=9, nat=Nat(dst=0x0A000005)),),
    (Ct(zone=5000, commit=True, table=9, nat=Nat(dst=0x0A000005, port=65535)),),
    (Ct(zone=5000, commit=True, table=9, nat=Nat(0xCB007105), alg="ftp"),),
    (Ct(zone=5000, table=9, nat=Nat(), alg="tftp"),),
    (Ct(zone=5000, commit=True, table=9, nat=Nat(src=(0x20010DB8 << 96) + 5, version=6)),),
    (Ct(zone=5000, commit=True, table=9, nat=Nat(dst=(0xFD00 << 112) + 5, port=80, version=6)),),
    (Ct(zone="reg3", commit=True, exec=(SetField("ct_mark", 1), SetField("ct_label", 1 << 100, 1 << 100))),),
    (Ct(zone="reg3", commit=True, table=8, exec=(SetField("ct_mark", 0, 1),)),),
    (Apart(7), Apart(254), Output(3)),
    (
        Clone((CtClear(), Ct(zone="reg0", commit=True, exec=(SetField("ct_mark", 0, 2),)))),
        Clone((Ct(zone=7),)),
        Clone((Move("ct_zone", "reg0", 16), CtClear(), Ct(zone="reg0", commit=True))),
        Goto(8),
    ),
    (Conjunction(0xFFFFFFFF, 1, 2),),
    (Conjunction(5, 2, 3), Conjunction(6, 3, 3)),
    (SetField("reg0", 0), SetField("xreg2", 1 << 63), SetField("metadata", 5, 0xFF), Goto(4)),
]


NEW, ESTABLISHED, REPLY, INVALID, TRACKED, TRANSLATED = 0x01, 0x02, 0x08, 0x10, 0x20, 0x40
# what a match says of ct_state, and whether that is enough to ask for what the connection's first packet was
OF_A_CONNECTION: list[tuple[tuple[int, int | None] | None, bool]] = [
    (None, False),
    ((TRACKED, TRACKED), False),
    ((0, INVALID), False),
    ((0, TRACKED), False),
    ((TRACKED | INVALID, TRACKED | INVALID), False),
    ((0, ESTABLISHED | REPLY), False),
    ((TRACKED, TRACKED | INVALID), True),
    ((NEW, NEW), True),
    ((TRACKED | ESTABLISHED, TRACKED | ESTABLISHED | REPLY), True),
    ((TRANSLATED, TRANSLATED), True),
    ((TRACKED | ESTABLISHED, None), True),
]


def needed(field: Field) -> dict[str, int]:
    return {needed.field: needed.any_of[-1][0] for needed in field.requires}


def sample(field: Field) -> int:
    """A value that is legal in a match and in an action, and shows a swapped byte."""
    special = {"vlan_vid": VLAN_PRESENT | 0x123, "vlan_pcp": 5, "eth_type": 0x88B5, "ip_proto": 89, "ct_state": 0x21}
    special |= {"in_port": 0x123, "ip_ttl": 64, "icmpv6_type": 136, "nd_options_type": 2, "arp_op": 2, "ct_zone": 7}
    special |= {"ct_nw_proto": 17}
    special |= {"ip_frag": 1}  # a first fragment: later ones have no ports to match
    pattern = int.from_bytes(bytes(range(1, 17)), "big")
    return special.get(field.name, pattern & field.full_mask)


@st.composite
def matches(draw: st.DrawFn) -> list[tuple[str, int, int | None]]:
    """Any match a switch takes: fields with what they need, no two that contradict each other."""
    chosen: dict[str, tuple[str, int, int | None]] = {}
    candidates = [field for field in FIELDS.values() if field.matchable and not field.name.startswith("xreg")]
    for field in draw(st.lists(st.sampled_from(candidates), max_size=6, unique=True)):
        wants = needed(field)
        if any(name in chosen and chosen[name][1] != value for name, value in wants.items()):
            continue
        if field.name in chosen or field.name in ("eth_type", "ip_proto", "icmpv6_type", "icmpv6_code"):
            continue
        chosen |= {name: (name, value, None) for name, value in wants.items()}
        chosen[field.name] = (field.name, *draw(_value(field)))
    return list(chosen.values())


def _value(field: Field) -> st.SearchStrategy[tuple[int, int | None]]:
    if field.name in (
        "vlan_vid",
        "in_port",
        "arp_op",
        "ip_frag",
        "ct_nw_proto",
    ):  # not every value is one that the switch takes
        return st.just((sample(field), None))
    exact = st.tuples(st.integers(0, field.full_mask), st.none())
    if not field.maskable:
        return exact
    masked = st.tuples(st.integers(0, field.full_mask), st.integers(0, field.full_mask))
    return st.one_of(exact, masked)
