"""Three nodes, two of which can have gateways; a VM on the third, a host outside, and traffic between them."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from tests.netns.harness import Inside, Lab, results, until
from tests.netns.l3.test_gateways import BEHIND, BEHIND_6, OUTSIDE_6
from tests.netns.l3.test_routing import make_router
from tests.netns.outages import OUTSIDE_NIC
from tests.netns.outside import FLAT, OUTSIDE

from netweft.lab import host
from netweft.lab.cloud import Cloud
from netweft.lab.commands import in_namespace, run
from netweft.lab.host import Host
from netweft.lab.vm import Vm

NODES, GATEWAYS = ("hv1", "hv2", "hv3"), ("hv1", "hv2")
TRIED_ROUTERS = 30  # all on one node once in a billion times


class Stage(NamedTuple):
    """two: a network for a router whose gateway is on the other node.  floating: the VM's."""

    router: str
    info: dict[str, str]
    two: str
    vm: Vm  # on hv3, which has no way outside
    other: Vm  # behind `two`
    floating: str


@contextmanager
def staged(lab: Lab) -> Iterator[Stage]:
    """In a lab of three nodes."""
    lab.configure_agent("hv3", bridge_mappings=["physnet1:br-eth1"])
    blue, red = lab.network("10.40.0.0/24", "fd00:40::/64"), lab.network("10.41.0.0/24")
    with lab.cloud() as cloud:
        external = cloud.create("networks", name="ext", **{"router:external": True, "netweft:nat66": True}, **FLAT)
        cloud.create(
            "subnets", network_id=external["id"], cidr="203.0.113.0/24", ip_version=4, gateway_ip=OUTSIDE,
            enable_dhcp=False, allocation_pools=[{"start": "203.0.113.10", "end": "203.0.113.99"}],
        )  # fmt: skip
        cloud.create(
            "subnets", network_id=external["id"], cidr="2001:db8::/64", ip_version=6, gateway_ip=OUTSIDE_6,
            enable_dhcp=False,
        )  # fmt: skip
    outside = Host(name="outside", physical_network="public", vlan=0, addresses=(f"{OUTSIDE}/24", f"{OUTSIDE_6}/64"))
    host.add(lab.layout, outside)
    there = lab.layout.host_namespace("outside")
    for behind in (f"{BEHIND}/32", f"{BEHIND_6}/128"):
        run("ip", "-n", there, "address", "add", behind, "dev", "lo")
    run("ip", "-n", there, "link", "set", "lo", "up")
    info = {"network_id": external["id"]}
    router = make_router(lab, blue, external_gateway_info=info)["id"]
    with lab.cloud() as cloud:
        vm, other = lab.add_vm("hv3", blue), lab.add_vm("hv3", red)
        lab.let_strangers_in()
        floating = cloud.create("floatingips", floating_network_id=external["id"], port_id=vm.port_id)
    with firewalled(lab, router):
        yield Stage(router, info, red, vm, other, floating["floating_ip_address"])
    host.remove(lab.layout, outside)


@contextmanager
def firewalled(lab: Lab, router: str) -> Iterator[None]:
    """What goes by the router's interface passes a firewall that lets all through: with whichever gateway."""
    made: list[tuple[str, str]] = []

    def make(kind: str, plural: str, **values: object) -> str:
        answer = cloud.request("POST", f"fwaas/{plural}", {kind: values})
        made.append((plural, answer[kind]["id"]))
        return made[-1][1]

    with lab.cloud() as cloud:
        ports = cloud.list("ports", device_id=router, device_owner="network:router_interface")
        rules = [make("firewall_rule", "firewall_rules", action="allow", ip_version=version) for version in (4, 6)]
        policy = make("firewall_policy", "firewall_policies", firewall_rules=rules)
        both = {f"{way}_firewall_policy_id": policy for way in ("ingress", "egress")}
        group = make("firewall_group", "firewall_groups", ports=[port["id"] for port in ports], **both)
    yield
    with lab.cloud() as cloud:
        cloud.request("PUT", f"fwaas/firewall_groups/{group}", {"firewall_group": {"ports": []}})
        for plural, id in reversed(made):
            cloud.request("DELETE", f"fwaas/{plural}/{id}")


@contextmanager
def router_elsewhere(lab: Lab, stage: Stage) -> Iterator[str]:
    """For the other VM, with its gateway on the other node; returns when it is of use."""
    with lab.cloud() as cloud:
        two = _with_its_gateway_elsewhere(lab, cloud, stage)
        (subnet,) = cloud.list("subnets", network_id=stage.two)
        cloud.act("routers", two, "add_router_interface", {"subnet_id": subnet["id"]})
        try:
            until(lambda: lab.ping(stage.other, BEHIND, seconds=1), "packets go out by another gateway")
            yield two
        finally:
            cloud.act("routers", two, "remove_router_interface", {"subnet_id": subnet["id"]})
            cloud.delete("routers", two)


def _with_its_gateway_elsewhere(lab: Lab, cloud: Cloud, stage: Stage) -> str:
    """Each new router has it on either node by chance, so that one after the other is tried, within the quota."""
    for _ in range(TRIED_ROUTERS):
        found = str(cloud.create("routers", name="two", external_gateway_info=stage.info)["id"])
        if holder(lab, found) != holder(lab, stage.router):
            return found
        cloud.delete("routers", found)
    raise AssertionError(f"{TRIED_ROUTERS} routers in a row have their gateway on {holder(lab, stage.router)}")


@contextmanager
def apart(lab: Lab, stage: Stage) -> Iterator[str]:
    """The node that has the router's gateway, while the other router's is elsewhere and all is at rest: until then one
    may have gone where the other is."""
    for _ in range(5):
        with router_elsewhere(lab, stage) as two:
            at_rest(lab, stage)
            first = holder(lab, stage.router)
            if holder(lab, two) != first:
                yield first
                return
    raise AssertionError("both gateways are on one node, again and again")


def gateway_port(lab: Lab, router: str) -> dict[str, Any]:
    with lab.cloud() as cloud:
        (port,) = cloud.list("ports", device_id=router, device_owner="network:router_gateway")
    return dict(port)


def holder(lab: Lab, router: str) -> str:
    return str(gateway_port(lab, router)["binding:host_id"])


def own_address(lab: Lab, router: str, version: int) -> str:
    addresses = [fixed["ip_address"] for fixed in gateway_port(lab, router)["fixed_ips"]]
    return str(next(address for address in addresses if (":" in address) == (version == 6)))


def at_rest(lab: Lab, stage: Stage) -> None:
    """All see each other, packets go both ways, who is to take over knows the next hop."""
    there = lab.layout.host_namespace("outside")
    until(lambda: all(sees_all(lab, node) for node in NODES), "all sessions are up")
    until(lambda: lab.ping(stage.vm, BEHIND, seconds=1), "packets go out")
    until(lambda: all(lab.in_sync(node) for node in NODES), "all is in place")
    command = in_namespace(there, "ping", "-c", "1", "-w", "1", stage.floating)
    until(lambda: not subprocess.run(command, capture_output=True, check=False).returncode, "packets come in")
    time.sleep(1)


def found_anew(lab: Lab, stage: Stage) -> bool:
    """From outside, by who knows nothing yet: by ARP and by neighbour discovery."""
    there = lab.layout.host_namespace("outside")
    run("ip", "-n", there, "neighbour", "flush", "dev", "eth0")
    addresses = [own_address(lab, stage.router, version) for version in (4, 6)]
    pings = [in_namespace(there, "ping", "-n", "-c", "1", "-w", "2", one) for one in (*addresses, stage.floating)]
    return all(subprocess.run(ping, capture_output=True, check=False).returncode == 0 for ping in pings)


def sees_all(lab: Lab, node: str) -> bool:
    told = lab.vsctl(node, "--format=json", "--columns=bfd_status", "find", "Interface", "bfd:enable=true")
    states = [dict(row[0][1]).get("state") for row in json.loads(told)["data"]]
    return len(states) == 2 and set(states) == {"up"}


class Traffic:
    """Through a gateway and by it, from before an outage until after it."""

    def __init__(self, lab: Lab, stage: Stage, open_: ExitStack) -> None:
        there, fabric = lab.layout.host_namespace("outside"), lab.layout.fabric.namespace
        own, nics = own_address(lab, stage.router, 4), [f"{node}-{OUTSIDE_NIC}" for node in GATEWAYS]
        self.answers = open_.enter_context(lab.inside_namespace(fabric, "answers", own, *nics))
        self.asks = open_.enter_context(lab.inside_namespace(there, "ask", own))
        self.pings: list[Inside] = [
            open_.enter_context(lab.inside(stage.vm, "ping", BEHIND)),
            open_.enter_context(lab.inside_namespace(there, "ping", stage.floating)),
            open_.enter_context(lab.inside(stage.other, "ping", BEHIND)),
        ]
        ping_6 = ("ping", "-6", "-n", "-i", "0.01", "-W", "1", BEHIND_6)
        namespace = lab.layout.vm_namespace(stage.vm.name)
        self.six = subprocess.Popen(in_namespace(namespace, *ping_6), stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)

    def end(self) -> dict[str, Any]:
        time.sleep(0.5)
        self.six.send_signal(2)
        told = re.search(
            r"(\d+) packets transmitted, (\d+) received.* time (\d+)ms", self.six.communicate(timeout=20)[0]
        )
        assert told
        for one in (*self.pings, self.asks, self.answers):
            one.stop()
        out, into, other = results(self.pings)
        *who, count = self.answers.finish()
        sent, received, ms = map(int, told.groups())
        lost_6 = round((sent - received) * ms / sent)  # it sends less often than it is told to
        return {"out": out, "in": into, "other": other, "6": lost_6, "who": who, "answers": int(count.split()[0])}
