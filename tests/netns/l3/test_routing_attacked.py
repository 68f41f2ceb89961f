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


# who has the router's address


def claims(lab: Lab, stage: Stage, frm: Vm, to: Vm) -> Iterator[tuple[str, bytes]]:
    """Of the router's addresses by another one.  Linux believes each of them, where it does not know better."""
    with lab.cloud() as cloud:
        ports = cloud.list("ports", network_id=stage.blue, device_id=stage.router["id"])
    its, its6 = (next(at["ip_address"] for one in ports for at in one["fixed_ips"] if dot in at["ip_address"])
                 for dot in (".", ":"))  # fmt: skip
    near, wide = (frm.nic.mac, to.nic.mac), (address(frm, 6), address(to, 6))
    asked = bytes(4) + IPv6Address(address(to, 6)).packed
    said, option = b"\x20\0\0\0" + IPv6Address(its6).packed, b"\x02\x01" + frames.mac(frm.nic.mac)
    reply = frames.arp(near, 2, (frm.nic.mac, its), (to.nic.mac, address(to)))
    yield "ARP", reply
    yield "ARP of IEEE 802", reply[:14] + b"\0\x06" + reply[16:]
    yield "advertisement", frames.icmp6(near, wide, 136, said + option)
    yield "advertisement with two MACs", frames.icmp6(near, wide, 136, said + option + option)
    yield "solicitation", frames.icmp6(near, (its6, wide[1]), 135, asked + b"\x01\x01" + option[2:])
    yield "router advertisement", frames.icmp6(near, (its6, wide[1]), 134, bytes((64, 0, 0, 0)) + bytes(8))
    yield "redirect", frames.icmp6(near, (its6, wide[1]), 137, bytes(4) + 2 * IPv6Address(wide[0]).packed)


@pytest.mark.parametrize("frm", ["free", "with pairs"])
def test_a_routers_address_is_nobody_elses(lab: Lab, stage: Stage, frm: str) -> None:
    anywhere = {"allowed_address_pairs": [{"ip_address": "0.0.0.0/0"}, {"ip_address": "::/0"}]}
    liar = lab.add_vm("hv1", stage.blue, **(FREE if frm == "free" else anywhere))
    for victim in (stage.blue1, stage.blue2):
        lab.meet(liar, victim)
        last = frames.fence(liar.nic, victim.nic)
        lies = dict(claims(lab, stage, liar, victim))
        with lab.inside(victim, "capture") as capture:
            lab.send_frames(liar, *lies.values())
            lab.send_frames(liar, last)
            heard = capture.frames_until(last)
        assert [what for what, frame in lies.items() if frame in heard] == []
    lab.remove_vm(liar)


# what needs no rule


def of_a_link(frm: Vm, to: Vm, router_mac: str) -> Iterator[tuple[str, bytes]]:
    """What no group is asked about, to another network."""
    macs, four, six = (frm.nic.mac, router_mac), (address(frm), address(to)), (address(frm, 6), address(to, 6))
    yield "DHCP", frames.udp4(macs, four, b"of a link: DHCP", (67, 68))
    yield "DHCPv6", of_hops(frames.udp6(macs, six, b"of a link: DHCPv6", (547, 546)), 64)
    for kind in (130, 131, 132, 143, 134, 135, 136):
        yield f"ICMPv6 {kind}", frames.icmp6(macs, six, kind, bytes(20) + f"of a link: ICMPv6 {kind}".encode())


def of_hops(frame: bytes, limit: int) -> bytes:
    """Of IPv6."""
    return frame[:21] + bytes((limit,)) + frame[22:]


@pytest.mark.parametrize("target", ["hv1", "hv2"])
def test_what_needs_no_rule_on_its_link_comes_through_no_router(lab: Lab, stage: Stage, target: str) -> None:
    """Or whoever is elsewhere, outside too, would get in where nobody is let in."""
    sender, canary = lab.add_vm("hv1", stage.blue, **FREE), b"of a link: canary"
    victim = lab.add_vm(target, stage.red, security_groups=[stage.shut])
    heard_by = stage.red1 if target == "hv1" else stage.red2
    its_mac = mac_on(lab, stage, stage.blue)
    lab.meet(sender, stage.blue2)
    with lab.inside(victim, "capture") as at_victim, lab.inside(heard_by, "capture") as at_other:
        for other, capture in ((victim, at_victim), (heard_by, at_other)):
            frame = frames.udp4((sender.nic.mac, its_mac), (address(sender), address(other)), canary, (9, 9))
            lab.send_frames(sender, *(one for _, one in of_a_link(sender, other, its_mac)))
            lab.send_frames(sender, frame)
            if other is heard_by:
                heard = [capture.line()]
                while canary.hex() not in heard[-1]:
                    heard.append(capture.line())
        at_victim.stop()
        at_all = b" ".join(bytes.fromhex(line) for line in (*heard, *at_victim.finish()))
    assert [what for what, _ in of_a_link(sender, victim, its_mac) if f"of a link: {what}".encode() in at_all] == []
    assert canary in at_all
    for one in (sender, victim):
        lab.remove_vm(one)


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
