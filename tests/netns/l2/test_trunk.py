"""VLAN-aware VMs: trunks, whose frames are tagged by the VM, and networks that carry the VMs' own tags."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from tests.netns.frames import tag, udp4
from tests.netns.harness import Inside, Lab, needs_a_real_machine, until
from tests.netns.l2 import layer2
from tests.netns.l2.layer2 import (
    ACROSS,
    PHYSICAL,
    REFUSED,
    SAME,
    TWO_TAGS,
    TYPES,
    WAYS,
    NamespaceEnd,
    Row,
    Segment,
    SerialEnd,
)
from tests.waiting import PATIENCE

from netweft.lab import guest_qemu, vm
from netweft.lab.layout import Kind
from netweft.lab.vm import Vm

pytestmark = pytest.mark.timeout(600)  # a real machine on a busy one takes minutes for its megabytes

VLAN = layer2.provider("vlan")


class Carried(NamedTuple):
    """A sub-port, and VMs of its network to talk to on each hypervisor."""

    segment: Segment
    tag: int
    port: dict[str, Any]

    @property
    def address(self) -> str:
        return str(self.port["fixed_ips"][0]["ip_address"])

    @property
    def nic(self) -> tuple[str, str, str, str]:
        """The words of `inside` for it."""
        return str(self.tag), self.port["mac_address"], f"{self.address}/24", str(self.segment.mtu)

    @property
    def sub_port(self) -> dict[str, object]:
        return {"port_id": self.port["id"], "segmentation_type": "vlan", "segmentation_id": self.tag}


@pytest.fixture(scope="module")
def carried(lab: Lab) -> dict[str, Carried]:
    """By type of segment.  No tag is that of a VLAN of the physical network."""
    found = {}
    for number, kind in enumerate(TYPES):
        segment = Segment(lab, kind, f"10.{number}.0.0/24", "public" if kind == "flat" else "physnet1")
        with lab.cloud() as cloud:
            port = cloud.create("ports", network_id=segment.network)
        found[kind] = Carried(segment, 300 + number, port)
    return found


@pytest.fixture
def trunk(lab: Lab, carried: dict[str, Carried]) -> Iterator[dict[str, Any]]:
    """With all sub-ports, plugged in nowhere."""
    network = lab.network("10.9.0.0/24", **VLAN)  # its MTU is as large as any sub-port's
    with lab.cloud() as cloud:
        parent = cloud.create("ports", network_id=network)
        made = cloud.create("trunks", port_id=parent["id"], sub_ports=[one.sub_port for one in carried.values()])
    yield made
    with lab.cloud() as cloud:
        cloud.delete("trunks", made["id"])


def plug_in(lab: Lab, trunk: dict[str, Any], kind: Kind) -> Vm:
    with lab.cloud() as cloud:
        words = {"name": f"trunk-{kind}", "node": "hv1", "network": "", "port": trunk["port_id"]}
        return vm.create(cloud, lab.layout, vm.describe(cloud, lab.layout, kind=kind, **words))


def test_each_sub_port_talks_to_its_network(lab: Lab, carried: dict[str, Carried], trunk: dict[str, Any]) -> None:
    machine = plug_in(lab, trunk, "netns")
    namespace = lab.layout.vm_namespace(machine.name)
    with ExitStack() as stack:
        for one in carried.values():
            stack.enter_context(lab.inside(machine, "vlan", *one.nic))
        with lab.cloud() as cloud:
            until(lambda: cloud.find("trunks", trunk["id"])["status"] == "ACTIVE", "the trunk is ACTIVE")
        rows = [
            row
            for one in carried.values()
            for row in one.segment.rows("sub-port", NamespaceEnd(lab, namespace, one.address))
        ]
        rows.append(_where_two_tags_are_looked_at(lab, carried["flat"]))
    layer2.document(rows)
    vm.remove(lab.layout, machine)


def _where_two_tags_are_looked_at(lab: Lab, flat: Carried) -> Row:
    """docs/decisions/0084-vlan-transparency.md"""
    with lab.cloud() as cloud:
        lab.vsctl("hv1", "set", "Open_vSwitch", ".", "other_config:vlan-limit=0")
        until(lambda: cloud.find("ports", flat.port["id"]).get("status_detail"), "the sub-port says why")
        assert not lab.ping(flat.segment.others[SAME], flat.address, seconds=1)
        refused = str(cloud.find("ports", flat.port["id"])["status_detail"])
        lab.vsctl("hv1", "remove", "Open_vSwitch", ".", "other_config", "vlan-limit")
        cloud.wait_active(flat.port["id"], PATIENCE)
    assert lab.ping(flat.segment.others[SAME], flat.address)
    return Row("flat", WAYS["sub-port"], TWO_TAGS, REFUSED + refused)


@needs_a_real_machine
def test_a_real_vm_with_vlan_interfaces(lab: Lab, carried: dict[str, Carried], trunk: dict[str, Any]) -> None:
    machine = plug_in(lab, trunk, "qemu")
    commands = guest_qemu.commands(lab.node("hv1"), machine.name)
    for one in carried.values():
        end = SerialEnd(commands, one.address)
        tag, mac, address, mtu = one.nic
        end.shell(
            f"ip link add link eth0 name vlan{tag} type vlan id {tag} && ip link set vlan{tag} address {mac} mtu {mtu}"
            f" && ip link set vlan{tag} up && ip address add {address} dev vlan{tag}"
        )
        layer2.document(one.segment.rows("real sub-port", end))
    come_and_go(lab, trunk, carried, times=1)
    vm.remove(lab.layout, machine)


def test_sub_ports_come_and_go_while_others_talk(lab: Lab, carried: dict[str, Carried], trunk: dict[str, Any]) -> None:
    machine = plug_in(lab, trunk, "netns")
    with ExitStack() as stack:
        for one in carried.values():
            stack.enter_context(lab.inside(machine, "vlan", *one.nic))
        come_and_go(lab, trunk, carried, times=3)
    vm.remove(lab.layout, machine)


def come_and_go(lab: Lab, trunk: dict[str, Any], carried: dict[str, Carried], *, times: int) -> None:
    """One on a VLAN does, under a ping to one over VXLAN."""
    steady, other = carried["vxlan"], carried["vlan"]
    watcher, leaver = steady.segment.others[ACROSS], other.segment.others[ACROSS]
    assert lab.ping(watcher, steady.address)
    overrun = lab.overrun()
    with lab.inside(watcher, "ping", steady.address) as ping, lab.cloud() as cloud:
        for _ in range(times):
            cloud.act("trunks", trunk["id"], "remove_subports", {"sub_ports": [{"port_id": other.port["id"]}]})
            until(lambda: not lab.ping(leaver, other.address, seconds=1), "no answer from a sub-port that is none")
            cloud.act("trunks", trunk["id"], "add_subports", {"sub_ports": [other.sub_port]})
            assert lab.ping(leaver, other.address)
        result = ping.result()
    print(f"\n{result}")
    assert result["lost"] <= lab.overrun(overrun)


TRANSPARENT = tuple(kind for kind in TYPES if kind != "stt")  # its frames have two tags of ours


@pytest.mark.parametrize(("interconnect", "types"), [("patch", TRANSPARENT), ("veth", (*PHYSICAL, "vxlan"))])
def test_transparent_networks_carry_the_vms_own_tags(lab: Lab, interconnect: str, types: tuple[str, ...]) -> None:
    """Of every type, on one host and across hosts, to ports whose firewall looks at what is below the tags."""
    for node in ("hv1", "hv2"):
        lab.vsctl(node, "set", "Open_vSwitch", ".", "other_config:vlan-limit=0")
        lab.configure_agent(node, interconnect=interconnect)
    for kind in types:
        network = lab.network("10.5.0.0/24", vlan_transparent=True, **layer2.provider(kind))
        pairs = [{"ip_address": "10.77.0.0/24"}]
        machines = [lab.add_vm(node, network, allowed_address_pairs=pairs) for node in ("hv1", "hv1", "hv2")]
        _talk_by_tag(lab, machines, kind)
        for machine in machines:
            lab.remove_vm(machine)
        with lab.cloud() as cloud:
            cloud.delete("networks", network)
    for node in ("hv1", "hv2"):
        lab.vsctl(node, "remove", "Open_vSwitch", ".", "other_config", "vlan-limit")


def _talk_by_tag(lab: Lab, machines: list[Vm], kind: str) -> None:
    """The first one to the others; the tag is a part of what the network carries."""
    mtu = machines[0].nic.mtu - 4
    with ExitStack() as stack:
        for number, machine in enumerate(machines):
            words = (machine.nic.mac, f"10.77.0.{number + 1}/24", str(mtu))
            stack.enter_context(lab.inside(machine, "vlan", "77", *words))
        subject = layer2.namespace_end(lab, machines[0])
        for number, machine in enumerate(machines[1:], 2):
            address = f"10.77.0.{number}"
            until(lambda to=address: layer2.ping(subject, to, 84), f"{kind} to {machine.node}")  # type: ignore[misc]
            assert layer2.ping(subject, address, mtu), (kind, machine.node)


def test_where_open_vswitch_looks_at_one_tag_only_the_port_says_so(lab: Lab) -> None:
    """docs/decisions/0084-vlan-transparency.md"""
    network = lab.network("10.5.0.0/24", vlan_transparent=True, **VLAN)
    machine = lab.describe_vm("hv1", network)
    vm.add(lab.layout, machine)
    until(lambda: "vlan-limit=0" in (lab.port(machine).get("status_detail") or ""), "the port says why")
    lab.vsctl("hv1", "set", "Open_vSwitch", ".", "other_config:vlan-limit=0")
    until(lambda: lab.port(machine)["status"] == "ACTIVE", "ACTIVE")
    lab.vsctl("hv1", "remove", "Open_vSwitch", ".", "other_config", "vlan-limit")
    vm.remove(lab.layout, machine)


def test_without_transparency_a_vms_own_tag_goes_nowhere(lab: Lab) -> None:
    network = lab.network("10.6.0.0/24")
    here, there = (lab.add_vm(node, network, port_security_enabled=False) for node in ("hv1", "hv2"))
    with _tagged(lab, here, "10.78.0.1"), _tagged(lab, there, "10.78.0.2"):
        assert not lab.ping(here, "10.78.0.2", seconds=1)
    assert lab.ping(here, there.nic.address)


def _tagged(lab: Lab, machine: Vm, address: str) -> Inside:
    return lab.inside(machine, "vlan", "78", machine.nic.mac, f"{address}/24", "1400")


def test_a_sub_ports_second_tag_goes_nowhere(lab: Lab) -> None:
    """Not even while frames without one pass, for which Open vSwitch keeps a flow in its cache."""
    network = lab.network("10.7.0.0/24", **VLAN)
    other = lab.add_vm("hv1", network, port_security_enabled=False)
    with lab.cloud() as cloud:
        parent = cloud.create("ports", network_id=lab.network("10.8.0.0/24", **VLAN))
        sub = cloud.create("ports", network_id=network, port_security_enabled=False)
        place = {"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": 300}
        trunk = cloud.create("trunks", port_id=parent["id"], sub_ports=[place])
    machine = plug_in(lab, trunk, "netns")
    macs, addresses = (sub["mac_address"], other.nic.mac), ("10.7.0.77", other.nic.address)
    ordinary, last = (udp4(macs, addresses, payload) for payload in (b"ordinary", b"the last"))
    with lab.inside(other, "capture") as seen:
        lab.send_frames(machine, tag(ordinary, 300))
        seen.frames_until(ordinary)
        lab.send_frames(machine, *[tag(tag(ordinary, 77), 300)] * 3, tag(last, 300))
        assert ordinary not in seen.frames_until(last)
    vm.remove(lab.layout, machine)


def test_ports_of_one_trunk_hear_each_other(lab: Lab) -> None:
    network = lab.network("10.7.1.0/24", **VLAN)
    with lab.cloud() as cloud:
        parent = cloud.create("ports", network_id=lab.network("10.8.1.0/24", **VLAN))
        one, other = (cloud.create("ports", network_id=network, port_security_enabled=False) for _ in range(2))
        places = [
            {"port_id": sub["id"], "segmentation_type": "vlan", "segmentation_id": tag}
            for tag, sub in ((300, one), (301, other))
        ]
        trunk = cloud.create("trunks", port_id=parent["id"], sub_ports=places)
    machine = plug_in(lab, trunk, "netns")
    with lab.cloud() as cloud:
        until(lambda: cloud.find("ports", other["id"])["status"] == "ACTIVE", "the other sub-port is ACTIVE")
    frame = udp4((one["mac_address"], other["mac_address"]), ("10.7.1.77", "10.7.1.78"), b"neighbour")
    with lab.inside(machine, "capture") as seen:
        lab.send_frames(machine, tag(frame, 300))
        assert frame not in seen.frames_until(frame)
    vm.remove(lab.layout, machine)
