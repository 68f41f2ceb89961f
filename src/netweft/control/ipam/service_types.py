"""Service types of subnets: which ports, by their device_owner, have addresses of a subnet.  None named: all."""

from collections.abc import Iterable
from typing import Final

from netweft.store import Object

SERVICE_TYPES: Final = "service_types"


def serves(subnet: Object, owner: str) -> bool:
    """owner: a port's device_owner."""
    types = subnet.get(SERVICE_TYPES)
    return not types or owner in types


def serving(subnets: Iterable[Object], owner: str) -> list[Object]:
    """Those that name this owner come first."""
    return sorted((one for one in subnets if serves(one, owner)), key=lambda one: not one.get(SERVICE_TYPES))
