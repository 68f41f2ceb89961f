"""What goes up to a controller and comes back: packets out, meters, TTL, packets that are too long."""

from functools import partial
from typing import Final

from tests.ground.packets import ONE, TWO, Ends, udp
from tests.ground.probe import Probe, Seen
from tests.ground.stage import AGENT, BEYOND, ELSE, FAR, GROUND, IN, OUT, PATCH, Stage
from tests.netns.frames import every, tag, with_ttl

from netweft.dataplane.openflow.fields import PROTO_ICMP
from netweft.dataplane.packets.datagram import checksum, packet
from netweft.dataplane.packets.fragments import cut

ENDS: Final = Ends("10.0.0.10", 5000, "198.51.100.7", 53)
UP: Final = f"controller(id={AGENT})"


async def packet_out(stage: Stage) -> Seen:
    came = {}
    for name, port, first, to in (
        ("from no port", "controller", "", "resubmit(,0)"),
        ("from no port, where a flow writes in_port", "controller", "load:0->NXM_OF_IN_PORT[],", "resubmit(,0)"),
        ("from the bridge's own, where a flow writes in_port", "local", "load:0->NXM_OF_IN_PORT[],", "resubmit(,0)"),
        ("from no port, behind a patch port", "controller", "", f"output:{PATCH}"),
        ("from the bridge's own, behind a patch port", "local", "", f"output:{PATCH}"),
    ):
        stage.flows(f"ip,actions={first}ct(zone=3,table=1)", f"table=1,ct_state=+trk,actions=output:{OUT}")
        stage.flows("ip,actions=ct(zone=3,table=1)", f"table=1,ct_state=+trk,actions=output:{BEYOND}", bridge=FAR)
        words = f"in_port={port} packet={udp(ENDS).hex()} actions={to}"
        heard = await stage.hear(doing=partial(stage.ovs.ofctl, "packet-out", GROUND, words))
        came[name] = bool(heard.out[OUT] or heard.out[BEYOND])
    lost = [name for name, passes in came.items() if not passes]
    passes = [name for name, passes in came.items() if passes]
    return Seen(f"it passes {'; '.join(passes) or 'nowhere'}. It is lost {'; '.join(lost) or 'nowhere'}", not lost)


async def meters(stage: Stage) -> Seen:
    """A burst that is far above the rate."""
    sent, rate = 300, 20
    for command in (
        ("del-meters", GROUND),
        ("add-meter", GROUND, f"meter=1,pktps,burst,band=type=drop,rate={rate},burst_size={rate}"),
    ):
        stage.ovs.ofctl(*command)
    burst = [(IN, udp(ENDS._replace(sport=1000 + number))) for number in range(sent)]
    stage.flows(f"in_port={IN},ip,actions=meter:1,{UP},output:{OUT}")
    before = await stage.hear(*burst)
    stage.flows(f"in_port={IN},ip,actions=controller(id={AGENT},meter_id=1),output:{OUT}")
    within = await stage.hear(*burst)
    stage.ovs.ofctl("del-meters", GROUND)
    ups, outs = len(before.up), len(before.out[OUT])
    held = 0 < ups < sent / 3 and ups == outs
    words = (
        f"of {sent} packets at once with {rate}/s allowed, `meter` before `controller` hands up {ups} and forwards "
        f"{outs}"
    )
    return Seen(f"{words}; `controller(meter_id=)` hands up {len(within.up)} and forwards {len(within.out[OUT])}", held)


async def ttl(stage: Stage) -> Seen:
    stage.flows(f"in_port={IN},ip,actions=output:{ELSE},dec_ttl,output:{OUT}")
    frame = udp(ENDS)
    expired = await stage.hear((IN, with_ttl(frame, 1)))
    decremented = await stage.hear(*((IN, with_ttl(frame, number)) for number in (2, 10, 64)))
    left = [one[22] for one in decremented.out[OUT]]
    cached = sum("ttl=" in line for line in stage.ovs.appctl("dpctl/dump-flows").splitlines())
    stops = bool(expired.out[ELSE]) and not expired.out[OUT]
    words = (
        f"of TTL 1 the actions before `dec_ttl` are {'done' if expired.out[ELSE] else 'not done'}, "
        f"those after it are {'done' if expired.out[OUT] else 'not done'}, a controller that takes actions' packets "
        f"only {'hears of it' if expired.up else 'does not hear of it'}; 2, 10 and 64 become {left}, "
        f"in {cached} flows of the cache for {1 + len(left)} TTLs"
    )
    return Seen(words, stops and left == [1, 9, 63])


async def lengths(stage: Stage) -> Seen:
    """1,000 bytes of IP, and 14 of Ethernet."""
    limit, fits = 1014, udp(ENDS, bytes(1000 - 28))
    stage.flows(
        f"in_port={IN},actions=check_pkt_larger({limit})->NXM_NX_REG0[0],resubmit(,1)",
        f"table=1,reg0=0,actions=output:{OUT}",
        f"table=1,reg0=1,actions=output:{ELSE}",
    )
    first, *_ = every(udp(ENDS, bytes(4000)), 800)
    larger = []
    for frame in (fits, udp(ENDS, bytes(1001 - 28)), tag(fits, 5), first):
        out = (await stage.hear((IN, frame))).out
        if bool(out[ELSE]) == bool(out[OUT]):
            return Seen("a packet is given to both or to none", False)
        larger.append(bool(out[ELSE]))
    words = (
        f"with the Ethernet header, as many bytes are {'larger' if larger[0] else 'not larger'} and one more is "
        f"{'larger' if larger[1] else 'not larger'}; a VLAN tag {'is' if larger[2] else 'is not'} counted; "
        f"a fragment is {'not ' if larger[3] else ''}compared by itself"
    )
    return Seen(words, larger[:2] == [False, True])


def _echo(size: int) -> bytes:
    ends = ENDS.addresses
    body = bytes((8, 0, 0, 0, 0, 7, 0, 1)) + bytes(size)
    return packet((ONE, TWO), ends, PROTO_ICMP, body[:2] + checksum(body).to_bytes(2, "big") + body[4:])


async def in_pieces(stage: Stage) -> Seen:
    """Of a ping in pieces: whether it is one after conntrack, what says then that it was not, and what of it goes up.
    What went up is cut again, and comes back to a flow that turns it round."""
    stage.flows(
        f"in_port={IN},icmp,ip_frag=yes,actions=set_field:1->reg9,ct(zone=3,table=1)",
        f"table=1,priority=20,icmp,icmp_type=8,ip_frag=no,reg9=1,actions={UP}",
        f"table=1,priority=10,icmp,ip_frag=yes,reg9=1,actions=output:{OUT}",
        f"table=2,priority=20,icmp,icmp_type=8,actions=set_field:0->icmp_type,output:{IN}",
        f"table=2,priority=10,icmp,ip_frag=later,actions=output:{IN}",
    )
    heard = await stage.hear(*((IN, piece) for piece in cut(_echo(5000), 1500)))
    if not heard.up:
        return Seen(f"{len(heard.out[OUT])} of 4 pieces come, with the register", len(heard.out[OUT]) == 4)
    words = [f"in_port=local packet={piece.hex()} actions=resubmit(,2)" for piece in cut(heard.up[0].frame, 1500)]
    back = (await stage.hear(doing=lambda: [stage.ovs.ofctl("packet-out", GROUND, one) for one in words])).out[IN]
    whole = b"".join(one[34 : 14 + int.from_bytes(one[16:18], "big")] for one in back)
    answered = whole[:1] == bytes(1) and len(whole) == 5008 and checksum(whole) == 0
    longest = (await stage.hear(*((IN, piece) for piece in cut(_echo(65_400), 8000)))).up
    goes_up = f"; of 65,442 bytes {len(longest[0].frame) if longest else 0:,} go up"
    said = f"it comes whole, with the register; cut again it is answered {'whole and right' if answered else 'wrongly'}"
    return Seen(said + goes_up, answered and len(longest) == 1)


PROBES = (
    Probe(
        "A ping in pieces, after conntrack",
        "A register is set, and `ct` gives it on: is it whole, does the register hold, and does it go up to the agent, "
        "however long it is? What went up is cut and sent again by packet-outs: is each piece turned round?",
        "What conntrack has put together, and is for a router itself, is cut again by the agent "
        "([0542](decisions/0542-the-agent-cuts-pings-that-conntrack-put-together.md)); a packet-in may be longer than "
        "its header says ([0541](decisions/0541-a-packet-in-may-be-longer-than-it-says.md)).",
        in_pieces,
    ),
    Probe(
        "A packet-out that is tracked, here and behind a patch port",
        "A packet-out goes through `ct` with a table: in the bridge that it was sent to, and in one behind a "
        "patch port. Does it come out?",
        "The agent's frames are sent as from the integration bridge's own port, and tracked there only.",
        packet_out,
    ),
    Probe(
        "Meters before a controller",
        "Does a meter limit what goes up, in the same flow?",
        "Each kind of thing that comes up from outside has a meter of its own for each router, in the flow that "
        "hands it up ([0431](decisions/0431-limits-of-what-comes-up-from-outside.md)).",
        meters,
    ),
    Probe(
        "`dec_ttl` and TTL 1",
        "What becomes of a packet whose TTL runs out, who hears of it, and how many cached flows do TTLs cost?",
        "Routers match TTL 0 and 1 before and hand them up with their own reason; one cached flow for each TTL "
        "that is seen.",
        ttl,
    ),
    Probe(
        "`check_pkt_larger`",
        "What is counted: the Ethernet header, a VLAN tag, a fragment's own length?",
        "Routes into a network with a smaller MTU compare with it and 14, where all tags are off "
        "([0425](decisions/0425-who-sends-too-much-is-told-how-much-fits.md)).",
        lengths,
    ),
)
