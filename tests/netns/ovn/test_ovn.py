"""OVN as a back end: real `ovn-northd` and `ovn-controller`, told by our mechanism, carry the packets.

`make test-ovn` runs the labs' other tests so (docs/ovn.md).
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
from tests.netns import frames
from tests.netns.harness import Lab, until
from tests.netns.l3.test_routing import address
from tests.netns.outside import OUTSIDE
from tests.netns.ovn.ovn_networks import PATIENCE, nbctl, networks, until_reached

from netweft.lab import build
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, run
from netweft.lab.vm import Vm

pytestmark = pytest.mark.ovs
EXTRA = [{"opt_name": "bootfile-name", "opt_value": 'net"boot', "ip_version": 4}]
# asks a name server for an address; says what it is told
ASKS = """
import sys, dns.message, dns.query
try:
    for answer in dns.query.udp(dns.message.make_query(sys.argv[2], "A"), sys.argv[1], timeout=2).answer:
        print(answer[0])
except dns.exception.Timeout:
    pass
"""


@pytest.fixture(scope="module")
def plan() -> build.Plan:
    return build.Plan(ovn=True)


class Stage(NamedTuple):
    blue: str
    one: Vm
    two: Vm
    red: Vm
    external: str
    router: str


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    with networks(lab) as nets:
        one, two = (
            lab.add_vm(node, nets.blue, dhcp=True, dns_name=f"on-{node}", extra_dhcp_opts=EXTRA)
            for node in ("hv1", "hv2")
        )
        yield Stage(nets.blue, one, two, lab.add_vm("hv2", nets.red, dhcp=True), nets.external, nets.router)


def test_hosts_are_agents_and_bind_ports(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        agents = {agent["host"]: agent for agent in cloud.list("agents")}
    assert {name: agent["agent_type"] for name, agent in agents.items()} == dict.fromkeys(
        ("hv1", "hv2"), "OVN Controller agent"
    )
    until(lambda: lab.port(stage.one)["status"] == "ACTIVE", "OVN says that it is in place", seconds=PATIENCE)
    port = lab.port(stage.one)
    assert (port["binding:host_id"], port["binding:vif_type"]) == ("hv1", "ovs")


def test_on_one_network_across_hosts(lab: Lab, stage: Stage) -> None:
    """With the addresses that OVN's DHCP gave."""
    until_reached(lab, stage.one, address(stage.two))


def test_a_vm_is_found_by_its_name(lab: Lab, stage: Stage) -> None:
    """Asked of the router, which DHCP names where the subnet has no name server."""
    at = lab.layout.vm_namespace(stage.two.name), sys.executable, "-c", ASKS, "10.60.0.1"

    def told() -> str:
        return subprocess.check_output(in_namespace(*at, "on-hv1.openstacklocal"), text=True).strip()

    until_reached(lab, stage.two, "10.60.0.1")
    until(lambda: told() == address(stage.one), "OVN answers", seconds=PATIENCE)
    resolver = (lab.layout.vms / f"{stage.two.name}.d/resolv.conf").read_text()
    assert resolver == "search openstacklocal\nnameserver 10.60.0.1\n"


def test_through_a_router_and_out_by_snat(lab: Lab, stage: Stage) -> None:
    until_reached(lab, stage.one, address(stage.red))
    until_reached(lab, stage.red, OUTSIDE)


def test_a_network_that_joins_a_router_in_use_is_reached(lab: Lab, stage: Stage) -> None:
    """Also from a chassis without a port on it; its VNI is the number that OVN gave another datapath."""
    late = lab.network("10.62.0.0/24")
    with lab.cloud() as cloud:
        subnet = {"subnet_id": cloud.list("subnets", network_id=late)[0]["id"]}
        cloud.act("routers", stage.router, "add_router_interface", subnet)
        far = lab.add_vm("hv2", late, dhcp=True)
        until_reached(lab, stage.one, address(far))
        lab.remove_vm(far)
        cloud.act("routers", stage.router, "remove_router_interface", subnet)
        cloud.delete("networks", late)


def test_an_address_that_vms_share_is_reached_through_a_router(lab: Lab, stage: Stage) -> None:
    """As VRRP has it: a port that is plugged in nowhere, whose address one of two VMs has."""
    shared, at, mac = "10.60.0.200", lab.layout.vm_namespace(stage.one.name), stage.one.nic.mac
    with lab.cloud() as cloud:
        vip = cloud.create("ports", network_id=stage.blue, fixed_ips=[{"ip_address": shared}])["id"]
        for machine in (stage.one, stage.two):
            cloud.update("ports", machine.port_id, {"allowed_address_pairs": [{"ip_address": shared}]})
        run("ip", "-n", at, "address", "add", f"{shared}/32", "dev", "eth0")

        def reached() -> bool:
            """The owner says itself that it has the address, as keepalived does."""
            lab.send_frames(stage.one, frames.arp((mac, frames.BROADCAST), 1, (mac, shared), (frames.NOBODY, shared)))
            return lab.ping(stage.red, shared, seconds=1)

        until(reached, "whoever has it answers", seconds=PATIENCE)
        run("ip", "-n", at, "address", "del", f"{shared}/32", "dev", "eth0")
        for machine in (stage.one, stage.two):
            cloud.update("ports", machine.port_id, {"allowed_address_pairs": []})
        cloud.delete("ports", vip)


def test_ports_of_a_floating_ip_are_forwarded(lab: Lab, stage: Stage) -> None:
    """In, and no longer once it is deleted."""

    def answers() -> bool:
        say = lab.inside_namespace(lab.layout.host_namespace("outside"), "say", by["floating_ip_address"], "9001", "64")
        with say as inside:
            return int(inside.line()) == 64

    with lab.cloud() as cloud, lab.inside(stage.red, "hear", "5001"):
        by = cloud.create("floatingips", floating_network_id=stage.external)
        path = f"floatingips/{by['id']}/port_forwardings"
        leads = {"internal_port_id": stage.red.port_id, "internal_ip_address": address(stage.red), "protocol": "udp"}
        ranges = {"internal_port_range": "5000:5001", "external_port_range": "9000:9001"}
        made = cloud.request("POST", path, {"port_forwarding": {**leads, **ranges}})["port_forwarding"]
        until(answers, "it answers", seconds=PATIENCE)
        cloud.request("DELETE", f"{path}/{made['id']}")
        until(lambda: not answers(), "nobody answers any more", seconds=PATIENCE)
        cloud.delete("floatingips", by["id"])
    until(lambda: "pf-floatingip" not in nbctl(lab, "lb-list"), "OVN has it no longer", seconds=PATIENCE)


def test_a_rule_that_goes_stops_what_it_let_in(lab: Lab, stage: Stage) -> None:
    with lab.cloud() as cloud:
        group = cloud.create("security-groups", name="own")["id"]
        said = {"security_group_id": group, "direction": "ingress", "protocol": "icmp"}
        rule = cloud.create("security-group-rules", **said)
        guarded = lab.add_vm("hv1", stage.blue, dhcp=True, security_groups=[group])
        until_reached(lab, stage.two, address(guarded))
        cloud.delete("security-group-rules", rule["id"])
        until_reached(lab, stage.two, address(guarded), wanted=False)
        cloud.create("security-group-rules", **said)
    until_reached(lab, stage.two, address(guarded))


def test_a_firewall_filters_besides_groups(lab: Lab, stage: Stage) -> None:
    """Both have to permit."""
    guarded = lab.add_vm("hv1", stage.blue, dhcp=True, device_owner="compute:nova")

    def reached(frm: Vm, wanted: bool) -> None:
        until_reached(lab, frm, address(guarded), wanted=wanted)

    with lab.cloud() as cloud:
        fwaas = partial(_fwaas, cloud)
        any_, ours = (
            fwaas("POST", "firewall_rules", action="allow", **said)["id"]
            for said in ({}, {"protocol": "icmp", "source_ip_address": address(stage.one)})
        )
        ins, outs = (fwaas("POST", "firewall_policies", name="p", firewall_rules=[rule])["id"] for rule in (ours, any_))
        policies = {"ingress_firewall_policy_id": ins, "egress_firewall_policy_id": outs}
        group = fwaas("POST", "firewall_groups", name="g", ports=[guarded.port_id], **policies)["id"]
        path = f"firewall_groups/{group}"
        reached(stage.one, True)
        reached(stage.two, False)
        until(lambda: fwaas("GET", path)["status"] == "ACTIVE", "it says so", seconds=PATIENCE)
        cloud.update("ports", guarded.port_id, {"security_groups": []})
        reached(stage.one, False)
        fwaas("PUT", path, ports=[])
        until(lambda: fwaas("GET", path)["status"] == "INACTIVE", "nothing is left to enforce", seconds=PATIENCE)
        fwaas("DELETE", path)
    lab.remove_vm(guarded)


def _fwaas(cloud: Cloud, method: str, path: str, **body: object) -> dict[str, Any]:
    member = {"firewall_groups": "firewall_group", "firewall_policies": "firewall_policy"}
    name = member.get(path.split("/")[0], "firewall_rule")
    return dict((cloud.request(method, f"fwaas/{path}", {name: body} if body else None) or {}).get(name, {}))


def test_a_routers_firewall_filters_at_its_networks_vms(lab: Lab, stage: Stage) -> None:
    """Stateful: who may ask is answered.  On the network itself, and by the router itself, nothing is asked of it."""
    with lab.cloud() as cloud:
        fwaas = partial(_fwaas, cloud)
        lets_in = fwaas("POST", "firewall_rules", action="allow", protocol="icmp", source_ip_address="10.99.0.1")["id"]
        lets_out = fwaas("POST", "firewall_rules", action="allow", protocol="icmp")["id"]
        ins, outs = (
            fwaas("POST", "firewall_policies", name="p", firewall_rules=[rule])["id"] for rule in (lets_in, lets_out)
        )
        interface = cloud.list("ports", network_id=stage.blue, device_owner="network:router_interface")[0]["id"]
        policies = {"ingress_firewall_policy_id": ins, "egress_firewall_policy_id": outs}
        group = f"firewall_groups/{fwaas('POST', 'firewall_groups', name='r', ports=[interface], **policies)['id']}"
        until_reached(lab, stage.red, address(stage.one), wanted=False)
        until_reached(lab, stage.red, address(stage.two), wanted=False)
        until(lambda: fwaas("GET", group)["status"] == "ACTIVE", "it says so", seconds=PATIENCE)
        until_reached(lab, stage.one, address(stage.red))
        until_reached(lab, stage.two, address(stage.one))
        until_reached(lab, stage.two, "10.60.0.1")
        fwaas("PUT", f"firewall_rules/{lets_in}", source_ip_address=address(stage.red))
        until_reached(lab, stage.red, address(stage.two))
        fwaas("PUT", f"firewall_rules/{lets_out}", action="deny")
        until_reached(lab, stage.one, address(stage.red), wanted=False)
        until_reached(lab, stage.red, address(stage.two))
        cloud.update("ports", stage.two.port_id, {"security_groups": []})
        until_reached(lab, stage.red, address(stage.two), wanted=False)  # its own groups are asked, too
        groups = [one["id"] for one in cloud.list("security-groups", name="default")][:1]
        cloud.update("ports", stage.two.port_id, {"security_groups": groups})
        fwaas("PUT", group, ports=[])
        fwaas("DELETE", group)
    until_reached(lab, stage.red, address(stage.two))


def test_what_has_our_mark_and_nobody_wants_is_taken_away(lab: Lab, stage: Stage) -> None:
    """A switch of yesterday's, and a copy of one of our ACLs that lets all in; theirs stays."""
    mark, drop = "external_ids:netweft-key", "ACL neutron_pg_drop-to-lport"
    nbctl(lab, "ls-add", "theirs")
    nbctl(lab, "create", "Logical_Switch", "name=neutron-gone", f'{mark}="Logical_Switch neutron-gone"')
    made = ("direction=to-lport", "priority=2000", "match=ip", "action=allow", f'{mark}="{drop}"')
    nbctl(lab, "--id=@a", "create", "ACL", *made, "--", "add", "Port_Group", "neutron_pg_drop", "acls", "@a")

    def left() -> tuple[int, bool]:
        return nbctl(lab, "find", "ACL", f'{mark}="{drop}"').count("_uuid"), "neutron-gone" in nbctl(lab, "ls-list")

    until(lambda: left() == (1, False), "they are gone", seconds=PATIENCE)
    assert "theirs" in nbctl(lab, "ls-list")
    nbctl(lab, "ls-del", "theirs")


def test_what_is_wiped_is_there_again(lab: Lab, stage: Stage) -> None:
    """By hand, and all of it: OVN's northbound database is put right by itself."""
    for table in ("ls", "lr"):
        for line in nbctl(lab, f"{table}-list").splitlines():
            nbctl(lab, f"{table}-del", line.split()[0])
    until(lambda: nbctl(lab, "ls-list").count("neutron-") == 3, "the switches are there", seconds=PATIENCE)
    until_reached(lab, stage.one, address(stage.two))


def test_a_port_that_is_deleted_goes(lab: Lab, stage: Stage) -> None:
    machine = lab.add_vm("hv2", stage.blue)
    until(lambda: machine.port_id in nbctl(lab, "show"), "its port is there", seconds=PATIENCE)
    lab.remove_vm(machine)
    until(lambda: machine.port_id not in nbctl(lab, "show"), "its port is gone", seconds=PATIENCE)
