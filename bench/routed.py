#!/usr/bin/env python3
"""How fast packets go through routers, beside switched ones: `bench/routed.py` prints a table.  Root, iperf3.

    switched    from a VM to another of its network, over the tunnel
    routed      to a VM of another network, on that same other hypervisor
    SNAT        to a host on the external network, by the router's gateway
    floating    from that host to a VM, by its floating IP

Netweft and OVN, at once and in turns, as in throughput.py.  Medians of the rounds, each beside what was switched in it.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from statistics import median

from routed_contenders import CONTENDERS
from table import Row, print_comparison
from throughput import MEASURES, TITLES, Found, Key, Way, available, measure, served

SWITCHED = "switched"
WAYS = (
    Way(SWITCHED, "there", (1, 2)),
    Way("routed", "routed", (1, 2)),
    Way("SNAT", "outside", (1, 2)),
    Way("floating", "floating", (1, 2), frm="outside", address="floating ip"),
)
BARS = {"routed": 0.9, "SNAT": 0.8, "floating": 0.8}  # of what is switched in bulk


def rows(found: Found, names: Sequence[str]) -> Iterator[tuple[list[float], Row, str]]:
    """Of each its medians, and Netweft's to what it switched in the same round."""
    for key, values in found.items():
        base = found[Key(key.measure, SWITCHED, key.unit)]["netweft"]
        ratio = median(own / one for own, one in zip(values["netweft"], base, strict=True))
        bar = BARS.get(key.path) if key.unit == "Gbit/s" else None
        row = Row(f"{key.measure}, {key.path}, {key.unit}", ratio, "of switched", bar, higher=bar is not None)
        yield [median(values[name]) for name in names], row, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="that each measure takes; TCP in bulk at least 1")
    parser.add_argument("--with", dest="names", default=",".join(CONTENDERS), help="whom to measure")
    parser.add_argument("--only", choices=MEASURES, action="append", help="what to measure; may be given several times")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    names = available(options.names.split(","))
    with ExitStack() as stack:
        stages = {name: stack.enter_context(CONTENDERS[name]()) for name in names}
        for stage in stages.values():
            stack.enter_context(served(stage, WAYS))
        wanted = options.only or MEASURES
        measure(stages, wanted, [0], 0.3, WAYS)
        found = measure(stages, wanted, range(1, options.rounds + 1), options.seconds, WAYS)
    columns = [TITLES[name] for name in stages]
    print_comparison("Through routers, and Netweft to what it switches", columns, list(rows(found, list(stages))), None)


if __name__ == "__main__":
    main()
