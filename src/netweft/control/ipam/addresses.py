"""The arithmetic of addresses: pure functions, no store."""

import ipaddress
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

from netweft.control.errors import (
    GatewayConflictWithAllocationPools,
    InvalidAllocationPool,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
)
from netweft.store import Object

IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Range: TypeAlias = tuple[int, int]

AUTOMATIC = frozenset({"slaac", "dhcpv6-stateless"})


def is_automatic(subnet: Object) -> bool:
    """Ports make their own address here, out of prefix and MAC: whichever of the modes says so, as the router does."""
    return not AUTOMATIC.isdisjoint((subnet["ipv6_address_mode"], subnet["ipv6_ra_mode"]))


def text(number: int, version: int) -> str:
    """An address as people write it."""
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def eui64(cidr: str, mac: str) -> str:
    """The address that a host with this MAC gives itself in a /64."""
    b = bytes.fromhex(mac.replace(":", ""))
    interface = bytes((b[0] ^ 2, b[1], b[2], 0xFF, 0xFE, b[3], b[4], b[5]))
    network = ipaddress.IPv6Network(cidr)
    return str(network[int.from_bytes(interface, "big")])


def default_gateway(network: IpNetwork) -> str | None:
    """The first address; none where there is no room for one."""
    return str(network[1]) if network.num_addresses > 2 else None


def may_be_held(network: IpNetwork, address: IpAddress) -> bool:
    """In the subnet, and neither its network nor its broadcast address (for IPv6: nor the routers' anycast one)."""
    if address not in network:
        return False
    if network.num_addresses <= 2:
        return True
    if address == network.network_address:
        return False
    return network.version == 6 or address != network.broadcast_address


def default_pools(network: IpNetwork, gateway: str | None) -> list[Object]:
    """All that ports may hold, around the gateway."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.num_addresses > 2:
        first += 1
        last -= network.version == 4
    ranges = [(first, last)]
    if gateway is not None and first <= (skip := number(gateway)) <= last and network.version == version_of(gateway):
        ranges = [(a, b) for a, b in ((first, skip - 1), (skip + 1, last)) if a <= b]
    return [{"start": text(a, network.version), "end": text(b, network.version)} for a, b in ranges]


def version_of(address: str) -> int:
    return ipaddress.ip_address(address).version


def ranges_of(pools: Iterable[Object]) -> list[Range]:
    return [(number(pool["start"]), number(pool["end"])) for pool in pools]


def check_pools(network: IpNetwork, pools: Sequence[Object], gateway: str | None) -> None:
    """Raises what Neutron does for pools that are upside down, out of the subnet, overlapping, or hold the gateway."""
    seen: list[tuple[Range, str]] = []
    for pool in pools:
        name = f"{pool['start']}-{pool['end']}"
        start, end = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
        if start.version != network.version or end.version != network.version or int(end) < int(start):
            raise InvalidAllocationPool(pool=name)
        if not (may_be_held(network, start) and may_be_held(network, end)):
            raise OutOfBoundsAllocationPool(pool=name, subnet_cidr=str(network))
        seen.append(((int(start), int(end)), name))
    seen.sort()
    for (one, name), (other, other_name) in pairwise(seen):
        if other[0] <= one[1]:
            raise OverlappingAllocationPools(pool_1=name, pool_2=other_name, subnet_cidr=str(network))
    if gateway is None or version_of(gateway) != network.version:
        return
    for (start_number, end_number), name in seen:
        if start_number <= number(gateway) <= end_number:
            raise GatewayConflictWithAllocationPools(ip_address=gateway, pool=name)
