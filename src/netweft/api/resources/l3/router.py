"""routers"""

from collections.abc import Mapping, Sequence
from typing import Any

from netweft.api import checks
from netweft.api.attributes import Attribute, Resource
from netweft.api.resources.availability_zones import hints
from netweft.api.resources.l3 import conntrack_helpers
from netweft.api.resources.standard import ADMIN_STATE, READ_ONLY, STANDARD
from netweft.control import zones
from netweft.control.l3 import attached, gateway_agents
from netweft.control.l3.errors import RouterNotFound
from netweft.control.l3.more_gateways import GATEWAYS, MOST, listed
from netweft.control.standard import UseCases
from netweft.store import Object, ReadTransaction

_MOST_ROUTES = 1000  # how many each may have is a quota
ROUTES = checks.list_of(
    checks.record({"destination": checks.route_cidr, "nexthop": checks.ip_address}), unique=True, most=_MOST_ROUTES
)
_POLICY = "qos_policy_id"
_GATEWAY = checks.record(
    {"network_id": checks.uuid_text},
    {
        "external_fixed_ips": checks.fixed_ips,
        "enable_snat": checks.boolean,
        _POLICY: checks.or_none(checks.uuid_text),
    },
)
_WISH = Attribute(check=checks.or_none(checks.boolean), post=True, put=True)


def _gateway(value: Any) -> Any:
    """Nothing in it is none.  null for a policy takes it away."""
    if value in (None, {}):
        return None
    checked = _GATEWAY(value)
    return checked | {_POLICY: None} if _POLICY in value and value[_POLICY] is None else checked


def _several(value: Any) -> Any:
    """One of several, which is not nothing."""
    checked = _gateway(value)
    return _GATEWAY(value) if checked is None else checked


_DEFAULT_ROUTES = Attribute(check=checks.or_none(checks.boolean), post=True, put=True, default=None, show=bool)
EXTERNAL_GATEWAYS = checks.list_of(_several, most=MOST)
ATTRIBUTES = STANDARD | {
    "admin_state_up": ADMIN_STATE,
    "status": Attribute(check=READ_ONLY, sort=True),
    GATEWAYS: Attribute(check=READ_ONLY),
    "enable_default_route_bfd": _DEFAULT_ROUTES,
    "enable_default_route_ecmp": _DEFAULT_ROUTES,
    "external_gateway_info": Attribute(check=_gateway, post=True, put=True, default=None),
    "routes": Attribute(check=ROUTES, put=True),
    "flavor_id": Attribute(check=checks.or_none(checks.uuid_text), post=True, sort=True),
    **hints(sort=False),
    "conntrack_helpers": Attribute(check=READ_ONLY),
    "distributed": _WISH,
    "ha": _WISH,
}


def present(tx: ReadTransaction, routers: Sequence[Object]) -> Sequence[Object]:
    """With their gateways, the zones in which these are, and their helpers."""
    ports = tx.get_many("ports", {id for one in routers for id in attached.gateway_ports(one)})
    zone = zones.of_hosts(tx, {host for port in ports.values() for host in gateway_agents.hosts_of(port)})
    return [
        one
        | _outside([ports[id] for id in attached.gateway_ports(one) if id in ports], zone)
        | {"conntrack_helpers": conntrack_helpers.exposed(one)}
        for one in routers
    ]


def _outside(ports: list[Object], zone: Mapping[str, str]) -> Object:
    hosts = {host for port in ports for host in gateway_agents.hosts_of(port)}
    return {"availability_zones": sorted({zone[host] for host in hosts if host in zone}), GATEWAYS: listed(ports)}


def router(use_cases: UseCases) -> Resource:
    return Resource(
        member="router",
        collection="routers",
        quota=10,
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=RouterNotFound,
        present=present,
        computed=frozenset({"availability_zones", "conntrack_helpers", GATEWAYS}),
    )
