"""The part of Keystone v3 that OpenStack clients use, under `/identity/v3`, for the embedded identity service.

A file per noun, each with its OPERATIONS; `call` is what they share.
"""

from starlette.routing import Route

from netweft.api.identity import (
    access_rules,
    assignments,
    call,
    catalog,
    groups,
    implied,
    project_tags,
    resources,
    tokens,
    unsupported,
    users,
)
from netweft.plugins.identity.embedded.service import EmbeddedIdentity
from netweft.settings import ServerSettings

OPERATIONS = [
    *catalog.OPERATIONS,
    *tokens.OPERATIONS,
    *users.OPERATIONS,
    *access_rules.OPERATIONS,
    *(operation for resource in resources.RESOURCES for operation in call.operations_of(resource.kind, resource)),
    *groups.OPERATIONS,
    *implied.OPERATIONS,
    *project_tags.OPERATIONS,
    *unsupported.OPERATIONS,
    *assignments.OPERATIONS,
]


def routes(identity: EmbeddedIdentity, settings: ServerSettings) -> list[Route]:
    return call.routes(OPERATIONS, identity, settings)
