"""The faults of nodes: each one declaration, of what it is, the code that has to come first, how it is made and undone.
docs/explain.md has them with those of the rows (tests/unit/control/trace/test_way.py)."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from tests.netns.explain.trace_stage import Stage, codes
from tests.netns.harness import Lab
from tests.netns.l3.test_routing import address

from netweft.lab import host
from netweft.lab.commands import in_namespace, run, vsctl
from netweft.lab.fabric import UNDERLAY_SWITCH
from netweft.lab.host import Host

Breaks = Callable[[Lab, Stage], AbstractContextManager[None]]


class Fault(NamedTuple):
    """code: what comes first; empty: that nothing is known of a node is told, in these words (`unseen`).
    netdev: it is none for the kernel's datapath."""

    what: str
    code: str
    breaks: Breaks
    frm: str = "one"
    to: str = "two"
    passes: bool | None = False
    unseen: str = ""
    probe: bool = False
    http: bool = False
    netdev: bool = False

    def is_told(self, told: Any) -> bool:
        first = codes(told)[:1] == ([self.code] if self.code else [])
        unseen = not self.unseen or any(one.startswith(self.unseen) for one in told["unseen"])
        return first and unseen and told["passes"] is self.passes


def nic(where: Callable[[Lab, Stage], str], name: str, *how: str, back: tuple[str, ...] = ("up",)) -> Breaks:
    @contextmanager
    def breaks(lab: Lab, stage: Stage) -> Iterator[None]:
        run("ip", "-n", where(lab, stage), "link", "set", name, *how)
        try:
            yield
        finally:
            run("ip", "-n", where(lab, stage), "link", "set", name, *back)

    return breaks


def vm_of(name: str) -> Callable[[Lab, Stage], str]:
    return lambda lab, stage: lab.layout.vm_namespace(stage.vms[name].name)


def node_of(name: str) -> Callable[[Lab, Stage], str]:
    return lambda lab, stage: lab.node(name).namespace


def in_fabric(lab: Lab, _: Stage) -> str:
    return lab.layout.fabric.namespace


def flow(node: str, bridge: str, match: Callable[[Stage], str], actions: str = "drop") -> Breaks:
    @contextmanager
    def breaks(lab: Lab, stage: Stage) -> Iterator[None]:
        its = f"table=0,priority=60000,{match(stage)}"
        lab.ofctl(node, "add-flow", bridge, f"{its},actions={actions}")
        try:
            yield
        finally:
            lab.ofctl(node, "del-flows", bridge, its, "--strict")

    return breaks


def to_two(stage: Stage) -> str:
    return f"ip,nw_dst={address(stage.vms['two'])}"


def stopped(kind: str, node: str) -> Breaks:
    @contextmanager
    def breaks(lab: Lab, _: Stage) -> Iterator[None]:
        pid = lab.pid(kind, node)
        assert pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return breaks


@contextmanager
def vlan_missing(lab: Lab, _: Stage) -> Iterator[None]:
    vsctl(lab.layout.fabric, "set", "Port", "hv2-1", "trunks=1")
    try:
        yield
    finally:
        vsctl(lab.layout.fabric, "clear", "Port", "hv2-1", "trunks")


@contextmanager
def underlay_cut(lab: Lab, _: Stage) -> Iterator[None]:
    """The cable is there, and leads nowhere."""
    fabric = lab.layout.fabric.namespace
    run("ip", "-n", fabric, "link", "set", "hv2-0", "nomaster")
    try:
        yield
    finally:
        run("ip", "-n", fabric, "link", "set", "hv2-0", "master", UNDERLAY_SWITCH)


@contextmanager
def nobody_outside(lab: Lab, _: Stage) -> Iterator[None]:
    """He is remembered, and does not answer."""
    outside = lab.layout.host_namespace("outside")
    run("ip", "-n", outside, "link", "set", "eth0", "down")
    try:
        yield
    finally:
        run("ip", "-n", outside, "link", "set", "eth0", "up")


@contextmanager
def nobodys(lab: Lab, _: Stage) -> Iterator[None]:
    """Until somebody takes the address, of whom no node has heard then."""
    how = ("ip", "-n", lab.layout.host_namespace("outside"), "address")
    run(*how, "flush", "dev", "eth0", "to", "203.0.113.77/32")
    yield
    run(*how, "add", "203.0.113.77/24", "dev", "eth0")


@contextmanager
def taken_out(lab: Lab, stage: Stage) -> Iterator[None]:
    """Of br-int, and another one's id."""
    interface = f"tap{stage.vms['two'].port_id[:11]}"
    ids = ("set", "Interface", interface, f"external_ids:iface-id={stage.vms['two'].port_id[:-1]}x")
    vsctl(lab.node("hv2"), *ids)
    try:
        yield
    finally:
        vsctl(lab.node("hv2"), *ids[:-1], f"external_ids:iface-id={stage.vms['two'].port_id}")


def in_vm(name: str, *how: str, back: tuple[str, ...]) -> Breaks:
    """By `ip`, of its IPv4.  {ip}, {address}, {router}: its own with and without the prefix length, its gateway's."""

    @contextmanager
    def breaks(lab: Lab, stage: Stage) -> Iterator[None]:
        ip = stage.vms[name].nic.addresses[0]
        words = {"ip": ip, "address": ip.partition("/")[0], "router": ip.rpartition(".")[0] + ".1"}
        namespace = vm_of(name)(lab, stage)

        def do(line: str) -> None:
            run("ip", "-n", namespace, *line.format_map(words).split())

        try:
            for line in how:
                do(line)
            yield
        finally:
            for line in back:
                do(line)

    return breaks


def while_it_pings(name: str, to: str, breaks: Breaks) -> Breaks:
    """The VM sends by itself: no probe is needed to see whom it asks for, and to which MAC it sends."""

    @contextmanager
    def both(lab: Lab, stage: Stage) -> Iterator[None]:
        far = stage.vms[to].nic.address
        with breaks(lab, stage):
            command = in_namespace(vm_of(name)(lab, stage), "ping", "-q", "-i", "0.3", "-W", "1", far)
            pinging = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                yield
            finally:
                pinging.kill()
                pinging.wait()

    return both


def link_down(name: str) -> Breaks:
    """With it goes the default route: a VM without one answers nothing that comes from further away."""
    return in_vm(name, "link set eth0 down", back=("link set eth0 up", "route replace default via {router}"))


@contextmanager
def checksums_left_to_the_nic(lab: Lab, stage: Stage) -> Iterator[None]:
    def switch(how: str) -> None:
        run(*in_namespace(vm_of("two")(lab, stage), "ethtool", "--offload", "eth0", "tx", how))

    with lab.inside(stage.vms["two"], "serve", "80"):
        switch("on")
        try:
            yield
        finally:
            switch("off")


@contextmanager
def twin(lab: Lab, stage: Stage) -> Iterator[None]:
    """A machine on the wire with a VM's address."""
    with lab.cloud() as cloud:
        (port,) = cloud.list("ports", name="tag")
        vlan = cloud.find("networks", port["network_id"])["provider:segmentation_id"]
    made = Host(name="twin", physical_network="physnet1", vlan=vlan, addresses=(stage.vms["tag"].nic.addresses[0],))
    host.add(lab.layout, made)
    try:
        yield
    finally:
        host.remove(lab.layout, made)


@contextmanager
def denied(lab: Lab, stage: Stage) -> Iterator[None]:
    """By the second of two rules; a third one, behind it, would allow it."""
    path = "fwaas/firewall_"
    with lab.cloud() as cloud:

        def made(kind: str, member: str, **values: Any) -> str:
            body = {f"firewall_{member}": values}
            return str(cloud.request("POST", path + kind, body)[f"firewall_{member}"]["id"])

        rules = [
            made("rules", "rule", action=action, protocol=protocol)
            for action, protocol in (("allow", "tcp"), ("deny", "icmp"), ("allow", None))
        ]
        policy = made("policies", "policy", firewall_rules=rules)
        both = dict.fromkeys(("ingress_firewall_policy_id", "egress_firewall_policy_id"), policy)
        group = made("groups", "group", ports=[stage.vms["two"].port_id], **both)
        try:
            yield
        finally:
            cloud.request("PUT", f"{path}groups/{group}", {"firewall_group": {"ports": []}})
            kinds = ("groups", "policies", *("rules",) * len(rules))
            for kind, id in zip(kinds, (group, policy, *rules), strict=True):
                cloud.request("DELETE", f"{path}{kind}/{id}")


@contextmanager
def small_hop(lab: Lab, _: Stage) -> Iterator[None]:
    """Of the underlay, between the nodes."""
    how = ("ip", "-n", lab.layout.fabric.namespace, "link", "set", "hv2-0", "mtu")
    run(*how, "1400")
    try:
        yield
    finally:
        run(*how, "1500")


WRONG_MASK = in_vm("one", "address add {address}/8 dev eth0", back=("address del {address}/8 dev eth0",))
OLD_ENTRY = in_vm(
    "one",
    "neighbour replace {router} lladdr 02:00:00:00:00:99 nud permanent dev eth0",
    back=("neighbour del {router} dev eth0",),
)
LAB = (
    Fault("the NIC of the receiving VM is down", "vm-link-down", link_down("two")),
    Fault("the NIC of the sending VM is down", "vm-link-down", link_down("one")),
    Fault("the interface has another port's id", "port-not-plugged", taken_out),
    Fault("somebody's flow drops it on br-int", "openvswitch-foreign-flow", flow("hv2", "br-int", to_two)),
    Fault("somebody's flow drops it on br-tun", "openvswitch-foreign-flow", flow("hv1", "br-tun", to_two)),
    Fault(
        "somebody's flow sends it elsewhere",
        "openvswitch-foreign-flow",
        flow("hv1", "br-int", to_two, "LOCAL"),
    ),
    Fault(
        "the operator's flow drops it on the bridge to the wire",
        "openvswitch-drops",
        flow("hv2", "br-eth1", lambda _: f"dl_dst={_.vms['tog'].nic.mac}"),
        "tag",
        "tog",
    ),
    Fault("the NIC to the wire is down", "uplink-link-down", nic(node_of("hv1"), "eth1", "down"), "tag", "tog"),
    Fault("the NIC to the underlay has no carrier", "uplink-link-down", nic(in_fabric, "hv1-0", "down")),
    Fault(
        "the NIC to the wire takes small packets only",
        "uplink-mtu-too-small",
        nic(node_of("hv1"), "eth1", "mtu", "1400", back=("mtu", "1500")),
        "tag",
        "tog",
        passes=True,
    ),
    Fault("a firewall rule denies it, before one that allows", "firewall-refuses", denied),
    Fault("the switch does not carry the VLAN", "probe-lost-on-wire", vlan_missing, "tag", "tog", probe=True),
    Fault("the underlay does not reach the other node", "tunnel-peer-silent", underlay_cut),
    Fault("the next hop outside is gone", "next-hop-silent", nobody_outside, to="outside"),
    Fault("nobody outside has the address", "next-hop-silent", nobodys, to="203.0.113.77"),
    Fault("a hop of the underlay takes small packets only", "probe-of-full-size-lost", small_hop, probe=True),
    Fault("wrong mask in the VM", "vm-wrong-mask", WRONG_MASK, to="red", probe=True),
    Fault("wrong mask in the VM, that pings", "vm-wrong-mask", while_it_pings("one", "red", WRONG_MASK), to="red"),
    Fault(
        "wrong gateway in the VM",
        "vm-wrong-gateway",
        in_vm("one", "route replace default via 10.40.0.77", back=("route replace default via {router}",)),
        to="red",
        probe=True,
    ),
    Fault("an old ARP entry in the VM", "vm-wrong-neighbour", OLD_ENTRY, to="red", probe=True),
    Fault("an old ARP entry, and it pings", "vm-wrong-neighbour", while_it_pings("one", "red", OLD_ENTRY), to="red"),
    Fault(
        "the VM has not its address",
        "vm-lacks-its-address",
        in_vm("one", "address del {ip} dev eth0", back=("address add {ip} dev eth0", "route add default via {router}")),
        probe=True,
    ),
    Fault("a machine on the wire has the VM's address", "address-claimed-by-another", twin, "tag", "tog", probe=True),
    Fault(
        "checksums are left to the VM's NIC", "vm-checksum-not-whole", checksums_left_to_the_nic, probe=True, http=True,
        netdev=True,
    ),
    Fault("the agent hangs", "", stopped("agent", "hv2"), passes=None, unseen="hv2: its agent does not answer within"),
    Fault(
        "ovs-vswitchd hangs", "tunnel-peer-silent", stopped("ovs-vswitchd", "hv2"), unseen="hv2: ", netdev=True
    ),
)  # fmt: skip
