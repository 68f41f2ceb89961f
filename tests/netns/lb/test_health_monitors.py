"""Members of load balancers in VMs, asked by the agent of their node: well, gone, closed off, plugged out; and agents
that start anew."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.netns.harness import Lab, group_of, until

from netweft.lab.commands import in_namespace, ip_batch
from netweft.lab.vm import Vm

PORT: Final = 80  # which metadata has, too
MONITOR: Final = {"delay": 1, "timeout": 1, "max_retries": 1, "max_retries_down": 3}
# pool's protocol, monitor's type; UDP is asked every 3 s at most
ASKED: Final = (("TCP", "TCP"), ("TCP", "HTTP"), ("SCTP", "SCTP"), ("TCP", "PING"), ("UDP", "UDP-CONNECT"))
OF_UDP: Final = {"UDP": {"delay": 3, "max_retries_down": 1}}
_SERVER = """
import http.server, socket, threading, time
http.server.HTTPServer.address_family = socket.AF_INET6
s = http.server.ThreadingHTTPServer(('', PORT), http.server.SimpleHTTPRequestHandler)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(('', PORT))
print('ready', flush=True)
s.serve_forever()
"""


class Balancer:
    """One with a pool for each kind of monitor, all with the same members."""

    def __init__(self, lab: Lab, subnet: str, addresses: list[str], kinds: Any = ASKED, **more: Any) -> None:
        self._lab, self._several = lab, len(addresses) > 1
        members = [{"address": one, "protocol_port": PORT} for one in addresses]
        pools = [
            {
                "name": type_,
                "protocol": protocol,
                "lb_algorithm": "ROUND_ROBIN",
                "members": members,
                "healthmonitor": MONITOR | OF_UDP.get(protocol, {}) | {"type": type_},
            }
            for protocol, type_ in kinds
        ]
        with lab.cloud() as cloud:
            body = {"loadbalancer": {"vip_subnet_id": subnet, "pools": pools, **more}}
            self.id = cloud.balancing("POST", "loadbalancers", body)["loadbalancer"]["id"]

    def statuses(self) -> dict[str, str]:
        """By what is asked: its pool is named so.  Of several members: `ADDRESS TYPE`."""
        with self._lab.cloud() as cloud:
            pools = cloud.balancing("GET", f"pools?loadbalancer_id={self.id}")["pools"]
            members = {one["name"]: cloud.balancing("GET", f"pools/{one['id']}/members")["members"] for one in pools}
        return {
            f"{one['address']} {name}" if self._several else name: one["operating_status"]
            for name, found in members.items()
            for one in found
        }

    def delete(self) -> None:
        with self._lab.cloud() as cloud:
            cloud.balancing("DELETE", f"loadbalancers/{self.id}?cascade=true")


@contextmanager
def serving(lab: Lab, machine: Vm) -> Iterator[None]:
    namespace = lab.layout.vm_namespace(machine.name)
    scripts = (("-c", _SERVER.replace("PORT", str(PORT))), ("tests/netns/l3/sctp.py", "hear", str(PORT)))
    running = [
        subprocess.Popen(
            in_namespace(namespace, sys.executable, *script), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for script in scripts
    ]
    try:
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == b"ready\n"
        yield
    finally:
        for one in running:
            one.kill()
            one.communicate()


def subnets(lab: Lab, network: str) -> dict[int, str]:
    with lab.cloud() as cloud:
        return {one["ip_version"]: one["id"] for one in cloud.list("subnets", network_id=network)}


def addresses(lab: Lab, machine: Vm) -> dict[int, str]:
    found = [one["ip_address"] for one in lab.port(machine)["fixed_ips"]]
    return {6 if ":" in one else 4: one for one in found}


def test_members_are_in_when_they_answer_and_out_when_they_do_not(lab: Lab) -> None:
    network = lab.network("10.70.0.0/24", "fd00:70::/64")
    with lab.cloud() as cloud:
        everybody = group_of(cloud, "all", [{"direction": "ingress", "ethertype": f"IPv{each}"} for each in (4, 6)])
    machine = lab.add_vm("hv1", network, security_groups=[everybody])
    on, at = subnets(lab, network), addresses(lab, machine)
    kinds = {4: ASKED, 6: [one for one in ASKED if "SCTP" not in one]}  # the test's own knows no IPv6
    both = [Balancer(lab, on[version], [at[version]], kinds[version]) for version in (4, 6)]
    asked = [{type_ for _, type_ in kinds[version]} for version in (4, 6)]
    well = [dict.fromkeys(one, "ONLINE") for one in asked]
    with serving(lab, machine):
        until(lambda: [one.statuses() for one in both] == well, "all are well")
        lab.kill("agent", "hv1")
        until(lambda: lab.in_sync("hv1"), "the agent is back")
        until(lambda: [one.statuses() for one in both] == well, "all are well")
    out = [dict.fromkeys(one - {"PING", "UDP-CONNECT"}, "ERROR") for one in asked]
    until(lambda: all(said.items() <= one.statuses().items() for said, one in zip(out, both, strict=True)), "all out")
    out = [one | {"PING": "ONLINE", "UDP-CONNECT": "ERROR"} for one in out]
    until(lambda: [one.statuses() for one in both] == out, "UDP is out, too, and the VM is there")
    lab.remove_vm(machine)
    for one in both:
        one.delete()


def test_security_groups_hold_for_requesters_and_a_gone_one_is_out(lab: Lab) -> None:
    network = lab.network("10.71.0.0/24")
    vip = "10.71.0.100"
    with lab.cloud() as cloud:
        closed = group_of(cloud, "closed", [])
        opened = group_of(cloud, "open to the VIP", [{"direction": "ingress", "remote_ip_prefix": f"{vip}/32"}])
    machines = [lab.add_vm("hv1", network, security_groups=[one]) for one in (closed, opened)]
    shut, open_ = (f"{addresses(lab, one)[4]} PING" for one in machines)
    stranger = "10.71.0.200"  # no port's: asked from HAProxy's namespaces
    machines.append(lab.add_vm("hv2", network, port_security_enabled=False))
    ip_batch([f"address add {stranger}/24 dev eth0"], namespace=lab.layout.vm_namespace(machines[2].name))
    asked = [*(addresses(lab, one)[4] for one in machines[:2]), stranger]
    balancer = Balancer(lab, subnets(lab, network)[4], asked, [("TCP", "PING")], vip_address=vip)
    well = {shut: "ERROR", open_: "ONLINE", f"{stranger} PING": "ONLINE"}
    until(lambda: balancer.statuses() == well, "each is as its groups have it")
    for machine in machines[1:]:
        lab.remove_vm(machine)
    out = dict.fromkeys(well, "ERROR")
    until(lambda: balancer.statuses() == out, "they are out")
    balancer.delete()
    lab.remove_vm(machines[0])
