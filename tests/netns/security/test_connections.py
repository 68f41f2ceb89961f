"""Connections through the firewall while its rules change, and what belongs to one without being part of it."""

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Self

import pytest
from tests.netns import frames
from tests.netns.harness import Inside, Lab, until
from tests.netns.probes import ICMP, TCP, UDP, Probe

from netweft.agent.state import SETTLE_SECONDS
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

PING, ANY_TCP, ANY_UDP = (
    {"direction": "ingress", "ethertype": "IPv4", "protocol": protocol} for protocol in ("icmp", "tcp", "udp")
)
SHARED, VIRTUAL = "10.5.5.250", "00:00:5e:00:01:07"
ASKERS, ASKERS_MAC = "10.5.5.251", "00:00:5e:00:01:08"  # another pair: of two who may have asked neither is tried


class Stage:
    """client (hv1) may send anything; the servers, beside it and on hv2, let in what `rules` says."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self.network = lab.network("10.5.5.0/24")
        self.guards = {name: self._group(name) for name in ("client", "server")}
        self.client = self._vm("hv1", "client")
        self.servers = {"beside": self._vm("hv1", "server"), "there": self._vm("hv2", "server")}
        lab.meet(self.client, self.servers["there"])

    def _group(self, name: str) -> str:
        return str(self.cloud.create("security_groups", name=name)["id"])

    def _vm(self, node: str, guard: str) -> Vm:
        return self.lab.add_vm(node, self.network, security_groups=[self.guards[guard]])

    @contextmanager
    def allowed(self, **rule: object) -> Iterator[None]:
        """While this rule is there: it goes whatever happens, since another test may want its like."""
        made = self.cloud.create("security_group_rules", security_group_id=self.guards["server"], **rule)
        try:
            yield
        finally:
            self.cloud.delete("security_group_rules", made["id"])

    def arrives(self, source: Vm, target: Vm, frame: bytes) -> bool:
        """Before a frame for which no rule is needed."""
        fence = frames.fence(source.nic, target.nic)
        with self.lab.inside(target, "capture") as capture:
            self.lab.send_frames(source, frame, fence)
            return frame in capture.frames_until(fence)

    def overhears(self, listener: Vm, sender: Vm, frame: bytes) -> None:
        """What is not for it.  No fence: a cached packet may come after one sent later that is not cached yet."""
        with self.lab.inside(listener, "capture") as capture:
            self.lab.send_frames(sender, frame)
            capture.frames_until(frame)


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with Cloud(lab.layout) as cloud:
        yield Stage(lab, cloud)


@pytest.fixture(params=["beside", "there"])
def server(stage: Stage, request: pytest.FixtureRequest) -> Vm:
    return stage.servers[request.param]


def swapped(frame: bytes) -> bytes:
    """The answer to a UDP frame on IPv4, with the same payload: its checksums stay right."""
    macs, addresses, ports = frame[6:12] + frame[:6], frame[30:34] + frame[26:30], frame[36:38] + frame[34:36]
    return macs + frame[12:26] + addresses + ports + frame[38:]


def a_packet(stage: Stage, server: Vm, protocol: int, port: int) -> bytes:
    """Of a connection that no test before has made."""
    return Probe(protocol, port).frame(stage.client.nic, server.nic, 4, int(time.monotonic() * 1000) % 40000)


def test_a_rule_taken_away_ends_its_connections_both_ways(stage: Stage, server: Vm) -> None:
    ask = a_packet(stage, server, UDP, 5353)
    with stage.allowed(**ANY_UDP):
        until(lambda: stage.arrives(stage.client, server, ask), "the rule holds")
        assert stage.arrives(server, stage.client, swapped(ask)), "answers need no rule"
        with stage.allowed(**ANY_TCP):
            assert stage.arrives(stage.client, server, ask)
            assert stage.arrives(server, stage.client, swapped(ask)), "a rule more interrupts nothing"
    until(lambda: not stage.arrives(stage.client, server, ask), "the rule is gone")
    assert not stage.arrives(server, stage.client, swapped(ask)), "its answers end with it"
    with stage.allowed(**ANY_UDP):
        until(lambda: stage.arrives(stage.client, server, ask), "the rule is back")
        assert stage.arrives(server, stage.client, swapped(ask)), "and so is the connection"


def test_answers_end_without_a_word_from_the_asker(stage: Stage, server: Vm) -> None:
    """And not while another rule permits the connection."""
    ask = a_packet(stage, server, UDP, 5353)
    answer = swapped(ask)
    with stage.allowed(**ANY_UDP, port_range_min=5300, port_range_max=5399):
        with stage.allowed(**ANY_UDP):
            until(lambda: stage.arrives(stage.client, server, ask), "the rules hold")
            assert stage.arrives(server, stage.client, answer)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert stage.arrives(server, stage.client, answer), "the other rule permits it"
    until(lambda: not stage.arrives(server, stage.client, answer), "the answers have ended")


def test_a_tcp_stream_of_answers_ends_by_its_acknowledgements(stage: Stage, lab: Lab, server: Vm) -> None:
    probe = a_packet(stage, server, TCP, 9)
    with ExitStack() as streaming:
        with stage.allowed(**ANY_TCP):
            until(lambda: stage.arrives(stage.client, server, probe), "the rule holds")
            streaming.enter_context(lab.inside(server, "pour", "8080"))
            drink = streaming.enter_context(lab.inside(stage.client, "drink", server.nic.address, "8080"))
            until(lambda: int(drink.line()), "something comes")
        until(lambda: int(drink.line()) == 0 == int(drink.line()), "nothing comes any more")


@pytest.fixture(scope="module")
def neighbour(stage: Stage) -> Vm:
    """Beside the client, and gets what is for a MAC that is nobody's own."""
    return stage.lab.add_vm("hv1", stage.network, port_security_enabled=False, security_groups=[])


@pytest.fixture(scope="module", params=["hv1", "hv2"])
def sharing(stage: Stage, neighbour: Vm, request: pytest.FixtureRequest) -> Iterator[Vm]:
    """A server with an address and a MAC that others may have as well; its NIC has taken them."""
    pair = [{"ip_address": SHARED, "mac_address": VIRTUAL}]
    groups = [stage.guards["server"]]
    server = stage.lab.add_vm(request.param, stage.network, security_groups=groups, allowed_address_pairs=pair)
    stage.lab.meet(stage.client, server)
    namespace = stage.lab.layout.vm_namespace(server.name)
    for words in (f"link set eth0 address {VIRTUAL}", f"address add {SHARED}/24 dev eth0"):
        run(*in_namespace(namespace, "ip", *words.split()))
    yield server
    stage.lab.remove_vm(server)


def test_what_several_get_ends_with_its_rule(stage: Stage, neighbour: Vm, sharing: Vm) -> None:
    """The neighbour, and the other node, get the same packets, and have no rules to refuse them."""
    ask = frames.udp4((stage.client.nic.mac, VIRTUAL), (stage.client.nic.address, SHARED), os.urandom(8))
    answer = swapped(ask)
    with stage.allowed(**ANY_UDP):
        until(lambda: stage.arrives(stage.client, sharing, ask), "the rule holds")
        assert stage.arrives(sharing, stage.client, answer)
        with stage.allowed(**ANY_TCP):
            assert stage.arrives(sharing, stage.client, answer), "a rule more interrupts nothing"
    until(lambda: not stage.arrives(sharing, stage.client, answer), "it ends without a word from the asker")
    for _ in range(3):
        assert not stage.arrives(stage.client, sharing, ask)
        stage.overhears(neighbour, stage.client, ask)
        assert not stage.arrives(sharing, stage.client, answer)
    with stage.allowed(**ANY_UDP):
        until(lambda: stage.arrives(stage.client, sharing, ask), "the rule is back")
        assert stage.arrives(sharing, stage.client, answer)


def test_a_new_connection_is_nothing_to_answer_for_who_refuses_it(stage: Stage, neighbour: Vm, sharing: Vm) -> None:
    ask = frames.udp4((stage.client.nic.mac, VIRTUAL), (stage.client.nic.address, SHARED), os.urandom(8))
    unasked = ask[:34] + os.urandom(1) + b"\x01" + ask[36:40] + b"\0\0" + ask[42:]  # from a port of its own
    stage.overhears(neighbour, stage.client, unasked)
    assert not stage.arrives(sharing, stage.client, swapped(unasked))


def test_a_tcp_stream_from_a_shared_address_ends(stage: Stage, lab: Lab, neighbour: Vm, sharing: Vm) -> None:
    with ExitStack() as streaming:
        with stage.allowed(**ANY_TCP):
            streaming.enter_context(lab.inside(sharing, "pour", "8080"))
            until(lambda: stage.arrives(stage.client, sharing, a_packet(stage, sharing, TCP, 9)), "the rule holds")
            drink = streaming.enter_context(lab.inside(stage.client, "drink", SHARED, "8080"))
            until(lambda: int(drink.line()), "something comes")
        until(lambda: int(drink.line()) == 0 == int(drink.line()), "nothing comes any more")


def test_an_asker_with_a_shared_mac(stage: Stage, neighbour: Vm, server: Vm) -> None:
    """The answers are what several get."""
    pair = [{"ip_address": ASKERS, "mac_address": ASKERS_MAC}]
    asker = stage.lab.add_vm("hv1", stage.network, security_groups=[stage.guards["client"]], allowed_address_pairs=pair)
    stage.lab.meet(asker, server)
    ask = frames.udp4((ASKERS_MAC, server.nic.mac), (ASKERS, server.nic.address), os.urandom(8))
    with stage.allowed(**ANY_UDP):
        until(lambda: stage.arrives(asker, server, ask), "the rule holds")
        assert stage.arrives(server, asker, swapped(ask))
        stage.overhears(neighbour, server, swapped(ask))
    until(lambda: not stage.arrives(server, asker, swapped(ask)), "it ends without a word from the asker")
    assert not stage.arrives(asker, server, ask)
    assert not stage.arrives(server, asker, swapped(ask))
    stage.lab.remove_vm(asker)


def test_other_rules_and_members_come_and_go_without_a_packet_lost(stage: Stage, lab: Lab, server: Vm) -> None:
    with stage.allowed(**PING):
        until(lambda: lab.ping(stage.client, server.nic.address, seconds=1), "ping is allowed")
        overrun = lab.overrun()
        with lab.inside(stage.client, "ping", server.nic.address) as ping:
            for _ in range(3):
                members = {"ethertype": "IPv4", "remote_group_id": stage.guards["client"]}
                with stage.allowed(direction="ingress", **members), stage.allowed(**ANY_TCP):
                    time.sleep(0.3)
                time.sleep(0.3)
            result = ping.result()
    assert result["lost"] <= lab.overrun(overrun)
    assert result["duplicates"] == 0


def test_an_error_that_answers_a_connection_passes(stage: Stage, lab: Lab, server: Vm) -> None:
    """The server's kernel says that nobody listens on that port: once a second, if it said so often before."""
    ask = Probe(UDP, 9).frame(stage.client.nic, server.nic, 4, 77)

    def errors(client: Inside) -> bool:
        lab.send_frames(stage.client, ask)
        frames = iter(lambda: bytes.fromhex(client.line_within(0.5)), b"")
        return any(frame[23:24] == bytes([ICMP]) and frame[34:36] == b"\x03\x03" for frame in frames)

    with stage.allowed(**ANY_UDP), lab.inside(stage.client, "capture") as capture:
        until(lambda: errors(capture), "the error arrives")


def test_fragments_pass_with_their_first(stage: Stage, lab: Lab, server: Vm) -> None:
    with stage.allowed(**PING):
        until(lambda: lab.ping(stage.client, server.nic.address, seconds=1), "ping is allowed")
        command = ("ping", "-n", "-c", "3", "-i", "0.1", "-w", "30", "-s", "4000", server.nic.address)
        namespace = lab.layout.vm_namespace(stage.client.name)
        done = subprocess.run(in_namespace(namespace, *command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


OLD, NEW, NEITHER, BOTH = 1001, 1002, 1003, 1004  # ports
ROUNDS = int(os.environ.get("ROUNDS", 4))


class Groups:
    """Those of one test: in the end the VMs have their own again, and these go."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._made: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        stage = self.stage
        for guard, machine in (("client", stage.client), *(("server", server) for server in stage.servers.values())):
            stage.cloud.update("ports", machine.port_id, {"security_groups": [stage.guards[guard]]})
        for group in reversed(self._made):
            stage.cloud.delete("security_groups", group)

    def let_in(self, *ports: int, **remote: str) -> str:
        """A group that lets these in."""
        group = str(self.stage.cloud.create("security_groups", name=f"ports {ports}")["id"])
        self._made.append(group)
        for number in ports:
            let_in(self.stage, group, number, **remote)
        return group


def let_in(stage: Stage, group: str, number: int, **remote: str) -> str:
    """A rule, which lets this port in."""
    udp = {**ANY_UDP, "port_range_min": number, "port_range_max": number}
    return str(stage.cloud.create("security_group_rules", security_group_id=group, **udp, **remote)["id"])


def swap(stage: Stage, machine: Vm, *groups: list[str]) -> None:
    """Its groups are these, then those, a few times."""
    for chosen in groups * 4:
        stage.cloud.update("ports", machine.port_id, {"security_groups": chosen})
        time.sleep(0.08)


@contextmanager
def kept_to(stage: Stage, server: Vm, first: str) -> Iterator[None]:
    """While groups change that let in OLD and BOTH, or NEW and BOTH: BOTH comes through all the time, NEITHER never.
    first: the group that lets in OLD, which is there before."""
    me, to, lab = stage.client.nic, server.nic, stage.lab
    tried = {port: Probe(UDP, port).frame(me, to, 4, port) for port in (OLD, NEW, NEITHER, BOTH)}
    fence = frames.fence(me, to)
    stage.cloud.update("ports", server.port_id, {"security_groups": [first]})
    until(lambda: stage.arrives(stage.client, server, tried[OLD]), "the group holds")
    words = [frame.hex() for frame in tried.values()]
    with (
        ThreadPoolExecutor() as reader,
        lab.inside(server, "capture") as capture,
        lab.inside(stage.client, "repeat", *words) as sender,
    ):
        seen = reader.submit(capture.frames_until, fence)
        overrun, dropped = lab.overrun(), lab.drops()
        yield
        sent = int(sender.finish()[-1])
        lab.send_frames(stage.client, fence)
        arrived = Counter(seen.result())
        overrun, dropped = lab.overrun(overrun), lab.drops() - dropped
    counts = {port: arrived[frame] for port, frame in tried.items()}
    print(f"\n{sent} of each sent, arrived: {counts}; overrun {overrun}, dropped {dict(dropped)}")
    assert counts[NEITHER] == 0
    assert sent - overrun <= counts[BOTH] <= sent
    assert 0 < counts[OLD] < sent
    assert 0 < counts[NEW] < sent


def test_a_change_of_groups_has_no_window(stage: Stage, server: Vm) -> None:
    """Neither of a receiving port's groups, nor of who is in a remote group, nor of a rule."""
    own = stage.guards["client"]
    with Groups(stage) as groups:
        old, new = groups.let_in(OLD, BOTH), groups.let_in(NEW, BOTH)
        friends = [groups.let_in(), groups.let_in()]
        members = [groups.let_in(BOTH, remote_group_id=friend) for friend in friends]
        with kept_to(stage, server, old):
            swap(stage, server, [new], [old])
            swap(stage, server, [new, old], [new], [old, new], [old])
            stage.cloud.update("ports", server.port_id, {"security_groups": [old, *members]})
            swap(stage, stage.client, [own, friends[0]], [own, friends[1]])
            rule = by_port(stage, new, NEW)
            for _ in range(4):
                stage.cloud.delete("security_group_rules", rule)
                rule = let_in(stage, new, NEW)


def test_what_a_new_rule_permits_passes_though_it_was_sent_before(stage: Stage, server: Vm) -> None:
    """Nothing that is cached of how it was dropped stays."""
    me, to = stage.client.nic, server.nic
    tried = {port: Probe(UDP, port).frame(me, to, 4, port) for port in (OLD, NEW, NEITHER, BOTH)}
    with Groups(stage) as groups:
        group = groups.let_in(OLD, BOTH)
        stage.cloud.update("ports", server.port_id, {"security_groups": [group]})
        with stage.lab.inside(stage.client, "repeat", *(frame.hex() for frame in tried.values())):
            for _ in range(ROUNDS):
                rule = let_in(stage, group, NEW)
                until(partial(hears, stage.lab, server, tried, {OLD, NEW, BOTH}), "the rule's packets")
                stage.cloud.delete("security_group_rules", rule)
                until(partial(hears, stage.lab, server, tried, {OLD, BOTH}), "no more")


def hears(lab: Lab, machine: Vm, tried: dict[int, bytes], ports: set[int]) -> bool:
    """Whether these of the frames come in, in a tenth of a second, and no others."""
    with lab.inside(machine, "capture") as capture:
        time.sleep(0.1)
        frames = {bytes.fromhex(line) for line in capture.finish()}
    return {port for port, frame in tried.items() if frame in frames} == ports


def test_an_agent_killed_at_a_change_leaves_nothing_open_nor_broken(stage: Stage, lab: Lab, server: Vm) -> None:
    """Wherever in the change that is: all of it is one step (docs/decisions/0125)."""
    with Groups(stage) as groups:
        old, new = groups.let_in(OLD, BOTH), groups.let_in(NEW, BOTH)
        time.sleep(SETTLE_SECONDS + 0.2)  # the view is written whole: neither of them is in it
        with kept_to(stage, server, old):
            for chosen in (new, old) * ROUNDS:
                stage.cloud.update("ports", server.port_id, {"security_groups": [chosen]})
                time.sleep(random.uniform(0, 0.02))
                lab.kill("agent", server.node)
                until(lambda: lab.in_sync(server.node), "its next agent is in sync")


def by_port(stage: Stage, group: str, number: int) -> str:
    rules = stage.cloud.list("security-group-rules", security_group_id=group)
    return next(str(rule["id"]) for rule in rules if rule["port_range_min"] == number)


def test_the_default_group_lets_in_its_own_members_only(stage: Stage, lab: Lab) -> None:
    one, other = (lab.add_vm(node, stage.network) for node in ("hv1", "hv2"))
    assert lab.ping(one, other.nic.address)
    assert not lab.ping(stage.client, other.nic.address, seconds=1)
    assert not lab.ping(one, stage.servers["there"].nic.address, seconds=1), "whose rules let nothing in"
