"""address_scopes"""

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import ID, NAME, PROJECT, flag
from netweft.control.ipam.address_scopes import KIND, AddressScopeNotFound
from netweft.control.standard import UseCases

ATTRIBUTES = {
    "id": ID,
    "name": NAME,
    "project_id": PROJECT,
    "tenant_id": PROJECT,
    "ip_version": Attribute(
        check=checks.ip_version, parse=checks.integer, post=True, default=REQUIRED, filter=True, sort=True
    ),
    "shared": flag(post=True, put=True, default=False, filter=True, sort=True),
}


def address_scope(use_cases: UseCases) -> Resource:
    return Resource(
        member="address_scope",
        collection=KIND,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=AddressScopeNotFound,
        shared_as=("id", KIND),
    )
