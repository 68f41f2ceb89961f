"""Which bucket of a `hash` group a packet gets: chosen by vswitchd, whatever the datapath is."""

import re
from collections import Counter
from typing import Final

from tests.ground.probe import Probe, Seen
from tests.ground.stage import GROUND, IN, Stage
from tests.ovs.sandbox import Sandbox, running

ASKED: Final = 150
BUCKETS: Final = (1, 2, 3)
GROUP: Final = "group_id=9,type=select,selection_method=hash,fields(ip_src,udp_src)"


def _choices(ovs: Sandbox, buckets: tuple[int, ...], *, shuffled: bool = False) -> list[str]:
    """The one of each connection.  shuffled: the buckets in another order."""
    order = buckets[::-1] if shuffled else buckets
    group = ",".join((GROUP, *(f"bucket=bucket_id:{one},set_field:{one}->reg0,resubmit(,9)" for one in order)))
    ovs.ofctl("del-groups", GROUND)
    ovs.ofctl("del-flows", GROUND)
    ovs.ofctl("add-group", GROUND, group)
    for flow in (
        "udp,actions=group:9",
        *(f"table=9,reg0={one},actions=set_field:02:00:00:00:00:0{one}->eth_dst,in_port" for one in buckets),
    ):
        ovs.ofctl("add-flow", GROUND, flow)
    found = []
    for number in range(ASKED):
        packet = (
            f"in_port={IN},udp,nw_src=10.0.{number % 7}.{number},nw_dst=198.51.100.7,udp_src={3000 + number},udp_dst=53"
        )
        said = ovs.appctl("ofproto/trace", GROUND, packet)
        chosen = re.findall(r"-> using bucket (\d+)", said) or re.findall(r"set_field:(\d+)->reg0", said)
        found.append(chosen[-1])
    return found


async def same_bucket(stage: Stage) -> Seen:
    here = _choices(stage.ovs, BUCKETS)
    again = _choices(stage.ovs, BUCKETS, shuffled=True)
    fewer = _choices(stage.ovs, BUCKETS[:-1])
    with running() as other:
        other.add_bridge(GROUND)
        other.vsctl("add-port", GROUND, "p1", "--", "set", "interface", "p1", "type=dummy", f"ofport_request={IN}")
        there = _choices(other, BUCKETS)
    stage.ovs.ofctl("del-groups", GROUND)
    moved = sum(one != two for one, two in zip(here, fewer, strict=True) if one != str(BUCKETS[-1]))
    shares = "/".join(str(Counter(here)[str(one)]) for one in BUCKETS)
    words = (
        f"another vswitchd chooses {'the same for all' if here == there else 'others'} of {ASKED} connections; "
        f"the buckets' order {'does not matter' if here == again else 'matters'}; shares {shares}; "
        f"of those that had another bucket than the one taken away {moved} move"
    )
    return Seen(words, here == there == again and not moved)


PROBES = (
    Probe(
        "Bucket choice of `hash` groups",
        "Do two hypervisors choose the same bucket for the same packet, and which connections move when a bucket goes?",
        "Weighted rendezvous hashing that all nodes share: what spreads connections over gateways and next hops "
        "may use `hash` groups with equal bucket ids and fields.",
        same_bucket,
    ),
)
