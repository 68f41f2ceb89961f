"""A router's extra routes: destinations that lie behind hosts on the networks that it is attached to."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network

from netweft.control import quotas
from netweft.control.errors import OverQuota
from netweft.control.l3 import attached
from netweft.control.l3.errors import InvalidRoutes, RouterInterfaceInUseByRoute
from netweft.store import Object, WriteTransaction

QUOTA, MOST = "router_route", 30  # of each router
Routes = Sequence[Object]


def check(tx: WriteTransaction, router: Object, routes: Routes) -> None:
    """Whether they may be all that the router has."""
    ports = attached.ports(tx, router["id"]) if routes else []
    check_reachable(routes, [subnet for port in ports for subnet in attached.subnets_of(tx, port)], ports)
    limit = quotas.limits(tx, router["project_id"], {QUOTA: MOST})[QUOTA]
    if limit != quotas.UNLIMITED and len(routes) > limit:
        raise OverQuota(overs=[QUOTA])


def check_reachable(routes: Routes, subnets: Iterable[Object], ports: Iterable[Object]) -> None:
    """Each next hop is on one of these subnets, and none of the router's own addresses."""
    prefixes = [ip_network(subnet["cidr"]) for subnet in subnets]
    own = {fixed["ip_address"] for port in ports for fixed in port["fixed_ips"]}
    for route in routes:
        nexthop = ip_address(route["nexthop"])
        if not any(nexthop in prefix for prefix in prefixes):
            raise InvalidRoutes(routes=list(routes), reason="the nexthop is not connected with router")
        if route["nexthop"] in own:
            raise InvalidRoutes(routes=list(routes), reason="the nexthop is used by router")
        if nexthop.version != ip_network(route["destination"]).version:
            reason = "the nexthop and the destination have different IP versions"
            raise InvalidRoutes(routes=list(routes), reason=reason)


def refuse_needed(router: Object, subnet: Object) -> None:
    """Before an interface on this subnet goes."""
    prefix = ip_network(subnet["cidr"])
    if any(ip_address(route["nexthop"]) in prefix for route in router["routes"]):
        raise RouterInterfaceInUseByRoute(router_id=router["id"], subnet_id=subnet["id"])


def added(routes: Routes, more: Routes) -> list[Object]:
    """Those that are there already once."""
    return [*routes, *(route for at, route in enumerate(more) if route not in routes and route not in more[:at])]


def without(routes: Routes, gone: Routes) -> list[Object]:
    """Also those that are not there are gone then."""
    return [route for route in routes if route not in gone]
