"""DNS: what the ports of networks that are wired here are called, for the agent, which answers VMs there."""

from collections.abc import Iterator

from netweft.model import Network
from netweft.services.service import Service, Wanted
from netweft.services.values import LocalPort, Named, RemotePort, Uplinks


def port(here: LocalPort) -> Iterator[Wanted]:
    port, network = here.port, here.network.network
    addresses = tuple(fixed.ip_address for fixed in port.fixed_ips)
    yield from _named(port.id, network, port.dns_name, port.dns_domain, addresses, elsewhere=False)


def peer(_: Uplinks, there: RemotePort) -> Iterator[Wanted]:
    port, network = there.peer, there.network.network
    yield from _named(port.id, network, port.dns_name, port.dns_domain, port.ip_addresses, elsewhere=True)


def _named(
    port_id: str, network: Network, name: str, domain: str, addresses: tuple[str, ...], *, elsewhere: bool
) -> Iterator[Named]:
    if addresses:
        yield Named(
            port_id=port_id,
            elsewhere=elsewhere,
            network_id=network.id,
            name=name,
            domain=(name and domain) or network.dns_domain,
            addresses=addresses,
        )


DNS = Service("dns", port=port, peer=peer)
