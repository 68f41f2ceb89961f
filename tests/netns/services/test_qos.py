"""Each form of a QoS rule measured, and docs/qos.md written from what was seen.

`NETWEFT_WRITE_DOCS=1 pytest tests/netns/services/test_qos.py` writes the table; without it rows and verdicts are
compared, since the figures differ from run to run.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.netns import frames
from tests.netns.harness import Inside, Lab, until
from tests.netns.probes import address_of
from tests.netns.services.qos_stage import (
    DOCUMENT,
    FULL,
    LONGER,
    SETTINGS,
    SMALL,
    STREAM,
    UPLINK,
    Flow,
    Row,
    Stage,
    document,
    within,
    written,
)

from netweft.lab.cloud import Cloud, credentials
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

CLIENT = Path(sys.executable).with_name("openstack")
DIRECTIONS = ("egress", "ingress")


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with (lab.node("hv1").folder / "netweft.toml").open("a") as settings:
        settings.write(SETTINGS)
    lab.kill("agent", "hv1")
    inside = lab.node("hv1").namespace
    until(lambda: run(*in_namespace(inside, "tc", "qdisc")).count("htb 4e57:") == 2, "the uplinks are shaped")
    with Cloud(lab.layout) as cloud:
        yield Stage(lab, cloud)


@pytest.fixture
def rid(stage: Stage) -> Iterator[None]:
    """In the end nobody has a policy, and nothing is left of any."""
    yield
    stage.give_network(None)
    for machine in (stage.sender, stage.rival, stage.receiver):
        stage.give(machine, None)
    for node in ("hv1", "hv2"):
        stage.limited(node, 0)
    stage.drop(*(policy["id"] for policy in stage.cloud.request("GET", "qos/policies")["policies"]))


def both_ways(type: str, **values: object) -> list[tuple[str, dict[str, object]]]:
    return [(type, values | {"direction": direction}) for direction in DIRECTIONS]


def to_and_from(stage: Stage, words: list[tuple[object, ...]]) -> list[Flow]:
    """For each pair: what its first VM sends, and what it receives."""
    pairs = zip(stage.pairs, words, strict=False)
    return [Flow(*ends, how) for (one, other), how in pairs for ends in ((one, other), (other, one))]


def limits(stage: Stage) -> Iterator[Row]:
    asked = [1000, 3000, 8000]
    policies = [stage.policy(*both_ways("bandwidth_limit", max_kbps=kbps)) for kbps in asked]
    for (machine, _), policy in zip(stage.pairs, policies, strict=True):
        stage.give(machine, policy)
    stage.limited("hv1", 4)
    stage.limited("hv2", 2)
    words: list[tuple[object, ...]] = [("flood", kbps * 3, FULL) for kbps in asked]
    goal = [float(kbps) for kbps in asked for _ in DIRECTIONS]
    for number, got in enumerate(stage.kept("kbps", goal, *to_and_from(stage, words))):
        yield Row.of(f"bandwidth limit, {DIRECTIONS[number % 2]}", "UDP", goal[number], got, "kbit/s")
    flows = to_and_from(stage, [STREAM for _ in asked])
    for number, direction in enumerate(DIRECTIONS):  # one after the other, since answers are limited as well
        for kbps, got in zip(asked, stage.kept("kbps", goal[::2], *flows[number::2]), strict=True):
            yield Row.of(f"bandwidth limit, {direction}", "TCP", kbps, got, "kbit/s")


def packet_rates(stage: Stage) -> Iterator[Row]:
    asked = [1, 2]
    policies = [stage.policy(*both_ways("packet_rate_limit", max_kpps=kpps)) for kpps in asked]
    for (machine, _), policy in zip(stage.pairs, policies, strict=False):
        stage.give(machine, policy)
    stage.give(stage.receiver, None)
    stage.limited("hv1", 4)
    stage.limited("hv2", 0)
    goal = [kpps * 1000.0 for kpps in asked for _ in DIRECTIONS]
    words: list[tuple[object, ...]] = [("flood", kpps * 3 * (SMALL + 42) * 8, SMALL) for kpps in asked]
    for number, one in enumerate(stage.kept("pps", goal, *to_and_from(stage, words))):
        yield Row.of(f"packet rate limit, {DIRECTIONS[number % 2]}", "UDP, small", goal[number], one, "packets/s")


def burst(stage: Stage) -> Iterator[Row]:
    """After a pause, and on top of what the rate lets through meanwhile, which is little."""
    kbit, rate = 4000, 100
    stage.give(stage.rival, None)
    stage.give(stage.sender, stage.policy(("bandwidth_limit", {"max_kbps": rate, "max_burst_kbps": kbit})))
    stage.limited("hv1", 1)
    with (
        stage.load(stage.ears, "sink", 7000) as sink,
        stage.load(stage.sender, "burst", stage.ears.nic.address, 7000, kbit * 250 // (FULL + 42), FULL) as sender,
    ):
        sink.tell("1.0")
        sender.tell()
        yield Row.of("bandwidth limit, burst", "UDP", kbit, sink.counted()["bytes"] / 125, "kbit")


def guarantee(stage: Stage, what: str, senders: tuple[Vm, Vm], receivers: tuple[Vm, Vm]) -> Iterator[Row]:
    """While the other one wants all of the uplink, too."""
    kbps = UPLINK * 3 // 4
    stage.give(senders[0], stage.policy(("minimum_bandwidth", {"min_kbps": kbps})))
    until(lambda: promised(stage) == [f"{kbps // 1000}Mbit"], "the promise is made")
    flows = [Flow(*ends, ("flood", UPLINK, FULL)) for ends in zip(senders, receivers, strict=True)]
    for longer in LONGER:
        got, _ = (counted["kbps"] for counted in stage.measure(*flows, longer=longer))
        if within(got, kbps):
            break
    yield Row.of(f"minimum bandwidth, {what}", "UDP", kbps, got, "kbit/s")
    stage.give(senders[0], None)
    until(lambda: not promised(stage), "nothing is promised any more")


def promised(stage: Stage) -> list[str]:
    """The rates of all classes of hv1's uplinks that are somebody's."""
    inside = stage.lab.node("hv1").namespace
    lines = "".join(
        run(*in_namespace(inside, "tc", "class", "show", "dev", nic)) for nic in ("eth0", "eth1")
    ).splitlines()
    words = [line.split() for line in lines if "leaf" in line and " 4e57:2 " not in line]
    return [line[line.index("rate") + 1] for line in words]


@pytest.mark.usefixtures("rid")
def test_the_request_is_kept(stage: Stage) -> None:
    rows = [*limits(stage), *packet_rates(stage), *burst(stage)]
    near, far = (stage.sender, stage.rival), (stage.ears, stage.others)
    rows += guarantee(stage, "VXLAN", near, far)
    on_wire = [stage.lab.add_vm(node, stage.wire) for node in ("hv1", "hv1", "hv2", "hv2")]
    rows += guarantee(stage, "VLAN", (on_wire[0], on_wire[1]), (on_wire[2], on_wire[3]))
    if os.environ.get("NETWEFT_WRITE_DOCS"):
        DOCUMENT.write_text(document(rows))
    assert all(row.verdict == "kept" for row in rows), document(rows)
    assert written() == [row[:4] for row in rows]


@pytest.mark.usefixtures("rid")
def test_a_mark_is_seen_inside_and_outside_of_the_tunnel(stage: Stage) -> None:
    mark = 46
    stage.give(stage.sender, stage.policy(("dscp_marking", {"dscp_mark": mark})))
    until(lambda: "ip_dscp" in "".join(stage.lab.flows("hv1", "br-int")), "the flows are there")
    me, to = stage.sender.nic, stage.ears.nic
    four, six = ((address_of(me, version), address_of(to, version)) for version in (4, 6))
    sent = [frames.udp4((me.mac, to.mac), four, MARKED), frames.udp6((me.mac, to.mac), six, MARKED)]
    with (
        stage.lab.inside(stage.ears, "capture") as ears,
        stage.lab.inside_namespace(stage.lab.node("hv2").namespace, "capture") as underlay,
    ):
        for _ in range(4):  # the overlay may lose one: docs/decisions/0172
            stage.lab.send_frames(stage.sender, *sent)
        inside, outside = marks(ears), marks(underlay)
        assert inside == {(4, mark), (6, mark)}
        assert outside == {(4, mark)}, "the tunnel's own header"


MARKED = b"what is sent to see its mark"


def marks(capture: Inside) -> set[tuple[int, int]]:
    """What is seen within a second."""
    end = time.monotonic() + 1.0
    lines = iter(lambda: capture.line_within(max(0.0, end - time.monotonic())), "")
    return {dscp(frame) for frame in map(bytes.fromhex, lines) if MARKED in frame}


def dscp(frame: bytes) -> tuple[int, int]:
    """IP version, and what its header says."""
    version = frame[14] >> 4
    return version, frame[15] >> 2 if version == 4 else int.from_bytes(frame[14:16], "big") >> 6 & 0x3F


@pytest.mark.usefixtures("rid")
def test_policies_come_and_go_while_traffic_flows(stage: Stage) -> None:
    """Also a network's, which its ports have unless they have one of their own."""
    slow = stage.policy(("bandwidth_limit", {"max_kbps": 2000}), ("dscp_marking", {"dscp_mark": 8}))
    rule = stage.rule(slow, "packet_rate_limit", max_kpps=2, direction="ingress")
    quick = stage.policy(*both_ways("bandwidth_limit", max_kbps=900000))
    overrun = stage.lab.overrun()
    seen: list[tuple[int, str]] = []  # after how many ms
    with (
        stage.load(stage.ears, "sink", 7000) as sink,
        stage.load(stage.sender, "flood", stage.ears.nic.address, 7000, 10000, FULL),
        stage.lab.inside(stage.talker, "ping", stage.others.nic.address) as ping,
    ):
        start = time.monotonic()

        def rate(kbps: float, what: str) -> None:
            def now() -> bool:
                sink.tell("0.3")
                return within(sink.counted()["kbps"], kbps)

            until(now, f"{kbps} kbit/s: {what}")
            seen.append((round((time.monotonic() - start) * 1000), what))

        rate(10000, "no policy yet")
        stage.give_network(slow)
        stage.limited("hv1", 6)
        rate(2000, "the network's")
        stage.give(stage.sender, quick)
        rate(10000, "its own instead")
        stage.cloud.request("DELETE", f"qos/policies/{slow}/packet_rate_limit_rules/{rule}")
        stage.give(stage.sender, None)
        stage.limited("hv1", 3)
        rate(2000, "the network's again")
        stage.give_network(None)
        rate(10000, "no policy any more")
        stage.give(stage.sender, stage.policy(("minimum_bandwidth", {"min_kbps": UPLINK // 4})))
        until(lambda: promised(stage) == [f"{UPLINK // 4000}Mbit"], "the promise is made")
        rate(10000, "the uplink has room")
        stage.give(stage.sender, None)
        until(lambda: not promised(stage), "nothing is promised any more")
        lost = ping.result()
    neighbours = stage.lab.appctl("hv1", "tnl/neigh/show")
    assert lost["lost"] <= stage.lab.overrun(overrun), (lost, seen, neighbours)
    assert lost["duplicates"] == 0


@pytest.mark.usefixtures("rid")
def test_limits_outlive_restarts_and_hands(stage: Stage) -> None:
    stage.give(stage.sender, stage.policy(*both_ways("bandwidth_limit", max_kbps=3000)))
    stage.give(stage.rival, stage.policy(*both_ways("packet_rate_limit", max_kpps=3)))
    stage.limited("hv1", 4)
    before, flows = stage.meters("hv1"), stage.lab.flows("hv1", "br-int")
    stage.lab.kill("agent", "hv1")
    until(lambda: stage.lab.in_sync("hv1"), "in sync")
    assert stage.meters("hv1") == before
    stage.lab.ofctl("hv1", "del-meters", "br-int")
    until(lambda: stage.meters("hv1") == before and stage.lab.flows("hv1", "br-int") == flows, "put back")
    stage.lab.kill("ovs-vswitchd", "hv1")
    until(lambda: stage.lab.in_sync("hv1") and len(stage.meters("hv1")) == 4, "back after vswitchd")


@pytest.mark.usefixtures("rid")
def test_what_a_node_cannot_do_it_says(stage: Stage) -> None:
    policy = stage.policy(("minimum_bandwidth", {"min_kbps": UPLINK + 1}))
    stage.give(stage.receiver, policy)
    stage.give(stage.sender, policy)
    here = f"minimum bandwidth is not in effect: {UPLINK + 1} kbit/s are promised on eth0, which has {UPLINK}"
    there = "minimum bandwidth is not in effect: uplink_bandwidths of this node has no tunnel"
    for machine, why in ((stage.sender, here), (stage.receiver, there)):
        until(lambda machine=machine, why=why: stage.lab.port(machine)["status_detail"] == why, why)  # type: ignore[misc]
        assert stage.lab.port(machine)["status"] == "ACTIVE"


@pytest.mark.client
@pytest.mark.usefixtures("rid")
def test_the_stock_client(stage: Stage) -> None:
    commands = f"""
network qos rule type list -f value -c Type
network qos rule type show bandwidth_limit -f value -c drivers
network qos policy create gold -f value -c is_default
network qos rule create gold --type bandwidth-limit --max-kbps 7000 --max-burst-kbits 6000 -f value -c direction
network qos rule create gold --type bandwidth-limit --max-kbps 9000 --ingress -f value -c max_kbps
network qos rule create gold --type dscp-marking --dscp-mark 26 -f value -c dscp_mark
port set --qos-policy gold {stage.sender.port_id}
"""
    done = subprocess.run(
        [CLIENT],
        input=commands,
        capture_output=True,
        text=True,
        env=os.environ | credentials(stage.lab.layout),
        check=False,
    )
    assert not done.stderr, done.stderr
    answers = done.stdout.replace("(openstack) ", "")
    for word in ("bandwidth_limit", "dscp_marking", "minimum_bandwidth", "packet_rate_limit", "openvswitch", "egress"):
        assert word in answers
    stage.limited("hv1", 2)
    rates = sorted(meter.partition("bands=")[2] for meter in stage.meters("hv1"))
    assert rates == ["type=drop rate=7000 burst_size=6000", "type=drop rate=9000 burst_size=7200"]
    assert "set_field:26->ip_dscp" in "".join(stage.lab.flows("hv1", "br-int"))
