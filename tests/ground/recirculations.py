"""How often Open vSwitch takes one packet up again, and what counts as once."""

from typing import Final

from tests.ground.packets import Ends, udp
from tests.ground.probe import Probe, Seen
from tests.ground.stage import BEYOND, FAR, GROUND, IN, OUT, PATCH, Stage, cable, ip

from netweft.dataplane.packets.datagram import Datagram, encode

FRAME: Final = udp(Ends("10.0.0.10", 5000, "198.51.100.7", 53))
TRIED: Final = 16
LAST: Final = 100  # a table
THINGS: Final = {
    "`resubmit`": f"resubmit(,{LAST})",
    "a patch port": f"output:{PATCH}",
    "`ct(commit)` without a table": f"ct(commit,zone=99),output:{OUT}",
    "`ct_clear`": f"ct_clear,output:{OUT}",
    "`check_pkt_larger`": f"check_pkt_larger(500)->NXM_NX_REG0[0],resubmit(,{LAST})",
    "`dec_ttl`": f"dec_ttl,output:{OUT}",
    "a `hash` group": "group:1",
    "a `dp_hash` group": "group:2",
}
GROUPS: Final = (
    f"group_id=1,type=select,selection_method=hash,fields(ip_src),bucket=output:{OUT}",
    f"group_id=2,type=select,selection_method=dp_hash,bucket=output:{OUT},bucket=output:{OUT}",
)


def chain(length: int, last: str, match: str = f"in_port={IN},ip") -> list[str]:
    """Through conntrack as often, and then this."""
    steps = [match, *(f"table={number},ip" for number in range(1, length + 1))]
    goes_on = [f"ct(zone={number},table={number})" for number in range(1, length + 1)]
    return [f"{step},actions={what}" for step, what in zip(steps, [*goes_on, last], strict=True)]


async def _passes(stage: Stage, length: int, last: str) -> bool:
    stage.flows(*chain(length, last), f"table={LAST},actions=output:{OUT}")
    heard = [await stage.hear((IN, FRAME)) for _ in ("not cached yet", "cached")]
    return all(one.out[OUT] or one.out[BEYOND] for one in heard)


async def granted(stage: Stage) -> Seen:
    most = 0
    while most < TRIED and await _passes(stage, most + 1, f"output:{OUT}"):
        most += 1
    if most == TRIED:
        return Seen(f"{TRIED} or more `ct` with a table pass; what counts was not asked")
    stage.flows(f"in_port={PATCH},actions=output:{BEYOND}", bridge=FAR)
    _add_groups(stage)
    counts = [name for name, last in THINGS.items() if not await _passes(stage, most, last)]
    free = [name for name in THINGS if name not in counts]
    return Seen(f"**{most}**: `ct` with a table counts, and {_and(counts)}. These do not: {_and(free)}")


def _add_groups(stage: Stage) -> None:
    stage.ovs.ofctl("del-groups", GROUND)
    for group in GROUPS:
        stage.ovs.ofctl("add-group", GROUND, group)


def _and(names: list[str]) -> str:
    return ", ".join(names) or "nothing else of what was tried"


UNDERLAY, TUNNEL, WIRE = "underlay", 20, 8
HERE, THERE = "192.0.2.1", "192.0.2.9"
FROM: Final = bytes.fromhex("020000000b01")


async def out_of_a_tunnel(stage: Stage) -> Seen:
    """As many `ct` as pass for a packet that comes out of VXLAN."""
    ovs = stage.ovs
    ovs.add_bridge(UNDERLAY)
    try:
        ovs.ofctl("add-flow", UNDERLAY, "actions=NORMAL")
        wire = cable(ovs, UNDERLAY, WIRE)
        for words in (("address", "add", f"{HERE}/24", "dev", UNDERLAY), ("link", "set", UNDERLAY, "up")):
            ip(*words)
        row = ("type=vxlan", "options:remote_ip=flow", "options:key=flow", f"ofport_request={TUNNEL}")
        ovs.vsctl("add-port", GROUND, "tunnel", "--", "set", "interface", "tunnel", *row)
        own = ovs.vsctl("get", "interface", UNDERLAY, "mac_in_use").stdout.strip().strip('"')
        most = 0
        while most < TRIED:
            stage.flows(*chain(most + 1, f"output:{OUT}", f"in_port={TUNNEL},ip"))
            wire.send(_in_vxlan(own))
            if not (await stage.hear()).out[OUT]:
                break
            most += 1
        wire.close()
    finally:
        ovs.vsctl("--if-exists", "del-port", "tunnel", "--", "del-br", UNDERLAY)
    return Seen(f"**{most}** `ct` with a table")


def _in_vxlan(mac: str) -> bytes:
    (src, dst), to = Ends(THERE, 0, HERE, 0).addresses, bytes.fromhex(mac.replace(":", ""))
    inside = bytes.fromhex("0800000000002a00") + FRAME
    return encode(Datagram(eth_src=FROM, eth_dst=to, src=src, dst=dst, sport=40000, dport=4789, payload=inside))


PROBES = (
    Probe(
        "Recirculations granted to one packet, and what counts as one",
        "How many `ct` with a table may one packet pass in a row before the datapath drops it? With as many as "
        "that, what more can it pass?",
        "Each path's recirculations are written in [pipeline.md](pipeline.md) and counted in "
        "`tests/ovs/test_recirculations.py`; none has more than 2. `hash` groups, not `dp_hash`. "
        "Floating IPs are written over the address and not tracked ([0410](decisions/0410-a-router-is-flows.md)).",
        granted,
    ),
    Probe(
        "The same for a packet out of a tunnel",
        "Does taking a packet out of VXLAN count?",
        "What comes out of a tunnel is tracked once.",
        out_of_a_tunnel,
    ),
)
