"""What Open vSwitch does with fragments, and what it must not do to us."""

import asyncio
import re
import subprocess
import time
from collections.abc import Callable

import pytest
from tests.netns import frames
from tests.ovs.sandbox import Sandbox
from tests.ovs.test_recirculations import LOOSE, NODE, OPEN, Switch, built
from tests.waiting import PATIENCE

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.unixctl.fragments import MOST, room, unfinished
from netweft.model import Port, SecurityGroup, SecurityGroupRule
from netweft.testing.region import Region, network, port

EXPIRE_SECONDS = 25  # 15, and then some; of vswitchd's clock
STEP_SECONDS = 0.25
MARK = b"fragments of somebody else"
WEB = SecurityGroup(
    id="0000000a-2222-4000-8000-000000000000",
    rules=(
        SecurityGroupRule(
            id="w", direction="egress", ethertype="IPv4", protocol=17, port_range_min=80, port_range_max=80
        ),
    ),
)

DNS = SecurityGroup(
    id="0000000b-2222-4000-8000-000000000000",
    rules=(
        SecurityGroupRule(
            id="d", direction="ingress", ethertype="IPv4", protocol=17, port_range_min=53, port_range_max=53
        ),
    ),
)
FEW = 100  # fragments that conntrack may have: as 5,000 of which each is sent


async def test_who_takes_packets_shows_first_fragments_and_says_when_they_are_not(
    ovs: Sandbox, bridge: str, switch: OpenFlowConnection
) -> None:
    assert not await switch.shows_first_fragments(), "as vswitchd starts"
    await switch.watch_packets(7, lambda packet: None)
    assert await switch.shows_first_fragments()
    await asyncio.to_thread(ovs.ofctl, "set-frags", bridge, "drop")
    assert not await switch.shows_first_fragments()
    await switch.show_first_fragments()
    assert "nx-match" in await asyncio.to_thread(ovs.ofctl, "get-frags", bridge)


def test_the_largest_that_conntrack_takes_is_used(own_ovs: Sandbox) -> None:
    def most(number: int) -> str:
        own_ovs.appctl("dpctl/ipf-set-max-nfrags", f"{number}")
        (found,) = re.findall(r"max num frags \(v4/v6\): (\d+)", own_ovs.appctl("dpctl/ipf-get-status"))
        return str(found)

    own_ovs.add_bridge("rec-int")
    try:
        assert most(MOST) == "5000"
        with pytest.raises(subprocess.CalledProcessError):
            most(MOST + 1)
    finally:
        own_ovs.vsctl("del-br", "rec-int")


@pytest.mark.parametrize("free", [False, True], ids=["to a guarded port", "to a port without port security"])
@pytest.mark.parametrize("answered", [True, False], ids=["in an answered connection", "where each packet is committed"])
@pytest.mark.parametrize("denied", [False, True], ids=["the first alone or missing", "the first is denied"])
def test_fragments_whose_rest_never_comes_come_out_nowhere(
    own_ovs: Sandbox, free: bool, answered: bool, denied: bool
) -> None:
    """Conntrack gives them out with whatever it looks at then, in another network, too."""
    theirs, ours = network(1), network(2)
    liar, beside = port(1, theirs, "10.0.0.1", security_groups=(WEB.id,)), port(2, theirs, "10.0.0.2")
    sender, receiver = port(3, ours, "10.0.0.3"), port(4, ours, "10.0.0.4", **(OPEN if free else {}))
    region = Region(nodes=1)
    region.create(theirs, ours, WEB, liar, beside, sender, receiver)
    region.plug(NODE, liar, beside, sender, receiver)
    region.settle()
    with built(own_ovs, region.nodes[NODE]) as switch:
        for ident in range(20):
            pieces = frames.pieces(frames.udp4(*_ends(liar, beside), MARK * 200), 1200, 2400, ident=ident)
            if denied:  # what is put together is taken apart again: the others are committed without it
                receive(switch, liar, *pieces)
            else:
                receive(switch, liar, *pieces[:-1] if ident % 2 else pieces[1:])
        receive(switch, sender, frames.udp4(*_ends(sender, receiver), b"asks"))
        if answered:
            receive(switch, receiver, frames.udp4(*_ends(receiver, sender), b"yes!"))
        sent: list[bytes] = []
        while expired(switch) < 10:
            assert len(sent) < EXPIRE_SECONDS / STEP_SECONDS, "they do not expire"
            sent.append(b"ours")
            receive(switch, sender, frames.udp4(*_ends(sender, receiver), sent[-1]))
            eventually(lambda: heard(switch, receiver).count(sent[-1]) == len(sent))
            own_ovs.appctl("time/warp", f"{STEP_SECONDS * 1000:.0f}")
        out = heard(switch, receiver)
    assert MARK not in out


@pytest.mark.parametrize("many", [33, 54], ids=lambda many: f"{many} fragments")
@pytest.mark.parametrize("carrier", ["whole", "in pieces"])
@pytest.mark.parametrize("way", ["egress", "ingress", "ingress, same network"])
def test_what_is_left_of_many_fragments_goes_to_nobody_else(
    own_ovs: Sandbox, way: str, carrier: str, many: int
) -> None:
    """Conntrack gives out 32 at once, and the rest with whatever it is asked next (decision 0337)."""
    free: dict[str, object] = {} if way == "egress" else OPEN
    theirs = network(1)
    ours = theirs if "same" in way else network(2)
    liar, beside = port(1, theirs, "10.0.0.1", **free), port(2, theirs, "10.0.0.2")
    sender, receiver = port(3, ours, "10.0.0.3", **free), port(4, ours, "10.0.0.4")
    region = Region(nodes=1)
    region.create(*dict.fromkeys((theirs, ours)), liar, beside, sender, receiver)
    region.plug(NODE, liar, beside, sender, receiver)
    region.settle()
    with built(own_ovs, region.nodes[NODE]) as switch:
        own_ovs.ofctl("set-frags", switch.bridge("int"), "nx-match")
        own_ovs.appctl("dpctl/ipf-set-min-frag", "v4", "400")
        for asker, answers in ((liar, beside), (sender, receiver)):
            receive(switch, asker, frames.udp4(*_ends(asker, answers), b"asks"))
            receive(switch, answers, frames.udp4(*_ends(answers, asker), b"yes!"))
        macs, addresses = _ends(liar, beside)
        aimed = (macs[0], receiver.mac_address if way == "egress" else macs[1])
        for number, to in enumerate((macs, aimed)):
            whole = frames.udp4(to, addresses, ((MARK * 60)[:1208] * many)[:-16])
            pieces = frames.every(whole, 1208, ident=number)
            assert len(pieces) == many
            receive(switch, liar, *pieces)
            ours_too = frames.udp4(*_ends(sender, receiver), b"ours" * 300)
            for ident in range(4):
                cut = frames.every(ours_too, 608, ident=ident) if carrier == "in pieces" else [ours_too]
                receive(switch, sender, *cut)
        eventually(lambda: heard(switch, receiver).count(b"ours") == 8 * 300)
        out = [heard(switch, one) for one in (receiver, beside)]
    assert MARK not in out[0]
    assert out[1].count(MARK) >= 32 * 45


def test_who_fills_conntrack_keeps_others_pieces_out_and_lets_none_in(own_ovs: Sandbox) -> None:
    """Until what was sent has expired.  Whole packets pass, and so do pieces that no conntrack is asked about."""
    theirs, ours = network(1), network(2)
    hostile, beside = port(1, theirs, "10.0.0.1"), port(2, theirs, "10.0.0.2")
    sender, receiver = port(3, ours, "10.0.0.3"), port(4, ours, "10.0.0.4", security_groups=(DNS.id,))
    loose, other = (port(number, ours, f"10.0.0.{number}", security_groups=(LOOSE.id,)) for number in (5, 6))
    vms = (hostile, beside, sender, receiver, loose, other)
    region = Region(nodes=1)
    region.create(theirs, ours, DNS, LOOSE, *vms)
    region.plug(NODE, *vms)
    region.settle()
    with built(own_ovs, region.nodes[NODE]) as switch:
        own_ovs.appctl("dpctl/ipf-set-max-nfrags", f"{FEW}")
        receive(switch, sender, *_in_pieces(sender, receiver, b"earlier.", 1))
        eventually(lambda: heard(switch, receiver).count(b"earlier.") == WORDS)
        for ident in range(FEW + 1):
            receive(switch, hostile, _in_pieces(hostile, beside, b"hostile.", ident)[0])
        eventually(lambda: kept(switch) >= FEW)
        listed = list(unfinished(own_ovs.appctl("dpctl/ipf-get-status", "-m")))
        assert room(own_ovs.appctl("dpctl/ipf-get-status", "-m")) == (FEW, FEW)
        receive(switch, sender, *_in_pieces(sender, receiver, b"between.", 2))
        receive(switch, sender, *_in_pieces(sender, receiver, b"refused.", 3, to=54))
        receive(switch, loose, *_in_pieces(loose, other, b"no state", 4))
        receive(switch, sender, frames.udp4(*_ends(sender, receiver), b"as a whole", (9, 53)))
        eventually(lambda: b"as a whole" in heard(switch, receiver))
        eventually(lambda: heard(switch, other).count(b"no state") == WORDS)
        for _ in range(int(EXPIRE_SECONDS / STEP_SECONDS)):
            own_ovs.appctl("time/warp", f"{STEP_SECONDS * 1000:.0f}")
        for number in range(FEW):  # with each packet that it looks at conntrack gives up some
            receive(switch, sender, frames.udp4(*_ends(sender, receiver), b"%d" % number, (9, 53)))
        receive(switch, sender, *_in_pieces(sender, receiver, b"later...", 5))
        eventually(lambda: heard(switch, receiver).count(b"later...") == WORDS)
        out = heard(switch, receiver)
    assert not [said for said in (b"between.", b"refused.", b"hostile.") if said in out]
    whose = {(switch.node.rendering.ports_on(one.zone)[0], one.src) for one in listed}
    assert (whose, sum(one.fragments for one in listed)) == ({(theirs.id, "10.0.0.1")}, FEW), "who fills it is told"


WORDS = 450


def _in_pieces(frm: Port, other: Port, word: bytes, ident: int, to: int = 53) -> list[bytes]:
    """word: of 8 bytes, so that none is cut.  to: the port."""
    return frames.every(frames.udp4(*_ends(frm, other), word * WORDS, (9, to)), 1200, ident=ident)


def _ends(frm: Port, to: Port) -> tuple[tuple[str, str], tuple[str, str]]:
    return (frm.mac_address, to.mac_address), (frm.fixed_ips[0].ip_address, to.fixed_ips[0].ip_address)


def receive(switch: Switch, at: Port, *sent: bytes) -> None:
    for frame in sent:
        switch.ovs.appctl("netdev-dummy/receive", f"rec-{switch.node.vifs[at.id].name}", frame.hex())


def heard(switch: Switch, at: Port) -> bytes:
    return switch.sent(switch.node.vifs[at.id].name).read_bytes()


def kept(switch: Switch) -> int:
    """Fragments that conntrack has, of those that it may have."""
    found = re.search(r"num frag: (\d+)", switch.ovs.appctl("dpctl/ipf-get-status"))
    assert found
    return int(found[1])


def eventually(condition: Callable[[], bool]) -> None:
    """What is received is taken in the switch's next turn."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def expired(switch: Switch) -> int:
    found = re.search(r"v4 frags expired: (\d+)", switch.ovs.appctl("dpctl/ipf-get-status"))
    assert found
    return int(found[1])
