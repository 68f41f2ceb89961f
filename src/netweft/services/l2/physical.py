"""Provider networks: flat and VLAN, on bridges that belong to the operator.

    br-int ── local VLAN ──▶ provider VLAN or untagged ──▶ br-eth1 ── NIC
           ◀── translated by br-int ── provider VLAN or untagged ──

The bridge is the operator's, also what it does with frames of its own: of ours are the link's port on it, and flows
for what comes through that port.  Towards the wire it works as the learning switch that it is (NORMAL).
"""

from collections.abc import Iterator

from netweft.dataplane.openflow.flow import OFPP_NORMAL, Action, Output, PopVlan, SetField
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import mac
from netweft.services.fields import UNTAGGED, Reason, cookie, tagged
from netweft.services.l2.bridges import KINDS, joined, physical_link
from netweft.services.l3.values import LocalRouter
from netweft.services.pipeline import PHYS, physical_role
from netweft.services.service import Service, Wanted
from netweft.services.values import PHYSICAL, Flood, HostFacts, LocalNetwork, Uplinks

ROUTED, TRANSLATED, ANYTHING = 30, 20, 10


def host(facts: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """The links, and that nothing passes them but what a network's flow names."""
    for name, bridge in facts.bridge_mappings.items():
        if name in uplinks.problems:
            continue
        for kind in KINDS:
            if kind in (facts.interconnect, uplinks.keep):
                yield from joined(kind, physical_link(kind, bridge), (facts.integration_bridge, bridge))
    for name, link in uplinks.physical.items():
        for far in link.fars:
            drop = PHYS["to_wire"].flow(ANYTHING, cookie(Reason.PIPELINE), {"in_port": far})
            yield drop._replace(bridge=physical_role(name))


def network(uplinks: Uplinks, here: LocalNetwork, _: Flood) -> Iterator[Wanted]:
    """To the wire.  How its frames come in from there is switching's business, as with any other uplink."""
    link, name = here.link(uplinks), here.segment.physical_network or ""
    if link is None or here.segment.network_type not in PHYSICAL:
        return
    owner = cookie(Reason.NETWORK_PHYSICAL, here.network.id)
    for far in link.fars:
        match = {"in_port": far, "vlan_vid": tagged(here.vlan)}
        flow = PHYS["to_wire"].flow(TRANSLATED, owner, match, *_to_wire(here))
        yield flow._replace(bridge=physical_role(name))


def router(uplinks: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    """A router has one MAC on all nodes, which switches would see at as many of their ports: on the wire its packets
    come from a MAC of the node's own."""
    for interface in here.interfaces:
        net = interface.network
        link, name = net.link(uplinks), net.segment.physical_network or ""
        if link is None or net.segment.network_type not in PHYSICAL:
            continue
        owner = cookie(Reason.ROUTER_INTERFACE, interface.port.id)
        for far in link.fars:
            match = {"in_port": far, "vlan_vid": tagged(net.vlan), "eth_src": mac(interface.port.mac_address)}
            own = SetField("eth_src", wire_mac(here.node, interface.port.id))
            flow = PHYS["to_wire"].flow(ROUTED, owner, match, own, *_to_wire(net))
            yield flow._replace(bridge=physical_role(name))


def _to_wire(here: LocalNetwork) -> tuple[Action, ...]:
    outside = outside_vlan(here)
    return (PopVlan() if outside == UNTAGGED else SetField("vlan_vid", outside), Output(OFPP_NORMAL))


def outside_vlan(here: LocalNetwork) -> int:
    """What vlan_vid says of the network's frames outside."""
    key = here.segment.segmentation_id
    return tagged(key) if here.segment.network_type == "vlan" and key is not None else UNTAGGED


PHYSICAL_NETWORKS = Service("physical networks", host=host, network=network, router=router)
