"""ICMP errors about translated packets: what conntrack makes of them."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tests.ground.packets import Ends, echo, ends_of, error, faults_of_error, mtu_of, tcp, too_big, udp
from tests.ground.probe import Probe, Seen
from tests.ground.stage import AGENT, ELSE, IN, OUT, Stage

ZONE, SECOND = 7, 8
SYN, SYN_ACK = 0x02, 0x12
INSIDE, OUTSIDE, NEW = ("10.0.0.10", "fd00::10"), ("198.51.100.7", "2001:db8:9::7"), ("203.0.113.5", "2001:db8::5")
NEW_PORT: Final = 6000
MTU: Final = 1300
NEIGHBOUR: Final = ("10.0.0.1", "fd00::1")


class Talk(NamedTuple):
    """A question and its answer: as who asks knows them, and as who is asked does.  port: where it comes in.
    steps: what conntrack does to it, `src` or `dst`, one zone after the other."""

    name: str
    asker: Ends
    asked: Ends
    port: int
    steps: tuple[str, ...]

    @property
    def other(self) -> int:
        return OUT if self.port == IN else IN


def _talks(how: str, version: int) -> Talk:
    """how: what is another of the question when it has been translated."""
    inside, outside, new = (pair[version == 6] for pair in (INSIDE, OUTSIDE, NEW))
    ip = "IPv6" if version == 6 else "IPv4"
    match how:
        case "source" | "source and port":
            asker, port = Ends(inside, 5000, outside, 53), NEW_PORT if "port" in how else 0
            return Talk(ip, asker, asker._replace(src=new, sport=port or 5000), IN, (f"src={_to(new, port)}",))
        case "destination" | "destination and port":
            asker, port = Ends(outside, 5353, new, NEW_PORT if "port" in how else 53), 53 if "port" in how else 0
            return Talk(ip, asker, asker._replace(dst=inside, dport=53), OUT, (f"dst={_to(inside, port)}",))
        case _:
            asker, neighbour = Ends(outside, 5353, new, NEW_PORT), NEIGHBOUR[version == 6]
            steps = (f"dst={_to(inside, 53)}", f"src={_to(neighbour, 7000)}")
            return Talk(ip, asker, Ends(neighbour, 7000, inside, 53), OUT, steps)


def _to(address: str, port: int) -> str:
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{port}" if port else shown


def _flows(talk: Talk) -> Iterator[str]:
    """Tables 1, 2: the question, when it was translated once, twice; 11, 12: the answer."""
    zones = (ZONE, SECOND)[: len(talk.steps)]
    for kind, errors in (("ip", "icmp"), ("ipv6", "icmp6")):
        for number, (zone, step) in enumerate(zip(zones, talk.steps, strict=True)):
            here = f"in_port={talk.port},{kind}" if not number else f"table={number},{kind}"
            yield (
                f"{here},actions=ct(commit,zone={zone},nat({step}),table={number + 1})"
                if kind == _kind(talk)
                else f"{here},actions=drop"
            )
        for number, zone in enumerate(reversed(zones)):
            here = f"in_port={talk.other},{kind}" if not number else f"table={10 + number},{kind}"
            yield f"{here},actions=ct(zone={zone},nat,table={11 + number})"
        for table, to in ((len(zones), talk.other), (10 + len(zones), talk.port)):
            for code in ("icmp_type=3", "icmp_type=1"):
                error = f"table={table},{errors},{code}"
                yield f"{error},priority=50,ct_state=+rel+trk,actions=output:{to}"
                yield f"{error},priority=40,actions=output:{ELSE}"
    for table, to in ((len(zones), talk.other), (10 + len(zones), talk.port)):
        yield f"table={table},priority=30,actions=output:{to}"


def _kind(talk: Talk) -> str:
    return "ipv6" if ":" in talk.asker.src else "ip"


PROTOCOLS: Final = ("UDP", "TCP", "TCP (8 bytes quoted)", "ping")


def _packet(protocol: str, ends: Ends, *, answer: bool) -> bytes:
    match protocol:
        case "UDP":
            return udp(ends)
        case "TCP" | "TCP (8 bytes quoted)":
            return tcp(ends, SYN_ACK if answer else SYN)
    return echo(ends.src, ends.dst, ends.sport if not answer else ends.dport, reply=answer)


async def _wrong(stage: Stage, talk: Talk, protocol: str) -> list[str]:
    """With the errors about the question, from who is asked, and about the answer, from who asks."""
    stage.forget()
    stage.flows(*_flows(talk))
    there = (await stage.hear((talk.port, _packet(protocol, talk.asker, answer=False)))).out[talk.other]
    back = (await stage.hear((talk.other, _packet(protocol, talk.asked.back, answer=True)))).out[talk.port]
    if not there or not back:
        return ["not even it is translated"]
    asked = ends_of(there[0][14:])
    tries = (
        ("about the question", talk.other, there[0], asked.dst, talk.port, (talk.asker.dst, talk.asker)),
        ("about the answer", talk.port, back[0], talk.asker.src, talk.other, (asked.src, asked.back)),
    )
    wrong = []
    for name, at, about, sender, to, (seen_as, inner) in tries:
        if protocol == "ping":
            inner = inner._replace(sport=talk.asker.sport, dport=talk.asker.sport)
        heard = await stage.hear((at, error(sender, about, least="8 bytes" in protocol)))
        faults = [what for frame in heard.out[to][:1] for what in faults_of_error(frame, (seen_as, inner.src), inner)]
        if not heard.out[to]:
            faults = ["it is not `+rel`" if heard.out[ELSE] else "it does not come out"]
        wrong += [f"{name}: {', '.join(faults)}"] if faults else []
    return wrong


async def _seen(stage: Stage, how: str, protocols: Sequence[str] = PROTOCOLS) -> Seen:
    wrong = []
    for version in (4, 6):
        for protocol in protocols:
            if version == 6 and protocol not in PROTOCOLS[:2]:
                continue
            found = await _wrong(stage, _talks(how, version), protocol)
            wrong += [f"IPv{version} {protocol}, {'; '.join(found)}"] if found else []
    return Seen(
        ". ".join(wrong) or f"addresses, ports, checksums, outside and inside, of {', '.join(protocols)}", not wrong
    )


async def source(stage: Stage) -> Seen:
    return await _seen(stage, "source")


async def source_and_port(stage: Stage) -> Seen:
    return await _seen(stage, "source and port", PROTOCOLS[:3])


async def destination(stage: Stage) -> Seen:
    return await _seen(stage, "destination", PROTOCOLS[:3])


async def destination_and_port(stage: Stage) -> Seen:
    return await _seen(stage, "destination and port", PROTOCOLS[:3])


async def both(stage: Stage) -> Seen:
    return await _seen(stage, "both", PROTOCOLS[:3])


async def whose_it_is(stage: Stage) -> Seen:
    """Looked up without `nat`: the packet as it came, and with it what conntrack knows."""
    found = [await _whose(stage, version) for version in (4, 6)]
    return next((seen for seen in found if not seen.right), found[0])


async def _whose(stage: Stage, version: int) -> Seen:
    talk = _talks("source and port", version)
    stage.forget()
    ip, icmp, nw = ("ip", "icmp", "ct_nw") if version == 4 else ("ipv6", "icmp6", "ct_ipv6")
    stage.flows(
        f"in_port={IN},{ip},actions=ct(commit,zone={ZONE},nat({talk.steps[0]}),table=1)",
        f"in_port={OUT},{icmp},actions=ct(zone={ZONE},table=1)",
        f"table=1,in_port={OUT},ct_state=+rel+trk,actions=controller(id={AGENT})",
        f"table=1,in_port={IN},actions=output:{OUT}",
    )
    there = (await stage.hear((IN, udp(talk.asker)))).out[OUT]
    frame = error(talk.asked.dst, there[0])
    up = (await stage.hear((OUT, frame))).up
    if not up:
        return Seen("not known as `+rel`", False)
    said = {name: up[0].fields.get(name) for name in (f"{nw}_src", f"{nw}_dst", "ct_tp_src", "ct_tp_dst")}
    src, dst = talk.asker.addresses
    wanted = {f"{nw}_src": int(src), f"{nw}_dst": int(dst), "ct_tp_src": 5000, "ct_tp_dst": 53}
    if said != wanted:
        return Seen(f"the packet-in says {said}", False)
    changed = up[0].frame != frame
    return Seen(
        f"it names both ends as the first packet had them{', but the packet is changed' if changed else ''}",
        not changed,
    )


async def the_mtu(stage: Stage) -> Seen:
    talk = _talks("source", 6)
    stage.forget()
    stage.flows(
        f"in_port={IN},ipv6,actions=ct(commit,zone={ZONE},nat({talk.steps[0]}),table=1)",
        f"in_port={OUT},icmp6,actions=ct(zone={ZONE},nat,table=1)",
        f"table=1,in_port={IN},actions=output:{OUT}",
        f"table=1,in_port={OUT},actions=output:{IN}",
    )
    there = (await stage.hear((IN, udp(talk.asker)))).out[OUT]
    back = (await stage.hear((OUT, too_big(talk.asked.dst, there[0], MTU)))).out[IN]
    if not back:
        return Seen("it does not come out", False)
    return Seen(f"of {MTU} bytes it says {mtu_of(back[0])}", mtu_of(back[0]) == MTU)


ASKED = (
    "An ICMP error comes back about a question (from who was asked) and about its answer (from who asked); of UDP "
    "and TCP, and in IPv4 of TCP with no more than the 8 bytes that there must be"
)
DESIGN = "Conntrack translates errors about connections that it translates (SNAT, port forwarding)."
PROBES = (
    Probe(
        "ICMP errors through NAT: another source address",
        f"{ASKED}; of ping, too. Of the question only the source address was translated.",
        DESIGN,
        source,
    ),
    Probe(
        "ICMP errors through NAT: another source port as well",
        f"{ASKED}. Source address and port were translated.",
        DESIGN,
        source_and_port,
    ),
    Probe(
        "ICMP errors through NAT: another destination address",
        f"{ASKED}. The destination address was translated, as by a floating IP.",
        "Floating IPs are not in conntrack ([0410](decisions/0410-a-router-is-flows.md)): errors about them "
        "are translated by the agent ([0430](decisions/0430-errors-by-floating-ips.md)).",
        destination,
    ),
    Probe(
        "ICMP errors through NAT: another destination port as well",
        f"{ASKED}. Destination address and port were translated, as by port forwarding.",
        DESIGN,
        destination_and_port,
    ),
    Probe(
        "ICMP errors through NAT: both ends, in two zones",
        f"{ASKED}. The destination was translated in one zone, then the source in another one.",
        "Nothing of ours is translated twice on one node by conntrack.",
        both,
    ),
    Probe(
        "Whose connection an ICMP error is about",
        "`ct` without `nat`, and then to the controller: does the packet-in say both ends as the connection's "
        "first packet had them, and is the error as it came?",
        "ICMPv6 errors about what NAT66 has translated are looked up so, and translated by the agent "
        "([0447](decisions/0447-nat66-where-an-external-network-asks-for-it.md)).",
        whose_it_is,
    ),
    Probe(
        "ICMPv6 errors through NAT: the MTU of what is too big",
        "Of a datagram of UDP the source was translated; a router outside says that it is too big, and for which MTU.",
        "As above.",
        the_mtu,
    ),
)
