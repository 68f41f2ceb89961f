"""rbac_policies"""

from netweft.api import checks
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.resources.standard import ID, PROJECT
from netweft.control.rbac import KINDS, RbacPolicies, RbacPolicyNotFound

ATTRIBUTES = {
    "id": ID,
    "project_id": PROJECT,
    "tenant_id": PROJECT,
    "object_type": Attribute(check=checks.one_of(*KINDS), post=True, default=REQUIRED, filter=True, sort=True),
    "object_id": Attribute(check=checks.uuid_text, post=True, default=REQUIRED, filter=True, sort=True),
    "action": Attribute(check=checks.string(255), post=True, default=REQUIRED, filter=True, sort=True),
    "target_tenant": Attribute(
        check=checks.string(255),
        post=True,
        put=True,
        default=REQUIRED,
        filter=True,
        sort=True,
    ),
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
