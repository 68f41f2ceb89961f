"""flavors and service_profiles; /v2.0/flavors/ID/service_profiles, next_providers; and /v2.0/service-providers."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api import body, checks, querystring
from netweft.api.attributes import REQUIRED, Attribute, Resource
from netweft.api.checks import Invalid
from netweft.api.encoding import json_response
from netweft.api.faults import HTTPBadRequest
from netweft.api.gate import Gate
from netweft.api.policy import may
from netweft.api.resources.standard import ID, NAME, flag
from netweft.api.running import Run
from netweft.api.service import Service
from netweft.control import flavors
from netweft.control.flavors import KIND, PROFILES, Flavors, ServiceProfiles
from netweft.plugins.identity import Context
from netweft.store import Object, Store, WriteTransaction

_TEXT = Attribute(check=checks.string(1024), post=True, put=True, default="", filter=True, sort=True)
_DESCRIPTION = replace(_TEXT, check=checks.or_none(_TEXT.check))
_ENABLED = flag(post=True, put=True, default=True, filter=True, sort=True)
_IDS = Attribute(check=checks.list_of(checks.uuid_text, unique=True), post=True, put=True, default=[])

FLAVOR = {
    "id": ID,
    "name": NAME,
    "description": _DESCRIPTION,
    "service_type": Attribute(
        check=checks.one_of(*flavors.SERVICES), post=True, default=REQUIRED, filter=True, sort=True
    ),
    "enabled": _ENABLED,
    PROFILES: _IDS,
}
PROFILE = {
    "id": ID,
    "description": _DESCRIPTION,
    "driver": _TEXT,
    "enabled": _ENABLED,
    "metainfo": replace(_TEXT, filter=False),
}


def flavor(use_cases: Flavors) -> Resource:
    return Resource(
        member="flavor",
        collection=KIND,
        attributes=FLAVOR,
        use_cases=use_cases,
        not_found=flavors.FlavorNotFound,
    )


def service_profile(use_cases: ServiceProfiles) -> Resource:
    return Resource(
        member="service_profile",
        collection=PROFILES,
        attributes=PROFILE,
        use_cases=use_cases,
        not_found=flavors.ServiceProfileNotFound,
        keeps_underscores=True,
    )


class FlavorParts:
    def __init__(self, flavor: Resource, store: Store) -> None:
        assert isinstance(flavor.use_cases, Flavors)
        self._flavors = flavor.use_cases
        self._service = Service(flavor, store)
        self._run = Run(store)

    def routes(self, gate: Gate) -> list[BaseRoute]:
        one = "/v2.0/flavors/{id}"
        return [
            Route(f"{one}/service_profiles", gate(self.add), methods=["POST"]),
            Route(f"{one}/service_profiles/{{profile}}", gate(self.remove), methods=["DELETE"]),
            Route(f"{one}/next_providers", gate(self.next_providers), methods=["GET"]),
            Route("/v2.0/service_providers", gate(_providers), methods=["GET"]),
        ]

    async def add(self, request: Request, context: Context) -> Response:
        id, profile = request.path_params["id"], _profile(body.parse(await request.body()))

        def add(tx: WriteTransaction, flavor: Object) -> Object:
            return {"service_profile": self._flavors.add_profile(tx, flavor, profile)}

        rule, naming = "create_flavor_service_profile", {PROFILES: [profile]}
        return json_response(await self._run.write(self._service.act, context, id, rule, add, naming), 201)

    async def remove(self, request: Request, context: Context) -> Response:
        profile = request.path_params["profile"]

        def remove(tx: WriteTransaction, flavor: Object) -> None:
            self._flavors.remove_profile(tx, flavor, profile)

        id, rule = request.path_params["id"], "delete_flavor_service_profile"
        await self._run.write(self._service.act, context, id, rule, remove)
        return Response(status_code=204)

    async def next_providers(self, request: Request, context: Context) -> Response:
        found = await self._run.read(
            self._service.ask, context, request.path_params["id"], "get_flavor", flavors.next_provider
        )
        return json_response({"next_providers": [found]})


async def _providers(request: Request, context: Context) -> Response:
    pairs = querystring.parse(request.url.query)
    asked = [(name, value) for name, value in pairs if name != "fields"]
    if unknown := [name for name, _ in asked if name not in flavors.PROVIDERS[0]]:
        raise HTTPBadRequest(f"{unknown} is invalid attribute for filtering")
    wanted = {name: [value.lower() for other, value in asked if other == name] for name, _ in asked}
    fields = querystring.fields_of(pairs) or flavors.PROVIDERS[0].keys()
    found = [
        one for one in flavors.PROVIDERS if all(str(one[name]).lower() in values for name, values in wanted.items())
    ]
    seen = found if may(context, "get_service_provider") else []
    return json_response({"service_providers": [{n: v for n, v in one.items() if n in fields} for one in seen]})


def _profile(parsed: Object) -> str:
    inner = parsed.get("service_profile")
    try:
        return str(checks.uuid_text(inner.get("id") if isinstance(inner, dict) else None))
    except Invalid as invalid:
        raise HTTPBadRequest(f"Invalid input for id. Reason: {invalid}.") from None
