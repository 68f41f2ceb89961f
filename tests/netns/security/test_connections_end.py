"""A VM is deleted, or its address goes to another one: what it was connected to cannot go on into the next."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import Lab, until
from tests.netns.probes import ICMP, TCP, UDP, Probe

from netweft.lab import move, vm
from netweft.lab.cloud import Cloud
from netweft.lab.guest import Nic
from netweft.lab.vm import Vm

KINDS = [(TCP, 4), (UDP, 4), (ICMP, 4), (TCP, 6), (UDP, 6), (ICMP, 6)]
PORTS = {TCP: 80, UDP: 53}
_serials = itertools.count(1)


class Talk(NamedTuple):
    """A connection of each kind, from one to another."""

    serial: int

    def asks(self, asker: Nic, asked: Nic) -> dict[tuple[int, int], bytes]:
        return {kind: probe(*kind).frame(asker, asked, kind[1], self.serial) for kind in KINDS}

    def answers(self, asked: Nic, asker: Nic) -> dict[tuple[int, int], bytes]:
        return {kind: probe(*kind).answer(asked, asker, kind[1], self.serial) for kind in KINDS}


def probe(protocol: int, version: int) -> Probe:
    return Probe(ICMP, 8 if version == 4 else 128) if protocol == ICMP else Probe(protocol, PORTS[protocol])


class Stage:
    """Groups: `shut` lets nothing in, `open` all, `mute` all, and its ports may only answer.
    answered: by hand."""

    answered: Sequence[tuple[int, int]] = KINDS

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self.network = lab.network("10.6.6.0/24", "fd00:6::/64")
        self.groups = {name: str(cloud.create("security_groups", name=name)["id"]) for name in ("shut", "open", "mute")}
        for name in ("open", "mute"):
            for ethertype in ("IPv4", "IPv6"):
                rule = {"direction": "ingress", "ethertype": ethertype, "security_group_id": self.groups[name]}
                cloud.create("security_group_rules", **rule)
        for rule in cloud.list("security-group-rules", security_group_id=self.groups["mute"], direction="egress"):
            cloud.delete("security_group_rules", rule["id"])
        self.servers = {node: self.vm(node, "mute") for node in ("hv1", "hv2")}

    def vm(self, node: str, group: str, **port: Any) -> Vm:
        made = self.lab.add_vm(node, self.network, security_groups=[self.groups[group]], **port)
        self.lab.silence(made)
        return made

    def fixed_ips(self, machine: Vm) -> list[dict[str, str]]:
        return [{"ip_address": one["ip_address"]} for one in self.lab.port(machine)["fixed_ips"]]

    def arrive(self, source: Vm, target: Vm, sent: Iterable[bytes]) -> set[bytes]:
        """Which of these frames."""
        sent, fence = list(sent), frames.fence(source.nic, target.nic)
        with self.lab.inside(target, "capture") as capture:
            self.lab.send_frames(source, *sent, fence)
            return set(sent) & set(capture.frames_until(fence))

    def connected(self, asker: Vm, asked: Vm) -> Talk:
        """In all kinds, and answered."""
        self.lab.meet(asker, asked)
        talk = Talk(next(_serials))
        asks, answers = talk.asks(asker.nic, asked.nic), talk.answers(asked.nic, asker.nic)
        assert kinds(asks, self.arrive(asker, asked, asks.values())) == KINDS
        assert set(self.answered) <= set(kinds(answers, self.arrive(asked, asker, answers.values()))), "need no rule"
        return talk

    def nothing_goes_on(self, talk: Talk, server: Vm, following: Vm) -> None:
        self.lab.meet(server, following)
        answers = talk.answers(server.nic, following.nic)
        assert kinds(answers, self.arrive(server, following, answers.values())) == []


def kinds(sent: dict[tuple[int, int], bytes], arrived: set[bytes]) -> list[tuple[int, int]]:
    return [kind for kind, frame in sent.items() if frame in arrived]


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with Cloud(lab.layout) as cloud:
        yield Stage(lab, cloud)


@pytest.fixture(params=["hv1", "hv2"])
def server(stage: Stage, request: pytest.FixtureRequest) -> Vm:
    """Beside the VM that asks, or on another node."""
    return stage.servers[request.param]


@pytest.mark.parametrize("group", ["shut", "open"])
def test_a_deleted_vms_connections_do_not_go_on_into_the_next(stage: Stage, server: Vm, group: str) -> None:
    """If that one lets all in, it is the server's node that has to know: its group lets it answer only."""
    asker = stage.vm("hv1", "shut")
    talk = stage.connected(asker, server)
    fixed_ips = stage.fixed_ips(asker)
    stage.lab.remove_vm(asker)
    following = stage.vm("hv1", group, fixed_ips=fixed_ips)
    stage.nothing_goes_on(talk, server, following)
    stage.lab.remove_vm(following)


def test_nor_where_the_agent_is_killed_at_it(stage: Stage, server: Vm) -> None:
    asker = stage.vm("hv1", "shut")
    talk = stage.connected(asker, server)
    fixed_ips = stage.fixed_ips(asker)
    vm.remove(stage.lab.layout, asker)
    stage.cloud.delete("ports", asker.port_id)
    for node in ("hv1", "hv2"):
        stage.lab.kill("agent", node)
    following = stage.vm("hv1", "shut", fixed_ips=fixed_ips)
    stage.nothing_goes_on(talk, server, following)
    stage.lab.remove_vm(following)


def test_an_address_that_goes_to_another_port_takes_no_connection_along(stage: Stage, server: Vm) -> None:
    asker, following = stage.vm("hv1", "shut"), stage.vm("hv1", "shut")
    talk = stage.connected(asker, server)
    others, fixed_ips = stage.fixed_ips(following), stage.fixed_ips(asker)
    stage.cloud.update("ports", asker.port_id, {"fixed_ips": []})
    stage.cloud.update("ports", following.port_id, {"fixed_ips": fixed_ips})
    stage.cloud.update("ports", asker.port_id, {"fixed_ips": others})
    answers = talk.answers(server.nic, asker.nic)
    answers = {kind: frames.mac(following.nic.mac) + frame[6:] for kind, frame in answers.items()}
    until(lambda: not stage.arrive(server, following, answers.values()), "the connections have ended")
    for machine in (asker, following):
        stage.lab.remove_vm(machine)


def test_a_pair_that_is_taken_away_ends_its_connections(stage: Stage, server: Vm) -> None:
    asker = stage.vm("hv1", "shut", allowed_address_pairs=[{"ip_address": "10.6.6.200"}])
    me = Nic(tap="", mac=asker.nic.mac, mtu=1500, addresses=("10.6.6.200/24",))
    ask, answer = (Probe(UDP, 53).frame(me, server.nic, 4, 7), Probe(UDP, 53).answer(server.nic, me, 4, 7))
    stage.lab.meet(asker, server)
    assert stage.arrive(asker, server, [ask])
    assert stage.arrive(server, asker, [answer])
    stage.cloud.update("ports", asker.port_id, {"allowed_address_pairs": []})
    until(lambda: not stage.arrive(server, asker, [answer]), "the connection has ended")
    stage.lab.remove_vm(asker)


def test_a_vm_that_moves_away_keeps_its_connections_with_who_stays(stage: Stage) -> None:
    """The one that asked lets nothing in: for it, only what is tracked on its node lets the answers in."""
    asker, moving = stage.vm("hv1", "shut"), stage.vm("hv1", "open")
    talk = stage.connected(asker, moving)
    move.move(stage.cloud, stage.lab.layout, moving, "hv2")
    moved = vm.records(stage.lab.layout).get(moving.name)
    stage.lab.meet(moved, asker)
    answers = talk.answers(moved.nic, asker.nic)
    arrived = kinds(answers, stage.arrive(moved, asker, answers.values()))
    for machine in (asker, moved):
        stage.lab.remove_vm(machine)
    assert {(UDP, 4), (UDP, 6)} <= set(arrived), "these by themselves are valid on a node that has not seen the others"


def test_what_is_between_others_stays(stage: Stage, server: Vm) -> None:
    """While VMs come and go."""
    asker = stage.vm("hv1", "shut")
    talk = stage.connected(asker, server)
    stage.lab.remove_vm(stage.vm("hv1", "shut"))
    answers = talk.answers(server.nic, asker.nic)
    assert kinds(answers, stage.arrive(server, asker, answers.values())) == KINDS
    stage.lab.remove_vm(asker)
