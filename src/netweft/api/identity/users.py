"""What belongs to one user: the password, the projects, the application credentials."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from starlette.responses import Response

from netweft.api.encoding import seconds_of
from netweft.api.identity.access_rules import AccessRuleNew, refuse_restricted, ruled
from netweft.api.identity.call import PREFIX, Call, Operation, json, listing, no_content
from netweft.api.identity.resources import Name
from netweft.plugins.identity import Unauthorized
from netweft.plugins.identity.embedded import credentials, directory, grants
from netweft.plugins.identity.embedded.errors import Forbidden, Invalid
from netweft.plugins.identity.embedded.tokens import Resolved
from netweft.store import Object, WriteTransaction

_LATEST = datetime.max.replace(tzinfo=UTC).timestamp() - 1  # what was stored may be later
_CREDENTIALS = f"{PREFIX}/users/{{user}}/application_credentials"


class PasswordChange(Struct, frozen=True):
    password: str
    original_password: str


class PasswordBody(Struct, frozen=True):
    user: PasswordChange


class RoleRef(Struct, frozen=True):
    id: str | None = None
    name: str | None = None


class CredentialNew(Struct, frozen=True):
    name: Name
    description: str | None = None
    secret: str | None = None
    expires_at: datetime | None = None
    roles: tuple[RoleRef, ...] = ()
    unrestricted: bool = False
    access_rules: tuple[AccessRuleNew, ...] | None = None


class CredentialBody(Struct, frozen=True):
    application_credential: CredentialNew


async def change_password(call: Call) -> Response:
    """Whoever knows the old one may; no token is needed, and all of the user's are gone after it."""
    user_id, body = call.path("user"), (await call.body(PasswordBody)).user
    async with call.identity.passwords.attempt(f"user {user_id}", call.software) as attempt:
        user = await call.identity.read(lambda tx: tx.get("users", user_id))
        hash = user["password_hash"] if user else None
        attempt.right = await call.identity.passwords.verify(hash, body.original_password)
    if user is None or not attempt.right or not user["enabled"]:
        raise Unauthorized
    changes = {"password_hash": await call.identity.passwords.hash(body.password)}
    await call.identity.change(lambda tx: directory.update(tx, "users", user_id, changes))
    return no_content()


async def list_projects(call: Call) -> Response:
    user_id = call.path("user")
    await call.admin_or(user_id)

    def work(tx: Any) -> list[Object]:
        directory.get(tx, "users", user_id)
        return grants.projects_of(tx, user_id)

    projects = await call.identity.read(work)
    shown = [project | {"links": {"self": call.url("projects", project["id"])}} for project in projects]
    return listing(call, "projects", shown, "users", user_id, "projects")


async def create_credential(call: Call) -> Response:
    """Only for oneself, and with no more than this token may: a program's own credentials make no others."""
    resolved = await call.resolved()
    if resolved.user["id"] != call.path("user"):
        raise Forbidden
    refuse_restricted(resolved)
    if resolved.project is None:
        raise Invalid("An application credential needs a token that is scoped to a project.")
    wanted = (await call.body(CredentialBody)).application_credential
    secret = wanted.secret or secrets.token_urlsafe(64)
    attributes = {
        "name": wanted.name,
        "description": wanted.description,
        "expires_at": _expiry(wanted.expires_at),
        "roles": _delegated(resolved, wanted.roles),
        "unrestricted": wanted.unrestricted,
        "access_rules": ruled(resolved, wanted.access_rules),
        "secret_hash": await call.identity.passwords.hash(secret),
    }
    user_id, project_id = resolved.user["id"], resolved.project["id"]

    def work(tx: WriteTransaction) -> Object:
        shown = _shown(call, credentials.create(tx, user_id, project_id, attributes))
        return {"application_credential": shown | {"secret": secret}}

    return json(await call.change(work), 201)


async def list_credentials(call: Call) -> Response:
    user_id = call.path("user")
    await call.admin_or(user_id)
    name = call.request.query_params.get("name")
    found = await call.identity.read(lambda tx: credentials.of_user(tx, user_id))
    shown = [_shown(call, each) for each in found if name in (None, each["name"])]
    return listing(call, "application_credentials", shown, "users", user_id, "application_credentials")


async def show_credential(call: Call) -> Response:
    user_id, id = call.path("user"), call.path("id")
    await call.admin_or(user_id)
    found = await call.identity.read(lambda tx: credentials.get_own(tx, user_id, id))
    return json({"application_credential": _shown(call, found)})


async def delete_credential(call: Call) -> Response:
    """Tokens that it got are worth nothing from then on."""
    user_id, id = call.path("user"), call.path("id")
    await call.admin_or(user_id)
    refuse_restricted(await call.resolved())

    def work(tx: Any) -> None:
        tx.lock(credentials.KIND, id)
        credentials.get_own(tx, user_id, id)
        tx.delete(credentials.KIND, id)

    await call.identity.change(work)
    return no_content()


def _delegated(resolved: Resolved, wanted: tuple[RoleRef, ...]) -> list[Object]:
    """Raises Invalid for a role that the token has not got."""
    own = [{"id": role["id"], "name": role["name"], "domain_id": None} for role in resolved.roles]
    if not wanted:
        return own
    chosen = []
    for ref in wanted:
        found = next(
            (role for role in own if ref.id == role["id"] or (ref.id is None and ref.name == role["name"])), None
        )
        if found is None:
            raise Invalid(
                f"Invalid application credential: Could not find role assignment with role: {ref.id or ref.name}."
            )
        chosen.append(found)
    return chosen


def _expiry(at: datetime | None) -> float | None:
    if at is None:
        return None
    seconds = seconds_of(at)
    if seconds is None or seconds <= time.time():
        raise Invalid("Invalid application credential: expires_at is in the past, or in no year that there is.")
    return seconds


def _shown(call: Call, found: Object) -> Object:
    shown = {name: value for name, value in found.items() if name != "secret_hash"}
    if shown.get("access_rules") is None:
        shown.pop("access_rules", None)
    if found["expires_at"] is not None:
        shown["expires_at"] = datetime.fromtimestamp(min(found["expires_at"], _LATEST), UTC).strftime(
            "%Y-%m-%dT%H:%M:%S.%f"
        )
    url = call.url("users", found["user_id"], "application_credentials", found["id"])
    return shown | {"system": None, "links": {"self": url}}


OPERATIONS = [
    Operation("POST", f"{PREFIX}/users/{{user}}/password", change_password),
    Operation("GET", f"{PREFIX}/users/{{user}}/projects", list_projects),
    Operation("GET", _CREDENTIALS, list_credentials),
    Operation("POST", _CREDENTIALS, create_credential),
    Operation("GET", f"{_CREDENTIALS}/{{id}}", show_credential),
    Operation("DELETE", f"{_CREDENTIALS}/{{id}}", delete_credential),
]
