"""The tables of each bridge: one ordered list that explains the switch.

A frame goes down the list, never up, but for fragments that conntrack gives back.  Ids are the places in
the list; nobody types them.  A flow is checked against its table's record when it is built, so a match or a jump that
the list does not promise is an error in a unit test.
The integration bridge's are in `integration_tables`.
`docs/pipeline.md` is generated from both (`python -m netweft.services.pipeline_doc`).
"""

from netweft.services.integration_tables import INT
from netweft.services.packet_fields import ICMPV6
from netweft.services.tables import DROP, OTHERS, BridgeFlow, Pipeline, PipelineError, Table, Value, fields

__all__ = [
    "DROP", "INT", "OTHERS", "PHYS", "PIPELINES", "RECIRCULATIONS", "TUN", "BridgeFlow", "Pipeline", "PipelineError",
    "Table", "Value", "physical_role", "pipeline_of",
]  # fmt: skip

TUN = Pipeline.of(
    "tun",
    "the tunnel bridge: between local VLAN and tunnel key",
    Table(
        "classify",
        "from the integration bridge or from the overlay?  Nothing goes from the overlay back to it",
        match=fields("in_port"),
        next=("from_overlay", "to_peer"),
        entry=True,
    ),
    Table(
        "from_overlay",
        "by tunnel type (each has its port) and key, or where the tag is there already (STT): the network's local "
        "VLAN, and on to the integration bridge",
        match=fields("in_port", "tun_id", "vlan_vid"),
        set=fields("vlan_vid"),
        output=True,
    ),
    Table(
        "to_peer",
        "by local VLAN and destination MAC: to the one host that has the peer; who announces himself where routers "
        "do not know all: to all hosts that route there",
        match=fields("vlan_vid", "eth_dst", *ICMPV6),
        set=fields("vlan_vid", "tun_id", "tun_ipv4_dst", "tun_ipv6_dst"),
        next=("flood",),
        output=True,
        miss="flood",
    ),
    Table(
        "flood",
        "broadcast, multicast and unknown unicast: to exactly the hosts that have the network",
        match=fields("vlan_vid"),
        set=fields("vlan_vid", "tun_id", "tun_ipv4_dst", "tun_ipv6_dst"),
        output=True,
    ),
)

PHYS = Pipeline.of(
    "phys",
    "a physical network's bridge, which is the operator's: only what comes from the integration bridge is ours",
    Table(
        "to_wire",
        "from local VLAN to provider VLAN, or untagged, and routers' packets from a MAC of the node's own; then as the "
        "learning switch that the bridge is",
        match=fields("in_port", "vlan_vid", "eth_src"),
        set=fields("vlan_vid", "eth_src"),
        output=True,
        miss=OTHERS,
        entry=True,
    ),
)

# How often a packet is recirculated on a node, by kind of path: tests/ovs/test_recirculations.py counts.  In the cache
# that is what it pays most for.  All are for conntrack; no packet to one port is tracked twice
# but for one that is routed: each network is a conntrack zone of its own.
RECIRCULATIONS = {
    "between guarded ports of one node": 1,
    "from a guarded port into a tunnel": 1,
    "out of a tunnel to a guarded port": 1,
    "from a guarded port to the wire, flat or VLAN": 1,
    "from the wire, flat or VLAN, to a guarded port": 1,
    "from or to a trunk's sub-port that is guarded": 1,
    "between a guarded and an unguarded port of one node": 1,
    "for a MAC that nobody knows, by a guarded port": 1,
    "for such a MAC by an unguarded port, or from outside": 0,
    "for an address pair's MAC, by a guarded port in a known connection, whoever gets it": 1,
    "for such a MAC in a new connection, or by an unguarded port, or from outside: for each guarded port with it": 1,
    "for multicast and broadcast addresses, whoever sends and gets it": 0,
    "the same, where the network has a crowd of ports (more than 256): for each guarded port": 1,
    "the first of a connection, and each fragment": 1,
    "between unguarded ports, into and out of tunnels and wires": 0,
    "between ports of stateless groups": 0,
    "through routers, between guarded ports of one node": 2,
    "through routers, from a guarded port to another node, or from an unguarded port to a guarded one": 1,
    "past firewalls of VMs' ports, guarded or not, within a network": 1,
    "past firewalls of routers' and VMs' ports, guarded or not, between ports of one node": 2,
    "to an address of a router's own and back, by a guarded port": 1,
    "by SNAT to the wire from a guarded port of the gateway's node, or the answer to it": 2,
    "by SNAT to the wire from another node, by a floating IP to a guarded port or from one": 1,
    "to a VIP by a guarded port, and on to another node": 2,
    "the first packet of it": 3,
    "a member's answer, on the node of a guarded port that has asked a VIP": 2,
    "to a VIP by a member that is led to itself, the first packet": 5,
    "its answer to itself": 4,
    "for the node's metadata service": 0,
    "the metadata service's answer": 1,
    "ARP, neighbour discovery, and what routers and DHCP servers elsewhere say": 0,
}

PIPELINES = {pipeline.role: pipeline for pipeline in (INT, TUN, PHYS)}


def physical_role(physical_network: str) -> str:
    return f"{PHYS.role}:{physical_network}"


def pipeline_of(role: str) -> Pipeline:
    """role: as in BridgeFlow."""
    return PIPELINES[role.partition(":")[0]]
