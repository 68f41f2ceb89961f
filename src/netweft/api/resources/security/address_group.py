"""address_groups"""

from dataclasses import replace
from typing import Any

from netweft.api import checks
from netweft.api.attributes import Attribute, Resource
from netweft.api.resources.standard import STANDARD
from netweft.control.errors import AddressGroupNotFound
from netweft.control.standard import UseCases


def _prefix(value: Any) -> str:
    """An address is the prefix that has it alone.  Of a new group it is none: so Neutron has it."""
    return checks.cidr(checks.cidr_or_address(value))


ADDRESSES = checks.list_of(_prefix, unique=True)

ATTRIBUTES = {name: attribute for name, attribute in STANDARD.items() if name != "tags"} | {
    "description": replace(STANDARD["description"], check=checks.string(1024)),
    "addresses": Attribute(check=checks.list_of(checks.cidr, unique=True), post=True),
}


def address_group(use_cases: UseCases) -> Resource:
    return Resource(
        member="address_group",
        collection="address_groups",
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=AddressGroupNotFound,
        shared_as=("id", "address_groups"),
    )
