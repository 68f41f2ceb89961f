"""A VM whose group lets nothing in moves: what it has asked for goes on coming, and nothing else gets in by that."""

import asyncio
import json
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from tests.netns.harness import Inside, Lab, until
from tests.netns.probes import ICMP, SYN_ACK, TCP, UDP, Probe, address_of, segment
from tests.netns.security.test_connections_end import Stage, Talk, kinds
from tests.waiting import PATIENCE

from netweft.dataplane.unixctl.client import command
from netweft.dataplane.unixctl.conntrack import LISTING, connections
from netweft.lab import move, vm
from netweft.lab.cloud import Cloud
from netweft.lab.vm import Vm
from netweft.model.connections import MOST

WITHOUT_NUMBERS = [(UDP, 4), (ICMP, 4), (UDP, 6), (ICMP, 6)]
PORTS = {4: 5004, 6: 5006}
STRANGE = (Probe(UDP, 7), Probe(TCP, 7))
RST = 0x04
FAR = -(2**30)  # behind: of a connection that it has taken up Linux refuses no other resets (docs/datapaths.md)


@pytest.fixture(scope="module")
def nodes() -> int:
    return 3


class TalkingStage(Stage):
    """Its VMs have their addresses: they speak for themselves.  So TCP that is begun by hand is reset by whom it is
    for, and with that ends for the kernel's conntrack."""

    answered = WITHOUT_NUMBERS

    def vm(self, node: str, group: str, **port: Any) -> Vm:
        return self.lab.add_vm(node, self.network, security_groups=[self.groups[group]], **port)


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with Cloud(lab.layout) as cloud:
        yield TalkingStage(lab, cloud)


class Download:
    """A VM gets something over TCP and says nothing itself.  kind: of server, `pour` or `pass`."""

    def __init__(self, lab: Lab, client: Vm, server: Vm, version: int, kind: str) -> None:
        self.server = lab.inside(server, kind, str(PORTS[version]))
        self.client = lab.inside(client, "drink", address_of(server.nic, version), str(PORTS[version]))

    def close(self) -> None:
        for one in (self.client, self.server):
            one.__exit__()

    def comes(self) -> bool:
        """Something that was not said before.  A line is a tenth of a second; after some seconds of pauses, as moves on
        a busy machine have, TCP waits for as long before it says again what was lost."""
        while self.client.line_within(0.01):
            pass
        return any(int(self.client.line()) for _ in range(round(10 * PATIENCE)))

    def silent_ms(self) -> int:
        """At the longest, in all."""
        return int(json.loads(self.client.finish()[-1])["silent_ms"])


@contextmanager
def downloads(lab: Lab, client: Vm, server: Vm, kind: str = "pour") -> Iterator[list[Download]]:
    """Over both versions of IP."""
    with ExitStack() as stack:
        found = [Download(lab, client, server, version, kind) for version in PORTS]
        for one in found:
            stack.callback(one.close)
            assert kind != "pour" or one.comes()
        yield found


def moved(stage: Stage, machine: Vm, *targets: str) -> Vm:
    for target in targets:
        machine = vm.records(stage.lab.layout).get(machine.name)
        paused = move.move(stage.cloud, stage.lab.layout, machine, target)
        print(f"\nto {target}: paused {1000 * paused:.0f} ms")
    return vm.records(stage.lab.layout).get(machine.name)


def tracked(lab: Lab, node: str, protocol: int, machine: Vm) -> list[tuple[int, int]]:
    """The ports of what it has asked for."""
    listing = asyncio.run(command(lab.node(node).ovs, LISTING))
    own = {address.partition("/")[0] for address in machine.nic.addresses}
    found = (one for one in connections(listing) if one.protocol == protocol and one.src in own)
    return [(one.sport, one.dport) for one in found]


def forged(machine: Vm, server: Vm, capture: Inside) -> list[bytes]:
    """Resets of the connections that began under this capture, their numbers far from what the VM waits for."""
    found: dict[int, bytes] = {}
    while len(found) < len(PORTS):
        frame = bytes.fromhex(capture.line())
        version = {0x0800: 4, 0x86DD: 6}.get(int.from_bytes(frame[12:14]), 0)
        tcp = frame[34:] if version == 4 else frame[54:]
        if version and frame[23 if version == 4 else 20] == TCP and tcp[13] == SYN_ACK:
            there, here, sequence, of = struct.unpack_from("!HHII", tcp)
            numbers = (sequence + FAR, of + FAR)
            found[version] = segment((server.nic, machine.nic), version, (there, here), numbers, RST)
    return list(found.values())


def lost(stage: Stage, machine: Vm, server: Vm, talk: Talk) -> list[tuple[int, int]]:
    """What its answers do not come in of."""
    answers = talk.answers(server.nic, machine.nic)
    came = kinds(answers, stage.arrive(server, machine, answers.values()))
    return [kind for kind in WITHOUT_NUMBERS if kind not in came]


@pytest.mark.parametrize("beside", ["hv1", "hv2", "hv3"])
def test_downloads_go_on_there_and_back(stage: Stage, beside: str) -> None:
    """The server is where the VM comes from, or where it goes, or elsewhere."""
    machine, server = stage.vm("hv1", "shut"), stage.vm(beside, "open")
    with downloads(stage.lab, machine, server) as streams:
        for target in ("hv2", "hv1"):
            machine = moved(stage, machine, target)
            assert all(stream.comes() for stream in streams), f"moved to {target}"
        print(f"server on {beside}: nothing came for {[stream.silent_ms() for stream in streams]} ms")
    for one in (machine, server):
        stage.lab.remove_vm(one)


@pytest.mark.parametrize("beside", ["hv1", "hv3"])
def test_what_is_silent_goes_on_when_it_speaks_and_nothing_else_comes_in(stage: Stage, beside: str) -> None:
    machine, server = stage.vm("hv1", "shut"), stage.vm(beside, "open")
    forger = stage.lab.add_vm("hv3", stage.network, port_security_enabled=False, security_groups=[])
    talk = stage.connected(machine, server)
    with stage.lab.inside(machine, "capture") as capture, downloads(stage.lab, machine, server, "pass") as idle:
        others = forged(machine, server, capture)
        machine = moved(stage, machine, "hv2")
        until(lambda: len(tracked(stage.lab, "hv2", TCP, machine)) >= len(PORTS), "taken up")
        stage.lab.meet(machine, server)
        answers = talk.answers(server.nic, machine.nic)
        assert lost(stage, machine, server, talk) == []
        for download in idle:
            download.server.say("something")
            assert download.comes()
        others += [probe.frame(server.nic, machine.nic, v, 99) for probe in STRANGE for v in PORTS]
        stage.lab.meet(machine, forger)
        assert not stage.arrive(forger, machine, others)
        asyncio.run(command(stage.lab.node("hv2").ovs, "dpctl/flush-conntrack"))
        assert not stage.arrive(server, machine, answers.values()), "the list is no rule"
    for one in (machine, server, forger):
        stage.lab.remove_vm(one)


def test_two_moves_at_once(stage: Stage) -> None:
    machine, server = stage.vm("hv1", "shut"), stage.vm("hv3", "open")
    talk = stage.connected(machine, server)
    with downloads(stage.lab, machine, server) as streams:
        machine = moved(stage, machine, "hv2", "hv3", "hv2")
        assert all(stream.comes() for stream in streams)
    stage.lab.meet(machine, server)
    assert lost(stage, machine, server, talk) == []
    for one in (machine, server):
        stage.lab.remove_vm(one)


def test_a_thousand_at_once(stage: Stage) -> None:
    machine, server = stage.vm("hv1", "shut"), stage.vm("hv3", "open")
    stage.lab.meet(machine, server)
    with (
        stage.lab.inside(server, "greet", "5010") as greeting,
        stage.lab.inside(machine, "crowd", server.nic.address, "5010", str(MOST)) as crowd,
    ):
        assert crowd.line(30) == "here"
        machine = moved(stage, machine, "hv2")
        seconds = until(lambda: len(tracked(stage.lab, "hv2", TCP, machine)) >= MOST, "all are taken up", 30)
        print(f"{MOST} taken up within {seconds:.1f} s")
        greeting.say("now")
        time.sleep(2)  # one that got nothing would be told so in vain for longer
        assert crowd.finish() == [str(MOST)]
    for one in (machine, server):
        stage.lab.remove_vm(one)


def test_less_permitted_where_it_went_ends_it(stage: Stage) -> None:
    machine, server = stage.vm("hv1", "shut"), stage.vm("hv3", "open")
    talk = stage.connected(machine, server)
    machine = moved(stage, machine, "hv2")
    stage.lab.meet(machine, server)
    answers = talk.answers(server.nic, machine.nic)
    until(lambda: not lost(stage, machine, server, talk), "taken up")
    stage.cloud.update("ports", machine.port_id, {"security_groups": []})
    until(lambda: not stage.arrive(server, machine, [answers[UDP, 4], answers[UDP, 6]]), "ended", 5)
    for one in (machine, server):
        stage.lab.remove_vm(one)
