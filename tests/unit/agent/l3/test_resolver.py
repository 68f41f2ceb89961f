"""Next hops that the database does not know: asked for, held, asked for again, given up; who may fill the tables."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from msgspec.structs import replace
from tests.unit.services.l3.gateways.test_flows import GATEWAY, OUTSIDE, ROUTER_OUT_THERE, R, region

from netweft.agent.desired import Desired
from netweft.agent.l3 import neighbour_entries, resolver
from netweft.agent.l3.resolver import Resolver
from netweft.dataplane.openflow.flow import Resubmit
from netweft.dataplane.openflow.messages import PacketIn
from netweft.dataplane.packets import arp, icmp
from netweft.dataplane.packets.datagram import packet
from netweft.model import FixedIp
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import octets, parsed
from netweft.services.fields import HANDED_UP, LOCAL_VLAN, NEXT_HOP, ROUTER, Why
from netweft.services.l2.announce import Packet
from netweft.services.pipeline import INT
from netweft.testing.region import Region, gateway, router, subnet

__all__ = ["region"]

OWN, THEIRS, OTHER = octets(GATEWAY.mac_address), bytes.fromhex("020000000009"), bytes.fromhex("02000000000a")
NEAR = "203.0.113.33"


class Node(Desired):
    """hv1 of the region, which has the gateway."""

    def __init__(self, region: Region) -> None:
        super().__init__()
        self._rendering = region.nodes["hv1"].rendering
        self.learned: dict[str, str | None] = {}

    def learn(self, network_id: str, address: str, mac: str | None) -> None:
        assert network_id == OUTSIDE.id
        self.learned[address] = mac


class Stage:
    def __init__(self, region: Region, clock: list[float]) -> None:
        self.clock = clock
        self.node = Node(region)
        self.sent: list[Packet] = []
        self.resolver = Resolver(self.node, self.sent.append, lambda: None)

    def unknown(self, to: str = NEAR, payload: bytes = b"", router: str = R.id) -> bytes:
        rendering = self.node._rendering
        assert rendering is not None
        frame = packet((OWN, OWN), (parsed("203.0.113.5"), parsed(to)), 17, bytes(8) + payload)
        number = rendering._memo.get(("number", router))
        fields = {HANDED_UP: Why.UNKNOWN_NEXT_HOP, ROUTER: number, NEXT_HOP[-1]: int(parsed(to))}
        assert self.resolver.takes(PacketIn(0, fields, frame))
        return frame

    def says(self, address: str = NEAR, mac: bytes = THEIRS, to: bytes = OWN) -> None:
        asked = arp.request(mac, IPv4Address(address), IPv4Address("203.0.113.5"))
        reply = to + asked[6:20] + b"\0\2" + asked[22:]
        assert not list(self.resolver.answer(None, PacketIn(0, {}, reply)))

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds / resolver.TICK)):
            self.clock[0] += resolver.TICK
            self.resolver.tick()

    def questions(self) -> list[bytes]:
        """ARP requests for others' addresses since the last call."""
        found = [
            one.frame for one in self.sent if one.frame[12:14] == b"\x08\x06" and one.frame[28:32] != one.frame[38:42]
        ]
        self.sent.clear()
        return found


@pytest.fixture
async def stage(region: Region, monkeypatch: pytest.MonkeyPatch) -> Stage:
    clock = [1000.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock[0])
    monkeypatch.setattr(resolver, "SPREAD", 0)
    return Stage(region, clock)


async def test_the_first_packets_wait_for_the_answer(stage: Stage) -> None:
    frames = [stage.unknown(payload=bytes([number])) for number in range(5)]
    (question,) = stage.questions()
    assert question[:12] == b"\xff" * 6 + OWN
    assert (question[28:32], question[38:42]) == (parsed("203.0.113.5").packed, parsed(NEAR).packed)
    stage.says()
    assert stage.node.learned == {NEAR: THEIRS.hex(":")}
    assert [one.frame for one in stage.sent] == [THEIRS + frame[6:] for frame in frames[: resolver.MOST_PACKETS]]


async def test_it_requests_again_and_gives_up(stage: Stage) -> None:
    stage.unknown()
    stage.passes(10)
    assert len(stage.questions()) == len(resolver.PATIENCE) + 1
    stage.says()
    assert stage.node.learned == {}, "too late: nobody has asked"
    stage.unknown()
    assert len(stage.questions()) == 1, "but whoever sends again begins anew"


async def test_no_request_comes_from_a_gateway_that_has_gone(stage: Stage, region: Region) -> None:
    """Its MAC is elsewhere now, and switches would look for it here."""
    stage.unknown()
    assert stage.questions()
    region.create(replace(GATEWAY, host_id="hv2"))
    region.settle()
    stage.passes(10)
    assert stage.sent == []


async def test_a_node_that_may_take_over_resolves_beforehand(stage: Stage, region: Region) -> None:
    """For what routes lead to, with its own MAC; and no more with the gateway's, once others have that."""
    stage.unknown()
    stage.sent.clear()
    region.create(replace(GATEWAY, host_id="hv2", hosts=("hv2", "hv1")))
    region.settle()
    stage.passes(20)
    asked = stage.questions()
    own = wire_mac("hv1", GATEWAY.id).to_bytes(6, "big")
    assert len(asked) > len(resolver.PATIENCE)
    assert {(frame[6:12], frame[28:32], frame[38:42]) for frame in asked} == {
        (own, bytes(4), parsed(ROUTER_OUT_THERE).packed)
    }


async def test_who_waited_hears_that_nobody_is_there(stage: Stage) -> None:
    """By way of the router, which translates it back."""
    frame = stage.unknown()
    stage.passes(10)
    (said,) = [one for one in stage.sent if one.frame[12:14] == b"\x08\x00"]
    assert said.frame[34:36] == bytes((3, 1))
    assert said.frame[26:34] == parsed("203.0.113.5").packed * 2, "from the gateway's address to who sent it"
    assert said.frame[42:] == frame[14:]
    assert said.actions[-1] == Resubmit(INT["routing"].id)


async def test_what_is_known_is_counted_by_router(stage: Stage, region: Region) -> None:
    second = router(2)
    region.create(second, gateway(2, second, OUTSIDE, "hv1", "203.0.113.6"))
    region.settle()
    for number in range(resolver.MOST_KNOWN):
        place = neighbour_entries.Place(OUTSIDE.id, IPv4Address(0xC0000200 + number))
        stage.resolver._known[place] = neighbour_entries.Known(THEIRS, stage.clock[0], stage.clock[0], GATEWAY.id)
    stage.unknown("203.0.113.40")
    assert stage.questions() == [], "this one has found enough"
    stage.unknown("203.0.113.41", router=second.id)
    assert len(stage.questions()) == 1


@pytest.mark.parametrize(
    "say",
    [
        lambda stage: stage.says("203.0.113.34"),
        lambda stage: stage.says(to=OTHER),
        lambda stage: stage.says(mac=bytes.fromhex("030000000001")),
        lambda stage: stage.says(mac=bytes(6)),
    ],
)
async def test_only_answers_to_requests_are_believed(stage: Stage, say: Callable[[Stage], None]) -> None:
    stage.unknown()
    say(stage)
    assert stage.node.learned == {}


async def test_what_is_known_is_looked_at_again_and_stays(stage: Stage) -> None:
    stage.unknown()
    stage.says()
    stage.sent.clear()
    for _ in range(5):
        stage.passes(resolver.AGAIN_AFTER + 1)
        assert stage.questions()
        stage.says()
    assert stage.node.learned == {NEAR: THEIRS.hex(":")}


async def test_one_that_moves_is_followed_and_one_that_goes_is_forgotten(stage: Stage) -> None:
    stage.unknown()
    stage.says()
    stage.passes(resolver.AGAIN_AFTER + 1)
    stage.says(mac=OTHER)
    assert stage.node.learned == {NEAR: OTHER.hex(":")}
    stage.passes(resolver.AGAIN_AFTER + 20)
    assert stage.node.learned == {NEAR: None}


async def test_what_routes_lead_to_stays_where_it_was(stage: Stage) -> None:
    """Until it says otherwise."""
    stage.unknown("203.0.113.1")
    stage.says("203.0.113.1")
    stage.passes(3 * resolver.AGAIN_AFTER)
    assert stage.node.learned == {"203.0.113.1": THEIRS.hex(":")}
    while not stage.resolver._questions:
        stage.passes(resolver.TICK)
    stage.says("203.0.113.1", mac=OTHER)
    assert stage.node.learned == {"203.0.113.1": OTHER.hex(":")}


@pytest.mark.parametrize(("others", "stays"), [(0, True), (50, False)])
async def test_what_answers_is_forgotten_only_where_much_is_known(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, others: int, stays: bool
) -> None:
    """A fast stream would lose what comes before the next answer."""
    monkeypatch.setattr(resolver, "MUCH", 40)
    stage.unknown()
    stage.says()
    for number in range(others):
        place = neighbour_entries.Place(OUTSIDE.id, IPv4Address(0xCB007164 + number))
        stage.resolver._known[place] = neighbour_entries.Known(THEIRS, stage.clock[0], stage.clock[0] + 1e6, GATEWAY.id)
    for _ in range(int((resolver.FORGET_AFTER + resolver.AGAIN_AFTER + resolver.SPREAD) / resolver.TICK) + 8):
        stage.passes(resolver.TICK)
        if NEAR in [str(place.address) for place in stage.resolver._questions]:
            stage.says()
    assert stage.node.learned[NEAR] == (THEIRS.hex(":") if stays else None)


async def test_a_scan_fills_nothing(stage: Stage) -> None:
    for number in range(10, 255):
        stage.unknown(f"203.0.113.{number}")
    assert len(stage.questions()) == resolver.MOST_WAITING
    stage.unknown("203.0.113.1")
    assert len(stage.questions()) == 1, "what routes lead to is asked for all the same"
    stage.passes(10)
    stage.unknown()
    assert len(stage.questions()) >= 1, "and afterwards there is room again"


async def test_what_is_not_on_the_link_is_not_requested(stage: Stage) -> None:
    fields = {HANDED_UP: Why.UNKNOWN_NEXT_HOP, ROUTER: 1, NEXT_HOP[-1]: int(parsed("198.51.100.1"))}
    assert not stage.resolver.takes(PacketIn(0, fields, bytes(60)))


async def test_a_gateway_is_announced_where_it_comes(stage: Stage) -> None:
    for _ in range(3):
        stage.resolver.wired()
    said = [one.frame for one in stage.sent]
    assert [frame[28:32] for frame in said] == [parsed("203.0.113.5").packed]
    assert said[0][6:12] == OWN
    stage.passes(3)
    assert len(stage.sent) == len(resolver.ANNOUNCE_AT), "and some more times, then no more"
    stage.passes(30)
    assert len(stage.sent) == len(resolver.ANNOUNCE_AT)


async def test_what_was_learned_before_a_restart_is_known_at_once(stage: Stage, region: Region) -> None:
    """From the flows; and it is looked at again at once."""
    rendering = region.nodes["hv1"].rendering
    for address in (NEAR, "2001:db8::9"):
        rendering.learn(OUTSIDE.id, address, THEIRS.hex(":"))
    region.settle()
    stage.resolver.found(region.nodes["hv1"].bridges["int"].flows.values())
    assert stage.node.learned == {}
    stage.resolver.adopt()
    assert stage.node.learned.items() >= {NEAR: THEIRS.hex(":"), "2001:db8::9": THEIRS.hex(":")}.items()
    stage.passes(1)
    assert stage.questions()


async def test_ipv6_by_neighbour_discovery(stage: Stage, region: Region) -> None:
    """As ARP; and it answers who asks for the gateway's address."""
    region.create(
        replace(GATEWAY, fixed_ips=(*GATEWAY.fixed_ips, FixedIp(subnet(OUTSIDE, "2001:db8::/64").id, "2001:db8::5"))),
        subnet(OUTSIDE, "2001:db8::/64"),
    )
    region.settle()
    rendering = stage.node._rendering
    assert rendering is not None
    target, own = IPv6Address("2001:db8::9"), IPv6Address("2001:db8::5")
    frame = packet((OWN, OWN), (IPv6Address("fd00::1"), target), 17, bytes(8))
    words = {register: int.from_bytes(target.packed[4 * n : 4 * n + 4], "big") for n, register in enumerate(NEXT_HOP)}
    fields = {HANDED_UP: Why.UNKNOWN_NEXT_HOP, ROUTER: rendering._memo.get(("number", R.id)), **words}
    assert stage.resolver.takes(PacketIn(0, fields, frame))
    (asked,) = [one.frame for one in stage.sent]
    assert icmp.solicitation(asked) == icmp.Solicitation(OWN, own, target)
    stage.sent.clear()
    said = icmp.advertisement(THEIRS, icmp.Solicitation(OWN, own, target))
    assert list(stage.resolver.answer(None, PacketIn(0, {}, said))) == []
    assert stage.node.learned == {str(target): THEIRS.hex(":")}
    assert [one.frame for one in stage.sent] == [THEIRS + frame[6:]]
    question = icmp.question(THEIRS, target, own)
    vlan = {LOCAL_VLAN: rendering.vlans.assigned[OUTSIDE.id]}
    (reply,) = stage.resolver.answer(None, PacketIn(0, vlan, question))
    assert icmp.advertised(reply.frame) == (OWN, own)
    assert reply.frame[:6] == THEIRS
    assert list(stage.resolver.answer(None, PacketIn(0, {LOCAL_VLAN: 4000}, question))) == [], "in another network"


@pytest.mark.parametrize("at", [21, 54, 55])
async def test_forged_advertisements(stage: Stage, at: int) -> None:
    """Hop limit, type, code."""
    said = icmp.advertisement(THEIRS, icmp.Solicitation(OWN, IPv6Address("fd00::1"), IPv6Address("fd00::9")))
    assert icmp.advertised(said) is not None
    assert icmp.advertised(said[:at] + b"\x40" + said[at + 1 :]) is None
