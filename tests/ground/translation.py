"""What else conntrack does: ICMP's identifiers, connections whose beginning it missed, fragments."""

import contextlib
import itertools
import subprocess
from ipaddress import IPv4Address
from typing import Final

from tests.ground.packets import Ends, address_of, echo, ends_of, tcp, udp
from tests.ground.probe import Probe, Seen
from tests.ground.stage import ELSE, GROUND, IN, OUT, Stage
from tests.netns.frames import every

ZONE: Final = 7
ACK, SYN_ACK, PUSH_ACK = 0x10, 0x12, 0x18
NAT: Final = "203.0.113.5"
SIZES: Final = (1480, 1184, 552)
THERE: Final = "198.51.100.7"
FLOWS: Final = (
    f"in_port={IN},ip,actions=ct(commit,zone={ZONE},nat(src={NAT}),table=1)",
    f"in_port={OUT},ip,actions=ct(zone={ZONE},nat,table=1)",
    f"table=1,in_port={IN},actions=output:{OUT}",
    f"table=1,in_port={OUT},actions=output:{IN}",
)


async def equal_ids(stage: Stage) -> Seen:
    stage.forget()
    stage.flows(*FLOWS)
    askers = ("10.0.0.10", "10.0.0.11")
    sent = (await stage.hear(*((IN, echo(asker, THERE, 7)) for asker in askers))).out[OUT]
    if len(sent) != 2:
        return Seen(f"{len(sent)} of 2 go out", False)
    ids = [ends_of(frame[14:]).sport for frame in sent]
    got = []
    for id in ids:
        answers = (await stage.hear((OUT, echo(THERE, NAT, id, reply=True)))).out[IN]
        got += [address_of(answer) for answer in answers]
    if got == list(askers):
        return Seen(f"each gets its own answer; outside the identifiers are {ids[0]} and {ids[1]}", True)
    return Seen(
        f"outside the identifiers are {ids[0]} and {ids[1]}; the answers go to {' and '.join(got) or 'nobody'}", False
    )


async def mid_stream(stage: Stage) -> Seen:
    """Conntrack that has seen nothing yet: which segments does it take as the first of a connection?"""
    ends = Ends("10.0.0.10", 40000, THERE, 80)
    words = []
    for name, flags in (("an ACK", ACK), ("data", PUSH_ACK), ("a SYN+ACK", SYN_ACK)):
        stage.forget()
        stage.flows(
            f"in_port={IN},ip,actions=ct(zone={ZONE},table=1)",
            f"table=1,ct_state=+new+trk,actions=output:{OUT}",
            f"table=1,ct_state=+inv+trk,actions=output:{ELSE}",
        )
        out = (await stage.hear((IN, tcp(ends, flags)))).out
        words.append(f"{name} is {'`+new`' if out[OUT] else '`+inv`' if out[ELSE] else 'neither'}")
    stage.forget()
    stage.flows(*FLOWS)
    there = (await stage.hear((IN, tcp(ends, PUSH_ACK, 1000, 2000)))).out[OUT]
    kept = bool(there) and ends_of(there[0][14:]) == Ends(NAT, 40000, THERE, 80)
    back = (await stage.hear((OUT, tcp(Ends(THERE, 80, NAT, 40000), PUSH_ACK, 2000, 1008)))).out[IN]
    passes = bool(back) and ends_of(back[0][14:]) == ends.back
    words.append(f"by SNAT it goes out {'with its own port' if kept else 'not with its own port'}")
    words.append(f"and the answer {'comes back' if passes else 'does not come back'}")
    return Seen(", ".join(words), kept and passes)


async def _fragments(stage: Stage, size: int) -> str:
    stage.forget()
    stage.flows(*FLOWS)
    question = udp(Ends("10.0.0.10", 5000, THERE, 53), bytes(4000))
    answer = udp(Ends(THERE, 53, NAT, 5000), bytes(4000))
    there = (await stage.hear(*((IN, one) for one in every(question, size, next(_idents))))).out[OUT]
    back = (await stage.hear(*((OUT, one) for one in every(answer, size, next(_idents))))).out[IN]
    out, returned = _payload(there, NAT, THERE), _payload(back, THERE, "10.0.0.10")
    if out == returned == 4008:
        return ""
    return f"of {size} bytes: {out} of 4008 bytes go out, {returned} come back"


_idents = itertools.count(1)  # none twice: conntrack keeps for a while what has not come together


def _payload(frames: list[bytes], src: str, dst: str) -> int:
    ours = (one for one in frames if (ends_of(one[14:]).src, ends_of(one[14:]).dst) == (src, dst))
    return sum(int.from_bytes(one[16:18], "big") - 20 for one in ours)


async def fragments(stage: Stage) -> Seen:
    """As installed, and with the smallest fragment that the agent sets where there is such a thing."""
    installed = [said for size in SIZES if (said := await _fragments(stage, size))]
    if not installed:
        return Seen(f"of {', '.join(map(str, SIZES))} bytes: all go out and come back, translated", True)
    with contextlib.suppress(subprocess.CalledProcessError):
        stage.ovs.appctl("dpctl/ipf-set-min-frag", "v4", "400")
    helped = [said for size in SIZES if (said := await _fragments(stage, size))]
    more = "; ".join(helped) or "all go out and come back, translated"
    words = f"as installed: {'; '.join(installed)}; with 400 bytes as the smallest: {more}"
    return Seen(words, False)


async def pieces_of_ports(stage: Stage) -> Seen:
    """To port 9000, in three: is conntrack's knowledge of ports there of later ones?  And, where it is not, could
    they be kept in a second zone until the first, which knows, comes there last?"""
    stage.forget()
    stage.flows(
        f"in_port={IN},udp,actions=ct(zone={ZONE},table=1)",
        f"table=1,priority=20,ct_state=+trk-inv,ip,ct_nw_proto=17,ct_tp_dst=9000,actions=output:{OUT}",
        f"table=1,priority=10,udp,actions=output:{ELSE}",
    )
    datagram = udp(Ends(THERE, 5000, NAT, 9000), bytes(4000))
    known = len((await stage.hear(*((IN, one) for one in every(datagram, 1480, next(_idents))))).out[OUT])
    stage.forget()
    stage.ovs.ofctl("del-groups", GROUND)  # of the probes before
    stage.ovs.ofctl("add-group", GROUND, "group_id=1,type=select,selection_method=dp_hash,bucket=actions=resubmit(,6)")
    stage.flows(
        f"in_port={IN},udp,ip_frag=first,actions=ct(zone={ZONE},table=1)",
        f"in_port={IN},udp,ip_frag=later,actions=clone(group:1),ct(zone={ZONE},table=1)",
        "table=1,udp,ip_frag=first,udp_dst=9000,actions=ct_clear,group:1",
        f"table=6,udp,ip_frag=first,actions=ct(commit,zone={ZONE + 1},nat(dst=10.0.0.10:5000),table=3)",
        f"table=6,udp,ip_frag=later,actions=ct(zone={ZONE + 1},table=3)",
        f"table=3,udp,actions=output:{OUT}",
    )
    kept = len((await stage.hear(*((IN, one) for one in every(datagram, 1480, next(_idents))))).out[OUT])
    stage.ovs.ofctl("del-groups", GROUND)
    words = f"of 3 fragments {known} are known to be for the port; kept in a second zone for the first, {kept} come out"
    return Seen(f"{words}; {await _by_address(stage, datagram)}", known == 3)


async def _by_address(stage: Stage, datagram: bytes) -> str:
    """The port by flows, of the first alone and before conntrack; the address by conntrack, of all."""
    stage.forget()
    stage.flows(
        f"in_port={IN},udp,ip_frag=first,udp_dst=9000,actions=mod_tp_dst:5000,"
        f"ct(commit,zone={ZONE},nat(dst=10.0.0.10),table=3)",
        f"in_port={IN},udp,ip_frag=later,actions=ct(commit,zone={ZONE},nat(dst=10.0.0.10),table=3)",
        f"in_port={OUT},udp,actions=ct(zone={ZONE},nat,table=4)",
        f"table=3,udp,actions=output:{OUT}",
        f"table=4,udp,ip_frag=first,udp_src=5000,actions=mod_tp_src:9000,output:{IN}",
        f"table=4,udp,ip_frag=later,actions=output:{IN}",
    )
    there = (await stage.hear(*((IN, one) for one in every(datagram, 1480, next(_idents))))).out[OUT]
    answer = udp(Ends("10.0.0.10", 5000, THERE, 5000), bytes(4000))
    back = (await stage.hear(*((OUT, one) for one in every(answer, 1480, next(_idents))))).out[IN]
    come, return_ = (
        _is_whole(frames, Ends(*ends))
        for frames, ends in ((there, (THERE, 5000, "10.0.0.10", 5000)), (back, (NAT, 9000, THERE, 5000)))
    )
    said = {True: "whole and right", False: "spoiled or not at all"}
    return (
        f"with one address behind all ports, translated by that, it comes in {said[come]}, the answer {said[return_]}"
    )


def _is_whole(frames: list[bytes], ends: Ends) -> bool:
    """A datagram in fragments, with these ends and the right checksum."""
    parts = sorted((int.from_bytes(one[20:22], "big") & 0x1FFF, one[34 : 14 + int.from_bytes(one[16:18], "big")])
                   for one in frames)  # fmt: skip
    whole = b"".join(part for _, part in parts)
    if len(whole) != 4008 or {one[26:34] for one in frames} != {
        IPv4Address(ends.src).packed + IPv4Address(ends.dst).packed
    }:
        return False
    ports = int.from_bytes(whole[:2], "big"), int.from_bytes(whole[2:4], "big")
    summed = frames[0][26:34] + bytes((0, 17)) + len(whole).to_bytes(2, "big") + whole
    words = sum(int.from_bytes(summed[at : at + 2], "big") for at in range(0, len(summed), 2))
    words = (words & 0xFFFF) + (words >> 16)
    return ports == (ends.sport, ends.dport) and (words & 0xFFFF) + (words >> 16) == 0xFFFF


PROBES = (
    Probe(
        "Equal ICMP identifiers of two VMs behind one address",
        "Two VMs ping one host by SNAT with the same identifier: does each get its own answer?",
        "Known, and not helped where it is wrong: ping takes its identifiers at random or from its process's "
        "number. Floating IPs are not concerned.",
        equal_ids,
    ),
    Probe(
        "TCP taken up in the middle",
        "What does conntrack make of a segment of a connection that it has not seen begin, and does SNAT keep "
        "its port?",
        "A gateway that takes over from another one translates without a range of ports, so that most "
        "connections go on.",
        mid_stream,
    ),
    Probe(
        "Fragments through NAT",
        "Datagrams of 4,000 bytes in fragments of several sizes, out by SNAT, and answers back.",
        "The agent lowers `ipf`'s smallest fragment to 400 bytes where the datapath has it "
        "([0220](decisions/0220-fragments-are-judged-by-their-first.md)).",
        fragments,
    ),
    Probe(
        "Of which port later fragments are",
        "A datagram in fragments goes through `ct` to a table that matches `ct_tp_dst`. And a copy of later ones, "
        "recirculated by a `dp_hash` group, waits in a second zone: does the first, which knows the port, get there "
        "last? And where one address is behind all ports: the port written over in the first fragment, the address by "
        "conntrack?",
        "Fragments to forwarded ports are translated by what conntrack says where it gives datagrams whole; where "
        "it does not the mark of their connection says the port, and the agent sets it "
        "([0540](decisions/0540-the-agent-says-whose-fragments-they-are.md)).",
        pieces_of_ports,
    ),
)
