"""Request bodies, from bytes to checked attributes.  No store, no policy."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from netweft.api import body
from netweft.api.checks import Invalid
from netweft.api.faults import HTTPBadRequest
from netweft.api.lb import descriptions
from netweft.api.lb.descriptions import MOST_BELOW, Kind
from netweft.api.lb.fields import REQUIRED, Field, Fields
from netweft.control.errors import Refused
from netweft.store import Object

_ECHO = 200
_OLD = "tenant_id"  # what a project was called before


class Described(Protocol):
    @property
    def member(self) -> str: ...

    @property
    def fields(self) -> Fields: ...


def of_one(described: Described, data: bytes) -> Object:
    """What stands under its name."""
    return _object(described.member, given(body.parse(data), described.member))


def given(parsed: Mapping[str, Any], name: str) -> Any:
    if unknown := sorted(parsed.keys() - {name}):
        raise HTTPBadRequest(f'Unknown argument: "{unknown[0]}"')
    if not isinstance(parsed.get(name), dict | list):
        raise HTTPBadRequest(f'Missing argument: "{name}"')
    return parsed[name]


def for_create(kind: Kind, item: Any, *, nested: bool = False) -> Object:
    """With defaults.  nested: what it may have below it comes with it."""
    sub = kind.sub if nested else {}
    item = _object(kind.member, item)
    _refuse_unknown(kind, item, [*kind.fields, *sub])
    wanted: Object = {}
    for name, field in kind.fields.items():
        if name in sub:
            continue
        if field.post:
            wanted[name] = _value(kind, name, field, item)
        elif name in item:
            raise HTTPBadRequest(f"Unknown attribute for argument {kind.member}: {name}")
    wanted |= {name: _below(kind, name, item.get(name)) for name in sub}
    return wanted


def for_update(kind: Described, item: Any) -> Object:
    item = _object(kind.member, item)
    _refuse_unknown(kind, item, [name for name, field in kind.fields.items() if field.put])
    return {name: _value(kind, name, kind.fields[name], item) for name in item if name != _OLD}


def plain(described: Described, item: Any) -> Object:
    """Of what has nothing below it."""
    item = _object(described.member, item)
    _refuse_unknown(described, item, [name for name, field in described.fields.items() if field.post])
    return {name: _value(described, name, field, item) for name, field in described.fields.items() if field.post}


def _value(kind: Described, name: str, field: Field, item: Object) -> Any:
    value = item.get(name)
    if value is None:
        if field.default is REQUIRED:
            raise _invalid(name, None, "Mandatory field missing.")
        return field.default
    try:
        return field.check(value)
    except Invalid as invalid:
        raise _invalid(name, value, f"{invalid}") from None


def _below(kind: Kind, name: str, value: Any) -> Any:
    several, member = kind.sub[name]
    nested = descriptions.NESTED[member]
    if value is None:
        return [] if several else None
    if not several:
        return for_create(nested, value, nested=True)
    if not isinstance(value, list):
        raise _invalid(name, value, "Wrong type. Expected a list")
    if len(value) > MOST_BELOW:
        raise _invalid(name, "...", f"There are more than {MOST_BELOW} of them")
    return [for_create(nested, one, nested=True) for one in value]


def _object(name: str, item: Any) -> Object:
    if not isinstance(item, dict):
        raise _invalid(name, item, "Wrong type. Expected an object")
    return item


def _refuse_unknown(kind: Described, item: Object, known: Iterable[str]) -> None:
    allowed = {*known, _OLD}
    for name in item:
        if name not in allowed:
            raise HTTPBadRequest(f"Unknown attribute for argument {kind.member}: {name[:_ECHO]}")


def _invalid(name: str, value: Any, why: str) -> Refused:
    said = str(value)
    said = said if len(said) <= _ECHO else f"{said[:_ECHO]}..."
    return HTTPBadRequest(f"Invalid input for field/attribute {name}. Value: '{said}'. {why}")
