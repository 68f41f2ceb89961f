"""STT between two hypervisors, carried by our own process: who ends, what is answered, what a trace says of it."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.netns.harness import Inside, Lab, on_the_kernels_datapath, until
from tests.netns.l2.layer2 import namespace_end
from tests.unit.dataplane.stt.carried import IS_BUILT, header, packet

from netweft.dataplane.stt.talk import Answer, NotThere, Question, ask
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

pytestmark = pytest.mark.skipif(not IS_BUILT, reason="STT's library is not built")
KEY = 2**40 + 5


class Pair(NamedTuple):
    network: str
    here: Vm
    there: Vm


def reach(lab: Lab, pair: Pair) -> None:
    """A ping ends when nobody has answered ARP for three seconds, in which a busy machine starts no carrier."""
    until(lambda: lab.ping(pair.here, pair.there.nic.address, seconds=5), "there is an answer")


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Iterator[Pair]:
    named = {"provider:network_type": "stt", "provider:segmentation_id": KEY}
    network = lab.network("10.5.6.0/24", **named)
    found = Pair(network, lab.add_vm("hv1", network), lab.add_vm("hv2", network))
    reach(lab, found)
    yield found


def carrier(lab: Lab, node: str) -> Answer | None:
    try:
        return asyncio.run(ask(lab.node(node).folder / "stt", Question()))
    except NotThere:
        return None


def counted(lab: Lab, node: str, counter: str) -> int:
    found = carrier(lab, node)
    assert found is not None
    return found.counters[counter]


@pytest.fixture
def ping(lab: Lab, pair: Pair) -> Iterator[Inside]:
    """Starts when everything is in order."""
    for node in ("hv1", "hv2"):
        until(lambda node=node: lab.in_sync(node), f"{node} in sync")  # type: ignore[misc]
    with lab.inside(pair.here, "ping", pair.there.nic.address) as running:
        yield running


def test_an_agent_that_is_killed_and_comes_back_loses_nothing(lab: Lab, pair: Pair, ping: Inside) -> None:
    before, overrun = carrier(lab, "hv1"), lab.overrun()
    lab.kill("agent", "hv1")
    until(lambda: lab.in_sync("hv1"), "hv1 in sync again")
    time.sleep(0.3)  # a start takes no time where the clock stands still meanwhile (docs/datapaths.md)
    after, result = carrier(lab, "hv1"), ping.result()
    assert before and after and before.pid == after.pid
    assert result["sent"] > 20
    assert result["lost"] <= lab.overrun(overrun)


def test_a_carrier_that_is_killed_is_started_again(lab: Lab, pair: Pair) -> None:
    before = carrier(lab, "hv2")
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    took = until(lambda: (now := carrier(lab, "hv2")) and now.pid != before.pid, "another carrier")
    reach(lab, pair)
    print(f"\ncarrier back after {took:.2f} s")


@pytest.mark.parametrize("cut", ["by the NIC", "by the kernel"])
def test_large_frames_arrive_whole_whoever_cuts_them(lab: Lab, pair: Pair, cut: str) -> None:
    """What is cut nowhere on the way, as between two NICs that have TSO and LRO, arrives in one piece."""
    source, target, hv1 = namespace_end(lab, pair.here), namespace_end(lab, pair.there), lab.node("hv1")
    names = ("received_bytes", "received_frames", "received_segments")
    offload = (*in_namespace(hv1.namespace, "ethtool", "--offload", hv1.nic(0)), "tso")
    if cut == "by the kernel":
        run(*offload, "off")
    try:
        before = [counted(lab, "hv2", name) for name in names]
        merged = counted(lab, "hv1", "merged_segments")
        with target.serve() as served:
            sent, _ = source.feed(target.address)
            assert served.digest() == sent
        size, frames, segments = (counted(lab, "hv2", name) - was for name, was in zip(names, before, strict=True))
    finally:
        run(*offload, "on")
    if on_the_kernels_datapath():
        assert size > frames * 1500, "they come to the carrier whole"
    else:
        assert counted(lab, "hv1", "merged_segments") > merged
    assert size > source.size
    if cut == "by the kernel":
        assert segments > frames


def resets(lab: Lab, node: str) -> int:
    """How many the kernel's TCP has sent there."""
    said = run(*in_namespace(lab.node(node).namespace, "cat", "/proc/net/snmp"))
    names, values = re.findall(r"^Tcp: (.*)$", said, re.M)
    return int(dict(zip(names.split(), values.split(), strict=True))["OutRsts"])


def test_what_nobody_knows_is_dropped_and_never_answered(lab: Lab, pair: Pair) -> None:
    """A key of no network here, garbage, a SYN, and whatever comes from who is no node: nothing is said, and nothing
    delivered."""
    before, dropped = resets(lab, "hv2"), counted(lab, "hv2", "no_network_in")
    strangers = counted(lab, "hv2", "strangers")
    ends = {"src": lab.node("hv1").tunnel_ip, "dst": lab.node("hv2").tunnel_ip}
    frame = bytes.fromhex("fa163e000002fa163e0000010800") + bytes(60)
    forged = [
        packet(header(KEY + 1) + frame, **ends),  # type: ignore[arg-type]
        packet(b"garbage" * 9, **ends),  # type: ignore[arg-type]
        packet(header(KEY) + frame, flags=2, **ends),  # type: ignore[arg-type]
        packet(header(KEY) + frame, src="192.0.2.77", dst=ends["dst"]),
    ]
    said = "import socket, sys\nraw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)\n" + "\n".join(
        f"raw.sendto(bytes.fromhex('{one.hex()}'), ('{ends['dst']}', 0))" for one in forged
    )
    run(*in_namespace(lab.node("hv1").namespace, "python3", "-c", said))
    until(lambda: counted(lab, "hv2", "no_network_in") > dropped, "the unknown key is counted")
    until(lambda: counted(lab, "hv2", "malformed") > 0, "garbage is counted")
    until(lambda: counted(lab, "hv2", "strangers") > strangers, "the stranger is counted")
    reach(lab, pair)
    assert resets(lab, "hv2") == before


def test_a_network_that_goes_is_forgotten(lab: Lab, pair: Pair) -> None:
    network = lab.network("10.5.7.0/24", **{"provider:network_type": "stt"})
    machine = lab.add_vm("hv1", network)
    until(lambda: (now := carrier(lab, "hv1")) and len(now.tables.networks) == 2, "it is told of both")
    lab.remove_vm(machine)
    until(lambda: (now := carrier(lab, "hv1")) and len(now.tables.networks) == 1, "and of one")
