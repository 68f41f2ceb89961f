"""Which machines behind VTEPs this node answers by DHCP, and what it tells them."""

from netweft.model import FixedIp, Node, Peer, Port, Subnet
from netweft.reconcile.memo import Reader
from netweft.services.addresses import prefix, within
from netweft.services.node_facts import host_facts
from netweft.services.values import Lease, LocalNetwork


def is_answered_here(read: Reader, peer: Peer) -> bool:
    """It is behind a switch, and this node answers for a router on its network."""
    there: Node | None = read.get(("node", peer.host_id))
    if there is None or there.speaks_bfd:
        return False
    node = host_facts(read).name
    for id in read.get(("answered", peer.network_id)) or ():
        place, port = read.get(("place", id)), read.get(("router_port", id))
        if place.answers if place else port and port.answers_on == node:
            return True
    return False


def machines_lease(read: Reader, network: LocalNetwork, peer: Peer) -> Lease:
    """What other nodes do not hear of a port is not in it: options that its owner has added."""
    subnets: tuple[Subnet, ...] = read.get(("subnets", peer.network_id)) or ()
    fixed = (
        FixedIp(subnet.id, address)
        for address in peer.ip_addresses
        for subnet in subnets
        if within(prefix(address), prefix(subnet.cidr))
    )
    port = Port(
        id=peer.id,
        network_id=peer.network_id,
        mac_address=peer.mac_address,
        fixed_ips=tuple(fixed),
        dns_name=peer.dns_name,
    )
    domain = network.network.dns_domain.removesuffix(".")
    return Lease(number=0, port=port, mtu=network.network.mtu, domain=domain, subnets=subnets)
