"""The fake switch does what Open vSwitch does, as far as our flows use it."""

import pytest

from netweft.dataplane.openflow.flow import (
    OFPP_IN_PORT,
    Action,
    Conjunction,
    Ct,
    Flow,
    Goto,
    Match,
    Move,
    Output,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
)
from netweft.testing.classifier import Flows
from netweft.testing.switch import Bridge, Delivery, LoopError, Overlay, Packet

PACKET: Packet = {"eth_src": 1, "eth_dst": 2, "eth_type": 0x0800}


def bridge(*flows: Flow, name: str = "br") -> Bridge:
    return Bridge(name, Flows({flow.key: flow for flow in flows}))


def flow(table: int, *actions: Action, match: Match = (), priority: int = 1) -> Flow:
    return Flow(table=table, priority=priority, match=match, actions=actions)


def out(made: Bridge, in_port: int = 1, packet: Packet = PACKET) -> list[tuple[str, int]]:
    return [(delivery.bridge, delivery.ofport) for delivery in made.receive(packet, in_port)]


def test_no_match_no_way_out() -> None:
    assert out(bridge()) == []
    assert out(bridge(flow(0, Output(5), match=(("arp_op", 0, None),)))) == [], "a field that is not there is not 0"


def test_the_highest_priority_wins() -> None:
    assert out(bridge(flow(0, Output(5)), flow(0, Output(6), match=(("eth_dst", 2, None),), priority=2))) == [("br", 6)]


def test_which_of_two_equals_wins_is_not_left_to_chance() -> None:
    two = bridge(flow(0, Output(5), match=(("eth_src", 1, None),)), flow(0, Output(6), match=(("eth_dst", 2, None),)))
    with pytest.raises(AssertionError, match="ambiguous"):
        out(two)


def test_nothing_leaves_where_it_came_in_except_by_in_port() -> None:
    assert out(bridge(flow(0, Output(1), Output(2)))) == [("br", 2)]
    assert out(bridge(flow(0, Output(OFPP_IN_PORT)))) == [("br", 1)]


def test_a_resubmit_comes_back() -> None:
    made = bridge(
        flow(0, SetField("reg1", 7), Resubmit(1), SetField("reg1", 8), Goto(1)),
        flow(1, Output(7), match=(("reg1", 7, None),)),
        flow(1, Output(8), match=(("reg1", 8, None),)),
    )
    assert out(made) == [("br", 7), ("br", 8)]


def test_rounds_are_noticed() -> None:
    with pytest.raises(LoopError):
        out(bridge(flow(0, Resubmit(0))))


def test_masks_moves_and_tags() -> None:
    made = bridge(
        flow(0, PushVlan(), SetField("reg0", 0xAB5), Move("reg0", "vlan_vid", 12), Output(2),
             match=(("eth_dst", 2, 2),)),
    )  # fmt: skip
    [delivery] = made.receive(PACKET, 1)
    assert delivery == Delivery("br", 2, {**PACKET, "vlan_vid": 0x1AB5})


def test_registers_end_at_a_patch_cable() -> None:
    one = bridge(flow(0, SetField("reg0", 5), Output(2)))
    two = bridge(flow(0, Output(9), match=(("reg0", 0, None), ("in_port", 3, None))), name="two")
    one.join(2, two, 3)
    assert out(one) == [("two", 9)]


def test_the_overlay_carries_key_and_source() -> None:
    overlay = Overlay()
    one = bridge(flow(0, PopVlan(), SetField("tun_id", 77), SetField("tun_ipv4_dst", 2), Output(9)))
    two = bridge(flow(0, Output(4), match=(("tun_id", 77, None), ("tun_ipv4_src", 1, None))), name="two")
    overlay.attach(one, (9,), 1)
    overlay.attach(two, (9,), 2)
    assert out(one) == [("two", 4)]
    assert overlay.carried == {(1, 2): 1}
    del overlay.ends[2]
    assert out(one) == []


def test_conntrack_knows_new_from_established_and_answers() -> None:
    ask: Packet = {"eth_type": 0x0800, "ip_proto": 17, "ipv4_src": 1, "ipv4_dst": 2, "udp_src": 9, "udp_dst": 53}
    answer = {**ask, "ipv4_src": 2, "ipv4_dst": 1, "udp_src": 53, "udp_dst": 9}
    made = bridge(
        flow(0, SetField("reg0", 7), Ct(zone="reg0", table=1), Output(2)),
        flow(1, Ct(zone="reg0", commit=True, exec=(SetField("ct_mark", 5),)), Output(3), match=(("ct_state", 1, 1),)),
        flow(1, Output(4), match=(("ct_mark", 5, None), ("ct_state", 2, 10))),
        flow(1, Output(5), match=(("ct_mark", 5, None), ("ct_state", 10, 10))),
    )
    assert out(made, packet=ask) == [("br", 3), ("br", 2)], "and what follows goes on untracked"
    assert out(made, packet=ask) == [("br", 4), ("br", 2)]
    assert out(made, packet=answer) == [("br", 5), ("br", 2)]
    assert out(made, packet={**answer, "udp_dst": 8})[0] == ("br", 3)


def test_a_conjunction_needs_all_its_clauses() -> None:
    made = bridge(
        flow(0, Conjunction(9, 1, 2), match=(("eth_src", 1, None),), priority=5),
        flow(0, Conjunction(9, 2, 2), Conjunction(8, 2, 2), match=(("eth_type", 0x0800, None),), priority=5),
        flow(0, Output(4), match=(("conj_id", 9, None),), priority=5),
        flow(0, Output(7), priority=1),
    )
    assert out(made) == [("br", 4)]
    assert out(made, packet={**PACKET, "eth_src": 2}) == [("br", 7)]
    assert out(made, packet={**PACKET, "eth_type": 0x0806}) == [("br", 7)]
