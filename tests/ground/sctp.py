"""SCTP in conntrack: whether it knows ports, which is needed to tell two associations apart."""

from typing import Final

from tests.ground.packets import ONE, TWO, Ends, ends_of
from tests.ground.probe import Probe, Seen
from tests.ground.stage import IN, OUT, Stage
from tests.netns.l3 import sctp

from netweft.dataplane.packets.datagram import packet

INSIDE, NAT, THERE, FLOATING = "10.0.0.10", "203.0.113.5", "198.51.100.7", "203.0.113.60"
INIT: Final = 1
ZONE: Final = 7


def _init(ends: Ends) -> bytes:
    return packet((ONE, TWO), ends.addresses, sctp.SCTP, sctp.packet(ends.sport, ends.dport, INIT))


def _flows(nat: str) -> tuple[str, ...]:
    return (
        f"in_port={IN},ip,actions=ct(commit,zone={ZONE},nat({nat}),table=1)",
        "table=1,priority=20,ct_state=-snat+trk,actions=drop",
        f"table=1,priority=10,in_port={IN},actions=output:{OUT}",
    )


async def _through(stage: Stage, *sent: Ends) -> list[Ends]:
    """What comes out with a right checksum."""
    out = (await stage.hear(*((IN, _init(one)) for one in sent))).out[OUT]
    whole = [one[14 : 14 + int.from_bytes(one[16:18], "big")] for one in out]
    return [ends_of(one) for one in whole if sctp.read(one)]


async def ports(stage: Stage) -> Seen:
    stage.forget()
    stage.flows(*_flows(f"dst={INSIDE}:53"))
    to = await _through(stage, Ends(THERE, 5000, FLOATING, 9207))
    moved = to == [Ends(THERE, 5000, INSIDE, 53)]
    stage.forget()
    stage.flows(*_flows(f"src={NAT}"))
    askers = [Ends(inside, port, THERE, 5500) for inside, port in ((INSIDE, 20000), ("10.0.0.11", 20001))]
    out = await _through(stage, *askers)
    both = out == [Ends(NAT, 20000, THERE, 5500), Ends(NAT, 20001, THERE, 5500)]
    alone = "" if both else " (only addresses are known; the other one would keep its own)"
    words = (
        f"a destination port is {'' if moved else 'not '}translated; of two hosts' associations with one outside, on "
        f"other ports, {len(out)} of 2 get out translated{alone}; checksums are right"
    )
    return Seen(words, moved and both)


PROBES = (
    Probe(
        "SCTP through NAT",
        "Does conntrack know SCTP's ports: to translate one, and to tell two hosts' associations with one host "
        "outside apart?",
        "Ports that are forwarded in order need no NAT of conntrack. Where all ports lead to one, SCTP ends where the "
        "port has not become that one ([0444](decisions/0444-sctp-where-conntrack-knows-no-ports.md)).",
        ports,
    ),
)
