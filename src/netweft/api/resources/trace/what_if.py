"""Rules and routes as if they were there: put beside the rows that are read, never into the store."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import Struct, ValidationError, convert

from netweft.api.faults import HTTPBadRequest
from netweft.api.resources.trace.arguments import MOST_SUPPOSED, address_of, network_of
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


def supposed(rows: dict[str, dict[str, Row]], what: WhatIf, all: Mapping[str, Mapping[str, Row]]) -> None:
    """Beside these rows, which the caller sees.  all: as they are, by which the API would judge a route.

    Groups and routers are named by id, or by a name that one of them has.  Raises HTTPBadRequest for one that is not
    among them, and for a route that the API would refuse.
    """
    for number, rule in enumerate(what.security_group_rules, 1):
        given = {name: getattr(rule, name) for name in rule.__struct_fields__}
        group = _named(rows, "security_groups", "security group", rule.security_group_id)
        row = rules.checked(rules.ANYTHING | given | {"security_group_id": group["id"]})
        rows.setdefault("security_group_rules", {})[f"{NAME}-{number}"] = row | {"id": f"{NAME}-{number}"}
    for route in what.routes:
        router = _named(rows, "routers", "router", route.router_id)
        _check_connected(all, router, route.nexthop)
        more = {"destination": network_of(route.destination), "nexthop": route.nexthop}
        rows["routers"][router["id"]] = {**router, "routes": [*(router.get("routes") or ()), more]}


def next_hops(what: WhatIf) -> Iterable[str]:
    return [route.nexthop for route in what.routes]


def _named(rows: Mapping[str, Mapping[str, Row]], kind: str, title: str, text: str) -> Row:
    of_kind = rows.get(kind, {})
    found = [of_kind[text]] if text in of_kind else [one for one in of_kind.values() if text and one["name"] == text]
    if len(found) > 1:
        ids = ", ".join(sorted(str(one["id"]) for one in found))
        raise HTTPBadRequest(f"what_if: several are meant by {title} {text}, give an id: {ids}")
    if not found:
        raise HTTPBadRequest(f"what_if: no {title} {text} is of concern to this packet, or it is not yours")
    return found[0]


def _check_connected(rows: Mapping[str, Mapping[str, Row]], router: Row, nexthop: str) -> None:
    """The next hop is on a subnet that the router is on, as for the API."""
    ports = [one for one in rows.get("ports", {}).values() if one.get("device_id") == router["id"]]
    ids = {fixed["subnet_id"] for port in ports for fixed in port["fixed_ips"]}
    subnets = [ip_network(rows["subnets"][id]["cidr"]) for id in ids if id in rows.get("subnets", {})]
    if not any(ip_address(nexthop) in one for one in subnets):
        raise HTTPBadRequest(f"what_if: the next hop {nexthop} is on no subnet that router {router['id']} is on")
