"""A machine behind a VTEP uses a router: one node answers it, by a MAC of its own, and any node reaches it."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac, prefix, text_of_mac
from netweft.testing import packets
from netweft.testing.node import UPLINKS
from netweft.testing.region import Region, gateway, interface, network, port, router, subnet
from netweft.testing.switch import Delivery, Packet

BLUE, RED, OUTSIDE = network(1), network(2), network(9, "flat", "public")
R = router(1)
TO_BLUE = replace(interface(1, R, BLUE, "10.0.0.1", "fd00:a::1"), hosts=("hv1", "hv2"), answers_on="hv1")
TO_RED = interface(2, R, RED, "10.0.1.1", "fd00:b::1")
GATEWAY = gateway(1, R, OUTSIDE, "hv2", "203.0.113.5")
M, R3 = port(10, BLUE, "10.0.0.10", "fd00:a::10"), port(20, RED, "10.0.1.20", "fd00:b::20")
VTEP = "192.0.2.99"
ROUTERS = mac(TO_BLUE.mac_address)


@dataclass
class End:
    """Of the tunnels, at the switch."""

    heard: list[Packet] = field(default_factory=list)

    def receive(self, packet: Packet, ofport: int) -> list[Delivery]:
        self.heard.append(packet)
        return []


class World:
    """hv1 answers, and has no port on either network; hv2 has the gateway; hv3 a VM on RED."""

    def __init__(self, *, hosts: tuple[str, ...] = ("hv1", "hv2")) -> None:
        self.region, self.end = Region(nodes=3), End()
        for node in self.region.nodes.values():
            node.rendering.set_abilities(meters=True, lengths=True, discovery=True, nic_problems={})
        self.region.switches["switch:tor1"] = VTEP
        self.region.bound[M.id] = "switch:tor1"
        answered = replace(TO_BLUE, hosts=hosts, answers_on=next(iter(hosts), ""))
        self.region.create(BLUE, RED, OUTSIDE, M, R3, R, answered, TO_RED, GATEWAY, subnet(OUTSIDE, "203.0.113.0/24"))
        for net, part in ((BLUE, "a"), (RED, "b")):
            self.region.create(subnet(net, f"fd00:{part}::/64"), subnet(net, f"10.0.{int(part, 16) - 10}.0/24"))
        self.region.plug("hv3", R3)
        self.region.overlay.ends[prefix(VTEP).value] = self.end  # type: ignore[assignment]
        self.region.settle()

    def sends(self, packet: Packet, *nodes: str) -> list[str]:
        """The machine, by tunnels to these nodes; which ports get it."""
        key, ofport = BLUE.segments[0].segmentation_id or 0, UPLINKS.overlays["vxlan"] or 0
        ends = {"tun_id": key, "tun_ipv4_src": prefix(VTEP).value}
        got: list[Delivery] = []
        for node in nodes:
            bridge = self.region.overlay.ends[prefix(f"192.0.2.{node[-1]}").value]
            got += bridge.receive({**packet, **ends}, ofport)
        return self.region.ids_of(got)


def asked(version: int) -> Packet:
    if version == 4:
        return packets.arp(M.mac_address, "10.0.0.10", "10.0.0.1")
    return {**packets.solicit(M.mac_address, "fd00:a::10", "fd00:a::1", sll=M.mac_address), "ip_ttl": 255}


def ping(version: int, by: int, to: str) -> Packet:
    make = packets.ping if version == 4 else packets.ping6
    own = "10.0.0.10" if version == 4 else "fd00:a::10"
    return {**make(M.mac_address, text_of_mac(by), own, to), "ip_ttl": 64}


@pytest.mark.parametrize("version", [4, 6])
def test_one_node_answers_it(version: int) -> None:
    world = World()
    world.sends(asked(version), "hv1", "hv2", "hv3")
    own = wire_mac("hv1", TO_BLUE.id)
    (said,) = world.end.heard
    assert (said["eth_src"], said["eth_dst"]) == (own, mac(M.mac_address))
    assert said["arp_sha" if version == 4 else "nd_tll"] == own


@pytest.mark.parametrize("version", [4, 6])
def test_without_an_order_nobody_does(version: int) -> None:
    world = World(hosts=())
    world.sends(asked(version), "hv1", "hv2", "hv3")
    assert world.end.heard == []


@pytest.mark.parametrize("node", ["hv1", "hv2"])
@pytest.mark.parametrize(("version", "to"), [(4, "10.0.1.20"), (6, "fd00:b::20")])
def test_what_it_sends_is_routed_by_whoever_it_knows(node: str, version: int, to: str) -> None:
    """hv2, too, which has the gateway."""
    world = World()
    assert world.sends(ping(version, wire_mac(node, TO_BLUE.id), to), node) == [R3.id]


@pytest.mark.parametrize(("version", "to"), [(4, "10.0.0.10"), (6, "fd00:a::10")])
def test_it_is_reached_from_any_node(version: int, to: str) -> None:
    world, make = World(), packets.ping if version == 4 else packets.ping6
    own = "10.0.1.20" if version == 4 else "fd00:b::20"
    world.region.send(R3, {**make(R3.mac_address, TO_RED.mac_address, own, to), "ip_ttl": 64})
    (got,) = world.end.heard
    assert (got["eth_src"], got["eth_dst"]) == (ROUTERS, mac(M.mac_address))


@pytest.mark.parametrize("place", ["hv1", "hv3"])
def test_what_leaves_the_cloud_goes_to_the_gateways_node(place: str) -> None:
    """From hv1 back into the tunnels that it came from; by hv2, who may have the gateway and has not, it is routed."""
    world = World()
    world.region.create(replace(GATEWAY, host_id="hv2" if place == "hv1" else "hv3", hosts=("hv2", "hv3")))
    world.region.settle()
    carried = world.region.overlay.carried
    by = "hv1" if place == "hv1" else "hv2"
    world.sends(ping(4, wire_mac(by, TO_BLUE.id), "198.51.100.7"), by)
    target = "192.0.2.2" if place == "hv1" else "192.0.2.3"
    assert carried[prefix(f"192.0.2.{by[-1]}").value, prefix(target).value] == 1


def test_nodes_do_not_watch_the_switch() -> None:
    """It says nothing by BFD, and who watches it would take itself for cut off as soon as another node dies."""
    world = World()
    assert world.region.nodes["hv1"].rendering.watched == {"hv2"}
    assert world.region.nodes["hv2"].rendering.watched == {"hv1"}


def test_vms_there_do_not_hear_who_answers() -> None:
    world = World()
    vm = port(11, BLUE, "10.0.0.11")
    world.region.create(vm)
    world.region.plug("hv3", vm)
    world.region.settle()
    own = text_of_mac(wire_mac("hv1", TO_BLUE.id))
    assert world.sends(packets.arp(own, "10.0.0.1", "10.0.0.1", op=2), "hv3") == []
    assert world.sends(packets.arp(M.mac_address, "10.0.0.10", "10.0.0.11"), "hv3") == [vm.id]
