"""Connections through the firewall while its rules change, and what belongs to one without being part of it."""

import subprocess
import time
from collections.abc import Iterator

import pytest
from tests.netns import frames
from tests.netns.harness import Lab, until
from tests.netns.probes import ICMP, TCP, UDP, Probe

from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm

PING = {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"}


class Stage:
    """client (hv1) may send anything; the servers, beside it and on hv2, let in what `rules` says."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self.network = lab.network("10.5.5.0/24")
        self.guards = {name: self._group(name) for name in ("client", "server")}
        self.client = self._vm("hv1", "client")
        self.servers = {"beside": self._vm("hv1", "server"), "there": self._vm("hv2", "server")}

    def _group(self, name: str) -> str:
        return str(self.cloud.create("security_groups", name=name)["id"])

    def _vm(self, node: str, guard: str) -> Vm:
        return self.lab.add_vm(node, self.network, security_groups=[self.guards[guard]])

    def allow(self, **rule: object) -> str:
        made = self.cloud.create("security_group_rules", security_group_id=self.guards["server"], **rule)
        return str(made["id"])

    def forbid(self, rule: str) -> None:
        self.cloud.delete("security_group_rules", rule)

    def arrives(self, source: Vm, target: Vm, frame: bytes) -> bool:
        """Before a frame for which no rule is needed."""
        me, to = source.nic, target.nic
        fence = frames.arp((me.mac, to.mac), 2, (me.mac, me.address), (to.mac, to.address))
        with self.lab.inside(target, "capture") as capture:
            self.lab.send_frames(source, frame, fence)
            return frame in capture.frames_until(fence)


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


def test_a_rule_taken_away_ends_its_connections_both_ways(stage: Stage, server: Vm) -> None:
    rule = stage.allow(direction="ingress", ethertype="IPv4", protocol="udp")
    ask = Probe(UDP, 5353).frame(stage.client.nic, server.nic, 4, int(time.monotonic() * 1000) % 40000)
    until(lambda: stage.arrives(stage.client, server, ask), "the rule holds")
    assert stage.arrives(server, stage.client, swapped(ask)), "answers need no rule"
    other = stage.allow(direction="ingress", ethertype="IPv4", protocol="tcp")
    assert stage.arrives(stage.client, server, ask)
    assert stage.arrives(server, stage.client, swapped(ask)), "a rule more interrupts nothing"
    stage.forbid(rule)
    until(lambda: not stage.arrives(stage.client, server, ask), "the rule is gone")
    assert not stage.arrives(server, stage.client, swapped(ask)), "its answers end with it"
    rule = stage.allow(direction="ingress", ethertype="IPv4", protocol="udp")
    until(lambda: stage.arrives(stage.client, server, ask), "the rule is back")
    assert stage.arrives(server, stage.client, swapped(ask)), "and so is the connection"
    stage.forbid(rule)
    stage.forbid(other)


def test_answers_end_without_a_word_from_the_asker(stage: Stage, server: Vm) -> None:
    """And not while another rule permits the connection."""
    udp = {"direction": "ingress", "ethertype": "IPv4", "protocol": "udp"}
    rule, other = stage.allow(**udp), stage.allow(**udp, port_range_min=5300, port_range_max=5399)
    ask = Probe(UDP, 5353).frame(stage.client.nic, server.nic, 4, int(time.monotonic() * 1000) % 40000)
    until(lambda: stage.arrives(stage.client, server, ask), "the rules hold")
    answer = swapped(ask)
    assert stage.arrives(server, stage.client, answer)
    stage.forbid(rule)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        assert stage.arrives(server, stage.client, answer), "the other rule permits it"
    stage.forbid(other)
    until(lambda: not stage.arrives(server, stage.client, answer), "the answers have ended", 3)


def test_a_tcp_stream_of_answers_ends_by_its_acknowledgements(stage: Stage, lab: Lab, server: Vm) -> None:
    rule = stage.allow(direction="ingress", ethertype="IPv4", protocol="tcp")
    probe = Probe(TCP, 9).frame(stage.client.nic, server.nic, 4, int(time.monotonic() * 1000) % 40000)
    until(lambda: stage.arrives(stage.client, server, probe), "the rule holds")
    with lab.inside(server, "pour", "8080"), lab.inside(stage.client, "drink", server.nic.address, "8080") as drink:
        until(lambda: int(drink.line()), "something comes")
        stage.forbid(rule)
        until(lambda: int(drink.line()) == 0 == int(drink.line()), "nothing comes any more", 5)


def test_other_rules_and_members_come_and_go_without_a_packet_lost(stage: Stage, lab: Lab, server: Vm) -> None:
    rule = stage.allow(**PING)
    until(lambda: lab.ping(stage.client, server.nic.address, seconds=1), "ping is allowed")
    with lab.inside(stage.client, "ping", server.nic.address) as ping:
        for _ in range(3):
            more = [
                stage.allow(direction="ingress", ethertype="IPv4", remote_group_id=stage.guards["client"]),
                stage.allow(direction="ingress", ethertype="IPv4", protocol="tcp"),
            ]
            time.sleep(0.3)
            for one in more:
                stage.forbid(one)
            time.sleep(0.3)
        result = ping.result()
    stage.forbid(rule)
    assert (result["lost"], result["duplicates"]) == (0, 0)


def test_an_error_that_answers_a_connection_passes(stage: Stage, lab: Lab, server: Vm) -> None:
    """The server's kernel says that nobody listens on that port."""
    rule = stage.allow(direction="ingress", ethertype="IPv4", protocol="udp")
    ask = Probe(UDP, 9).frame(stage.client.nic, server.nic, 4, 77)
    until(lambda: stage.arrives(stage.client, server, ask), "the rule holds")
    with lab.inside(stage.client, "capture") as capture:
        lab.send_frames(stage.client, Probe(UDP, 9).frame(stage.client.nic, server.nic, 4, 78))
        error = b""
        while error[23:24] != bytes([ICMP]) or error[34:36] != b"\x03\x03":
            error = bytes.fromhex(capture.line())
    stage.forbid(rule)


def test_fragments_pass_with_their_first(stage: Stage, lab: Lab, server: Vm) -> None:
    rule = stage.allow(**PING)
    until(lambda: lab.ping(stage.client, server.nic.address, seconds=1), "ping is allowed")
    command = ("ping", "-n", "-c", "3", "-i", "0.1", "-w", "5", "-s", "4000", server.nic.address)
    namespace = lab.layout.vm_namespace(stage.client.name)
    done = subprocess.run(in_namespace(namespace, *command), capture_output=True, text=True, check=False)
    stage.forbid(rule)
    assert done.returncode == 0, done.stdout


OLD, NEW, NEITHER, BOTH = 1001, 1002, 1003, 1004  # ports


def by_ports(stage: Stage, *ports: int, **remote: str) -> str:
    """A group that lets these in."""
    group = stage.cloud.create("security_groups", name=f"ports {ports}")["id"]
    for number in ports:
        udp = {"ethertype": "IPv4", "protocol": "udp", "port_range_min": number, "port_range_max": number}
        stage.cloud.create("security_group_rules", security_group_id=group, direction="ingress", **udp, **remote)
    return str(group)


def swap(stage: Stage, machine: Vm, *groups: list[str]) -> None:
    """Its groups are these, then those, a few times."""
    for chosen in groups * 4:
        stage.cloud.update("ports", machine.port_id, {"security_groups": chosen})
        time.sleep(0.08)


def test_a_change_of_groups_has_no_window(stage: Stage, lab: Lab, server: Vm) -> None:
    """Neither of a receiving port's groups, nor of who is in a remote group, nor of a rule."""
    old, new = by_ports(stage, OLD, BOTH), by_ports(stage, NEW, BOTH)
    friends = [stage.cloud.create("security_groups", name=name)["id"] for name in ("friends", "more friends")]
    members = [by_ports(stage, BOTH, remote_group_id=friend) for friend in friends]
    stage.cloud.update("ports", server.port_id, {"security_groups": [old]})
    tried = {port: Probe(UDP, port).frame(stage.client.nic, server.nic, 4, port) for port in (OLD, NEW, NEITHER, BOTH)}
    until(lambda: stage.arrives(stage.client, server, tried[OLD]), "the group holds")
    me, to = stage.client.nic, server.nic
    fence = frames.arp((me.mac, to.mac), 2, (me.mac, me.address), (to.mac, to.address))
    words = [frame.hex() for frame in tried.values()]
    with lab.inside(server, "capture") as capture, lab.inside(stage.client, "repeat", *words) as sender:
        swap(stage, server, [new], [old])
        swap(stage, server, [new, old], [new], [old, new], [old])
        stage.cloud.update("ports", server.port_id, {"security_groups": [old, *members]})
        swap(stage, stage.client, [stage.guards["client"], friends[0]], [stage.guards["client"], friends[1]])
        for _ in range(4):
            stage.cloud.delete("security_group_rules", by_port(stage, new, NEW))
            stage.cloud.create(
                "security_group_rules", security_group_id=new, direction="ingress", ethertype="IPv4", protocol="udp",
                port_range_min=NEW, port_range_max=NEW,
            )  # fmt: skip
        sent = int(sender.finish()[-1])
        lab.send_frames(stage.client, fence)
        seen = capture.frames_until(fence)
    counts = {port: seen.count(frame) for port, frame in tried.items()}
    print(f"\n{sent} of each sent, arrived: {counts}")
    stage.cloud.update("ports", server.port_id, {"security_groups": [stage.guards["server"]]})
    stage.cloud.update("ports", stage.client.port_id, {"security_groups": [stage.guards["client"]]})
    for group in (*members, *friends, old, new):
        stage.cloud.delete("security_groups", group)
    assert counts[NEITHER] == 0
    assert counts[BOTH] == sent
    assert 0 < counts[OLD] < sent
    assert 0 < counts[NEW] < sent


def by_port(stage: Stage, group: str, number: int) -> str:
    rules = stage.cloud.list("security-group-rules", security_group_id=group)
    return next(str(rule["id"]) for rule in rules if rule["port_range_min"] == number)


def test_the_default_group_lets_in_its_own_members_only(stage: Stage, lab: Lab) -> None:
    one, other = (lab.add_vm(node, stage.network) for node in ("hv1", "hv2"))
    assert lab.ping(one, other.nic.address)
    assert not lab.ping(stage.client, other.nic.address, seconds=1)
    assert not lab.ping(one, stage.servers["there"].nic.address, seconds=1), "whose rules let nothing in"
