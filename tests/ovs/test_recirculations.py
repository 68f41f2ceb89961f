"""How often Open vSwitch recirculates a packet on each kind of path: what docs/pipeline.md says, asked of its trace."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.ovs.sandbox import Sandbox, running

from netweft.dataplane.openflow.client import OpenFlowConnection
from netweft.dataplane.openflow.flow import OFPP_NORMAL, Flow, Output
from netweft.dataplane.openflow.meters import DropMeter, MeterCommand
from netweft.model import AddressPair, Port, SecurityGroup, SubPort, Trunk
from netweft.services import addresses
from netweft.services.metadata import ends
from netweft.services.pipeline import RECIRCULATIONS
from netweft.testing.node import UPLINKS, FakeNode
from netweft.testing.region import ANYTHING, MAPPINGS, WIRE_PORT, Region, network, port

NODE = "hv1"
OVERLAY, VLAN, FLAT, FREE_NET = network(1), network(2, "vlan"), network(3, "flat", "public"), network(4)
OPEN: dict[str, object] = {"port_security_enabled": False, "security_groups": ()}
LOOSE = SecurityGroup(id="00000009-2222-4000-8000-000000000000", rules=ANYTHING.rules, stateful=False)
GUARDED, BESIDE, FREE, LOOSE_ONE, LOOSE_TWO, ON_VLAN, ON_FLAT, SUB, FREE_ONE, FREE_TWO = HERE = (
    port(1, OVERLAY),
    port(2, OVERLAY),
    port(3, OVERLAY, **OPEN),
    port(4, OVERLAY, security_groups=(LOOSE.id,)),
    port(5, OVERLAY, security_groups=(LOOSE.id,)),
    port(6, VLAN),
    port(7, FLAT),
    port(8, OVERLAY),
    port(9, FREE_NET, **OPEN),
    port(10, FREE_NET, **OPEN),
)
VIRTUAL = "00:00:5e:00:01:07"
PAIR: dict[str, object] = {"allowed_address_pairs": (AddressPair("10.0.0.250", VIRTUAL),)}
SHARING = (port(11, OVERLAY, **PAIR), port(12, OVERLAY, **PAIR))
REMOTE, REMOTE_ON_VLAN, REMOTE_ON_FLAT, REMOTE_FREE = THERE = (
    port(21, OVERLAY),
    port(22, VLAN),
    port(23, FLAT),
    port(24, FREE_NET, **OPEN),
)
TRUNK = Trunk(id="t", port_id=ON_VLAN.id, sub_ports=(SubPort(SUB.id, 102),))
UNKNOWN, EVERYBODY, GROUP, SHARED = (port(number, OVERLAY) for number in (9999, 9998, 9997, 9996))
TARGETS = {
    EVERYBODY.id: ("ff:ff:ff:ff:ff:ff", "255.255.255.255"),
    GROUP.id: ("01:00:5e:00:00:fb", "224.0.0.251"),
    SHARED.id: (VIRTUAL, "10.0.0.250"),
}


@dataclass(frozen=True)
class Switch:
    """The flows of one node of a region, in a real Open vSwitch."""

    ovs: Sandbox
    node: FakeNode

    def bridge(self, role: str) -> str:
        return f"rec-{role.removeprefix('phys:')}"

    def ofport(self, here: Port) -> int:
        return self.node.vifs[here.id].ofport or 0

    def sent(self, name: str) -> Path:
        """Frames that came out at a VIF."""
        return self.ovs.folder / f"{name}.pcap"

    def recirculations(self, role: str, packet: str, state: str = "trk,est") -> int:
        """Of a packet that gets out.  state: what conntrack says of it each time."""
        said = self.trace(role, packet, state)
        assert re.findall(r"^ +output:", said, re.MULTILINE), said
        return len(re.findall(r"^recirc\(0x", said, re.MULTILINE))

    def outputs(self, role: str, packet: str, state: str) -> set[int]:
        """The datapath's ports that it comes out of."""
        done = re.findall(r"^Datapath actions: (.*)", self.trace(role, packet, state), re.MULTILINE)
        return {int(action) for actions in done for action in actions.split(",") if action.isdigit()}

    def trace(self, role: str, packet: str, state: str) -> str:
        tracked = [word for _ in range(1000) for word in ("--ct-next", state)]
        return self.ovs.appctl("ofproto/trace", self.bridge(role), packet, *tracked)


@pytest.fixture(scope="module")
def region() -> Region:
    region = Region(nodes=2)
    region.create(OVERLAY, VLAN, FLAT, FREE_NET, LOOSE, TRUNK, *HERE, *SHARING, *THERE)
    region.plug(NODE, *(one for one in (*HERE, *SHARING) if one is not SUB))
    region.plug("hv2", *THERE)
    region.settle()
    return region


@pytest.fixture(scope="module")
def switch(ovs: Sandbox, region: Region) -> Iterator[Switch]:
    with built(ovs, region.nodes[NODE]) as switch:
        yield switch


@contextmanager
def built(ovs: Sandbox, node: FakeNode) -> Iterator[Switch]:
    switch = Switch(ovs, node)
    _build(switch)
    asyncio.run(_fill(switch))
    try:
        yield switch
    finally:
        for role in node.bridges:
            ovs.vsctl("del-br", switch.bridge(role))


async def _fill(switch: Switch) -> None:
    """The operator's bridges are learning switches where we say nothing."""
    for role, bridge in switch.node.bridges.items():
        normal = [Flow(table=0, priority=0, actions=(Output(OFPP_NORMAL),))] if role.startswith("phys") else []
        connection = await OpenFlowConnection.connect(switch.ovs.mgmt(switch.bridge(role)))
        if role == "int":
            await connection.show_first_fragments()
            meters = (item for item in switch.node.applied.values() if isinstance(item, DropMeter))
            await connection.change_meters([(MeterCommand.ADD, meter) for meter in meters])
        await connection.apply([*bridge.flows.values(), *normal])
        await connection.close()


def _build(switch: Switch) -> None:
    words: list[str] = []
    links = {"tun": UPLINKS.tun, **{f"phys:{name}": UPLINKS.physical[name] for name in MAPPINGS}}
    for role in switch.node.bridges:
        switch.ovs.add_bridge(switch.bridge(role))
    for role, link in links.items():
        ends = (f"{switch.bridge(role)}-n", f"{switch.bridge(role)}-f")
        places = (("int", link.near), (role, link.far))
        for (at, ofport), name, peer in zip(places, ends, reversed(ends), strict=True):
            words += _port(switch.bridge(at), name, ofport, "type=patch", f"options:peer={peer}")
    for kind, ofport in UPLINKS.overlays.items():
        options = ("options:remote_ip=flow", "options:key=flow")
        words += _port(switch.bridge("tun"), f"rec-{kind}", ofport, f"type={kind}", *options)
    for name in MAPPINGS:
        words += _port(switch.bridge(f"phys:{name}"), f"rec-wire-{name}", WIRE_PORT, "type=dummy")
    for vif in switch.node.vifs.values():
        sent = f"options:tx_pcap={switch.sent(vif.name)}"
        words += _port(switch.bridge("int"), f"rec-{vif.name}", vif.ofport, "type=dummy", sent)
    words += _port(switch.bridge("int"), "rec-metadata", UPLINKS.metadata, "type=dummy")
    switch.ovs.vsctl(*words[1:])


def _port(bridge: str, name: str, ofport: int | None, *columns: str) -> list[str]:
    return ["--", "add-port", bridge, name, "--", "set", "Interface", name, f"ofport_request={ofport}", *columns]


def frame(frm: Port, to: Port, what: str = "udp,udp_dst=80") -> str:
    target, address = TARGETS.get(to.id, (to.mac_address, ip(to)))
    kind, *rest = what.split(",")
    return ",".join((kind, f"dl_src={frm.mac_address},dl_dst={target},nw_src={ip(frm)},nw_dst={address}", *rest))


def ip(one: Port) -> str:
    return one.fixed_ips[0].ip_address


def out_of_tunnel(net: int, packet: str) -> str:
    """The tunnel's key, and the port's of its type."""
    return f"in_port={UPLINKS.overlays['vxlan']},tun_id={1000 + net},tun_src=192.0.2.2,tun_dst=192.0.2.1,{packet}"


@pytest.mark.parametrize(
    ("path", "frm", "to"),
    [
        ("between guarded ports of one node", GUARDED, BESIDE),
        ("from a guarded port into a tunnel", GUARDED, REMOTE),
        ("from a guarded port to the wire, flat or VLAN", ON_VLAN, REMOTE_ON_VLAN),
        ("from a guarded port to the wire, flat or VLAN", ON_FLAT, REMOTE_ON_FLAT),
        ("from or to a trunk's sub-port that is guarded", GUARDED, SUB),
        ("from or to a trunk's sub-port that is guarded", SUB, GUARDED),
        ("from or to a trunk's sub-port that is guarded", SUB, REMOTE),
        ("between a guarded and an unguarded port of one node", GUARDED, FREE),
        ("between a guarded and an unguarded port of one node", FREE, GUARDED),
        ("for a MAC that nobody knows, by a guarded port", GUARDED, UNKNOWN),
        ("for a MAC that nobody knows, by a guarded port", ON_VLAN, UNKNOWN),
        ("for such a MAC by an unguarded port, or from outside", FREE, UNKNOWN),
        ("for an address pair's MAC, by a guarded port in a known connection, whoever gets it", GUARDED, SHARED),
        ("for multicast and broadcast addresses, whoever sends and gets it", GUARDED, EVERYBODY),
        ("for multicast and broadcast addresses, whoever sends and gets it", GUARDED, GROUP),
        ("for multicast and broadcast addresses, whoever sends and gets it", FREE, EVERYBODY),
        ("for multicast and broadcast addresses, whoever sends and gets it", LOOSE_ONE, GROUP),
        ("for multicast and broadcast addresses, whoever sends and gets it", ON_VLAN, GROUP),
        ("between unguarded ports, into and out of tunnels and wires", FREE_ONE, FREE_TWO),
        ("between unguarded ports, into and out of tunnels and wires", FREE_ONE, REMOTE_FREE),
        ("between unguarded ports, into and out of tunnels and wires", FREE_ONE, UNKNOWN),
        ("between ports of stateless groups", LOOSE_ONE, LOOSE_TWO),
    ],
)
def test_from_a_port(switch: Switch, path: str, frm: Port, to: Port) -> None:
    tagged = f",dl_vlan={TRUNK.sub_ports[0].segmentation_id}" if frm is SUB else ""
    here = f"in_port={switch.ofport(ON_VLAN if frm is SUB else frm)},"
    assert switch.recirculations("int", here + frame(frm, to) + tagged) == RECIRCULATIONS[path]


@pytest.mark.parametrize("frm", [GUARDED, FREE, SUB])
def test_to_the_metadata_service_and_back(switch: Switch, frm: Port) -> None:
    tagged = f",dl_vlan={TRUNK.sub_ports[0].segmentation_id}" if frm is SUB else ""
    asked = f"tcp,dl_src={frm.mac_address},nw_src={ip(frm)},nw_dst={ends.SERVER_4},tcp_src=4000,tcp_dst=80{tagged}"
    here = f"in_port={switch.ofport(ON_VLAN if frm is SUB else frm)},"
    assert switch.recirculations("int", here + asked) == RECIRCULATIONS["for the node's metadata service"]
    own, asker = f"240.0.255.{ip(frm).rpartition('.')[2]}", f"240.0.0.{switch.ofport(ON_VLAN if frm is SUB else frm)}"
    said = f"in_port={UPLINKS.metadata},tcp,nw_src={own},nw_dst={asker},tcp_src={ends.PORT},tcp_dst=4000"
    trace = switch.trace("int", said, "trk,est,rpl")  # the label, which says where to, is conntrack's
    assert trace.count("\nrecirc(0x") == RECIRCULATIONS["the metadata service's answer"]
    assert f"set_field:{ends.SERVER_4}->ip_src" in trace


@pytest.mark.parametrize("what", ["tcp,tcp_dst=80,tcp_flags=syn", "udp,udp_dst=53,nw_frag=first", "ip,nw_frag=later"])
def test_firsts_and_fragments(switch: Switch, what: str) -> None:
    packet = f"in_port={switch.ofport(GUARDED)},{frame(GUARDED, BESIDE, what)}"
    for state in ("trk,new", "trk,est"):
        counted = switch.recirculations("int", packet, state)
        assert counted == RECIRCULATIONS["the first of a connection, and each fragment"]


def test_out_of_a_tunnel(switch: Switch) -> None:
    counted = {
        "out of a tunnel to a guarded port": out_of_tunnel(1, frame(REMOTE, GUARDED)),
        "between unguarded ports, into and out of tunnels and wires": out_of_tunnel(4, frame(REMOTE_FREE, FREE_ONE)),
    }
    assert {path: switch.recirculations("tun", packet) for path, packet in counted.items()} == {
        path: RECIRCULATIONS[path] for path in counted
    }


@pytest.mark.parametrize(
    ("physical", "tag", "frm", "to"),
    [("physnet1", 1002, REMOTE_ON_VLAN, ON_VLAN), ("public", 0, REMOTE_ON_FLAT, ON_FLAT)],
)
def test_from_the_wire(switch: Switch, physical: str, tag: int, frm: Port, to: Port) -> None:
    packet = f"in_port={WIRE_PORT},{frame(frm, to)}" + (f",dl_vlan={tag}" if tag else "")
    path = "from the wire, flat or VLAN, to a guarded port"
    assert switch.recirculations(f"phys:{physical}", packet) == RECIRCULATIONS[path]


def test_flooded_to_guarded_ports(switch: Switch) -> None:
    each = RECIRCULATIONS[
        "for such a MAC in a new connection, or by an unguarded port, or from outside: for each guarded port with it"
    ]
    assert switch.recirculations("int", f"in_port={switch.ofport(FREE)},{frame(FREE, SHARED)}") == len(SHARING) * each
    assert switch.recirculations("tun", out_of_tunnel(1, frame(REMOTE, SHARED))) == len(SHARING) * each
    new = switch.recirculations("int", f"in_port={switch.ofport(GUARDED)},{frame(GUARDED, SHARED)}", "trk,new")
    assert new <= 1 + len(SHARING) * each
    unknown = RECIRCULATIONS["for such a MAC by an unguarded port, or from outside"]
    assert switch.recirculations("tun", out_of_tunnel(1, frame(REMOTE, UNKNOWN))) == unknown
    none = RECIRCULATIONS["for multicast and broadcast addresses, whoever sends and gets it"]
    assert switch.recirculations("tun", out_of_tunnel(1, frame(REMOTE, EVERYBODY))) == none
    solicited = f"icmp6,dl_src={REMOTE.mac_address},dl_dst=33:33:00:00:00:02,ipv6_src={link_local(REMOTE)}"
    assert switch.recirculations("tun", out_of_tunnel(1, f"{solicited},ipv6_dst=ff02::2,icmpv6_type=133")) == none


@pytest.mark.parametrize("to", [EVERYBODY, SHARED])
def test_a_crowd_is_flooded_to(to: Port) -> None:
    """More ports than one packet could be judged for: on its 4,096th table Open vSwitch gives it up for all of them."""
    members = [port(number, OVERLAY, f"10.0.{number >> 8}.{number & 255}", **PAIR) for number in range(1, 1001)]
    region = Region(nodes=1)
    region.create(OVERLAY, *members)
    region.plug(NODE, *members)
    region.settle()
    with running() as ovs, built(ovs, region.nodes[NODE]) as crowd:
        packet = f"in_port={crowd.ofport(members[0])},{frame(members[0], to)}"
        assert len(crowd.outputs("int", packet, "trk,new")) == len(members) - 1
        if to is EVERYBODY:
            each = RECIRCULATIONS[
                "the same, where the network has a crowd of ports (more than 256): for each guarded port"
            ]
            assert crowd.recirculations("int", packet) == each * len(members)


def test_what_needs_no_rule(switch: Switch) -> None:
    none = RECIRCULATIONS["ARP, neighbour discovery, and what routers and DHCP servers elsewhere say"]
    own, (everybody, _) = GUARDED.mac_address, TARGETS[EVERYBODY.id]
    asked = f"arp,dl_src={own},dl_dst={everybody},arp_op=1,arp_spa={ip(GUARDED)},arp_tpa=10.0.0.99,arp_sha={own}"
    solicited = f"icmp6,dl_src={own},dl_dst=33:33:ff:00:00:99,ipv6_src={link_local(GUARDED)},ipv6_dst=ff02::1:ff00:99"
    solicited += f",icmpv6_type=135,nd_target=fe80::99,nd_sll={own}"
    for packet in (asked, solicited):
        assert switch.recirculations("int", f"in_port={switch.ofport(GUARDED)},{packet}") == none
    offered = f"udp,dl_src={REMOTE.mac_address},dl_dst={own},nw_src=10.0.0.21,udp_src=67,udp_dst=68"
    advertised = f"icmp6,dl_src={REMOTE.mac_address},dl_dst=33:33:00:00:00:01,ipv6_src=fe80::1,ipv6_dst=ff02::1"
    for packet in (offered, f"{advertised},icmpv6_type=134"):
        assert switch.recirculations("tun", out_of_tunnel(1, packet)) == none


def link_local(one: Port) -> str:
    return str(IPv6Address(addresses.link_local(addresses.mac(one.mac_address))))
