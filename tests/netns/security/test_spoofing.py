"""What a VM sends under another's name reaches nobody, on the same hypervisor or over the tunnel."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from typing import NamedTuple

import pytest
from tests.netns.frames import BROADCAST, arp, fence, icmp6, mac, neighbour_advertisement, udp4, udp6
from tests.netns.harness import Lab
from tests.waiting import PATIENCE

from netweft.lab.guest import Nic
from netweft.lab.vm import Vm

TRIES = 5


class Cast(NamedTuple):
    liar: Vm
    impersonated: Vm
    beside: Vm
    there: Vm


@pytest.fixture(scope="module")
def network(lab: Lab) -> str:
    return lab.network("10.5.5.0/24", "fd00:5::/64")


@pytest.fixture(scope="module")
def cast(lab: Lab, network: str) -> Iterator[Cast]:
    yield Cast(
        liar=lab.add_vm("hv1", network),
        impersonated=lab.add_vm("hv2", network),
        beside=lab.add_vm("hv1", network),
        there=lab.add_vm("hv2", network),
    )


def v6(nic: Nic) -> str:
    return next(a.partition("/")[0] for a in nic.addresses if ":" in a)


# each: (the liar, who it says it is, the victim) -> a frame
LIES: dict[str, Callable[[Nic, Nic, Nic], bytes]] = {
    "source MAC": lambda me, him, to: udp4((him.mac, to.mac), (me.address, to.address), b"lie"),
    "source MAC and IP": lambda me, him, to: udp4((him.mac, to.mac), (him.address, to.address), b"lie"),
    "source IPv4": lambda me, him, to: udp4((me.mac, to.mac), (him.address, to.address), b"lie"),
    "source IPv4 nobody has": lambda me, him, to: udp4((me.mac, to.mac), ("192.0.2.1", to.address), b"lie"),
    "source IPv6": lambda me, him, to: udp6((me.mac, to.mac), (v6(him), v6(to)), b"lie!"),
    "ARP request, another's IP": lambda me, him, to: arp(
        (me.mac, BROADCAST), 1, (me.mac, him.address), ("00:00:00:00:00:00", to.address)
    ),
    "ARP request, another's MAC": lambda me, him, to: arp(
        (me.mac, BROADCAST), 1, (him.mac, me.address), ("00:00:00:00:00:00", to.address)
    ),
    "gratuitous ARP": lambda me, him, to: arp((me.mac, BROADCAST), 2, (me.mac, him.address), (BROADCAST, him.address)),
    "ARP reply": lambda me, him, to: arp((me.mac, to.mac), 2, (me.mac, him.address), (to.mac, to.address)),
    "neighbour advertisement": lambda me, him, to: neighbour_advertisement(
        (me.mac, to.mac), (v6(me), v6(to)), v6(him), me.mac
    ),
    "neighbour advertisement, another's MAC": lambda me, him, to: neighbour_advertisement(
        (me.mac, to.mac), (v6(me), v6(to)), v6(me), him.mac
    ),
    "neighbour advertisement, another's source": lambda me, him, to: neighbour_advertisement(
        (me.mac, to.mac), (v6(him), v6(to)), v6(me), me.mac
    ),
    "neighbour solicitation, another's MAC": lambda me, him, to: solicitation(me, to, him.mac),
    "neighbour solicitation, another's MAC and its own": lambda me, him, to: solicitation(me, to, him.mac, me.mac),
    "DHCP answer": lambda me, him, to: udp4((me.mac, to.mac), (me.address, to.address), b"lie", (67, 68)),
    "DHCP answer from another port": lambda me, him, to: udp4(
        (me.mac, to.mac), (me.address, to.address), b"lie", (1067, 68)
    ),
    "DHCPv6 answer from another port": lambda me, him, to: udp6((me.mac, to.mac), (v6(me), v6(to)), b"lie!", (7, 546)),
}


def solicitation(me: Nic, to: Nic, *macs: str) -> bytes:
    """Which says these MACs, of which Linux believes the first."""
    said = b"".join(b"\x01\x01" + mac(one) for one in macs)
    return icmp6((me.mac, to.mac), (v6(me), v6(to)), 135, bytes(4) + IPv6Address(v6(to)).packed + said)


def seen_by(lab: Lab, listener: Vm, sender: Vm, frame: bytes) -> bool:
    """Whether the frame arrives before one that was sent after it and is allowed.  Both are sent again while the latter
    does not arrive: a busy machine's sockets drop frames."""
    me, to = sender.nic, listener.nic
    fence = udp4((me.mac, to.mac), (me.address, to.address), b"the truth")
    with lab.inside(listener, "capture") as capture:
        for _ in range(TRIES - 1):
            lab.send_frames(sender, frame, fence)
            with suppress(AssertionError):
                return frame in capture.frames_until(fence, PATIENCE / TRIES)
        lab.send_frames(sender, frame, fence)
        return frame in capture.frames_until(fence)


@pytest.mark.parametrize("whom", ["beside", "there"])
@pytest.mark.parametrize("lie", list(LIES))
def test_a_lie_gets_nowhere(lab: Lab, cast: Cast, lie: str, whom: str) -> None:
    victim: Vm = getattr(cast, whom)
    frame = LIES[lie](cast.liar.nic, cast.impersonated.nic, victim.nic)
    assert not seen_by(lab, victim, cast.liar, frame)


@pytest.mark.parametrize("first", ["the truth", "the lie"])
@pytest.mark.parametrize("lie", ["neighbour advertisement", "neighbour advertisement, another's MAC", "ARP reply"])
def test_one_packets_verdict_is_not_anothers(lab: Lab, cast: Cast, lie: str, first: str) -> None:
    """Both at the same neighbour, in both orders, soon after each other: what the datapath keeps of the first one must
    look at all that decided."""
    me, to = cast.liar.nic, cast.there.nic
    told = neighbour_advertisement((me.mac, to.mac), (v6(me), v6(to)), v6(me), me.mac)
    if lie == "ARP reply":
        told = arp((me.mac, to.mac), 2, (me.mac, me.address), (to.mac, to.address))
    frames = {"the truth": told, "the lie": LIES[lie](me, cast.impersonated.nic, to)}
    for which in sorted(frames, key=lambda which: which != first):
        assert seen_by(lab, cast.there, cast.liar, frames[which]) == (which == "the truth"), which


def test_the_truth_arrives(lab: Lab, cast: Cast) -> None:
    """So that the tests above can fail: what they send is stopped for its lie, not for its form."""
    me, to = cast.liar.nic, cast.there.nic
    honest = (
        udp4((me.mac, to.mac), (me.address, to.address), b"so"),
        udp6((me.mac, to.mac), (v6(me), v6(to)), b"so"),
        neighbour_advertisement((me.mac, to.mac), (v6(me), v6(to)), v6(me), me.mac),
        solicitation(me, to, me.mac),
        arp((me.mac, to.mac), 2, (me.mac, me.address), (to.mac, to.address)),
    )
    for frame in honest:
        assert seen_by(lab, cast.there, cast.liar, frame)


def test_without_port_security_anything_goes(lab: Lab, network: str, cast: Cast) -> None:
    free, listener = (
        lab.add_vm(node, network, port_security_enabled=False, security_groups=[]) for node in ("hv1", "hv2")
    )
    try:
        frame = LIES["source IPv4"](free.nic, cast.impersonated.nic, listener.nic)
        assert seen_by(lab, listener, free, frame)
    finally:
        lab.remove_vm(free)
        lab.remove_vm(listener)


def test_an_allowed_address_pair_is_no_lie(lab: Lab, network: str, cast: Cast) -> None:
    virtual = "10.5.5.250"
    router = lab.add_vm("hv1", network, allowed_address_pairs=[{"ip_address": virtual}])
    try:
        to = cast.there.nic
        frame = udp4((router.nic.mac, to.mac), (virtual, to.address), b"virtual")
        assert seen_by(lab, cast.there, router, frame)
    finally:
        lab.remove_vm(router)


@pytest.mark.parametrize("node", ["hv1", "hv2"])
def test_a_members_range_of_addresses_is_no_strangers(lab: Lab, network: str, cast: Cast, node: str) -> None:
    """Both may send from any address, as routers do; the rule is for members of the one's group."""
    with lab.cloud() as cloud:
        friends, guard, others = (
            str(cloud.create("security_groups", name=name)["id"]) for name in ("friends", "guard", "others")
        )
        for version in ("IPv4", "IPv6"):
            rule = {"direction": "ingress", "ethertype": version, "remote_group_id": friends}
            cloud.create("security_group_rules", security_group_id=guard, **rule)
    anywhere = [{"ip_address": "0.0.0.0/0"}, {"ip_address": "::/0"}]
    server = lab.add_vm("hv1", network, security_groups=[guard])
    member, stranger = (
        lab.add_vm(node, network, security_groups=[group], allowed_address_pairs=anywhere)
        for group in (friends, others)
    )
    for sender in (member, stranger):
        lab.meet(sender, server)
        macs = (sender.nic.mac, server.nic.mac)
        tried = (
            udp4(macs, ("192.0.2.9", server.nic.address), b"range"),
            udp6(macs, ("2001:db8:9::9", v6(server.nic)), b"range"),
            udp4(macs, (sender.nic.address, server.nic.address), b"itself"),
        )
        for frame in tried:
            assert arrives(lab, server, sender, frame) == (sender is member)
    for machine in (member, stranger, server):
        lab.remove_vm(machine)


def arrives(lab: Lab, listener: Vm, sender: Vm, frame: bytes) -> bool:
    """Before a frame for which no rule is needed."""
    last = fence(sender.nic, listener.nic)
    with lab.inside(listener, "capture") as capture:
        lab.send_frames(sender, frame, last)
        return frame in capture.frames_until(last)
