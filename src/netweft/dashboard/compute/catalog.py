"""Where Nova is, by the catalogue of the user's own token."""

from typing import Any

import msgspec
from msgspec import Struct

from netweft.dashboard.login import Answer
from netweft.settings import ServerSettings

PATH = "/v3/auth/catalog"


class _Endpoint(Struct, frozen=True):
    interface: str = ""
    region: str | None = None
    region_id: str | None = None
    url: str = ""


class _Service(Struct, frozen=True):
    type: str = ""
    endpoints: list[_Endpoint] = []


class _Catalog(Struct, frozen=True):
    catalog: list[_Service]


def nova_in(answer: Answer, settings: ServerSettings) -> str:
    """Its address; empty where there is none in this region."""
    if answer.status != 200:
        return ""
    try:
        services = msgspec.json.decode(answer.body, type=_Catalog).catalog
    except msgspec.MsgspecError:
        return ""
    found = (endpoint for service in services if service.type == "compute" for endpoint in service.endpoints)
    return next((one.url.rstrip("/") for one in found if _is_meant(one, settings)), "")


def _is_meant(endpoint: Any, settings: ServerSettings) -> bool:
    here = settings.region in (endpoint.region_id, endpoint.region)
    return here and endpoint.interface == settings.nova_interface and endpoint.url.startswith(("http://", "https://"))
