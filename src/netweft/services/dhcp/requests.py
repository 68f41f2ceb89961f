"""DHCP: requests of the ports here go to the agent, which answers from their leases (dhcp4, dhcp6).

All nodes answer as one server with one address and one MAC, which lead nowhere further: what is sent to it and is no
request ends here.  So a VM that moves finds the server that it knows, and nothing of it is ever on the wire.

A flow a network takes the requests of all of its ports.  Those that none of our subnets with DHCP concerns go on their
way: there may be another server for them.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from netweft.dataplane.dhcp import options
from netweft.dataplane.openflow.fields import ETH_IPV4, ETH_IPV6, PROTO_UDP
from netweft.dataplane.openflow.flow import OFPP_IN_PORT, Controller, Move, Output, PushVlan, SetField
from netweft.model import ExtraDhcpOpt, FixedIp, Port, Subnet
from netweft.services.addresses import mac, prefix
from netweft.services.fields import AGENT, IN_PORT, LOCAL_VLAN, OUT_PORT, TAG_BITS, TAG_SHIFT, Reason, cookie
from netweft.services.l2.announce import Packet
from netweft.services.l2.neighbours import arp_reply, asks_for
from netweft.services.pipeline import INT, Value
from netweft.services.security.port_security import sources
from netweft.services.service import Service, Wanted
from netweft.services.values import Asked, Flood, HostFacts, Lease, LocalNetwork, LocalPort, Uplinks

UNHEARD, OWN, NOT_OURS, ASK, DEAD_END = 24, 23, 22, 21, 20

SERVER_MAC = "02:4e:57:a9:fe:fe"
SERVER_ADDRESS = IPv4Address("169.254.169.254")  # why this one: docs/decisions/0161

REQUESTS: dict[int, dict[str, Value]] = {
    4: {"eth_type": ETH_IPV4, "ip_proto": PROTO_UDP, "udp_src": 68, "udp_dst": 67},
    6: {"eth_type": ETH_IPV6, "ip_proto": PROTO_UDP, "udp_src": 546, "udp_dst": 547},
}
ASKED = INT["requests"]
ON = INT["egress"].goto
TO_AGENT = Controller(AGENT)
STATEFUL, STATELESS = "dhcpv6-stateful", "dhcpv6-stateless"


def served(subnet: Subnet) -> bool:
    """Whether DHCP is answered for it.  In IPv6 addresses may come from router advertisements (SLAAC)."""
    if not subnet.enable_dhcp:
        return False
    mode = subnet.ipv6_address_mode
    return subnet.ip_version == 4 or mode in (STATEFUL, STATELESS) or (mode is None and subnet.ipv6_ra_mode is None)


def offers(lease: Lease, version: int) -> list[tuple[FixedIp, Subnet]]:
    """The port's addresses in subnets with DHCP, in its own order."""
    subnets = {subnet.id: subnet for subnet in lease.subnets if subnet.ip_version == version and served(subnet)}
    return [(fixed, subnets[fixed.subnet_id]) for fixed in lease.port.fixed_ips if fixed.subnet_id in subnets]


def extras(lease: Lease, version: int) -> dict[int, bytes]:
    """What the port's owner wants to be said; empty: not to be said.  What cannot be said is left out."""
    found = (_encoded(extra) for extra in lease.port.extra_dhcp_opts if extra.ip_version == version)
    return dict(option for option in found if not isinstance(option, str))


def unsaid(port: Port) -> str:
    """Which of its owner's options cannot be said, and why; empty when all can."""
    return "; ".join(option for option in map(_encoded, port.extra_dhcp_opts) if isinstance(option, str))


def _encoded(extra: ExtraDhcpOpt) -> tuple[int, bytes] | str:
    """Code and value, or why not."""
    try:
        return options.encode(extra.opt_name, extra.opt_value, extra.ip_version)
    except ValueError as error:
        return f"extra_dhcp_opts: {error}"


def network(_: Uplinks, here: LocalNetwork, __: Flood) -> Iterator[Wanted]:
    owner = cookie(Reason.NETWORK_DHCP, here.network.id)
    for version in here.dhcp:
        yield ASKED.flow(ASK, owner, {LOCAL_VLAN: here.vlan, **REQUESTS[version]}, TO_AGENT)
    if 4 in here.dhcp:
        who = {LOCAL_VLAN: here.vlan, **asks_for(prefix(str(SERVER_ADDRESS)))}
        yield ASKED.flow(ASK, owner, who, *arp_reply(mac(SERVER_MAC), int(SERVER_ADDRESS)))


def port(here: LocalPort) -> Iterator[Wanted]:
    """What it may lease; and what is said in another's name, or by one who has nothing to lease, goes on."""
    owner = cookie(Reason.PORT_DHCP, here.port.id)
    network = here.network.network
    domain = network.dns_domain.removesuffix(".")
    lease = Lease(number=here.number, port=here.port, mtu=network.mtu, domain=domain, subnets=here.subnets)
    if here.network.dhcp:
        yield lease
    for version in here.network.dhcp:
        asks: dict[str, Value] = {IN_PORT: here.number, **REQUESTS[version]}
        if Asked.DHCP in here.deaf_to:
            yield ASKED.flow(UNHEARD, owner, asks)
        if not offers(lease, version):
            yield ASKED.flow(NOT_OURS, owner, asks, ON)
        elif not here.port.port_security_enabled or len({source.mac for source in sources(here.port)}) > 1:
            yield ASKED.flow(NOT_OURS, owner, asks, ON)
            yield ASKED.flow(OWN, owner, {**asks, "eth_src": mac(here.port.mac_address)}, TO_AGENT)


def host(_: HostFacts, __: Uplinks) -> Iterator[Wanted]:
    owner = cookie(Reason.PIPELINE)
    yield ASKED.flow(DEAD_END, owner, {"eth_dst": mac(SERVER_MAC)})
    untagged: dict[str, Value] = {IN_PORT: (0, ((1 << TAG_BITS) - 1) << TAG_SHIFT)}
    retag = Move(IN_PORT, "vlan_vid", bits=TAG_BITS, src_start=TAG_SHIFT)
    yield INT["answer"].flow(20, owner, untagged, Output(OFPP_IN_PORT))
    yield INT["answer"].flow(10, owner, {}, PushVlan(), retag, Output(OFPP_IN_PORT))


def to_port(number: int, frame: bytes) -> Packet:
    """Out of this logical port, with its tag."""
    return Packet(frame, (SetField(OUT_PORT, number), INT["deliver"].resubmit))


DHCP = Service("dhcp", host=host, network=network, port=port)
