"""What there is and where: version discovery, the catalogue, and services, endpoints and regions to be registered."""

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, json, listing, no_content, operations_of, parse
from netweft.plugins.identity.embedded import catalog, directory
from netweft.plugins.identity.embedded.errors import Forbidden, Invalid
from netweft.plugins.identity.embedded.tokens import Resolved
from netweft.store import Object, ReadTransaction, WriteTransaction

Text: TypeAlias = Annotated[str, Meta(max_length=255)]
Url: TypeAlias = Annotated[str, Meta(max_length=225, pattern=r"^[a-zA-Z0-9+.-]+:.+")]
_INTERFACE: TypeAlias = Literal["public", "internal", "admin"]


class ServicePatch(Struct, kw_only=True):
    type: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class ServiceNew(ServicePatch, kw_only=True):
    type: Annotated[str, Meta(min_length=1, max_length=255)]
    enabled: bool = True
    name: Text = ""
    description: Text | None = ""


class EndpointPatch(Struct, kw_only=True):
    service_id: str | UnsetType = UNSET
    interface: _INTERFACE | UnsetType = UNSET
    region: str | UnsetType | None = UNSET
    region_id: str | UnsetType | None = UNSET
    url: Url | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class EndpointNew(EndpointPatch, kw_only=True):
    service_id: str
    interface: _INTERFACE
    url: Url
    region_id: str | None = None
    enabled: bool = True


class RegionPatch(Struct, kw_only=True):
    description: Text | UnsetType | None = UNSET
    parent_region_id: str | UnsetType | None = UNSET


class RegionNew(RegionPatch, kw_only=True):
    id: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    description: Text | None = ""
    parent_region_id: str | None = None


_BODIES: dict[str, tuple[Any, Any]] = {
    "services": (ServiceNew, ServicePatch),
    "endpoints": (EndpointNew, EndpointPatch),
    "regions": (RegionNew, RegionPatch),
}
_FILTERS = {
    "services": ("type", "name"),
    "endpoints": ("interface", "service_id", "region_id", "region"),
    "regions": ("parent_region_id",),
}


async def versions(call: Call) -> Response:
    return json({"versions": {"values": [_version(call)]}}, 300, {"Location": call.url("")})


async def version(call: Call) -> Response:
    return json({"version": _version(call)})


async def show_catalog(call: Call) -> Response:
    resolved = await call.resolved()
    found = await call.identity.read(lambda tx: of_token(tx, call, resolved))
    return listing(call, "catalog", found, "auth", "catalog")


def of_token(tx: ReadTransaction, call: Call, resolved: Resolved) -> list[dict[str, Any]]:
    known = {"user_id": resolved.user["id"]}
    if resolved.project is not None:
        known |= dict.fromkeys(("project_id", "tenant_id"), resolved.project["id"])
    return catalog.catalog(tx, call.base, call.settings.region, known)


class Registered:
    """Services, endpoints or regions: the same five operations.  Ours are shown, and cannot be changed."""

    def __init__(self, kind: str) -> None:
        self._kind, self._member = kind, kind[:-1]
        self._new, self._patch = _BODIES[kind]

    async def list_all(self, call: Call) -> Response:
        await (call.caller() if self._kind == "regions" else call.admin())
        asked = call.request.query_params
        wanted = {name: asked[name] for name in _FILTERS[self._kind] if name in asked}
        found = await call.identity.read(lambda tx: self._all(tx, call))
        shown = [one for one in (self._shown(call, each) for each in found) if wanted.items() <= one.items()]
        return listing(call, self._kind, shown, self._kind)

    async def create(self, call: Call) -> Response:
        return await self._created(call, await self._body(call, self._new))

    async def put_region(self, call: Call) -> Response:
        """With an id of the caller's choice."""
        wanted = await self._body(call, self._new)
        if wanted.setdefault("id", call.path("id")) != call.path("id"):
            raise Invalid(f"id: {wanted['id']} is not that of the path.")
        return await self._created(call, wanted)

    async def show(self, call: Call) -> Response:
        await (call.caller() if self._kind == "regions" else call.admin())
        id = call.path("id")
        found = await call.identity.read(lambda tx: self._found(tx, call, id))
        return json({self._member: self._shown(call, found)})

    async def update(self, call: Call) -> Response:
        id, changes = call.path("id"), await self._body(call, self._patch)

        def work(tx: WriteTransaction) -> Object:
            self._keep_ours(call, id)
            self._settle(tx, call, changes)
            return catalog.update(tx, self._kind, id, changes)

        return json(await call.change(lambda tx: {self._member: self._shown(call, work(tx))}))

    async def delete(self, call: Call) -> Response:
        await call.admin()
        id = call.path("id")

        def work(tx: WriteTransaction) -> None:
            self._keep_ours(call, id)
            catalog.delete(tx, self._kind, id)

        await call.identity.change(work)
        return no_content()

    def operations(self) -> list[Operation]:
        put = Operation("PUT", f"{PREFIX}/{self._kind}/{{id}}", self.put_region)
        return [*operations_of(self._kind, self), *([put] if self._kind == "regions" else [])]

    async def _created(self, call: Call, wanted: Object) -> Response:
        def work(tx: WriteTransaction) -> Object:
            self._settle(tx, call, wanted)
            return catalog.create(tx, self._kind, wanted)

        return json(await call.change(lambda tx: {self._member: self._shown(call, work(tx))}), 201)

    async def _body(self, call: Call, type: Any) -> Object:
        """An admin's: whoever is none is refused before it is read."""
        await call.admin()
        envelope = await call.body(dict[str, msgspec.Raw])
        if self._member not in envelope:
            raise Invalid(f"'{self._member}' is a required property")
        given: Object = msgspec.to_builtins(parse(envelope[self._member], type))
        if "region" in given:  # what it was called before
            given["region_id"] = given.get("region_id") or given.pop("region")
            given.pop("region", None)
        return given

    def _settle(self, tx: WriteTransaction, call: Call, wanted: Object) -> None:
        if self._kind == "endpoints":
            self._keep_ours(call, wanted.get("service_id", ""), "services")
        for name in ("region_id", "parent_region_id"):
            if wanted.get(name):
                catalog.settle_region(tx, wanted[name], call.settings.region)

    def _all(self, tx: ReadTransaction, call: Call, kind: str = "") -> list[Object]:
        kind = kind or self._kind
        if kind == "regions":
            stored = tx.query("regions")
            ours = {"id": call.settings.region, "description": "", "parent_region_id": None}
            return stored if any(one["id"] == ours["id"] for one in stored) else [ours, *stored]
        services, endpoints = catalog.all_of(tx, call.base, call.settings.region)
        return services if kind == "services" else endpoints

    def _found(self, tx: ReadTransaction, call: Call, id: str) -> Object:
        """Raises NotFound."""
        found = next((one for one in self._all(tx, call) if one["id"] == id), None)
        return found or directory.get(tx, self._kind, id)

    def _keep_ours(self, call: Call, id: str, kind: str = "") -> None:
        """Raises Forbidden."""
        kind = kind or self._kind
        services, endpoints = catalog.own(call.base, call.settings.region)
        if kind != "regions" and any(one["id"] == id for one in (services if kind == "services" else endpoints)):
            raise Forbidden(f"{kind[:-1]} {id} is this server's own: register another one of that type instead.")

    def _shown(self, call: Call, found: Object) -> Object:
        links = {"links": {"self": call.url(self._kind, found["id"])}}
        region = {"region": found["region_id"]} if self._kind == "endpoints" else {}
        return found | region | links


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": call.url("")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


OPERATIONS = [
    Operation("GET", "/identity", versions),
    Operation("GET", "/identity/", versions),
    Operation("GET", PREFIX, version),
    Operation("GET", f"{PREFIX}/", version),
    Operation("GET", f"{PREFIX}/auth/catalog", show_catalog),
    *(operation for kind in _BODIES for operation in Registered(kind).operations()),
]
