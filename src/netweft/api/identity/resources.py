"""Domains, projects, users, groups and roles: the same five operations, the resource described as data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.responses import Response

from netweft.api.encoding import whole_number
from netweft.api.identity.call import Call, json, listing, no_content, parse
from netweft.plugins.identity import Context
from netweft.plugins.identity.embedded import directory, grants
from netweft.plugins.identity.embedded.errors import Forbidden, Invalid
from netweft.store import Object, Query, WriteTransaction

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Text: TypeAlias = str | UnsetType | None

Tag: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/]*\Z")]
Tags: TypeAlias = Annotated[list[Tag], Meta(max_length=80)]

HIDDEN = frozenset({"password_hash", "token_generation"})


class ProjectPatch(Struct, kw_only=True):
    name: Name | UnsetType = UNSET
    description: Text = UNSET
    enabled: bool | UnsetType = UNSET
    domain_id: Text = UNSET
    parent_id: Text = UNSET
    tags: Tags | UnsetType = UNSET


class ProjectNew(ProjectPatch, kw_only=True):
    name: Name


class UserPatch(Struct, kw_only=True):
    name: Name | UnsetType = UNSET
    password: Text = UNSET
    enabled: bool | UnsetType = UNSET
    description: Text = UNSET
    email: Text = UNSET
    default_project_id: Text = UNSET
    domain_id: Text = UNSET


class UserNew(UserPatch, kw_only=True):
    name: Name


class GroupPatch(Struct, kw_only=True):
    name: Name | UnsetType = UNSET
    description: Text = UNSET
    domain_id: Text = UNSET


class GroupNew(GroupPatch, kw_only=True):
    name: Name


class DomainPatch(Struct, kw_only=True):
    name: Name | UnsetType = UNSET
    description: Text = UNSET
    enabled: bool | UnsetType = UNSET


class DomainNew(DomainPatch, kw_only=True):
    name: Name


class RolePatch(Struct, kw_only=True):
    name: Name | UnsetType = UNSET
    description: Text = UNSET


class RoleNew(RolePatch, kw_only=True):
    name: Name


async def _attributes(call: Call, body: Struct) -> Object:
    """What was given, ready for the directory."""
    given: Object = msgspec.to_builtins(body)
    for attribute in ("domain_id", "parent_id"):
        if given.get(attribute, "") is None:
            del given[attribute]
    if "password" in given:
        password = given.pop("password")
        given["password_hash"] = None if password is None else await call.identity.passwords.hash(password)
    return given


def _own_project(context: Context, id: str) -> bool:
    return context.project_id == id


def _own_user(context: Context, id: str) -> bool:
    return context.user_id == id


def _nobodys(context: Context, id: str) -> bool:
    return False


def _anybodys(context: Context, id: str) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Resource:
    """visible: whether somebody who is no admin may see the one with this id.
    listed: of which ids somebody who is no admin may have a list; None: of none."""

    kind: str
    new: Any
    patch: Any
    filters: tuple[str, ...]
    visible: Callable[[Context, str], bool]
    remove: Callable[[WriteTransaction, str], None]
    listed: Callable[[Context], list[str]] | None = None

    @property
    def member(self) -> str:
        return self.kind[:-1]

    def shown(self, call: Call, found: Object) -> Object:
        attributes = {name: value for name, value in found.items() if name not in HIDDEN}
        return attributes | {"links": {"self": call.url(self.kind, found["id"])}}

    async def body(self, call: Call, type: Any) -> Object:
        envelope = await call.body(dict[str, msgspec.Raw])
        if self.member not in envelope:
            raise Invalid(f"'{self.member}' is a required property")
        return await _attributes(call, parse(envelope[self.member], type))

    async def list_all(self, call: Call) -> Response:
        filters = self._filters(call)
        if self.listed is None:
            await call.admin()
        elif not (context := await call.caller()).is_admin:
            filters["id"] = self.listed(context)
        limit, marker = _limit(call), call.request.query_params.get("marker")
        wanted = Query(filters, sort=[("name", False)], limit=limit, marker=marker)
        found = await call.identity.read(lambda tx: directory.query(tx, self.kind, wanted))
        after = found[-1]["id"] if limit and len(found) == limit else None
        found = [each for each in found if has_tags(call, each)]
        return listing(call, self.kind, [self.shown(call, each) for each in found], self.kind, after=after)

    async def create(self, call: Call) -> Response:
        await call.admin()
        attributes = await self.body(call, self.new)
        return json(await self._change(call, lambda tx: directory.create(tx, self.kind, attributes)), 201)

    async def show(self, call: Call) -> Response:
        id = call.path("id")
        context = await call.caller()
        if not context.is_admin and not self.visible(context, id):
            raise Forbidden
        found = await call.identity.read(lambda tx: directory.get(tx, self.kind, id))
        return json({self.member: self.shown(call, found)})

    async def update(self, call: Call) -> Response:
        await call.admin()
        changes = await self.body(call, self.patch)
        id = call.path("id")
        return json(await self._change(call, lambda tx: directory.update(tx, self.kind, id, changes)))

    async def delete(self, call: Call) -> Response:
        await call.admin()
        await call.identity.change(lambda tx: self.remove(tx, call.path("id")))
        return no_content()

    async def _change(self, call: Call, work: Callable[[WriteTransaction], Object]) -> msgspec.Raw:
        return await call.change(lambda tx: {self.member: self.shown(call, work(tx))})

    def _filters(self, call: Call) -> dict[str, list[Any]]:
        given = {name: call.request.query_params[name] for name in self.filters if name in call.request.query_params}
        return {name: [is_on(value) if name in ("enabled", "is_domain") else value] for name, value in given.items()}


def has_tags(call: Call, found: Object) -> bool:
    """Whether it has the tags that the query requests: all, any, not all, none of them."""
    tags, asked = set(found.get("tags", ())), call.request.query_params
    return all(test(set(asked[name].split(",")), tags) for name, test in _TAG_TESTS.items() if name in asked)


_TAG_TESTS: dict[str, Callable[[set[str], set[str]], bool]] = {
    "tags": lambda wanted, tags: wanted <= tags,
    "tags-any": lambda wanted, tags: bool(wanted & tags),
    "not-tags": lambda wanted, tags: not wanted <= tags,
    "not-tags-any": lambda wanted, tags: not wanted & tags,
}


def _limit(call: Call) -> int | None:
    """Raises Invalid."""
    given = call.request.query_params.get("limit")
    if given is None:
        return None
    limit = whole_number(given)
    if limit is None or not 0 < limit < 2**31:
        raise Invalid(f"limit: {given[:80]} is not a positive number")
    return limit


def is_on(value: str) -> bool:
    """Keystone's: a flag that is there is on, unless it says no."""
    return value.lower() not in ("0", "false")


DOMAINS = Resource(
    kind="domains",
    new=DomainNew,
    patch=DomainPatch,
    filters=("name", "enabled"),
    visible=_anybodys,
    listed=lambda context: [context.user_domain_id],
    remove=lambda tx, id: directory.delete(tx, "domains", id),
)
PROJECTS = Resource(
    kind="projects",
    new=ProjectNew,
    patch=ProjectPatch,
    filters=("name", "domain_id", "enabled", "parent_id", "is_domain"),
    visible=_own_project,
    remove=lambda tx, id: directory.delete(tx, "projects", id),
)
USERS = Resource(
    kind="users",
    new=UserNew,
    patch=UserPatch,
    filters=("name", "domain_id", "enabled"),
    visible=_own_user,
    remove=lambda tx, id: directory.delete(tx, "users", id),
)
GROUPS = Resource(
    kind="groups",
    new=GroupNew,
    patch=GroupPatch,
    filters=("name", "domain_id"),
    visible=_nobodys,
    remove=lambda tx, id: directory.delete(tx, "groups", id),
)
ROLES = Resource(
    kind="roles",
    new=RoleNew,
    patch=RolePatch,
    filters=("name",),
    visible=_anybodys,
    remove=grants.delete_role,
)
RESOURCES = (DOMAINS, PROJECTS, USERS, GROUPS, ROLES)
