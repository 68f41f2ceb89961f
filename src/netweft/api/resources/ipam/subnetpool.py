"""subnetpools"""

from dataclasses import replace

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import STANDARD, flag
from netweft.control.ipam.address_scopes import KIND, SCOPE, IllegalSubnetPoolUpdate
from netweft.control.ipam.subnetpools import SubnetPoolNotFound
from netweft.control.standard import UseCases
from netweft.plugins.identity import Context
from netweft.store import Object, ReadTransaction

_COUNT = Attribute(check=checks.non_negative, parse=checks.integer, post=True, put=True, filter=True, sort=True)
_LENGTH = replace(_COUNT, show=str)  # as Neutron has it

ATTRIBUTES = STANDARD | {
    "name": Attribute(check=checks.not_blank(), post=True, put=True, default=REQUIRED, filter=True, sort=True),
    "ip_version": Attribute(check=checks.ip_version, parse=checks.integer, filter=True, sort=True),
    "prefixes": Attribute(check=checks.list_of(checks.cidr, unique=True), post=True, put=True, default=REQUIRED),
    "min_prefixlen": _LENGTH,
    "max_prefixlen": _LENGTH,
    "default_prefixlen": _LENGTH,
    "default_quota": _COUNT,
    SCOPE: Attribute(check=checks.or_none(checks.uuid_text), post=True, put=True, filter=True, sort=True),
    "shared": flag(post=True, default=False, filter=True, sort=True),
    "is_default": flag(post=True, put=True, default=False, filter=True, sort=True),
}


def refuse_in_others_scope(
    tx: ReadTransaction, context: Context, current: Object | None, wanted: Object | None
) -> None:
    """A pool in somebody else's scope stays as it is."""
    scope_id = current.get(SCOPE) if current and wanted is not None and not context.is_admin else None
    scope = tx.get(KIND, scope_id) if scope_id else None
    if current is not None and scope is not None and scope["project_id"] != context.project_id:
        reason = f"subnetpool {current['id']} cannot be updated when associated with shared address scope {scope_id}"
        raise IllegalSubnetPoolUpdate(reason=reason)


def subnetpool(use_cases: UseCases) -> Resource:
    return Resource(
        member="subnetpool",
        collection="subnetpools",
        quota=-1,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=SubnetPoolNotFound,
        refuse=refuse_in_others_scope,
        shared_as=("id", "subnetpools"),
    )
