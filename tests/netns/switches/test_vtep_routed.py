"""A machine behind a VTEP leaves its network by a Netweft router, whose addresses one node answers for there."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.netns.harness import Lab, results, until
from tests.netns.l3.test_gateways import OUTSIDE_6, pings
from tests.netns.l3.test_routing import address, make_router, subnet_of
from tests.netns.l3.test_unknown_hosts import MOST_MS
from tests.netns.outages import OUTAGES
from tests.netns.outside import OUTSIDE, external_network, next_hop
from tests.netns.switches.vteps import NAME, SLOWLY, Vtep, vtep_of

from netweft.lab import host
from netweft.lab.commands import run
from netweft.lab.host import Host
from netweft.lab.vm import Vm
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import text_of_mac

pytestmark = pytest.mark.timeout(900)
MACHINE = "behind"


class Stage(NamedTuple):
    vtep: Vtep
    network: str  # the machine's, in which nobody else is
    port: dict[str, Any]
    one: Vm  # hv1, on another network
    two: Vm  # hv2
    external: str
    router: dict[str, Any]

    def own(self, version: int) -> str:
        found = (str(fixed["ip_address"]) for fixed in self.port["fixed_ips"])
        return next(one for one in found if (":" in one) == (version == 6))


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    lab.let_strangers_in()
    with lab.cloud() as cloud:
        for group in cloud.list("security-groups", name="default"):
            whose = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv6"}
            cloud.create("security-group-rules", **whose)
    network, other = lab.network("10.62.0.0/24", "fd00:62::/64"), lab.network("10.63.0.0/24", "fd00:63::/64")
    external, outside = external_network(lab), next_hop(lab, f"{OUTSIDE_6}/64")
    with lab.cloud() as cloud:
        six = {"cidr": "2001:db8::/64", "ip_version": 6, "gateway_ip": OUTSIDE_6, "enable_dhcp": False}
        cloud.create("subnets", network_id=external, **six)
        port = cloud.create("ports", network_id=network, **{"binding:vnic_type": "baremetal"})
    one, two = lab.add_vm("hv1", other), lab.add_vm("hv2", other)
    router = make_router(lab, network, other, external_gateway_info={"network_id": external})
    with vtep_of(lab) as vtep, vtep.emulated():
        made = Stage(vtep, network, port, one, two, external, router)
        addresses = tuple(f"{made.own(version)}/{length}" for version, length in ((4, 24), (6, 64)))
        plugged = vtep.plug(Host(name=MACHINE, physical_network="physnet1", vlan=1, addresses=addresses),
                            port["mac_address"])  # fmt: skip
        for version in (4, 6):
            gateway = subnet_of(lab, network, version)["gateway_ip"]
            run("ip", f"-{version}", "-n", made_namespace(lab), "route", "add", "default", "via", gateway)
        profile = {"local_link_information": [{"switch_info": NAME, "port_id": plugged}]}
        with lab.cloud() as cloud:
            cloud.update("ports", port["id"], {"binding:host_id": "node-8", "binding:profile": profile})
            until(lambda: cloud.find("ports", port["id"])["status"] == "ACTIVE", "its switch has it", SLOWLY)
        yield made
        with lab.cloud() as cloud:
            cloud.delete("ports", port["id"])
            until(lambda: not vtep.has(network), "gone with the last port", SLOWLY)
    host.remove(lab.layout, Host(name=MACHINE, physical_network="physnet1", vlan=1, addresses=()))
    host.remove(lab.layout, outside)


def made_namespace(lab: Lab) -> str:
    return lab.layout.host_namespace(MACHINE)


def interfaces(lab: Lab, network: str) -> list[dict[str, Any]]:
    with lab.cloud() as cloud:
        return cloud.list("ports", network_id=network, device_owner="network:router_interface")


@pytest.mark.parametrize("version", [4, 6])
def test_its_router_answers_it(lab: Lab, stage: Stage, version: int) -> None:
    own = subnet_of(lab, stage.network, version)["gateway_ip"]
    until(lambda: pings(made_namespace(lab), own, seconds=2), "the gateway answers", SLOWLY)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("node", ["one", "two"])
def test_it_reaches_vms_on_other_networks(lab: Lab, stage: Stage, node: str, version: int) -> None:
    to = address(getattr(stage, node), version)
    until(lambda: pings(made_namespace(lab), to, seconds=2), "it reaches a VM", SLOWLY)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("node", ["one", "two"])
def test_and_they_reach_it(lab: Lab, stage: Stage, node: str, version: int) -> None:
    assert lab.ping(getattr(stage, node), stage.own(version))


def test_tcp_arrives_whole(lab: Lab, stage: Stage) -> None:
    with lab.inside(stage.two, "serve", "5001") as server:
        feed = ("feed", address(stage.two), "5001", str(2**20))
        with lab.inside_namespace(made_namespace(lab), *feed) as client:
            assert client.finish()[0].split()[0] == server.finish()[0]


@pytest.mark.parametrize("to", [OUTSIDE, OUTSIDE_6])
def test_it_goes_out(lab: Lab, stage: Stage, to: str) -> None:
    """IPv4 by SNAT: outside nobody knows its network.  IPv6 as it is."""
    if ":" in to:
        with lab.cloud() as cloud:
            (gateway,) = cloud.list("ports", device_id=stage.router["id"], device_owner="network:router_gateway")
        own = next(f["ip_address"] for f in gateway["fixed_ips"] if ":" in f["ip_address"])
        run("ip", "-n", lab.layout.host_namespace("outside"), "route", "replace", "fd00:62::/64", "via", own)
    until(lambda: pings(made_namespace(lab), to, seconds=2), "the outside answers", SLOWLY)


def test_its_floating_ip_leads_to_it_and_is_what_it_is_outside(lab: Lab, stage: Stage) -> None:
    there = lab.layout.host_namespace("outside")
    with lab.cloud() as cloud:
        made = cloud.create("floatingips", floating_network_id=stage.external, port_id=stage.port["id"])
    until(lambda: pings(there, made["floating_ip_address"], seconds=2), "it is reached from outside", SLOWLY)
    until(lambda: pings(made_namespace(lab), OUTSIDE, seconds=2), "it goes out by it", SLOWLY)
    with lab.inside_namespace(there, "capture") as capture:
        assert pings(made_namespace(lab), OUTSIDE, seconds=5)
        capture.stop()
        seen = [bytes.fromhex(line) for line in capture.finish()]
    source = bytes(map(int, made["floating_ip_address"].split(".")))
    assert any(frame[12:14] == b"\x08\x00" and frame[26:30] == source for frame in seen)
    with lab.cloud() as cloud:
        cloud.delete("floatingips", made["id"])
    until(lambda: pings(made_namespace(lab), OUTSIDE, seconds=2), "and without one by SNAT", SLOWLY)


def test_a_dead_node_that_answers_it_is_replaced_at_once(lab: Lab, stage: Stage) -> None:
    """Without the switch: it knows the MACs of all that may take over."""
    own = subnet_of(lab, stage.network)["gateway_ip"]
    (port,) = [one for one in interfaces(lab, stage.network) if one["fixed_ips"][0]["ip_address"] == own]
    macs = {text_of_mac(wire_mac(node, port["id"])): node for node in ("hv1", "hv2")}
    until(lambda: answering(lab, macs, own), "one of them answers", SLOWLY)
    first = answering(lab, macs, own)
    target = stage.two if first == "hv1" else stage.one
    until(lambda: pings(made_namespace(lab), address(target), seconds=1), "it is reached")
    time.sleep(4)  # the sessions between them are up
    with OUTAGES["killed"](lab, first), lab.inside_namespace(made_namespace(lab), "ping", address(target)) as running:
        time.sleep(3)
        (lost,) = results([running])
        print(lost)
        assert lost["lost_span_ms"] <= MOST_MS
        assert answering(lab, macs, own) not in ("", first)
    with lab.inside_namespace(made_namespace(lab), "ping", address(target)) as running:
        time.sleep(5)
        (lost,) = results([running])
    assert lost["lost"] == 0


def answering(lab: Lab, macs: dict[str, str], own: str) -> str:
    """The node whose MAC the machine has heard, asked anew."""
    run("ip", "-n", made_namespace(lab), "neighbour", "flush", "dev", "eth0")
    pings(made_namespace(lab), own, seconds=1)
    told = run("ip", "-n", made_namespace(lab), "neighbour", "show", own).split()
    return macs.get(told[told.index("lladdr") + 1], "") if "lladdr" in told else ""
