"""Datagrams in pieces, asked of fake switches: permitted and guarded as whole ones are."""

import itertools
from collections.abc import Iterable, Mapping

import pytest

from netweft.dataplane.openflow.fields import PROTO_ICMP, PROTO_TCP, PROTO_UDP
from netweft.model import Port, SecurityGroup, SecurityGroupRule
from netweft.services.addresses import mac
from netweft.services.values import Asked
from netweft.testing import packets
from netweft.testing.packets import BROADCAST, fragments
from netweft.testing.region import ANYTHING, Region, network, port
from netweft.testing.switch import Packet

NET = network(1)


def _group(number: int, *, stateful: bool = True) -> SecurityGroup:
    """Lets in UDP port 53, TCP up to port 79, and IPv4's answers to an echo."""
    wanted: tuple[Mapping[str, object], ...] = (
        *({"direction": "egress", "ethertype": kind} for kind in ("IPv4", "IPv6")),
        {"protocol": PROTO_UDP, "port_range_min": 53, "port_range_max": 53},
        {"protocol": PROTO_UDP, "port_range_min": 53, "port_range_max": 53, "ethertype": "IPv6"},
        {"protocol": PROTO_TCP, "port_range_max": 79},
        {"protocol": PROTO_ICMP, "port_range_min": 0},
    )
    rules = tuple(
        SecurityGroupRule(
            id=f"{number:02x}{index:06x}-3333", **{"direction": "ingress", "ethertype": "IPv4", **rule}  # type: ignore[arg-type]
        )
        for index, rule in enumerate(wanted)
    )  # fmt: skip
    return SecurityGroup(id=f"{number:08x}-2222-4000-8000-000000000000", rules=rules, stateful=stateful)


STATEFUL, STATELESS = _group(1), _group(2, stateful=False)
CLIENT, SERVER, LOOSE = (
    port(number, NET, f"10.0.0.{number}", f"2001:db8::{number}", security_groups=(group.id,))
    for number, group in ((1, STATEFUL), (2, STATEFUL), (3, STATELESS))
)
FREE = port(4, NET, "10.0.0.4", "2001:db8::4", port_security_enabled=False, security_groups=())
TRUSTING = port(5, NET, "10.0.0.5", "2001:db8::5")
NOTHING = SecurityGroup(id="00000003-2222-4000-8000-000000000000")
CLOSED = port(6, NET, "10.0.0.6", "2001:db8::6", security_groups=(NOTHING.id,))
EVERYBODY = (CLIENT, SERVER, LOOSE, FREE, TRUSTING, CLOSED)


@pytest.fixture(params=[False, True], ids=["userspace conntrack", "kernel's conntrack"])
def gives_whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[False, True], ids=["same host", "across hosts"])
def region(request: pytest.FixtureRequest, gives_whole: bool) -> Region:
    made = Region(nodes=2)
    made.create(NET, STATEFUL, STATELESS, ANYTHING, NOTHING, *EVERYBODY)
    for number, one in enumerate(EVERYBODY):
        made.plug(f"hv{1 + number % 2 if request.param else 1}", one)
    made.settle()
    for node in made.nodes.values():
        node.bridges["int"].conntrack.gives_whole = gives_whole
    return made


def udp(frm: Port, to: Port, dport: int, version: int = 4, sport: int = 4000) -> Packet:
    return packets.udp(frm.mac_address, to.mac_address, ip(frm, version), ip(to, version), sport, dport)


def ip(one: Port, version: int) -> str:
    return next(fixed.ip_address for fixed in one.fixed_ips if (":" in fixed.ip_address) == (version == 6))


def arriving(region: Region, frm: Port, to: Port, pieces: Iterable[Packet]) -> list[int]:
    """Which pieces of the datagram come out at the port, in order."""
    found = [delivery for piece in pieces for delivery in region.send(frm, piece)]
    return [one.packet["piece"] for one in found if region.ids_of([one]) == [to.id]]


def usable(arrived: list[int]) -> bool:
    """Without the first nobody can make anything of the rest."""
    return 0 in arrived


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("to", [SERVER, LOOSE])
def test_a_datagram_in_pieces_arrives_where_its_port_is_permitted(region: Region, to: Port, version: int) -> None:
    for order in itertools.permutations(range(3)):
        permitted, other = (fragments(udp(CLIENT, to, number, version)) for number in (53, 54))
        assert sorted(arriving(region, CLIENT, to, [permitted[place] for place in order])) == [0, 1, 2]
        assert not usable(arriving(region, CLIENT, to, [other[place] for place in order]))


def test_so_does_its_answer(region: Region) -> None:
    assert arriving(region, CLIENT, SERVER, fragments(udp(CLIENT, SERVER, 53))) == [0, 1, 2]
    answer = udp(SERVER, CLIENT, 4000, sport=53)
    assert arriving(region, SERVER, CLIENT, fragments(answer)) == [0, 1, 2]
    assert not usable(arriving(region, SERVER, CLIENT, fragments({**answer, "udp_dst": 4001})))


def test_a_rule_for_answers_to_an_echo_lets_no_echo_in(region: Region) -> None:
    asked = packets.ping(FREE.mac_address, LOOSE.mac_address, ip(FREE, 4), ip(LOOSE, 4))
    assert not usable(arriving(region, FREE, LOOSE, fragments(asked)))
    assert usable(arriving(region, FREE, LOOSE, fragments({**asked, "icmpv4_type": 0})))


@pytest.mark.parametrize("to", [SERVER, LOOSE])
def test_a_first_fragment_without_its_ports_is_not_taken_for_port_0(region: Region, to: Port) -> None:
    tcp = {name.replace("udp", "tcp"): value for name, value in udp(FREE, to, 22).items()} | {"ip_proto": PROTO_TCP}
    assert usable(arriving(region, FREE, to, fragments({**tcp, "tcp_dst": 79})))
    assert not usable(arriving(region, FREE, to, fragments(tcp, hidden=True)))


FORBIDDEN: dict[str, Packet] = {
    "router advertisement": packets.router_advertise(TRUSTING.mac_address, "2001:db8::5"),
    "DHCP answer": packets.udp(TRUSTING.mac_address, BROADCAST, "10.0.0.5", "255.255.255.255", 67, 68),
    "DHCPv6 answer": udp(TRUSTING, FREE, 546, 6, sport=547),
    "advertisement of its own": packets.advertise(
        TRUSTING.mac_address, "2001:db8::5", "2001:db8::5", tll=TRUSTING.mac_address
    ),
    "solicitation": packets.solicit(TRUSTING.mac_address, "2001:db8::5", "2001:db8::77", sll=TRUSTING.mac_address),
    "another's address": packets.ping(TRUSTING.mac_address, FREE.mac_address, "10.0.0.1", "10.0.0.4"),
}


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_a_guarded_vm_may_not_say_it_may_not_say_in_pieces(region: Region, what: str, hidden: bool) -> None:
    assert not usable(arriving(region, TRUSTING, FREE, fragments(FORBIDDEN[what], hidden=hidden)))


def test_but_what_it_may_say_it_may(region: Region) -> None:
    assert arriving(region, TRUSTING, FREE, fragments(udp(TRUSTING, FREE, 999, 6))) == [0, 1, 2]
    assert arriving(region, TRUSTING, FREE, fragments(udp(TRUSTING, FREE, 67, sport=68))) == [0, 1, 2]


@pytest.mark.parametrize("what", ["router advertisement", "advertisement of its own"])
def test_nobody_makes_a_guarded_vm_hear_neighbour_discovery_in_pieces(region: Region, what: str) -> None:
    frame = {**FORBIDDEN[what], "eth_src": mac(FREE.mac_address)}
    assert TRUSTING.id in region.receivers(FREE, frame)
    assert not usable(arriving(region, FREE, TRUSTING, fragments(frame)))


def test_a_dhcp_server_elsewhere_may_answer_in_pieces(region: Region) -> None:
    for to in (CLIENT, LOOSE, TRUSTING, CLOSED):
        assert arriving(region, FREE, to, fragments(udp(FREE, to, 68, sport=67))) == [0, 1, 2]


def test_fragments_of_a_reply_pass_to_a_vm_that_may_receive_nothing_else(region: Region) -> None:
    for version, client, server in ((4, 68, 67), (6, 546, 547)):
        asks = udp(CLOSED, FREE, server, version, sport=client)
        assert arriving(region, CLOSED, FREE, fragments(asks)) == [0, 1, 2]
        assert not usable(arriving(region, CLOSED, FREE, fragments({**asks, "udp_dst": 53})))


def test_a_header_chain_that_makes_no_sense_gets_nowhere(region: Region) -> None:
    broken = {**udp(TRUSTING, FREE, 53, 6), "ip_proto": 0}
    assert region.receivers(TRUSTING, broken) == []
    assert TRUSTING.id not in region.receivers(FREE, {**udp(FREE, TRUSTING, 53, 6), "ip_proto": 0})


def test_where_the_bridge_hides_ports_no_first_fragment_passes(region: Region) -> None:
    """As it does until the agent has said otherwise, and when somebody else has changed it."""
    for node in region.nodes.values():
        node.bridges["int"].shows_first_fragments = False
    for to, frame in ((LOOSE, udp(CLIENT, LOOSE, 53)), (FREE, FORBIDDEN["DHCP answer"]), (FREE, udp(CLIENT, FREE, 53))):
        assert not usable(arriving(region, TRUSTING, to, fragments(frame)))
    assert region.receivers(CLIENT, udp(CLIENT, SERVER, 53)) == [SERVER.id], "whole ones do"


@pytest.mark.parametrize("frm", [CLIENT, FREE])
@pytest.mark.parametrize("version", [4, 6])
def test_who_has_too_many_in_conntrack_sends_none_for_a_while(region: Region, frm: Port, version: int) -> None:
    """With or without port security; what is whole passes, and so does what others send."""
    node = region.nodes[next(name for name, one in region.nodes.items() if frm.id in one.vifs)]

    def arrived(who: Port, *sent: Packet) -> bool:
        return usable(arriving(region, who, TRUSTING, sent))

    for again in (False, True):
        node.rendering.listen(frm.id, Asked.WHOLE, again=again)
        node.settle()
        assert arrived(frm, *fragments(udp(frm, TRUSTING, 53, version))) == again
        assert arrived(LOOSE, *fragments(udp(LOOSE, TRUSTING, 53, version)))
        assert region.receivers(frm, udp(frm, TRUSTING, 53, version)) == [TRUSTING.id]
