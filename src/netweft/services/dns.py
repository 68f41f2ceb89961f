"""DNS: what the ports of networks that are wired here are called, for the agent, which answers VMs there."""

from collections.abc import Iterator

from netweft.model import NamedPort, Network, Peer, Port
from netweft.services.names import Named, Place
from netweft.services.service import Service, Wanted
from netweft.services.values import LocalPort, RemotePort, Uplinks


def port(here: LocalPort) -> Iterator[Wanted]:
    addresses = tuple(fixed.ip_address for fixed in here.port.fixed_ips)
    yield from _named(here.port, here.network.network, addresses, Place.HERE)


def peer(_: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    yield from _named(there.peer, there.network.network, there.peer.ip_addresses, Place.ELSEWHERE)


def unbound(port: NamedPort, network: Network) -> Iterator[Named]:
    yield from _named(port, network, port.ip_addresses, Place.NOWHERE)


def _named(
    port: Port | Peer | NamedPort, network: Network, addresses: tuple[str, ...], place: Place
) -> Iterator[Named]:
    if addresses:
        yield Named(
            port_id=port.id,
            place=place,
            network_id=network.id,
            name=port.dns_name,
            domain=(port.dns_name and port.dns_domain) or network.dns_domain,
            addresses=addresses,
        )


DNS = Service("dns", port=port, peer=peer)
