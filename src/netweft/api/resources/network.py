"""networks"""

from collections.abc import Mapping, Sequence
from typing import Any

from netweft.api import checks
from netweft.api.attributes import Attribute, Resource, Who
from netweft.api.resources.standard import ADMIN_STATE, READ_ONLY, STANDARD, STATUS, flag
from netweft.control.errors import NetworkNotFound
from netweft.control.standard import UseCases
from netweft.plugins.identity import Context
from netweft.store import ReadTransaction


def _provider(check: checks.Check, parse: checks.Check = str) -> Attribute:
    """What carries the network: for admins only."""
    return Attribute(check=check, parse=parse, post=True, put=True, filter=True, set_by=Who.ADMIN, seen_by=Who.ADMIN)


ATTRIBUTES = STANDARD | {
    "admin_state_up": ADMIN_STATE,
    "status": STATUS,
    "subnets": Attribute(check=READ_ONLY, default=[]),
    "shared": flag(post=True, put=True, default=False, filter=True, set_by=Who.ADMIN),
    "mtu": Attribute(
        check=checks.non_negative, parse=checks.integer, post=True, put=True, default=0, filter=True, sort=True
    ),
    "port_security_enabled": flag(post=True, put=True, default=True),
    "provider:network_type": _provider(checks.string(32)),
    "provider:physical_network": _provider(checks.or_none(checks.string(64))),
    "provider:segmentation_id": _provider(checks.integer, checks.integer),
}


def visible(tx: ReadTransaction, context: Context) -> Sequence[Mapping[str, Sequence[Any]]]:
    """One's own, and shared ones."""
    return [{"project_id": [context.project_id]}, {"shared": [True]}]


def network(use_cases: UseCases) -> Resource:
    return Resource(
        member="network",
        collection="networks",
        quota=100,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=NetworkNotFound,
        visible=visible,
    )
