"""The one form of a match, and what is refused."""

import pytest
from tests.unit.dataplane.flows import OF_A_CONNECTION

from netweft.dataplane.openflow.fields import FIELDS, BadMatch, canonical, match


def test_a_match_is_sorted_and_has_no_bits_outside_its_masks() -> None:
    found = match(tun_id=(0xFF, 0x0F), eth_type=0x0800, ipv4_src=(0x0A0B0C0D, 0xFF000000))
    assert found == (("eth_type", 0x0800, None), ("ipv4_src", 0x0A000000, 0xFF000000), ("tun_id", 0x0F, 0x0F))


def test_full_masks_are_exact_and_empty_masks_are_nothing() -> None:
    assert match(reg1=(5, 0xFFFFFFFF), reg2=(5, 0)) == (("reg1", 5, None),)


def test_a_wide_register_is_two() -> None:
    assert match(xreg1=1 << 32) == (("reg2", 1, None), ("reg3", 0, None))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"no_such": 1}, "no such field"),
        ({"eth_type": 0x10000}, "does not fit into 16 bits"),
        ({"eth_type": -1}, "does not fit"),
        ({"reg0": (1, 1 << 32)}, "mask .* does not fit"),
        ({"in_port": (1, 3)}, "with a mask"),
        ({"ipv4_src": 1}, "ipv4_src: needs eth_type to be 0x800"),
        ({"eth_type": 0x86DD, "arp_op": 1}, "needs eth_type to be 0x806"),
        ({"vlan_pcp": 1}, "needs vlan_vid to be 0x1000/0x1000"),
        ({"vlan_pcp": 1, "vlan_vid": 0}, "needs vlan_vid to be 0x1000/0x1000"),
        ({"xreg0": 1, "reg0": 1}, "matched twice"),
    ],
)
def test_what_no_switch_would_take(parts: dict[str, int], message: str) -> None:
    with pytest.raises(BadMatch, match=message):
        match(**parts)


def test_requirements_come_first_on_the_wire() -> None:
    order = list(FIELDS)
    for field in FIELDS.values():
        for needed in field.requires:
            assert order.index(needed.field) < order.index(field.name)


def test_canonical_is_idempotent() -> None:
    once = match(eth_type=0x0800, ip_proto=6, tcp_dst=(0x1234, 0xFF00), xreg4=(7, 0xF))
    assert canonical(once) == once


@pytest.mark.parametrize(
    ("state", "taken"),
    OF_A_CONNECTION,
)
@pytest.mark.parametrize("field", ["ct_nw_proto", "ct_nw_src", "ct_nw_dst", "ct_ipv6_src", "ct_tp_src", "ct_tp_dst"])
def test_the_original_tuple_is_looked_up_for_packets_of_a_connection(
    field: str, state: tuple[int, int | None] | None, taken: bool
) -> None:
    """ovs-fields(7), "Connection Tracking Fields"; what tests/ovs/test_flows.py hears from Open vSwitch."""
    parts: dict[str, int | tuple[int, int | None]] = {
        "eth_type": 0x86DD if "ipv6" in field else 0x0800,
        "ct_nw_proto": 6,
        field: 6,
    }
    if state is not None:
        parts["ct_state"] = state
    if taken:
        assert match(**parts)
    else:
        with pytest.raises(BadMatch, match=f"{field}|ct_nw_proto: needs ct_state to be .* or 0x20/0x30"):
            match(**parts)
