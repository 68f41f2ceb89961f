"""The part of Keystone v3 that OpenStack clients use, under `/identity/v3`, for the embedded identity service.

A file per noun, each with its OPERATIONS; `call` is what they share.
"""

from starlette.routing import Route

from netweft.api.identity import access_rules, assignments, call, catalog, domains, resources, tokens, users
from netweft.plugins.identity.embedded.service import EmbeddedIdentity
from netweft.settings import ServerSettings

OPERATIONS = [
    *catalog.OPERATIONS,
    *tokens.OPERATIONS,
    *users.OPERATIONS,
    *access_rules.OPERATIONS,
    *(operation for resource in resources.RESOURCES for operation in resource.operations()),
    *domains.OPERATIONS,
    *assignments.OPERATIONS,
]


def routes(identity: EmbeddedIdentity, settings: ServerSettings) -> list[Route]:
    return call.routes(OPERATIONS, identity, settings)
