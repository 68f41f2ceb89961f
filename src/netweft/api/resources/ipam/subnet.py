"""subnets"""

from collections.abc import Sequence

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import NETWORK_ID, STANDARD, flag
from netweft.control.errors import SubnetNotFound
from netweft.control.ipam.service_types import SERVICE_TYPES
from netweft.control.rbac import IS_EXTERNAL
from netweft.control.standard import UseCases
from netweft.store import Object, ReadTransaction

_MODE = Attribute(
    check=checks.one_of("dhcpv6-stateful", "dhcpv6-stateless", "slaac", None), post=True, filter=True, sort=True
)

ATTRIBUTES = STANDARD | {
    "network_id": NETWORK_ID,
    IS_EXTERNAL: flag(filter=True),  # as its network
    "ip_version": Attribute(
        check=checks.ip_version, parse=checks.integer, post=True, default=REQUIRED, filter=True, sort=True
    ),
    "cidr": Attribute(check=checks.or_none(checks.cidr), parse=checks.cidr, post=True, filter=True, sort=True),
    "gateway_ip": Attribute(check=checks.or_none(checks.ip_address), post=True, put=True, filter=True, sort=True),
    "allocation_pools": Attribute(check=checks.allocation_pools, post=True, put=True),
    "dns_nameservers": Attribute(check=checks.nameservers, post=True, put=True),
    "host_routes": Attribute(check=checks.host_routes, post=True, put=True),
    "enable_dhcp": flag(post=True, put=True, default=True, filter=True, sort=True),
    "ipv6_ra_mode": _MODE,
    "ipv6_address_mode": _MODE,
    "subnetpool_id": Attribute(check=checks.or_none(checks.uuid_text), post=True, filter=True, sort=True),
    SERVICE_TYPES: Attribute(check=checks.service_types, post=True, put=True),  # device owners it is for
    "shared": flag(filter=True),  # as its network; never shown
    # what is asked of the pool; never shown
    "prefixlen": Attribute(check=checks.non_negative, post=True),
    "use_default_subnetpool": Attribute(check=checks.boolean, post=True, default=False),
}


def present(tx: ReadTransaction, subnets: Sequence[Object]) -> Sequence[Object]:
    networks = tx.get_many("networks", {subnet["network_id"] for subnet in subnets})
    return [
        subnet
        | {
            IS_EXTERNAL: bool(networks[subnet["network_id"]].get(IS_EXTERNAL)),
            SERVICE_TYPES: subnet.get(SERVICE_TYPES, []),
        }
        for subnet in subnets
    ]


def subnet(use_cases: UseCases) -> Resource:
    return Resource(
        member="subnet",
        collection="subnets",
        quota=100,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=SubnetNotFound,
        present=present,
        computed=frozenset({IS_EXTERNAL}),
        shared_as=("network_id", "networks"),
    )
