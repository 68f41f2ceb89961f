"""Request bodies: from bytes to checked attributes, by a resource's description.  No store, no policy."""

from collections.abc import Mapping
from typing import Any, Protocol

from netweft.api.attributes import REQUIRED, UNSET, Attribute
from netweft.api.checks import Invalid
from netweft.api.encoding import Malformed, decode
from netweft.api.faults import HTTPBadRequest
from netweft.plugins.identity import Context
from netweft.store import Object


class Described(Protocol):
    """What this module has to know of a resource, or of what is part of one."""

    @property
    def member(self) -> str: ...

    @property
    def collection(self) -> str: ...

    @property
    def attributes(self) -> Mapping[str, Attribute]: ...


BULK = 100  # objects in one request, which is one transaction: others that write wait for it
_PROJECT = ("project_id", "tenant_id")


def parse(data: bytes) -> dict[str, Any]:
    """Raises HTTPBadRequest for what is not a JSON object."""
    try:
        body = decode(data)
    except Malformed as malformed:
        said = "The server could not comply with the request since it is malformed JSON"
        raise HTTPBadRequest(f"{said}: {malformed}") from None
    if not isinstance(body, dict) or not body:
        raise HTTPBadRequest("Resource body required")
    return body


def for_create(resource: Described, body: dict[str, Any], context: Context) -> tuple[list[Object], bool]:
    """What is wanted, with defaults; and whether it was requested in bulk."""
    bulk = resource.collection in body
    items: Any = body.get(resource.collection) if bulk else [body.get(resource.member)]
    if bulk and (not isinstance(items, list) or not items):
        raise HTTPBadRequest("Resources required")
    if bulk and len(items) > BULK:
        raise HTTPBadRequest(f"There are more than {BULK} objects in this request")
    _refuse_others(body, resource.collection if bulk else resource.member)
    return [_new(resource, item, context) for item in given(resource, body)], bulk


def for_update(resource: Described, body: dict[str, Any]) -> Object:
    _refuse_others(body, resource.member)
    item = _as_object(resource, body.get(resource.member))
    _refuse_unknown(resource, item)
    for name in item:
        if not resource.attributes[name].put:
            raise HTTPBadRequest(f"Cannot update read-only attribute {name}")
    return {name: _checked(resource, name, value) for name, value in item.items()}


def given(resource: Described, body: dict[str, Any]) -> list[Object]:
    """The bodies' items as they were sent, for policy: a default is not something that somebody asked for.

    Each of a bulk may have the resource's name around it."""
    if resource.collection in body:
        return [_as_object(resource, _unwrapped(resource, item)) for item in body[resource.collection]]
    return [_as_object(resource, body.get(resource.member))]


def _new(resource: Described, item: Object, context: Context) -> Object:
    _refuse_unknown(resource, item)
    wanted: Object = {}
    for name, attribute in resource.attributes.items():
        if name in _PROJECT:
            continue
        if name in item:
            if not attribute.post:
                raise HTTPBadRequest(f"Attribute '{name}' not allowed in POST")
            wanted[name] = _checked(resource, name, item[name])
        elif attribute.default is REQUIRED:
            raise HTTPBadRequest(f"Failed to parse request. Required attribute '{name}' not specified")
        elif attribute.post and attribute.default is not UNSET:
            wanted[name] = attribute.default
    wanted["project_id"] = _project(resource, item, context)
    return wanted


def _project(resource: Described, item: Object, context: Context) -> str:
    named = {_checked(resource, name, item[name]) for name in _PROJECT if item.get(name)}
    if len(named) > 1:
        raise HTTPBadRequest("'project_id' and 'tenant_id' do not match")
    project: str | None = named.pop() if named else context.project_id
    if project is None:
        raise HTTPBadRequest("The token is not scoped to a project, and no project_id is given")
    if project != context.project_id and not context.sees_all:
        raise HTTPBadRequest(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request "
            "requires admin privileges"
        )
    return project


def _checked(resource: Described, name: str, value: Any) -> Any:
    try:
        return resource.attributes[name].check(value)
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for {name}. Reason: {invalid}.") from None


def _unwrapped(resource: Described, item: Any) -> Any:
    return item[resource.member] if isinstance(item, dict) and item.keys() == {resource.member} else item


def _as_object(resource: Described, item: Any) -> Object:
    if not isinstance(item, dict):
        raise HTTPBadRequest(f"Unable to find '{resource.member}' in request body")
    return item


def _refuse_unknown(resource: Described, item: Object) -> None:
    unknown = [name for name in item if name not in resource.attributes]
    if unknown:
        raise HTTPBadRequest(f"Unrecognized attribute(s) '{', '.join(unknown)}'")


def _refuse_others(body: dict[str, Any], expected: str) -> None:
    others = [name for name in body if name != expected]
    if expected in body and others:
        raise HTTPBadRequest(f"Unrecognized attribute(s) '{', '.join(others)}'")
