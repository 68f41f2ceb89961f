"""Tokens: issued, shown, revoked; and where one's token may be scoped to."""

import re
from datetime import UTC, datetime
from typing import Any

import structlog
from msgspec import Struct
from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, json, listing, no_content
from netweft.api.identity.catalog import of_token
from netweft.plugins.identity import Unauthorized
from netweft.plugins.identity.embedded import grants
from netweft.plugins.identity.embedded.errors import Forbidden, NotFound, TooManyAttempts
from netweft.plugins.identity.embedded.request import AuthRequest
from netweft.plugins.identity.embedded.tokens import Resolved
from netweft.store import Object
from netweft.tally import Tally

log = structlog.get_logger(__name__)
_refused = Tally("logins refused")
SERVICE_ROLE = "service"
_NOT_CACHED = {"Vary": "X-Auth-Token"}


class AuthBody(Struct, frozen=True):
    auth: AuthRequest


async def issue(call: Call) -> Response:
    body = await call.body(AuthBody)
    try:
        token, resolved = await call.identity.issue(body.auth, call.software)
    except Unauthorized:
        client = call.request.client
        log.warning("login refused", who=body.auth.identity.who[:80], client=client.host if client else "local")
        raise
    except TooManyAttempts:
        _refused.count("too_many_attempts")
        raise
    return json(await _body(call, resolved), 201, _NOT_CACHED | {"X-Subject-Token": token})


async def show(call: Call) -> Response:
    subject, resolved = await _subject(call, also=SERVICE_ROLE)
    if resolved.access_rules is not None and not _knows_access_rules(call):
        raise NotFound("token", "it has access rules, and who asks does not know them")
    return json(await _body(call, resolved), 200, _NOT_CACHED | {"X-Subject-Token": subject})


async def revoke(call: Call) -> Response:
    subject, _ = await _subject(call)
    await call.identity.revoke(subject)
    return no_content()


async def list_projects(call: Call) -> Response:
    context = await call.caller()
    projects = await call.identity.read(lambda tx: grants.projects_of(tx, context.user_id))
    shown = [p | {"links": {"self": call.url("projects", p["id"])}} for p in projects if p["enabled"]]
    return listing(call, "projects", shown, "auth", "projects")


async def list_domains(call: Call) -> Response:
    context = await call.caller()
    domains = await call.identity.read(lambda tx: grants.domains_of(tx, context.user_id))
    shown = [d | {"links": {"self": call.url("domains", d["id"])}} for d in domains if d["enabled"]]
    return listing(call, "domains", shown, "auth", "domains")


async def list_systems(call: Call) -> Response:
    context = await call.caller()
    granted = await call.identity.read(lambda tx: grants.role_ids(tx, context.user_id, grants.ON_SYSTEM))
    return listing(call, "system", [{"all": True}] if granted else [], "auth", "system")


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def _subject(call: Call, also: str = "") -> tuple[str, Resolved]:
    """The token that is asked about: one's own, or an admin asks.  also: a role that may, too, as the cloud's services,
    which validate by keystonemiddleware."""
    context = await call.caller()
    subject = call.request.headers.get("x-subject-token", "")
    try:
        resolved = await call.identity.inspect(subject)
    except Unauthorized:
        raise NotFound("token", "it is unknown, expired or revoked") from None
    if not context.is_admin and also not in context.roles and context.user_id != resolved.user["id"]:
        raise Forbidden
    return subject, resolved


async def _body(call: Call, resolved: Resolved) -> dict[str, Any]:
    token, domains = resolved.token, resolved.domains
    body: dict[str, Any] = {
        "methods": token.methods,
        "user": {
            "id": resolved.user["id"],
            "name": resolved.user["name"],
            "domain": domains[resolved.user["domain_id"]],
            "password_expires_at": None,
        },
        "audit_ids": token.audit_ids,
        "issued_at": timestamp(token.issued_at),
        "expires_at": timestamp(token.expires_at),
    }
    if resolved.project is not None:
        project = resolved.project
        body["project"] = {"id": project["id"], "name": project["name"], "domain": domains[project["domain_id"]]}
        body["is_domain"] = False
    if token.domain_id is not None:
        body["domain"] = domains[token.domain_id]
    if token.system:
        body["system"] = {"all": True}
    if resolved.application_credential is not None:
        body["application_credential"] = _credential(resolved.application_credential)
    if resolved.roles:
        body["roles"] = [{"id": role["id"], "name": role["name"]} for role in resolved.roles]
        if "nocatalog" not in call.request.query_params:
            body["catalog"] = await call.identity.read(lambda tx: of_token(tx, call, resolved))
    return {"token": body}


def _credential(credential: Object) -> dict[str, Any]:
    shown = {"id": credential["id"], "name": credential["name"], "restricted": not credential["unrestricted"]}
    rules = credential.get("access_rules")
    return shown if rules is None else shown | {"access_rules": rules}


def _knows_access_rules(call: Call) -> bool:
    """A service that would not enforce them must not take the token for a good one."""
    version = call.request.headers.get("openstack-identity-access-rules", "")
    return re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)?", version, re.ASCII) is not None


OPERATIONS = [
    Operation("POST", f"{PREFIX}/auth/tokens", issue),
    Operation("GET", f"{PREFIX}/auth/tokens", show),
    Operation("DELETE", f"{PREFIX}/auth/tokens", revoke),
    Operation("GET", f"{PREFIX}/auth/projects", list_projects),
    Operation("GET", f"{PREFIX}/auth/domains", list_domains),
    Operation("GET", f"{PREFIX}/auth/system", list_systems),
]
