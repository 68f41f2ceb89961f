"""On a chassis of OVN's: a bridge of our own, to which each network's `localport` leads.  `br-int` is ovn-controller's.

    VM ── br-int ══ a patch of its network ══ classify ── requests ── metadata ── nw-metadata, the agent
    VM ── br-int ══ the same ════════════════ deliver ─────────────── answer ───┘

OVN answers ARP and ND for the addresses, and its port security vouches for MACs: a client is known by network and MAC.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from netweft.dataplane.openflow.flow import Output, SetField
from netweft.dataplane.ovsdb.rows import MARK, BridgeRow, PortRow, Row, VifRow
from netweft.model.node import ovn_metadata_port
from netweft.services.addresses import mac
from netweft.services.fields import IN_PORT, NEXT_HOP, OUT_PORT, Reason, cookie
from netweft.services.metadata import ends, path
from netweft.services.packet_fields import IP_ENDS
from netweft.services.tables import BridgeFlow, Pipeline, Table, fields
from netweft.services.values import Asked

BRIDGE: Final = "br-metadata"
_MARKS: Final = ((MARK, "metadata"),)
_OFFER: Final = next(offer for offer in ends.OFFERS if offer.asked is Asked.METADATA)
_TCP: Final = ("eth_type", "ip_proto")

META: Final = Pipeline.of(
    "meta",
    "on a chassis of OVN's: what VMs ask of metadata, to the agent and back",
    Table(
        "classify",
        "who asks: by the patch port of the network, and the MAC; or from the agent",
        match=fields("in_port", "eth_src"),
        set=fields(IN_PORT),
        next=("requests", "metadata"),
        entry=True,
    ),
    Table(
        "requests",
        "metadata, and nothing else: who asks becomes an address",
        match=fields(*_TCP, "ip_frag", "tcp_dst", "ipv4_dst", "ipv6_dst"),
        set=fields(*IP_ENDS, *NEXT_HOP),
        next=("metadata",),
    ),
    Table(
        "metadata",
        "to the agent's interface, with what is needed for the way back in the connection's label; and in from there",
        match=fields(IN_PORT, *_TCP, "tcp_src", "tcp_dst"),
        set=fields("eth_dst", "tcp_dst"),
        next=("answer",),
        output=True,
    ),
    Table(
        "answer",
        "what the agent says: the VM's addresses",
        match=fields(*_TCP, "tcp_src", "ct_state"),
        set=fields("eth_src", "eth_dst", "tcp_src", *IP_ENDS, OUT_PORT),
        next=("deliver",),
        entry=True,
    ),
    Table("deliver", "to the network of who asked", match=fields(OUT_PORT), output=True),
)
_TABLES: Final = path.Tables(META["requests"], META["metadata"], META["answer"], META["deliver"].goto)


class Requester(Struct, frozen=True):
    """A port on this chassis.  number: as `ends` has it, of nobody else here for long."""

    number: int
    port_id: str
    network_id: str
    mac: str


def rows(networks: Iterable[str], integration_bridge: str, datapath_type: str) -> Iterator[Row]:
    """Open vSwitch's: the bridge, the agent's interface, and the way to each network."""
    yield BridgeRow(name=BRIDGE, datapath_type=datapath_type, external_ids=_MARKS)
    yield PortRow(name=ends.INTERFACE, bridge=BRIDGE, type="internal", external_ids=_MARKS)
    for network in networks:
        near, far = _names(network)
        is_its = (("iface-id", ovn_metadata_port(network)),)
        to_far, to_near = ((("peer", peer),) for peer in (far, near))
        yield VifRow(
            name=near,
            bridge=integration_bridge,
            type="patch",
            options=to_far,
            external_ids=_MARKS,
            interface_ids=is_its,
        )
        yield PortRow(name=far, bridge=BRIDGE, type="patch", options=to_near, external_ids=_MARKS)


def patch(network: str) -> str:
    """Its port on our bridge."""
    return _names(network)[1]


def _names(network: str) -> tuple[str, str]:
    short = network.replace("-", "")[:11]
    return f"nwm{short}", f"nwn{short}"


def flows(requesters: Iterable[Requester], patches: Mapping[str, int], interface: int) -> Iterator[BridgeFlow]:
    """requesters: the ports whose requests are answered.  patches: network -> its patch port's number; interface: the
    agent's."""
    owner = cookie(Reason.METADATA)
    yield from META.misses()
    yield META["classify"].flow(10, owner, {"in_port": interface}, META["metadata"].goto)
    for part in (path.asked(_TABLES, owner, _OFFER), path.through(_TABLES, owner, interface, _OFFER)):
        yield from part
    yield from path.answered(_TABLES, owner, _OFFER)
    for one in requesters:
        if (at := patches.get(one.network_id)) is not None:
            its = cookie(Reason.PORT_METADATA, one.port_id)
            who = {"in_port": at, "eth_src": mac(one.mac)}
            yield META["classify"].flow(10, its, who, SetField(IN_PORT, one.number), META["requests"].goto)
            yield META["deliver"].flow(10, its, {OUT_PORT: one.number}, Output(at))
