"""Rules and routes as if they were there: put beside the rows that are read, never into the store."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, ValidationError, convert

from netweft.api.faults import HTTPBadRequest
from netweft.api.resources.trace.wanted import MOST_SUPPOSED, address_of, network_of
from netweft.control.explain.snapshot import Row
from netweft.control.security import security_group_rules as rules

NAME = "what-if"


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    security_group_id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    router_id: str
    destination: str
    nexthop: str


class WhatIf(Struct, frozen=True, forbid_unknown_fields=True):
    security_group_rules: list[Rule] = []
    routes: list[Route] = []


def parse(given: Mapping[str, Any]) -> WhatIf:
    """Raises HTTPBadRequest, and what a rule is refused for."""
    try:
        found = convert(given, WhatIf)
    except ValidationError as error:
        raise HTTPBadRequest(f"what_if: {error}") from None
    if len(found.security_group_rules) + len(found.routes) > MOST_SUPPOSED:
        raise HTTPBadRequest(f"what_if: more than {MOST_SUPPOSED} rules and routes")
    for rule in found.security_group_rules:
        if rule.direction not in ("ingress", "egress"):
            raise HTTPBadRequest("what_if: a rule's direction is ingress or egress")
        if rule.remote_ip_prefix:
            network_of(rule.remote_ip_prefix)
    for route in found.routes:
        network_of(route.destination)
        if address_of(route.nexthop) is None:
            raise HTTPBadRequest(f"what_if: '{route.nexthop}' is no address")
    return found


def supposed(rows: dict[str, dict[str, Row]], what: WhatIf) -> None:
    """Beside these rows, which the caller sees.  Raises HTTPBadRequest for a group or router that is not among them."""
    for number, rule in enumerate(what.security_group_rules, 1):
        given = {name: getattr(rule, name) for name in rule.__struct_fields__}
        if rule.security_group_id not in rows.get("security_groups", {}):
            raise _unknown("security group", rule.security_group_id)
        row = rules.checked(rules.ANYTHING | given)
        rows.setdefault("security_group_rules", {})[f"{NAME}-{number}"] = row | {"id": f"{NAME}-{number}"}
    for route in what.routes:
        router = rows.get("routers", {}).get(route.router_id)
        if router is None:
            raise _unknown("router", route.router_id)
        more = {"destination": network_of(route.destination), "nexthop": route.nexthop}
        rows["routers"][route.router_id] = {**router, "routes": [*(router.get("routes") or ()), more]}


def next_hops(what: WhatIf) -> Iterable[str]:
    return [route.nexthop for route in what.routes]


def _unknown(kind: str, id: str) -> HTTPBadRequest:
    return HTTPBadRequest(f"what_if: no {kind} {id} is of concern to this packet, or it is not yours")
