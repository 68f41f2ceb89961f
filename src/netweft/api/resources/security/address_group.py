"""address_groups"""

from netweft.api import checks
from netweft.api.attributes import Attribute, Resource
from netweft.api.resources.standard import STANDARD
from netweft.control.errors import AddressGroupNotFound
from netweft.control.standard import UseCases

ADDRESSES = checks.list_of(checks.cidr, unique=True)

ATTRIBUTES = {name: attribute for name, attribute in STANDARD.items() if name != "tags"} | {
    "addresses": Attribute(check=ADDRESSES, post=True),
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
