"""A router's conntrack helpers, part of its row: which connections through its NAT conntrack reads along."""

import uuid
from collections.abc import Mapping
from typing import Final

from netweft.control.errors import BadRequest, NotFound
from netweft.control.l3.attached import KIND
from netweft.control.standard import bumped
from netweft.model.router import HELPERS
from netweft.store import Object, WriteTransaction

# helper -> the protocols it is for: what Open vSwitch has on both of its datapaths
HAS: Final[Mapping[str, tuple[str, ...]]] = {"ftp": ("tcp",), "tftp": ("udp",)}
MOST: Final = 32  # of a router: each is some flows
_SAME = ("protocol", "port", "helper")


class ConntrackHelperNotFound(NotFound):
    message = "Conntrack Helper %(id)s could not be found."


class ConntrackHelperNotAllowed(BadRequest):
    message = "Conntrack Helper %(helper)s is not allowed. Allowed are: %(allowed)s."


class InvalidProtocolForHelper(BadRequest):
    message = "Conntrack Helper %(helper)s does not support the protocol %(protocol)s. Supported are: %(protocols)s."


class BadConntrackHelperRequest(BadRequest):
    type = "BadRequest"
    message = "Bad conntrack_helper request: %(reason)s."


def of(router: Object) -> list[Object]:
    return list(router.get(HELPERS) or ())


def one(router: Object, id: str) -> Object:
    found = next((helper for helper in of(router) if helper["id"] == id), None)
    if found is None:
        raise ConntrackHelperNotFound(id=id)
    return found


def add(tx: WriteTransaction, router: Object, wanted: Object) -> Object:
    """The router is held alone."""
    made = {"id": wanted.get("id") or str(uuid.uuid4()), **{name: wanted[name] for name in _SAME}}
    there = of(router)
    if len(there) >= MOST:
        raise BadConntrackHelperRequest(reason=f"Router {router['id']} has {MOST} of them, which is the limit")
    _check(made, there)
    _write(tx, router, [*there, made])
    return made


def change(tx: WriteTransaction, router: Object, current: Object, changes: Object) -> Object:
    after = current | changes
    others = [helper for helper in of(router) if helper["id"] != current["id"]]
    _check(after, others)
    if after != current:
        _write(tx, router, [after if helper["id"] == current["id"] else helper for helper in of(router)])
    return after


def remove(tx: WriteTransaction, router: Object, current: Object) -> None:
    _write(tx, router, [helper for helper in of(router) if helper["id"] != current["id"]])


def _write(tx: WriteTransaction, router: Object, helpers: list[Object]) -> None:
    tx.update(KIND, router["id"], bumped(router, {HELPERS: helpers}))


def _check(wanted: Object, others: list[Object]) -> None:
    protocols = HAS.get(wanted["helper"])
    if protocols is None:
        raise ConntrackHelperNotAllowed(helper=wanted["helper"], allowed=", ".join(sorted(HAS)))
    if wanted["protocol"] not in protocols:
        raise InvalidProtocolForHelper(
            helper=wanted["helper"], protocol=wanted["protocol"], protocols=", ".join(protocols)
        )
    if any(all(helper[name] == wanted[name] for name in _SAME) for helper in others):
        same = ", ".join(f"{name}={wanted[name]}" for name in _SAME)
        already = "A duplicate conntrack helper entry with same attributes already exists"
        raise BadConntrackHelperRequest(reason=f"{already}, conflicting values are {same}")
