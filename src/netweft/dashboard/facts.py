"""What the API itself says of its resources, for the page's lists and forms: `python -m netweft.dashboard.facts`.

Written into web/src/facts.json, from where it goes into the bundle; a test compares.  Pure.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from netweft.api import checks
from netweft.api.attributes import REQUIRED, UNSET, Attribute, Resource
from netweft.api.lb import fields
from netweft.api.lb.descriptions import BALANCER, KINDS, Kind
from netweft.api.lb.endpoint import ROOT, VERSIONS
from netweft.api.lb.offered import OFFERED, Offered
from netweft.api.relations import ANY
from netweft.api.rules import RULES, rule_of

_ADMINS = frozenset({"admin", "service"})
_MANAGERS = _ADMINS | {"manager"}
_VERBS = ("create", "get", "update", "delete")

_OCTAVIA: Final = f"{ROOT}/{VERSIONS[0]}/lbaas/"


def facts(resources: Sequence[Resource]) -> dict[str, Any]:
    """By the name of the collection."""
    return {resource.collection: _of(resource) for resource in resources} | _of_load_balancing()


def _of(resource: Resource) -> dict[str, Any]:
    member = resource.member
    return {
        "member": member,
        "path": resource.path,
        "actions": sorted(resource.actions),
        "needs": {verb: role for verb in _VERBS if (role := _needs(f"{verb}_{member}"))},
        "attributes": {name: _attribute(member, name, one) for name, one in resource.attributes.items()},
    }


def _attribute(member: str, name: str, attribute: Attribute) -> dict[str, Any]:
    """Only what is so."""
    said: dict[str, Any] = {
        "post": attribute.post,
        "put": attribute.put,
        "required": attribute.default is REQUIRED,
        "filter": attribute.filter,
        "sort": attribute.sort,
        "flag": attribute.check is checks.boolean,
        "needs": _needs(f"create_{member}:{name}") if attribute.post and f"create_{member}:{name}" in RULES else "",
    }
    if attribute.post and attribute.default not in (REQUIRED, UNSET, "", None, [], False):
        said["default"] = attribute.default
    return {name: value for name, value in said.items() if value}


def _of_load_balancing() -> dict[str, Any]:
    """The dialect says how that API differs: in tags, states and what null means."""
    return {kind.kind: _of_kind(kind) for kind in KINDS} | {one.what.kind: _of_offered(one) for one in OFFERED}


def _of_kind(kind: Kind) -> dict[str, Any]:
    """Of what is a part of another in paths the path is the collection's name only."""
    return {
        "member": kind.member,
        "path": kind.collection if kind.parent else _OCTAVIA + kind.collection,
        "dialect": "octavia",
        "actions": ["create", "delete", "update"],
        "needs": {},
        "attributes": {name: _field(one) for name, one in kind.fields.items()},
        **({"deletion": "?cascade=true"} if kind is BALANCER else {}),
    }


def _of_offered(offered: Offered) -> dict[str, Any]:
    """Flavors, zones and their profiles: administrators make them, and some of them everybody chooses from."""
    verbs = _VERBS if not offered.for_all else [verb for verb in _VERBS if verb != "get"]
    return {
        "member": offered.member,
        "path": _OCTAVIA + offered.collection,
        "listed": offered.listed,
        "dialect": "octavia",
        "actions": ["create", "delete", "update"],
        "needs": dict.fromkeys(verbs, "admin"),
        "attributes": {name: _field(one) for name, one in offered.fields.items()},
        **({} if "id" in offered.fields else {"key": "name"}),
    }


def _field(field: fields.Field) -> dict[str, Any]:
    """Only what is so."""
    said: dict[str, Any] = {
        "post": field.post,
        "put": field.put,
        "required": field.default is fields.REQUIRED,
        "filter": field.filter,
        "sort": field.sort,
        "flag": field.check is fields.boolean,
        "choices": list(field.check.allowed) if isinstance(field.check, fields.OneOf) else None,
    }
    if field.post and field.default is not fields.REQUIRED:
        said["default"] = field.default
    return {name: value for name, value in said.items() if value}


def _needs(action: str) -> str:
    """The role without which it is refused, whatever it is done to; empty: none that not every member has."""
    grants = rule_of(action).grants
    if all(grant.role in _ADMINS and grant.relation == ANY for grant in grants):
        return "admin"
    return "manager" if all(grant.role in _MANAGERS for grant in grants) else ""


def main() -> None:
    from netweft.api import app
    from netweft.settings import ServerSettings
    from netweft.store import Store

    found = facts(app.shown(app.resources(Store.open("sqlite:///:memory:"), ServerSettings())))
    print(json.dumps(found, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
