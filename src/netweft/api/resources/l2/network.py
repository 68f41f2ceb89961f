"""networks"""

from collections.abc import Sequence

from netweft.api import checks, dns_names
from netweft.api.attributes import Attribute, Resource
from netweft.api.resources.availability_zones import hints
from netweft.api.resources.standard import ADMIN_STATE, READ_ONLY, STANDARD, STATUS, flag, or_empty
from netweft.control import zones
from netweft.control.errors import NetworkNotFound
from netweft.control.ipam.address_scopes import OF_NETWORK
from netweft.control.l2 import names
from netweft.control.standard import UseCases
from netweft.model.network import NAT66
from netweft.store import Object, ReadTransaction


def _provider(check: checks.Check, parse: checks.Check = str) -> Attribute:
    """What carries the network: for admins only."""
    return Attribute(check=check, parse=parse, post=True, put=True, filter=True)


_TYPE = checks.string(32)
_PHYSICAL = checks.string(64)
_SEGMENTS = checks.list_of(
    checks.record(
        {},
        {
            "provider:network_type": _TYPE,
            "provider:physical_network": _PHYSICAL,
            "provider:segmentation_id": checks.integer,
        },
    )
)

ATTRIBUTES = STANDARD | {
    "admin_state_up": ADMIN_STATE,
    "status": STATUS,
    "subnets": Attribute(check=READ_ONLY, default=[]),
    "shared": flag(post=True, put=True, default=False, filter=True),
    "mtu": Attribute(
        check=checks.non_negative, parse=checks.integer, post=True, put=True, default=0, filter=True, sort=True
    ),
    "port_security_enabled": flag(post=True, put=True, default=True),
    "provider:network_type": _provider(_TYPE),
    "provider:physical_network": _provider(_PHYSICAL),
    "provider:segmentation_id": _provider(checks.integer, checks.integer),
    "segments": Attribute(check=_SEGMENTS, post=True, put=True),
    "is_default": flag(post=True, put=True, default=False, filter=True),
    "router:external": flag(post=True, put=True, default=False, filter=True),
    "qos_policy_id": Attribute(check=checks.or_none(checks.uuid_text), post=True, put=True, default=None),
    names.DOMAIN: Attribute(check=dns_names.domain, post=True, put=True, default="", show=or_empty),
    "vlan_transparent": flag(post=True, filter=True),
    NAT66: flag(post=True, put=True, default=False, filter=True, show=bool),  # ours (extension `netweft-nat66`)
    **hints(sort=True),
    **dict.fromkeys(OF_NETWORK.values(), Attribute(check=READ_ONLY)),
}


def present(tx: ReadTransaction, networks: Sequence[Object]) -> Sequence[Object]:
    """Each node has all of what it has ports on: a network is in the zones that it requests, and in any other."""
    return [one | {"availability_zones": one.get(zones.HINTS) or []} for one in networks]


def network(use_cases: UseCases) -> Resource:
    return Resource(
        member="network",
        collection="networks",
        quota=100,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=NetworkNotFound,
        shared_as=("id", "networks"),
        present=present,
    )
