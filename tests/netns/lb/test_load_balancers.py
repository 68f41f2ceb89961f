"""Load balancers in flows, with real connections: in the VIP's network, by a router, from outside; members that come,
are drained, fail and go."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.netns.explain.trace_stage import HTTP, codes, nothing_is_said, until_told
from tests.netns.harness import Lab, group_of, until
from tests.netns.l3.test_port_forwarding import associated, associates
from tests.netns.l3.test_routing import address, make_router
from tests.netns.lb import vip_fragments
from tests.netns.lb.balancers import Balancer, Talk, ask, serving
from tests.netns.outside import external_network, next_hop

from netweft.lab import build, host
from netweft.lab.commands import in_namespace
from netweft.lab.vm import Vm
from netweft.services.fields import OURS_MASK, REASON_MASK, Limit, Reason, cookie, outside_meter
from netweft.services.pipeline import INT

VIPS = {4: "10.60.0.100", 6: "fd00:60::100"}
UDP_VIP, SCTP_VIP, TCP_VIP = "10.60.0.101", "10.60.0.102", "10.60.0.107"
DATAGRAMS = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    for _ in range(100):
        one.sendto(bytes(1400), (sys.argv[1], 80))
"""
LARGE_VIPS = {4: UDP_VIP, 6: "fd00:60::101"}
LARGE_VIPS = {4: UDP_VIP, 6: "fd00:60::101"}
AGAIN, LOOP = "10.60.0.104", ("10.60.0.105", "10.60.0.106")
REFUSING = {4: "10.60.0.103", 6: "fd00:60::103"}


class Stage(NamedTuple):
    balancers: dict[int, Balancer]  # by IP version
    here: Vm  # clients: on the VIP's network
    red: Vm  # behind a router
    members: list[Vm]  # on hv1 and hv2, and the last one behind the router
    outside: str  # a host's namespace
    external: str


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    blue, red = lab.network("10.60.0.0/24", "fd00:60::/64"), lab.network("10.61.0.0/24", "fd00:61::/64")
    external, beyond = external_network(lab), next_hop(lab)
    make_router(lab, blue, red, external_gateway_info={"network_id": external})
    lab.let_strangers_in()
    with lab.cloud() as cloud:  # a VIP, too, which a member that is its own client sees
        for group in cloud.list("security-groups", name="default"):
            cloud.create("security-group-rules", security_group_id=group["id"], direction="ingress", ethertype="IPv6")
    members = [lab.add_vm("hv1", blue), lab.add_vm("hv2", blue), lab.add_vm("hv2", red)]
    balancers = {
        version: Balancer(lab, blue, vip, *(address(one, version) for one in members)) for version, vip in VIPS.items()
    }
    balancers[17] = Balancer(lab, blue, UDP_VIP, *map(address, members), protocol="UDP")
    with contextlib.ExitStack() as stack:
        for one in members:
            stack.enter_context(serving(lab, one))
        outside = lab.layout.host_namespace(beyond.name)
        yield Stage(balancers, lab.add_vm("hv1", blue), lab.add_vm("hv2", red), members, outside, external)
    for balancer in balancers.values():
        balancer.close()
    host.remove(lab.layout, beyond)


def asked(lab: Lab, frm: Vm, vip: str = VIPS[4], times: int = 1, kind: str = "tcp", own: int = 0) -> set[str]:
    return set(ask(lab.layout.vm_namespace(frm.name), vip, times=times, kind=kind, own=own))


def all_of(stage: Stage, client: str) -> set[str]:
    return {f"{one.name} {client}" for one in stage.members}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("client", ["here", "red"])
def test_all_members_answer_and_see_the_client(lab: Lab, stage: Stage, client: str, version: int) -> None:
    frm: Vm = getattr(stage, client)
    assert asked(lab, frm, VIPS[version], times=40) == all_of(stage, address(frm, version))


def test_what_is_carried_is_counted_for_the_listener(lab: Lab, stage: Stage) -> None:
    """Each way, by its client's node, and of each connection the first packet besides.  Counters come late."""
    before = [packets(lab, *each) for each in COUNTED]
    asked(lab, stage.here, VIPS[4], times=10)

    def more() -> list[int]:
        return [packets(lab, *each) - was for each, was in zip(COUNTED, before, strict=True)]

    until(lambda: all(seen >= least for seen, least in zip(more(), (40, 30, 10), strict=True)), "all is counted")
    asking, _, connections = more()
    assert connections < asking / 2


def packets(lab: Lab, table: str, reason: Reason) -> int:
    flows = lab.ofctl("hv1", "dump-flows", "br-int", f"cookie={cookie(reason):#x}/{OURS_MASK | REASON_MASK:#x}")
    of_table = [one for one in flows.splitlines() if f"table={INT[table].id}," in one]
    return sum(int(one.partition("n_packets=")[2].partition(",")[0]) for one in of_table)


COUNTED = [
    ("balance", Reason.LISTENER_VIP),
    ("from_member", Reason.LISTENER_ANSWERS),
    ("balance_state", Reason.POOL_METHOD),
]


def test_datagrams(lab: Lab, stage: Stage) -> None:
    assert asked(lab, stage.here, UDP_VIP, times=40, kind="udp") == all_of(stage, address(stage.here))


@pytest.mark.parametrize("version", [4, 6])
def test_datagrams_in_fragments(lab: Lab, stage: Stage, version: int) -> None:
    """New conversations and known ones, there and back: to the member that has what is whole, too."""
    network, members = lab.port(stage.here)["network_id"], [address(one, 6) for one in stage.members]
    made = Balancer(lab, network, LARGE_VIPS[6], *members, protocol="UDP") if version == 6 else None
    for frm, own in ((stage.here, 41000), (stage.red, 41100)):
        said = vip_fragments.large(lab, frm, LARGE_VIPS[version], own)
        seen = ("::ffff:" if version == 4 else "") + address(frm, version)
        allowed = {f"{one.name} {seen} True" for one in stage.members}
        conversations = [set(said[at : at + 3]) for at in range(0, len(said), 3)]
        assert set().union(*conversations) <= allowed
        assert all(len(one) == 1 for one in conversations)
    if made is not None:
        made.close()


def test_tcp_in_fragments(lab: Lab, stage: Stage) -> None:
    """Each segment of a connection, there and back, from its SYN on."""
    member = stage.members[1]
    made = Balancer(lab, lab.port(stage.here)["network_id"], TCP_VIP, address(member))
    with lab.cloud() as cloud:
        mac = cloud.find("ports", made.port_id)["mac_address"]
    vip_fragments.talk(lab, stage.here, (TCP_VIP, mac), member)
    made.close()


def test_associations_of_sctp(lab: Lab, stage: Stage) -> None:
    """Made by hand: this kernel has none.  Members have the listener's port, as the userspace datapath wants it."""
    network, members = lab.port(stage.here)["network_id"], stage.members[:2]
    balancer = Balancer(lab, network, SCTP_VIP, *map(address, members), port=80, protocol="SCTP")
    here, *there = (lab.layout.vm_namespace(one.name) for one in (stage.here, *members))
    with contextlib.ExitStack() as stack:
        for one in there:
            stack.enter_context(associates(lab, one, 80))
        assert associated(here, SCTP_VIP, 80) == [2, 11, 3]
    balancer.close()


@pytest.mark.parametrize("version", [4, 6])
def test_a_client_hears_what_is_said_about_a_datagram(lab: Lab, stage: Stage, version: int) -> None:
    """Members say that nobody listens: what that quotes has been for them, and a socket hears of what it has sent."""
    network = lab.port(stage.here)["network_id"]
    balancer = Balancer(lab, network, REFUSING[version], address(stage.members[1], version), port=9, protocol="UDP")
    for frm in (stage.here, stage.red):
        assert asked(lab, frm, REFUSING[version], kind="udp") == {"ConnectionRefusedError"}
    if version == 4:
        with by_a_floating_ip(lab, stage, balancer) as floating:
            until(lambda: hears(stage, floating) == {"ConnectionRefusedError"}, "outside, too")
    balancer.close()


def hears(stage: Stage, floating: str) -> set[str]:
    return set(ask(stage.outside, floating, kind="udp"))


@contextlib.contextmanager
def by_a_floating_ip(lab: Lab, stage: Stage, balancer: Balancer) -> Iterator[str]:
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=stage.external, port_id=balancer.port_id)
    try:
        yield made["floating_ip_address"]
    finally:
        with lab.cloud() as cloud:
            cloud.delete("floatingips", made["id"])


@pytest.mark.parametrize("version", [4, 6])
def test_a_member_reaches_its_own_vip(lab: Lab, stage: Stage, version: int) -> None:
    """By itself it is asked as by the VIP."""
    for one in (stage.members[0], stage.members[2]):
        others = {f"{other.name} {address(one, version)}" for other in stage.members if other is not one}
        assert asked(lab, one, VIPS[version], times=40) == {*others, f"{one.name} {VIPS[version]}"}


def test_the_vip_answers_ping(lab: Lab, stage: Stage) -> None:
    for vip in VIPS.values():
        assert lab.ping(stage.here, vip)
        assert lab.ping(stage.red, vip)


@pytest.mark.parametrize(("client", "version"), [("here", 4), ("red", 6)])
def test_a_trace_goes_to_the_member_that_open_vswitch_chose(lab: Lab, stage: Stage, client: str, version: int) -> None:
    frm: Vm = getattr(stage, client)
    told = nothing_is_said(lab, frm.port_id, VIPS[version], **HTTP)
    types = [one["type"] for one in told["forward"]["steps"]]
    assert types[types.index("loadbalancer") :][:4] == ["loadbalancer", "listener", "pool", "member"]
    assert told["layers"]["openvswitch"]["forward"] == "passes"
    assert told["nodes"][-1]["ends"][-1]["port_id"] in {one.port_id for one in stage.members}


def test_a_trace_names_the_allowed_cidrs(lab: Lab, stage: Stage) -> None:
    balancer = stage.balancers[4]

    def allow(*cidrs: str) -> None:
        with lab.cloud() as cloud:
            body = {"listener": {"allowed_cidrs": list(cidrs) or None}}
            cloud.balancing("PUT", f"listeners/{balancer.listener}", body)
        balancer.active()

    def refuses(told: dict[str, Any]) -> bool:
        stopped = told["layers"]["openvswitch"]["forward"] == "does not pass"
        return codes(told)[:1] == ["listener-refuses-client"] and stopped

    allow("10.61.0.0/24")
    try:
        until_told(refuses, lab, stage.here.port_id, VIPS[4], **HTTP)
        nothing_is_said(lab, stage.red.port_id, VIPS[4], **HTTP)
    finally:
        allow()


def test_from_outside_by_a_floating_ip(lab: Lab, stage: Stage) -> None:
    """Members see who asks."""
    found: set[str] = set()

    def all_answer() -> bool:
        found.clear()
        found.update(ask(stage.outside, floating, times=40))
        return len(found) == len(stage.members) and not any("Error" in one for one in found)

    with by_a_floating_ip(lab, stage, stage.balancers[4]) as floating:
        until(all_answer, "all members answer outside")
        assert {one.split()[0] for one in found} == {one.name for one in stage.members}


def test_a_vip_on_a_port_that_was_there_before(lab: Lab, stage: Stage) -> None:
    """kubeovn/kube-ovn#5377: clients on other nodes did not reach it."""
    network, members = lab.port(stage.here)["network_id"], stage.members[:2]
    with lab.cloud() as cloud:
        port = cloud.create("ports", network_id=network)
    vip = next(one["ip_address"] for one in port["fixed_ips"] if "." in one["ip_address"])
    own = {"vip_network_id": None, "vip_port_id": port["id"]}
    made = Balancer(lab, network, vip, *map(address, members), own=own)
    for frm in (stage.here, stage.red):
        assert asked(lab, frm, vip, times=20) == {f"{one.name} {address(frm)}" for one in members}
    made.close()
    with lab.cloud() as cloud:
        cloud.delete("ports", port["id"])


def test_groups_of_a_vip_say_who_may(lab: Lab, stage: Stage) -> None:
    balancer, path = stage.balancers[4], f"loadbalancers/{stage.balancers[4].id}"

    def guard(*groups: str) -> None:
        with lab.cloud() as cloud:
            cloud.balancing("PUT", path, {"loadbalancer": {"vip_sg_ids": groups}})
        balancer.active()

    with lab.cloud() as cloud:
        friend = {"direction": "ingress", "protocol": "tcp", "remote_ip_prefix": f"{address(stage.here)}/32"}
        group = group_of(cloud, "friends of the VIP", [friend])
    guard(group)
    try:
        assert asked(lab, stage.here, times=20) == all_of(stage, address(stage.here))
        assert asked(lab, stage.red) == {"TimeoutError"}
    finally:
        guard()
    assert asked(lab, stage.red, times=20) == all_of(stage, address(stage.red))


def test_only_its_own_connections_end_with_a_member(lab: Lab, stage: Stage) -> None:
    """Drained: none do.  Then it goes: those that it has end at once, and no others, on either node."""
    balancer, leaving = stage.balancers[4], stage.members[1]
    namespaces = [lab.layout.vm_namespace(one.name) for one in (stage.here, stage.red)]
    with Talk(namespaces[0], VIPS[4], 12) as here, Talk(namespaces[1], VIPS[4], 12) as there:
        led = [*here.say(), *there.say()]
        assert set(led) == {one.name for one in stage.members}
        balancer.update(address(leaving), weight=0)
        try:
            assert [*here.say(), *there.say()] == led
            assert not any(leaving.name in one for one in asked(lab, stage.here, times=20))
            balancer.remove(address(leaving))
            kept = [name if name != leaving.name else "" for name in led]
            until(lambda: [*here.say(), *there.say()] == kept, "those of the member have ended")
        finally:
            if address(leaving) in balancer.members:
                balancer.remove(address(leaving))
            balancer.add(address(leaving))


def test_a_client_of_udp_goes_on_with_whoever_is_left(lab: Lab, stage: Stage) -> None:
    """By the same port, which has no end that would tell: others have reported that it is sent to who is gone."""
    network, (one, two, _) = lab.port(stage.here)["network_id"], stage.members
    balancer = Balancer(lab, network, AGAIN, address(one), address(two), protocol="UDP")
    (first,) = asked(lab, stage.here, AGAIN, kind="udp", own=5555)
    had, other = (one, two) if first.split()[0] == one.name else (two, one)
    balancer.remove(address(had))
    expected = {f"{other.name} {address(stage.here)}"}
    until(lambda: asked(lab, stage.here, AGAIN, kind="udp", own=5555) == expected, "the other one answers")
    balancer.close()


def test_a_qos_policy_limits_what_a_vip_is_sent(lab: Lab, stage: Stage) -> None:
    """By a meter on the client's node, that goes with the policy."""
    balancer = stage.balancers[17]
    meter = outside_meter(balancer.id, Limit.INGRESS_BANDWIDTH)

    def limit(policy: str | None) -> None:
        with lab.cloud() as cloud:
            cloud.balancing("PUT", f"loadbalancers/{balancer.id}", {"loadbalancer": {"vip_qos_policy_id": policy}})
        balancer.active()

    def dropped() -> int | None:
        """None: there is no such meter."""
        said = lab.ofctl("hv1", "meter-stats", "br-int")
        found = re.search(rf"meter[=:]{meter} .*?0: *\n? *packet_count:(\d+)", said, re.DOTALL)
        return int(found[1]) if found else None

    with lab.cloud() as cloud:
        policy: str = cloud.request("POST", "qos/policies", {"policy": {"name": "VIP"}})["policy"]["id"]
        rule = {"bandwidth_limit_rule": {"max_kbps": 100, "max_burst_kbps": 100, "direction": "ingress"}}
        cloud.request("POST", f"qos/policies/{policy}/bandwidth_limit_rules", rule)
    limit(policy)
    until(lambda: dropped() == 0, "the meter is there")

    def flooded() -> bool:
        namespace = lab.layout.vm_namespace(stage.here.name)
        subprocess.run(in_namespace(namespace, sys.executable, "-c", DATAGRAMS, UDP_VIP), check=True)
        return bool(dropped())

    until(flooded, "it drops")
    limit(None)
    until(lambda: dropped() is None, "the meter is gone")
    with lab.cloud() as cloud:
        cloud.request("DELETE", f"qos/policies/{policy}")


def test_two_balancers_that_are_each_others_member_harm_nobody(lab: Lab, stage: Stage) -> None:
    """Nobody answers, and the node goes on."""
    network = lab.port(stage.here)["network_id"]
    loop = [Balancer(lab, network, *pair, port=80) for pair in (LOOP, LOOP[::-1])]
    assert asked(lab, stage.here, LOOP[0]) == {"TimeoutError"}
    assert asked(lab, stage.here, times=40) == all_of(stage, address(stage.here))
    for one in loop:
        one.close()


def test_no_connection_is_lost_with_an_agent_or_the_server(lab: Lab, stage: Stage) -> None:
    with Talk(lab.layout.vm_namespace(stage.here.name), VIPS[4], 12) as here:
        led = here.say()
        for kind, node in (("agent", "hv1"), ("server", "")):
            lab.kill(kind, node)
            assert here.say() == led
        until(lambda: build.server_answers(lab.layout), "the server answers")
        until(lambda: lab.in_sync("hv1"), "hv1 in sync")
        assert here.say() == led
        assert "" not in led
        # counted every ten seconds; connections that earlier tests have left to time out may be among them
        until(lambda: open_connections(lab, stage.balancers[4]) >= len(led), "they are counted", seconds=90)


def open_connections(lab: Lab, balancer: Balancer) -> int:
    with lab.cloud() as cloud:
        said = cloud.balancing("GET", f"listeners/{balancer.listener}/stats")
    return int(said["stats"]["active_connections"])
