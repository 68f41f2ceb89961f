"""The cloud's services, endpoints and regions: those that others register, beside this server's own.

services: {"id", "type", "name", "description", "enabled"};  regions: {"id", "description", "parent_region_id"}
endpoints: {"id", "service_id", "interface", "region_id", "url", "enabled"}

Our own two are not stored: they are where a client reached us.  A service of the same type that somebody registers
takes the place of ours.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from netweft.plugins.identity.embedded.directory import lock, new_id
from netweft.plugins.identity.embedded.errors import Conflict, Forbidden, Invalid
from netweft.store import Duplicate, InUse, Link, Object, Query, ReadTransaction, WriteTransaction

INTERFACES: Final = ("public", "internal", "admin")
_OWN: Final = (
    ("identity", "keystone", "/identity"),
    ("network", "neutron", ""),
    ("load-balancer", "octavia", "/load-balancer"),
    ("key-manager", "barbican", "/key-manager"),
)
_IDS: Final = uuid.UUID("8bd2b7c4-8d4c-4d0b-9c55-7f1d5a2c9a11")
_NAMED: Final = {
    "endpoints": {"service_id": "services", "region_id": "regions"},
    "regions": {"parent_region_id": "regions"},
}
_VARIABLE: Final = re.compile(r"[$%]\((\w+)\)s")


def own(base: str, region: str) -> tuple[list[Object], list[Object]]:
    """This server's services and their endpoints.  base: its address."""
    services: list[Object] = []
    endpoints: list[Object] = []
    for kind, name, path in _OWN:
        services.append({"id": _id(region, kind), "type": kind, "name": name, "description": "", "enabled": True})
        endpoints += [
            {
                "id": _id(region, kind, interface),
                "service_id": _id(region, kind),
                "interface": interface,
                "region_id": region,
                "url": base + path,
                "enabled": True,
            }
            for interface in INTERFACES
        ]
    return services, endpoints


def all_of(tx: ReadTransaction, base: str, region: str) -> tuple[list[Object], list[Object]]:
    """Services and endpoints, ours first."""
    services, endpoints = tx.query("services", Query(sort=[("id", False)])), tx.query("endpoints")
    here, reached = own(base, region)
    others = {service["type"] for service in services}
    here = [service for service in here if service["type"] not in others]
    reached = [endpoint for endpoint in reached if endpoint["service_id"] in {service["id"] for service in here}]
    return here + services, reached + endpoints


def catalog(tx: ReadTransaction, base: str, region: str, known: Mapping[str, str]) -> list[dict[str, Any]]:
    """As a token has it.  known: what an endpoint's URL may name (`%(project_id)s`); one that names more is not
    shown."""
    services, endpoints = all_of(tx, base, region)
    found: dict[str, list[Object]] = {}
    for endpoint in endpoints:
        url = _filled(endpoint["url"], known)
        if endpoint["enabled"] and url is not None:
            shown = {name: endpoint[name] for name in ("id", "interface", "region_id")}
            found.setdefault(endpoint["service_id"], []).append(shown | {"region": endpoint["region_id"], "url": url})
    return [
        {"id": one["id"], "type": one["type"], "name": one.get("name", ""), "endpoints": found[one["id"]]}
        for one in services
        if one["enabled"] and one["id"] in found
    ]


def create(tx: WriteTransaction, kind: str, attributes: Object) -> Object:
    """Raises Invalid, Conflict."""
    created = {"id": new_id()} | attributes
    try:
        tx.insert(kind, created, _links(tx, kind, created))
    except Duplicate:
        raise Conflict(f"Conflict occurred attempting to store {kind[:-1]} - Duplicate ID, {created['id']}.") from None
    return created


def update(tx: WriteTransaction, kind: str, id: str, changes: Object) -> Object:
    """Raises NotFound, Invalid."""
    before = lock(tx, kind, id)
    links: dict[str, list[Link]] = {}
    for link in _links(tx, kind, before | changes):
        links.setdefault(link.attribute, []).append(link)
    return tx.update(kind, id, changes, links)


def delete(tx: WriteTransaction, kind: str, id: str) -> None:
    """A service takes its endpoints along.  Raises NotFound, Forbidden."""
    lock(tx, kind, id)
    if kind == "services":
        for endpoint in tx.referrers("services", id, source_kind="endpoints"):
            tx.delete("endpoints", endpoint.id)
    try:
        tx.delete(kind, id)
    except InUse:
        raise Forbidden(f"Unable to delete {kind[:-1]} {id}: it has endpoints or child regions.") from None


def settle_region(tx: WriteTransaction, id: str, own_region: str) -> None:
    """Ours is there without being stored; an endpoint needs it to be."""
    if tx.get("regions", id) is None:
        if id != own_region:
            raise Invalid(f"Could not find region: {id}.")
        tx.insert("regions", {"id": id, "description": "", "parent_region_id": None})


def _links(tx: ReadTransaction, kind: str, object: Object) -> list[Link]:
    """Raises Invalid."""
    links = [
        Link(attribute, target, object[attribute])
        for attribute, target in _NAMED.get(kind, {}).items()
        if object.get(attribute) is not None
    ]
    for link in links:
        if tx.get(link.kind, link.id) is None:
            raise Invalid(f"Could not find {link.kind[:-1]}: {link.id}.")
    return links


def _filled(url: str, known: Mapping[str, str]) -> str | None:
    if not set(_VARIABLE.findall(url)) <= known.keys():
        return None
    return _VARIABLE.sub(lambda found: known[found[1]], url)


def _id(*words: str) -> str:
    """The same at each start, and on each server."""
    return uuid.uuid5(_IDS, "/".join(words)).hex
