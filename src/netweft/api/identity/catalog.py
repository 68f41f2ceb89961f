"""What there is and where: version discovery and the catalogue.  All of it is on this one address."""

import uuid
from typing import Any

from starlette.responses import Response

from netweft.api.identity.call import PREFIX, Call, Operation, json, listing

_SERVICES = (("identity", "keystone", "/identity"), ("network", "neutron", ""))
_INTERFACES = ("public", "internal", "admin")
_IDS = uuid.UUID("8bd2b7c4-8d4c-4d0b-9c55-7f1d5a2c9a11")


def catalog(base: str, region: str) -> list[dict[str, Any]]:
    return [
        {
            "id": _id(region, kind),
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": _id(region, kind, interface),
                    "interface": interface,
                    "region": region,
                    "region_id": region,
                    "url": base + path,
                }
                for interface in _INTERFACES
            ],
        }
        for kind, name, path in _SERVICES
    ]


def _id(*words: str) -> str:
    """The same at each start, and on each server."""
    return uuid.uuid5(_IDS, "/".join(words)).hex


async def versions(call: Call) -> Response:
    return json({"versions": {"values": [_version(call)]}}, 300, {"Location": call.url("")})


async def version(call: Call) -> Response:
    return json({"version": _version(call)})


async def show_catalog(call: Call) -> Response:
    await call.caller()
    return listing(call, "catalog", catalog(call.base, call.settings.region), "auth", "catalog")


async def list_services(call: Call) -> Response:
    await call.admin()
    services = [
        {"id": service["id"], "type": service["type"], "name": service["name"], "enabled": True}
        for service in catalog(call.base, call.settings.region)
    ]
    return listing(call, "services", services, "services")


async def list_endpoints(call: Call) -> Response:
    await call.admin()
    endpoints = [
        endpoint | {"service_id": service["id"], "enabled": True}
        for service in catalog(call.base, call.settings.region)
        for endpoint in service["endpoints"]
    ]
    return listing(call, "endpoints", endpoints, "endpoints")


async def list_regions(call: Call) -> Response:
    await call.caller()
    region = {"id": call.settings.region, "description": "", "parent_region_id": None}
    return listing(call, "regions", [region], "regions")


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
    Operation("GET", f"{PREFIX}/services", list_services),
    Operation("GET", f"{PREFIX}/endpoints", list_endpoints),
    Operation("GET", f"{PREFIX}/regions", list_regions),
]
