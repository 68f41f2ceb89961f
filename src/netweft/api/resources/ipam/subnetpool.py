"""subnetpools"""

from dataclasses import replace

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import STANDARD, flag
from netweft.control.ipam.subnetpools import SubnetPoolNotFound
from netweft.control.standard import UseCases

_COUNT = Attribute(check=checks.non_negative, parse=checks.integer, post=True, put=True, filter=True, sort=True)
_LENGTH = replace(_COUNT, show=str)  # as Neutron has it

ATTRIBUTES = STANDARD | {
    "name": Attribute(check=checks.string(255), post=True, put=True, default=REQUIRED, filter=True, sort=True),
    "ip_version": Attribute(check=checks.ip_version, parse=checks.integer, filter=True, sort=True),
    "prefixes": Attribute(check=checks.list_of(checks.cidr, unique=True), post=True, put=True, default=REQUIRED),
    "min_prefixlen": _LENGTH,
    "max_prefixlen": _LENGTH,
    "default_prefixlen": _LENGTH,
    "default_quota": _COUNT,
    "shared": flag(post=True, default=False, filter=True, sort=True),
    "is_default": flag(post=True, put=True, default=False, filter=True, sort=True),
}


def subnetpool(use_cases: UseCases) -> Resource:
    return Resource(
        member="subnetpool",
        collection="subnetpools",
        quota=-1,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=SubnetPoolNotFound,
        shared_as=("id", "subnetpools"),
    )
