"""A VM without port security, which may say anything, and a guarded one: whose addresses they get."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.examples import examples
from tests.unit.agent.l3.test_unknown_hosts import B1, G1, G2, GREEN, SECOND, TO_BLUE, TO_GREEN, clock, made, to, world
from tests.unit.agent.l3.unknown_world import World, announced

from netweft.agent import packet_ins
from netweft.agent.l3 import neighbour_shares
from netweft.dataplane.openflow.fields import ETH_ARP, ETH_IPV6, ND_ADVERT, ND_SOLICIT
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac, prefix
from netweft.services.values import Asked
from netweft.testing import packets
from netweft.testing.switch import Packet

__all__ = ["clock", "world"]
ROUTER = TO_GREEN.mac_address


def answer(frm_mac: str, address: str, *, sha: str = "", own: str = "10.0.1.1") -> Packet:
    """Unasked, to the router."""
    return packets.arp(frm_mac, address, own, op=2, dst=ROUTER, sha=sha or frm_mac)


@pytest.mark.parametrize(
    "claim",
    [
        answer(G1.mac_address, "10.0.1.1"),
        answer(G1.mac_address, "10.0.1.21"),
        answer(G1.mac_address, "10.0.0.10"),
        announced(G1, "10.0.1.21"),
        announced(G1, "10.0.1.1"),
        announced(G1, SECOND[4]),
        answer(G1.mac_address, SECOND[4]),
    ],
)
async def test_unsolicited_answers_are_not_believed(world: World, claim: Packet) -> None:
    world.send(G1, claim)
    assert all(not agent.known for agent in world.agents.values())
    world.send(B1, to("10.0.1.21"))
    assert len(world.got[G2.id]) == 1
    assert not world.got[G1.id]


async def test_a_guarded_port_answers_for_nobody_else(clock: list[float]) -> None:
    """Its guard stands before."""
    world = World(made())
    world.has[G2.id] = {SECOND[4]: G2.mac_address, SECOND[6]: G2.mac_address}
    for version in (4, 6):
        world.send(B1, to(SECOND[version]))
    assert world.heard[G2.id], "it was asked"
    assert not world.agents["hv1"].known
    world.send(G2, answer(G2.mac_address, SECOND[4]))
    assert not world.agents["hv1"].known


@pytest.mark.parametrize("its_mac", [ROUTER, TO_BLUE.mac_address, "01:00:5e:00:00:01", "00:00:00:00:00:00"])
async def test_nobody_has_a_routers_mac_or_a_groups(world: World, its_mac: str) -> None:
    world.send(B1, to(SECOND[4]))
    world.send(G1, answer(its_mac, SECOND[4]))
    world.send(G1, answer(G1.mac_address, SECOND[4], sha=its_mac))
    assert world.agents["hv1"].known in ({}, {SECOND[4]: TO_BLUE.mac_address}), "BLUE's is no router's in GREEN"
    world.send(B1, to(SECOND[4]))


async def test_in_another_network_it_says_nothing(world: World) -> None:
    """Of an address that is asked for in GREEN."""
    world.send(B1, to(SECOND[4]))
    claim = packets.arp(B1.mac_address, SECOND[4], "10.0.0.1", op=2, dst=TO_BLUE.mac_address)
    world.region.create(replace(B1, port_security_enabled=False))
    world.region.settle()
    world.send(B1, claim)
    world.send(B1, announced(B1, SECOND[4]))
    assert not world.agents["hv1"].known


async def test_who_floods_with_answers_keeps_nobody_elses_from_being_heard(world: World, clock: list[float]) -> None:
    """Its own flow ends what it says, here and to other nodes; then it is heard again."""
    one, other = world.agents["hv1"], world.agents["hv2"]
    for _ in range(packet_ins.OF_KIND[Asked.NEXT_HOP] + 1):
        world.send(G1, answer(G1.mac_address, SECOND[4]))
    assert other.handed_up == one.handed_up == packet_ins.OF_KIND[Asked.NEXT_HOP] + 1
    for _ in range(5):
        world.send(G1, answer(G1.mac_address, SECOND[4]))
    assert other.handed_up == one.handed_up == packet_ins.OF_KIND[Asked.NEXT_HOP] + 1
    world.send(B1, to(SECOND[4]))
    world.send(G2, answer(G2.mac_address, "10.0.1.21"))
    assert other.handed_up == packet_ins.OF_KIND[Asked.NEXT_HOP] + 2


@pytest.mark.parametrize("claims", [False, True])
async def test_who_has_every_address_gets_a_share_and_loses_it(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, claims: bool
) -> None:
    """It answers for all of them, or claims those that another VM without port security has; who asks is elsewhere."""
    monkeypatch.setattr(neighbour_shares, "MOST", 8)
    world = World(made(replace(G2, port_security_enabled=False)))
    every = [f"10.0.1.{number}" for number in range(100, 130)]
    theirs = [SECOND[4], *every[:6]] if claims else [SECOND[4]]
    world.has[G2.id] = dict.fromkeys(theirs, G2.mac_address)
    if not claims:
        world.has[G1.id] = dict.fromkeys(every, G1.mac_address)
    agent = world.agents["hv1"]
    for address in (SECOND[4], *every):
        world.send(B1, to(address))
        if claims:
            world.send(G1, announced(G1, address))
        had = list(agent.known.values()).count(G1.mac_address)
        assert had <= neighbour_shares.MOST + 1, "the one too many is on its way to other nodes before it is counted"
    assert G1.mac_address in agent.known.values()
    world.passes(neighbour_shares.DEAF_FOR - 8, clock)
    assert agent.known == dict.fromkeys(theirs, G2.mac_address), "others have theirs, and it has none"
    world.has[G1.id] = {every[-1]: G1.mac_address}
    world.passes(10, clock)
    world.send(B1, to(every[-1]))
    assert agent.known[every[-1]] == G1.mac_address, "it is heard again"


MACS = st.sampled_from([mac(one) for one in (G1.mac_address, G2.mac_address, ROUTER, TO_BLUE.mac_address)])
GROUPS = st.sampled_from([mac(packets.BROADCAST), mac(packets.ALL_NODES), 0, wire_mac("hv1", TO_GREEN.id)])
FOUR = st.sampled_from([prefix(one).value for one in ("10.0.1.1", "10.0.1.20", "10.0.1.21", SECOND[4], "10.0.0.10")])
SIX = st.sampled_from([prefix(one).value for one in ("fd00:b::1", "fd00:b::21", SECOND[6], "fe80::1", "::", "ff02::1")])
ARPS = st.fixed_dictionaries(
    {"eth_type": st.just(ETH_ARP), "eth_src": MACS | GROUPS, "eth_dst": MACS | GROUPS, "arp_op": st.integers(0, 4)}
    | dict.fromkeys(("arp_sha", "arp_tha"), MACS | GROUPS)
    | dict.fromkeys(("arp_spa", "arp_tpa"), FOUR)
)
DISCOVERIES = st.fixed_dictionaries(
    {"eth_type": st.just(ETH_IPV6), "eth_src": MACS | GROUPS, "eth_dst": MACS | GROUPS, "ip_proto": st.just(58)}
    | {
        "icmpv6_type": st.sampled_from([ND_SOLICIT, ND_ADVERT]),
        "icmpv6_code": st.integers(0, 1),
        "ip_ttl": st.just(255),
    }
    | dict.fromkeys(("ipv6_src", "ipv6_dst", "nd_target"), SIX)
    | dict.fromkeys(("nd_sll", "nd_tll"), MACS | GROUPS)
)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(ARPS | DISCOVERIES, max_size=6))
async def test_whatever_it_says_the_others_are_reached(said: list[Packet]) -> None:
    """And only what was asked for is known afterwards: with a MAC that a host may have."""
    world = World(made())
    for version in (4, 6):
        world.send(B1, to(SECOND[version]))
    for one in said:
        world.send(G1, one)
    known = world.agents["hv1"].known
    assert known.keys() <= {SECOND[4], SECOND[6]}
    assert not {ROUTER} & set(known.values())
    assert all(not mac(one) >> 40 & 1 and mac(one) for one in known.values())
    world.got.clear()
    for address in ("10.0.1.21", "fd00:b::21"):
        world.send(B1, to(address))
    assert len(world.got[G2.id]) == 2
    assert not world.got[G1.id]
    assert GREEN.id in {place.network_id for place in world.agents["hv1"].resolver._questions} or known
