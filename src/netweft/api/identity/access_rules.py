"""A user's access rules, and what may be requested with an application credential (decision 0251)."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, to_builtins
from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, json, listing, no_content
from netweft.plugins.identity.access import AccessRule
from netweft.plugins.identity.embedded import access_rules
from netweft.plugins.identity.embedded.errors import Forbidden
from netweft.plugins.identity.embedded.tokens import Resolved
from netweft.store import Object

_RULES = f"{PREFIX}/users/{{user}}/access_rules"


class AccessRuleNew(Struct, frozen=True, forbid_unknown_fields=True):
    """By its id, or by what it says."""

    id: str | None = None
    service: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+\Z")] | None = None
    method: Literal["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"] | None = None
    path: Annotated[str, Meta(max_length=225, pattern="^/")] | None = None


async def list_access_rules(call: Call) -> Response:
    user_id, asked = call.path("user"), call.request.query_params
    await call.admin_or(user_id)
    found = await call.identity.read(lambda tx: access_rules.of_user(tx, user_id))
    filters = {name: asked[name] for name in ("service", "method", "path") if name in asked}
    shown = [_rule_shown(call, rule) for rule in found if filters.items() <= rule.items()]
    return listing(call, "access_rules", shown, "users", user_id, "access_rules")


async def show_access_rule(call: Call) -> Response:
    user_id, id = call.path("user"), call.path("id")
    await call.admin_or(user_id)
    found = await call.identity.read(lambda tx: access_rules.get_own(tx, user_id, id))
    return json({"access_rule": _rule_shown(call, found)})


async def delete_access_rule(call: Call) -> Response:
    """None that an application credential has."""
    user_id, id = call.path("user"), call.path("id")
    await call.admin_or(user_id)
    refuse_restricted(await call.resolved())
    await call.identity.change(lambda tx: access_rules.delete(tx, user_id, id))
    return no_content()


def _rule_shown(call: Call, rule: Object) -> Object:
    url = call.url("users", rule["user_id"], "access_rules", rule["id"])
    return access_rules.shown(rule) | {"links": {"self": url}}


def refuse_restricted(resolved: Resolved) -> None:
    """Raises Forbidden."""
    if resolved.application_credential is not None and not resolved.application_credential["unrestricted"]:
        raise Forbidden("This application credential may not manage application credentials.")


def ruled(resolved: Resolved, wanted: tuple[AccessRuleNew, ...] | None) -> list[Object] | None:
    """What a new credential is limited to.  Raises Forbidden for what the token itself is not good for."""
    if resolved.access_rules is not None:
        asked = [AccessRule(rule.service or "", rule.method or "", rule.path or "") for rule in wanted or ()]
        if wanted is None or not set(asked) <= set(resolved.access_rules):
            raise Forbidden("This application credential may make none that is good for more.")
    return None if wanted is None else [to_builtins(rule) for rule in wanted]


OPERATIONS = [
    Operation("GET", _RULES, list_access_rules),
    Operation("GET", f"{_RULES}/{{id}}", show_access_rule),
    Operation("DELETE", f"{_RULES}/{{id}}", delete_access_rule),
]
