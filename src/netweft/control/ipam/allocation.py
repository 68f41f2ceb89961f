"""Which addresses ports get: those they ask for, else one of each IP version from the subnets' pools.

One `Allocator` serves all ports of a request, so that a bulk of a hundred ports takes its addresses in one go.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from itertools import chain

from netweft.control.errors import (
    AllocationOnAutoAddressSubnet,
    InvalidInput,
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    IpAddressGenerationFailure,
    IpAddressGenerationFailureNoMatchingSubnet,
    SubnetNotFound,
)
from netweft.control.ipam import addresses
from netweft.control.ipam.service_types import serving
from netweft.control.ipam.subnets import scope
from netweft.control.l3.owners import INTERFACES
from netweft.store import Claim, Object, WriteTransaction

FixedIps = list[Object]


class Allocator:
    """For ports on these networks, within one transaction.

    chunk: how many addresses to take at a time, for ports that do not care which.  Call `finish` to return the rest.
    """

    def __init__(self, tx: WriteTransaction, networks: Iterable[Object], chunk: int = 1) -> None:
        self._tx = tx
        self._chunk = chunk
        self._drawn: dict[str, list[int]] = {}
        ids = {network["id"]: network["subnets"] for network in networks}
        subnets = tx.glance.get_many("subnets", list(chain.from_iterable(ids.values())))
        self._subnets = {network: [subnets[id] for id in of if id in subnets] for network, of in ids.items()}
        tx.pools.hold(map(scope, subnets))

    def allocate(
        self,
        network_id: str,
        mac: str,
        wanted: FixedIps | None,
        held: FixedIps | None = None,
        *,
        owner: str,
    ) -> FixedIps:
        """The port's fixed_ips.  wanted: None for `whatever is usual`.  held: what an existing port has now.
        owner: its device_owner.  A router's interface has any address that it is given, and none by itself."""
        of_router = owner in INTERFACES
        subnets = serving(self._subnets[network_id], owner)
        kept, missing = _keep(wanted or (), held or [])
        if wanted is None or missing:
            self._refuse_others(network_id, owner, subnets, missing)
        if wanted is None:
            result = self._usual(network_id, subnets)
        else:
            result = kept + [self._wanted(network_id, mac, one, subnets, of_router=of_router) for one in missing]
        if of_router:
            return result
        covered = {fixed["subnet_id"] for fixed in result}
        for subnet in subnets:
            if addresses.is_automatic(subnet) and subnet["id"] not in covered:
                result.append(_fixed(subnet, addresses.eui64(subnet["cidr"], mac)))
        return result

    def finish(self) -> None:
        for subnet_id, numbers in self._drawn.items():
            for number in numbers:
                self._tx.pools.give_back(scope(subnet_id), number)

    def _refuse_others(self, network_id: str, owner: str, subnets: Sequence[Object], missing: Iterable[Object]) -> None:
        """Subnets that are for other device owners."""
        others = {one["id"] for one in self._subnets[network_id]}.difference(one["id"] for one in subnets)
        if others and not subnets:
            raise IpAddressGenerationFailureNoMatchingSubnet(network_id=network_id, service_type=owner)
        for named in (one["subnet_id"] for one in missing if one.get("subnet_id") in others):
            raise InvalidInput(
                f"Failed to create port on network {network_id}, because fixed_ips included invalid subnet {named}"
            )

    def _usual(self, network_id: str, subnets: Sequence[Object]) -> FixedIps:
        """One address of each IP version for which there are subnets to draw from."""
        result = []
        for version in (4, 6):
            candidates = [s for s in subnets if s["ip_version"] == version and not addresses.is_automatic(s)]
            if candidates:
                result.append(self._draw(network_id, candidates))
        return result

    def _wanted(
        self, network_id: str, mac: str, wanted: Object, subnets: Sequence[Object], *, of_router: bool
    ) -> Object:
        address = wanted.get("ip_address")
        if address is None:
            subnet = _by_id(subnets, wanted["subnet_id"])
            if addresses.is_automatic(subnet) and not of_router:
                return _fixed(subnet, addresses.eui64(subnet["cidr"], mac))
            return self._draw(network_id, [subnet])
        subnet = _for_address(subnets, wanted)
        own = of_router or not addresses.is_automatic(subnet) or address == addresses.eui64(subnet["cidr"], mac)
        if not own:
            raise AllocationOnAutoAddressSubnet(ip=address, subnet_id=subnet["id"])
        self._tx.pools.take_exactly(scope(subnet["id"]), addresses.number(address))
        return _fixed(subnet, address)

    def _draw(self, network_id: str, candidates: Sequence[Object]) -> Object:
        for subnet in candidates:
            drawn = self._drawn.setdefault(subnet["id"], [])
            if not drawn:
                drawn.extend(self._tx.pools.take(scope(subnet["id"]), self._chunk))
            if drawn:
                return _fixed(subnet, addresses.text(drawn.pop(0), subnet["ip_version"]))
        raise IpAddressGenerationFailure(net_id=network_id)


def claims(fixed_ips: FixedIps) -> list[Claim]:
    return [Claim(scope(fixed["subnet_id"]), str(addresses.number(fixed["ip_address"]))) for fixed in fixed_ips]


def are_held(wanted: Sequence[Object] | None, held: FixedIps) -> bool:
    """Whether what is wanted is just what is there."""
    kept, missing = _keep(wanted or (), held)
    return not missing and len(kept) == len(held)


def _fixed(subnet: Object, address: str) -> Object:
    return {"subnet_id": subnet["id"], "ip_address": address}


def _keep(wanted: Sequence[Object], held: FixedIps) -> tuple[FixedIps, list[Object]]:
    """What is wanted and held already stays: the same address, or any of the subnet when only that is named."""
    rest, kept, open = list(held), [], []
    for one in sorted(wanted, key=lambda one: "ip_address" not in one):
        found = next((have for have in rest if one.items() <= have.items()), None)
        if found is None:
            open.append(one)
        else:
            rest.remove(found)
            kept.append(found)
    return kept, open


def _by_id(subnets: Sequence[Object], id: str) -> Object:
    for subnet in subnets:
        if subnet["id"] == id:
            return subnet
    raise SubnetNotFound(id=id)


def _may_hold(subnet: Object, address: addresses.IpAddress) -> bool:
    """The gateway's too, which a router is to get, if it is within the subnet."""
    network = ipaddress.ip_network(subnet["cidr"])
    return addresses.may_be_held(network, address) or (address in network and str(address) == subnet["gateway_ip"])


def _for_address(subnets: Sequence[Object], wanted: Object) -> Object:
    """The subnet for an address that is requested by name."""
    address = ipaddress.ip_address(wanted["ip_address"])
    if wanted.get("subnet_id") is not None:
        subnet = _by_id(subnets, wanted["subnet_id"])
        if not _may_hold(subnet, address):
            raise InvalidIpForSubnet(ip_address=address)
        return subnet
    for subnet in subnets:
        if _may_hold(subnet, address):
            return subnet
    raise InvalidIpForNetwork(ip_address=address)
