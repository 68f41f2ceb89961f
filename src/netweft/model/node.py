"""Nodes: the hypervisors, as their peers see them, and what they say of themselves."""

from typing import Final

from msgspec import Struct

OUR_AGENT: Final = "netweft-agent"  # the binary of agents that route
OVN_AGENT: Final = "OVN Controller agent"  # how Neutron shows a chassis of OVN's: no feed of ours goes there
ON_THIS_CHASSIS: Final = "netweft-metadata"  # among its ovn-cms-options: our agent answers for metadata there


class Node(Struct, frozen=True, kw_only=True, tag="node", omit_defaults=True):
    """Another hypervisor that shares a network with this one: a tunnel end point.

    floating_ips: the physical networks on which it has those of its VMs.
    speaks_bfd: with nodes that watch it; switches, and hosts of others' agents, do not."""

    name: str
    tunnel_ip: str | None = None
    tunnel_types: tuple[str, ...] = ()
    floating_ips: tuple[str, ...] = ()
    speaks_bfd: bool = True


class Neighbour(Struct, frozen=True):
    """What a NIC is plugged into, as learned by LLDP: a switch by its chassis id and system name, and its port."""

    interface: str
    switch_id: str
    switch_name: str
    port: str


DEFAULT_ZONE = "nova"  # as Neutron and Nova have it


class NodeFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node says of itself when it subscribes, and again when it changes.

    bridge_mappings: physical network -> bridge, e.g. {"physnet1": "br-eth1"}.
    datapath_type: `system` or `netdev`.
    agent_type, binary: what the API shows in `agents`.
    vif_type: how a VM is plugged in here, in Nova's words; port_filter: whether the node keeps ports to their rules.
    floating_ips: the physical networks, wired, on which it has those of its VMs itself.
    availability_zone: in which the node's gateways are.
    proxies: whether HAProxy can run there, for load balancers.
    neighbours: of NICs of the bridges of physical networks, as far as something was learned.
    crowded: ids of networks and routers that have as many connections there as they may.
    metadata: why VMs there get no metadata; empty: they do, or none has requested it.
    problems: a sentence each, such as "bridge br-eth1 of physical network physnet1 is not there".
    """

    tunnel_ip: str | None = None
    tunnel_types: tuple[str, ...] = ("vxlan",)
    bridge_mappings: dict[str, str] = {}
    datapath_type: str = ""
    integration_bridge: str = "br-int"
    ovs_version: str = ""
    agent_version: str = ""
    agent_type: str = "Open vSwitch agent"
    binary: str = OUR_AGENT
    vif_type: str = "ovs"
    port_filter: bool = True
    floating_ips: tuple[str, ...] = ()
    availability_zone: str = DEFAULT_ZONE
    problems: tuple[str, ...] = ()
    proxies: bool = False
    neighbours: tuple[Neighbour, ...] = ()
    crowded: tuple[str, ...] = ()
    metadata: str = ""


def ovn_metadata_port(network_id: str) -> str:
    """What OVN's logical port is called by which VMs of a network reach what answers for metadata on their chassis."""
    return f"ovnmeta-{network_id}"
