#!/usr/bin/env python3
"""What a router has in flows, beside OVN's: `bench/routers_flows.py`: a table.  Needs root; OVN takes its packages.

On two hypervisors both get the same: routers that each have a network with one wired port, a gateway that either node
may have, and, counted apart, a floating IP of that port.  Nothing is timed.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

from contenders import nbctl
from routed_contenders import NEXT_HOP, PLACES, ovn
from routers import Scene
from tests.netns.harness import Lab

from netweft.lab import build
from netweft.lab.commands import run, vsctl
from netweft.lab.layout import NodeLayout

NODES = 2


def flows(node: NodeLayout, bridge: str) -> int:
    return len(run("ovs-ofctl", "-OOpenFlow15", "dump-flows", f"unix:{node.ovs}/{bridge}.mgmt").splitlines())


def of_ovn(number: int) -> tuple[float, float]:
    """Of a router without its floating IP; of that."""
    with ovn() as stage:
        central, nodes = stage.layout.folder / "ovn", [stage.layout.node(1), stage.layout.node(2)]

        def counted() -> int:
            nbctl(central, "--wait=hv", "sync")
            return sum(flows(node, "br-int") for node in nodes)

        bare = counted()
        for at in range(number):
            _router(central, at)
            node = nodes[at % NODES]
            vsctl(
                node, "add-port", "br-int", f"o{at}", "--", "set", "Interface", f"o{at}", "type=internal",
                f"external_ids:iface-id=o{at}",
            )  # fmt: skip
        nbctl(central, "pg-set-ports", "pg", *PLACES, *(f"o{at}" for at in range(number)))
        routers = counted()
        for at in range(number):
            outside = f"172.24.2.{at + 1}"
            nbctl(central, "lr-nat-add", f"r{at}", "dnat_and_snat", outside, "10.0.0.1", f"o{at}", _mac(3, at))
        return (routers - bare) / number, (counted() - routers) / number


def _mac(kind: int, at: int) -> str:
    return f"fa:16:3e:01:{kind:02x}:{at:02x}"


def _router(central: Path, at: int) -> None:
    """As Neutron has it: both nodes may have the gateway, in an order."""
    router, switch, out = f"r{at}", f"n{at}", f"r{at}-pub"
    words = ["lr-add", router, "--", "ls-add", switch]
    words += ["--", "lrp-add", router, f"{router}-in", _mac(1, at), "10.0.0.254/24"]
    words += ["--", "lrp-add", router, out, _mac(2, at), f"172.24.1.{at + 1}/16"]
    for where, end in ((switch, f"{router}-in"), ("pub", out)):
        port = f"{where}-{end}"
        words += ["--", "lsp-add", where, port, "--", "lsp-set-type", port, "router"]
        words += ["--", "lsp-set-addresses", port, "router", "--", "lsp-set-options", port, f"router-port={end}"]
    who = f"{_mac(4, at)} 10.0.0.1"
    words += ["--", "lsp-add", switch, f"o{at}", "--", "lsp-set-addresses", f"o{at}", who]
    words += ["--", "lsp-set-port-security", f"o{at}", who]
    nbctl(central, *words)
    for place in range(NODES):
        nbctl(central, "lrp-set-gateway-chassis", out, f"hv{(at + place) % NODES + 1}", str(20 - place))
    nbctl(central, "lr-route-add", router, "0.0.0.0/0", NEXT_HOP)
    nbctl(central, "lr-nat-add", router, "snat", f"172.24.1.{at + 1}", "10.0.0.0/24")


def of_netweft(number: int) -> tuple[float, float]:
    lab = Lab("benchflows")
    build.down(lab.layout)
    build.up(lab.layout, build.Plan(nodes=NODES))
    try:
        scene = Scene(lab, NODES)
        bare = scene.flows()
        ports = scene.add(range(number))
        scene.until_wired()
        routers = scene.flows()
        scene.lead_to(ports)
        scene.until_wired()
        return (routers - bare) / number, (scene.flows() - routers) / number
    finally:
        build.down(lab.layout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routers", type=int, default=20)
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: needs root")
    found = {"Netweft": of_netweft(options.routers)}
    if shutil.which("ovn-controller"):
        found["OVN"] = of_ovn(options.routers)
    else:
        print("bench: OVN is not measured: it takes the packages ovn-central and ovn-host", file=sys.stderr)
    print(f"\n### Flows on {NODES} hypervisors together\n\n| | {' | '.join(found)} |\n|---|{'--:|' * len(found)}")
    for place, what in enumerate(("a router, with its gateway, network and a wired port", "a floating IP")):
        print(f"| {what} | {' | '.join(f'{counts[place]:,.4g}' for counts in found.values())} |")


if __name__ == "__main__":
    main()
