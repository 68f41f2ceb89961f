"""rbac_policies"""

from typing import Any

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.checks import Invalid
from netweft.api.resources.standard import ID, PROJECT
from netweft.control.errors import InvalidInput
from netweft.control.rbac import EVERYBODY, KINDS, RbacPolicies, RbacPolicyNotFound


def _object_type(value: Any) -> str:
    found = value.strip().lower() if isinstance(value, str) else value
    if found not in KINDS:
        raise InvalidInput(f"'{value}' is not a valid RBAC object type")
    return str(found)


def _target(value: Any) -> str:
    """A project's id, as Keystone makes them, or everybody."""
    if value == EVERYBODY:
        return EVERYBODY
    try:
        checks.uuid_text(value)
    except Invalid:
        raise InvalidInput(f"'{value}' is not a valid target project ID; expected a UUID or '*'") from None
    return str(value)


ATTRIBUTES = {
    "id": ID,
    "project_id": PROJECT,
    "tenant_id": PROJECT,
    "object_type": Attribute(check=_object_type, post=True, default=REQUIRED, filter=True, sort=True),
    "object_id": Attribute(check=checks.uuid_text, post=True, default=REQUIRED, filter=True, sort=True),
    "action": Attribute(check=checks.string(255), post=True, default=REQUIRED, filter=True, sort=True),
    "target_tenant": Attribute(check=_target, post=True, put=True, default=REQUIRED, filter=True, sort=True),
}


def rbac_policy(use_cases: RbacPolicies) -> Resource:
    return Resource(
        member="rbac_policy",
        collection="rbac_policies",
        quota=10,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=RbacPolicyNotFound,
    )
