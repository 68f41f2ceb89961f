"""Routers under a hostile VM, connections through them that must end or go on, and VMs that move behind them."""

from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import Lab, group_of, needs_a_running_clock, results, until
from tests.netns.l3.test_routing import address, make_router, said, subnet_of
from tests.netns.security.test_connections_move import downloads
from tests.netns.services.test_dhcp import ask, kind_of, request

from netweft.dataplane.dhcp.message4 import Type
from netweft.lab import move, vm
from netweft.lab.build import server_answers
from netweft.lab.vm import Vm

MANY = 10_000
FREE: dict[str, Any] = {"port_security_enabled": False, "security_groups": []}
BOTH = ("IPv4", "IPv6")


class Stage(NamedTuple):
    router: dict[str, Any]
    blue: str
    red: str
    shut: str  # a group that lets nothing in
    open: str
    blue1: Vm  # hv1
    blue2: Vm  # hv2
    red1: Vm  # hv1
    red2: Vm  # hv2


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue, red = lab.network("10.50.0.0/24", "fd00:50::/64"), lab.network("10.51.0.0/24", "fd00:51::/64")
    with lab.cloud() as cloud:
        out = [{"direction": "egress", "ethertype": kind} for kind in BOTH]
        shut = group_of(cloud, "shut", out)
        everything = group_of(cloud, "open", [*out, *({"direction": "ingress", "ethertype": kind} for kind in BOTH)])
    places = (("hv1", blue), ("hv2", blue), ("hv1", red), ("hv2", red))
    router = make_router(lab, blue, red)
    yield Stage(
        router, blue, red, shut, everything, *(lab.add_vm(*one, security_groups=[everything]) for one in places)
    )


def mac_on(lab: Lab, stage: Stage, network: str) -> str:
    """The router's."""
    with lab.cloud() as cloud:
        found = cloud.list("ports", network_id=network, device_id=stage.router["id"])
    return str(found[0]["mac_address"])


# a hostile VM


def memory_of_agent(lab: Lab, node: str) -> int:
    """In MiB."""
    status = Path(f"/proc/{lab.pid('agent', node)}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024


def flood(frm: Vm, router_mac: str, kind: str) -> Iterator[bytes]:
    """Each to another address, or of another source."""
    mine, me, six = frames.mac(frm.nic.mac), address(frm), address(frm, 6)
    macs = (frm.nic.mac, router_mac)
    for number in range(MANY):
        place = f"{number >> 8}.{number & 255}"
        match kind:
            case "unknown hosts":
                yield frames.udp4(macs, (me, f"10.51.0.{number % 200 + 50}"), b"x")
            case "no route":
                yield frames.udp4(macs, (me, f"192.168.{place}"), b"x")
            case "expired":
                frame = frames.udp4(macs, (me, f"10.51.{place}"), b"x")
                yield frames.with_ttl(frame, number % 2)
            case "forged sources":
                yield frames.udp4(macs, (f"172.16.{place}", "10.51.0.1"), b"x")
            case "solicitations":
                target = "fd00:50::1"
                yield frames.icmp6(macs, (six, target), 135, bytes(4) + IPv6Address(target).packed + b"\x01\x01" + mine)


@needs_a_running_clock
@pytest.mark.parametrize("kind", ["unknown hosts", "no route", "expired", "forged sources", "solicitations"])
def test_a_flood_of_what_the_agent_answers_keeps_nobody_from_an_answer(lab: Lab, stage: Stage, kind: str) -> None:
    hostile = lab.add_vm("hv1", stage.blue, **FREE)
    before = memory_of_agent(lab, "hv1")
    gateway = subnet_of(lab, stage.blue)["gateway_ip"]
    sent = list(flood(hostile, mac_on(lab, stage, stage.blue), kind))
    with lab.inside(hostile, "repeat", *(frame.hex() for frame in sent[:500])):
        lab.send_frames(hostile, *sent)
        assert kind_of(ask(lab, stage.blue1, request(stage.blue1, Type.DISCOVER))) == Type.OFFER
        assert f"From {gateway}" in said(lab, stage.blue1, address(stage.red1), "-t", "1")
        assert lab.ping(stage.blue1, subnet_of(lab, stage.blue, 6)["gateway_ip"])
        assert lab.ping(stage.blue1, address(stage.red2))
    assert memory_of_agent(lab, "hv1") - before < 20
    lab.remove_vm(hostile)


# connections


class Stream(NamedTuple):
    """A question that one VM asks of another by a router, and answers to it."""

    lab: Lab
    asker: Vm
    asked: str  # an address
    macs: tuple[str, str]  # the router's, where the asker is and where the other one is

    def begin(self) -> None:
        ends = (self.asker.nic.address, self.asked)
        macs = (self.asker.nic.mac, self.macs[0])
        self.lab.send_frames(self.asker, frames.udp4(macs, ends, b"a question", (4000, 53)))

    def goes_on(self, by: Vm) -> bool:
        """An answer of this VM, which has the address, reaches the asker."""
        ends = (self.asked, self.asker.nic.address)
        answer = frames.udp4((by.nic.mac, self.macs[1]), ends, b"an answer", (53, 4000))
        with self.lab.inside(self.asker, "capture") as capture:
            self.lab.send_frames(by, answer)
            while line := capture.line_within(1):
                if bytes.fromhex(line).endswith(b"an answer"):
                    return True
        return False


@pytest.mark.parametrize("whose", ["asker", "asked"])
@pytest.mark.parametrize("target", ["hv1", "hv2"])
def test_a_rule_taken_away_ends_what_it_alone_allowed(lab: Lab, stage: Stage, target: str, whose: str) -> None:
    """Though the asker says nothing any more."""
    with lab.cloud() as cloud:
        out = [{"direction": "egress", "ethertype": "IPv4"}]
        ask = group_of(cloud, "asks", out)
        answers = group_of(cloud, "answers", [{"direction": "ingress", "ethertype": "IPv4"}])
        taken = cloud.list("security-group-rules", security_group_id=ask if whose == "asker" else answers)[0]["id"]
    asker = lab.add_vm("hv1", stage.blue, security_groups=[ask])
    asked = lab.add_vm(target, stage.red, security_groups=[answers])
    for machine in (asker, asked):
        lab.silence(machine)
    macs = (mac_on(lab, stage, stage.blue), mac_on(lab, stage, stage.red))
    stream = Stream(lab, asker, asked.nic.address, macs)
    assert not stream.goes_on(asked), "nothing was asked"
    stream.begin()
    until(lambda: stream.goes_on(asked), "what was asked for comes")
    with lab.cloud() as cloud:
        cloud.delete("security_group_rules", taken)
    until(lambda: not stream.goes_on(asked), "it has ended")
    for machine in (asker, asked):
        lab.remove_vm(machine)
    with lab.cloud() as cloud:
        for group in (ask, answers):
            cloud.delete("security_groups", group)


def test_an_interface_that_was_away_lets_no_successor_answer(lab: Lab, stage: Stage) -> None:
    """Both networks stay on the node meanwhile; the address goes to another VM while nothing leads there."""
    green = lab.network("10.52.0.0/24")
    subnet = {"subnet_id": subnet_of(lab, green)["id"]}
    with lab.cloud() as cloud:
        cloud.act("routers", stage.router["id"], "add_router_interface", subnet)
    fixed: dict[str, Any] = {"fixed_ips": [{"ip_address": "10.52.0.77"}], "security_groups": [stage.open]}
    asker = lab.add_vm("hv1", stage.blue, security_groups=[stage.shut])
    first, beside = lab.add_vm("hv1", green, **fixed), lab.add_vm("hv1", green, security_groups=[stage.open])
    for machine in (asker, first):
        lab.silence(machine)
    stream = Stream(lab, asker, "10.52.0.77", (mac_on(lab, stage, stage.blue), mac_on(lab, stage, green)))
    assert not stream.goes_on(first), "nothing was asked"
    stream.begin()
    until(lambda: stream.goes_on(first), "what was asked for comes")
    with lab.cloud() as cloud:
        cloud.act("routers", stage.router["id"], "remove_router_interface", subnet)
    until(lambda: lab.in_sync("hv1"), "it leads there no more")
    lab.remove_vm(first)
    second = lab.add_vm("hv1", green, **fixed)
    lab.silence(second)
    with lab.cloud() as cloud:
        cloud.act("routers", stage.router["id"], "add_router_interface", subnet)
    until(lambda: lab.ping(stage.blue1, address(beside), seconds=1), "it leads there again")
    assert not stream._replace(macs=(stream.macs[0], mac_on(lab, stage, green))).goes_on(second)


def test_others_connections_go_on(lab: Lab, stage: Stage) -> None:
    """While what runs the cloud is killed, and other routers come, change and go."""
    far = lab.network("10.53.0.0/24")
    with ExitStack() as stack:
        targets = [(stage.blue1, stage.red1), (stage.blue1, stage.red2), (stage.blue2, stage.red1)]
        pings = [stack.enter_context(lab.inside(frm, "ping", address(to))) for frm, to in targets]
        overrun = lab.overrun()
        lab.kill("agent", "hv1")
        until(lambda: lab.in_sync("hv1"), "the agent is back")
        lab.kill("server")
        until(lambda: server_answers(lab.layout), "the server is back")
        lab.kill("ovsdb-server", "hv1")
        until(lambda: lab.in_sync("hv1"), "all is in place")
        with lab.cloud() as cloud:
            other = cloud.create("routers", name="other")
            via = cloud.create("ports", network_id=stage.red)
            cloud.act("routers", other["id"], "add_router_interface", {"port_id": via["id"]})
            cloud.act("routers", other["id"], "add_router_interface", {"subnet_id": subnet_of(lab, far)["id"]})
            cloud.update("routers", stage.router["id"], {"name": "renamed"})
            cloud.update("routers", other["id"], {"admin_state_up": False})
            until(lambda: lab.in_sync("hv1"), "the other router is down")
            cloud.act("routers", other["id"], "remove_router_interface", {"subnet_id": subnet_of(lab, far)["id"]})
            cloud.act("routers", other["id"], "remove_router_interface", {"port_id": via["id"]})
            cloud.delete("routers", other["id"])
        until(lambda: lab.in_sync("hv1") and lab.in_sync("hv2"), "all is in place")
        for one in pings:
            one.stop()
        most = lab.overrun(overrun)  # vswitchd forwards nothing while ovsdb-server is not back: 1, 2, 4 s
        assert [one["lost"] for one in results(pings) if one["lost"] > most] == []


def test_a_download_through_a_router_goes_along_with_its_vm(lab: Lab, stage: Stage) -> None:
    """Its group lets nothing in; neither does that of the next VM with its old place."""
    mover = lab.add_vm("hv1", stage.blue, security_groups=[stage.shut])
    with downloads(lab, mover, stage.red2) as found, lab.cloud() as cloud:
        for target in ("hv2", "hv1"):
            move.move(cloud, lab.layout, vm.records(lab.layout).get(mover.name), target)
            for one in found:
                until(one.comes, f"it goes on at {target}")
    assert not lab.ping(stage.red2, mover.nic.address, seconds=1)
