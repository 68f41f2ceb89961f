"""Each fault with packets running at 100/s; docs/faults.md says what was seen.

`NETWEFT_WRITE_DOCS=1 pytest tests/netns/restarts/test_faults.py` writes the figures; without it only the faults and the
bounds are compared, since figures differ from run to run.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.netns.harness import CLOCK_STANDS_STILL, Lab, on_the_kernels_datapath, until
from tests.netns.restarts.faults import FAULTS, Fault, Scene

from netweft.lab.cloud import Cloud

DOC = Path(__file__).parents[3] / "docs" / "faults.md"
HEAD = """# Faults, tried

Written by `tests/netns/restarts/test_faults.py`: on one of two hypervisors something breaks while two pairs of VMs
ping each other at 100 packets/s, one over VXLAN, one over a VLAN of `br-ex`. In milliseconds: from the first packet
lost to the last, and the bound that the test holds them to; 0: not one packet may be lost. "10 packets": VMs come and
go meanwhile, and with them Open vSwitch's userspace datapath loses some of the overlay's (decision 0172).

Afterwards each time: the agent's plan is empty, each object has as many flows as before, and an agent that is killed
and starts afresh changes none of them.

| fault | overlay lost | bound | VLAN lost | bound | in sync after, s |
|---|---:|---:|---:|---:|---:|
"""
BRIDGES = ("br-int", "br-tun", "br-ex", "br-eth1")  # the last one carries nothing


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Iterator[Scene]:
    overlay = lab.network("10.5.5.0/24")
    wire = {"provider:network_type": "vlan", "provider:physical_network": "public", "provider:segmentation_id": 150}
    with Cloud(lab.layout) as cloud:
        network = cloud.create("networks", name="wire", **wire)["id"]
        cloud.create("subnets", network_id=network, cidr="10.6.6.0/24", ip_version=4)
    pairs = [(lab.add_vm("hv1", one), lab.add_vm("hv2", one)) for one in (overlay, network)]
    for here, there in pairs:
        assert lab.ping(here, there.nic.address)
    yield Scene(lab, *pairs)


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, str]]:
    """Of the table; written when all faults have been tried."""
    found: dict[str, str] = {}
    yield found
    if os.environ.get("NETWEFT_WRITE_DOCS") and len(found) == len(FAULTS):
        DOC.write_text(HEAD + "".join(f"{found[fault.name]}\n" for fault in FAULTS))


def in_sync(lab: Lab) -> bool:
    return lab.in_sync("hv1") and lab.in_sync("hv2")


def owners(lab: Lab) -> dict[str, Counter[str]]:
    """How many flows each object has; ports may have got other numbers."""
    cookies = re.compile("cookie=(0x4e57[0-9a-f]+)")
    return {bridge: Counter(cookies.findall(" ".join(lab.flows("hv1", bridge)))) for bridge in BRIDGES}


def flows(lab: Lab) -> dict[str, set[str]]:
    return {bridge: lab.flows("hv1", bridge) for bridge in BRIDGES}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(scene: Scene, fault: Fault, rows: dict[str, str]) -> None:
    if fault.netdev and on_the_kernels_datapath():
        pytest.skip("no fault there: docs/datapaths.md")
    if fault.clock and CLOCK_STANDS_STILL:
        pytest.skip("the clock stands still while anybody computes")
    lab = scene.lab
    until(lambda: in_sync(lab), "in sync")
    before = owners(lab)
    results: dict[str, dict[str, Any]] = {}
    overrun = lab.overrun()
    with ExitStack() as stack:
        pings = {
            name: stack.enter_context(lab.inside(here, "ping", there.nic.address))
            for name, (here, there) in scene.pairs.items()
        }
        time.sleep(0.2)
        fault.do(scene)
        for here, there in scene.pairs.values():
            assert lab.ping(here, there.nic.address)
        again = until(lambda: in_sync(lab), "in sync again")
        time.sleep(0.3)
        for ping in pings.values():
            ping.stop()
        results = {name: ping.result() for name, ping in pings.items()}
    overrun = lab.overrun(overrun)
    print(f"\n{fault.name}: {results}, in sync {again:.2f} s later; {overrun} had nobody to take them")
    until(lambda: owners(lab) == before, "each object has as many flows as before")
    assert _within(results["overlay"], fault.overlay, fault.few + overrun)
    assert _within(results["wire"], fault.wire, overrun)
    _starts_afresh_the_same(lab)
    spans = [results[name]["lost_span_ms"] if results[name]["lost"] > fault.few else 0 for name in ("overlay", "wire")]
    rows[fault.name] = f"| {fault.name} | {spans[0]} | {_bound(fault)} | {spans[1]} | {fault.wire} | {again:.1f} |"


def _within(result: dict[str, Any], milliseconds: int, few: int) -> bool:
    return bool(result["lost"] <= few or result["lost_span_ms"] <= milliseconds)


def _bound(fault: Fault) -> str:
    return f"{fault.few} packets" if fault.few else str(fault.overlay)


def _starts_afresh_the_same(lab: Lab) -> None:
    before = flows(lab)
    lab.kill("agent", "hv1")
    until(lambda: in_sync(lab), "in sync after a fresh start")
    after = flows(lab)
    assert {bridge: after[bridge] ^ before[bridge] for bridge in BRIDGES} == {bridge: set() for bridge in BRIDGES}


def test_the_table_is_current() -> None:
    said = [re.split(r" *\| *", line)[1:6] for line in DOC.read_text().splitlines() if re.match(r"\| .* \d", line)]
    assert [(name, overlay, wire) for name, _, overlay, _, wire in said] == [
        (fault.name, _bound(fault), str(fault.wire)) for fault in FAULTS
    ]
