"""The routes of the Networking API, for the server to serve."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from netweft.api import discovery, empty
from netweft.api.addresses import Addresses
from netweft.api.attributes import Resource
from netweft.api.auto_allocated_topology import AutoAllocatedTopology
from netweft.api.gate import Gate
from netweft.api.handlers import Endpoint
from netweft.api.ip_availability import IpAvailability
from netweft.api.port_bindings import PortBindings
from netweft.api.qos_rules import QosRules
from netweft.api.quotas import Quotas
from netweft.api.resources.address_group import address_group
from netweft.api.resources.agent import agent
from netweft.api.resources.l3.floating_ip_pools import FloatingIPPools
from netweft.api.resources.l3.floatingip import floatingip
from netweft.api.resources.l3.router import router
from netweft.api.resources.l3.router_actions import RouterActions
from netweft.api.resources.network import network
from netweft.api.resources.network_segment_range import network_segment_range
from netweft.api.resources.port import port
from netweft.api.resources.qos import policy
from netweft.api.resources.rbac_policy import rbac_policy
from netweft.api.resources.security_group import (
    default_maker,
    default_security_group_rule,
    security_group,
    security_group_rule,
)
from netweft.api.resources.subnet import subnet
from netweft.api.resources.subnetpool import subnetpool
from netweft.api.resources.trunk import trunk
from netweft.api.spellings import both
from netweft.api.sub_ports import SubPorts
from netweft.control.address_groups import AddressGroups
from netweft.control.agents import Agents
from netweft.control.default_rules import DefaultRules
from netweft.control.l3.floating_ips import FloatingIPs
from netweft.control.l3.gateways import ExternalSubnets
from netweft.control.l3.owned import OwnedPorts
from netweft.control.l3.routers import Routers
from netweft.control.networks import Networks
from netweft.control.ports import Ports
from netweft.control.qos import QosPolicies
from netweft.control.rbac import RbacPolicies
from netweft.control.security_group_rules import SecurityGroupRules
from netweft.control.security_groups import SecurityGroups
from netweft.control.segment_ranges import SegmentRanges
from netweft.control.segments import Segments
from netweft.control.sharing import Shareable
from netweft.control.subnetpools import SubnetPools
from netweft.control.subnets import Subnets
from netweft.control.trunks import Trunks
from netweft.plugins.identity import Authenticate
from netweft.plugins.segments import segment_types
from netweft.settings import ServerSettings
from netweft.store import Store


class Part(Protocol):
    def routes(self, gate: Gate) -> list[BaseRoute]: ...


# what belongs to a resource, has paths of its own and is no attribute
PARTS: Mapping[str, Callable[[Resource, Store], Part]] = {
    "address_group": Addresses,
    "policy": QosRules,
    "port": PortBindings,
    "router": RouterActions,
    "trunk": SubPorts,
}


def routes(store: Store, authenticate: Authenticate, settings: ServerSettings) -> list[BaseRoute]:
    """Everything under `/` and `/v2.0`.  Writes to the store once: pools, as the settings ask for, and templates."""
    return build(resources(store, settings), store, authenticate, settings)


def build(
    resources: Sequence[Resource], store: Store, authenticate: Authenticate, settings: ServerSettings
) -> list[BaseRoute]:
    gate = Gate(authenticate, settings.public_url, settings.keystone_url)
    described = [route for resource in resources for route in Endpoint(resource, store).routes(gate)]
    parts = [
        route
        for resource in resources
        if resource.member in PARTS
        for route in PARTS[resource.member](resource, store).routes(gate)
    ]
    by_member = {resource.member: resource for resource in resources}
    more = [*Quotas(resources, store).routes(gate), *IpAvailability(store).routes(gate)]
    if {"network", "subnet"} <= by_member.keys():
        more += FloatingIPPools(by_member["network"], store).routes(gate)
        more += AutoAllocatedTopology(by_member["network"], by_member["subnet"], store).routes(gate)
    return both([*described, *parts, *more, *empty.routes(gate), *discovery.routes(resources, gate)])


def resources(store: Store, settings: ServerSettings) -> list[Resource]:
    """All that there are.  A new plain one is one more line here."""
    subnets, groups = Subnets(), SecurityGroups()
    ports = Ports(settings, groups)
    types = segment_types()
    ranges = SegmentRanges(settings, types)
    templates, make_default = DefaultRules(), default_maker(groups, store)
    store.run(ranges.prepare)
    store.run(templates.prepare)
    return [
        network(Shareable("networks", Networks(Segments(settings, types, ranges), subnets))),
        network_segment_range(ranges),
        subnet(ExternalSubnets(subnets, ports)),
        subnetpool(Shareable("subnetpools", SubnetPools())),
        port(OwnedPorts(ports)),
        trunk(Trunks()),
        router(Routers(ports)),
        floatingip(FloatingIPs(ports)),
        security_group(Shareable("security_groups", groups), make_default),
        security_group_rule(SecurityGroupRules(), make_default),
        default_security_group_rule(templates),
        address_group(Shareable("address_groups", AddressGroups())),
        policy(Shareable("policies", QosPolicies())),
        rbac_policy(RbacPolicies()),
        agent(Agents(settings)),
    ]
