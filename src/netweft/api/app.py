"""The routes of the Networking API, for the server to serve."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from netweft.api import discovery
from netweft.api.attributes import Resource
from netweft.api.gate import Gate
from netweft.api.handlers import Endpoint
from netweft.api.resources.activity import Activity
from netweft.api.resources.agent import agent
from netweft.api.resources.auto_allocated_topology import AutoAllocatedTopology
from netweft.api.resources.availability_zones import AvailabilityZones
from netweft.api.resources.checks.resource import check
from netweft.api.resources.checks.runner import Runner
from netweft.api.resources.checks.runs import CheckRuns
from netweft.api.resources.explain.explain import Explain
from netweft.api.resources.explain.node_answers import Asks
from netweft.api.resources.explain.sources import Lags, Sources
from netweft.api.resources.fabric import Fabric
from netweft.api.resources.flavors import FlavorParts, flavor, service_profile
from netweft.api.resources.fwaas import firewall
from netweft.api.resources.fwaas.log import LoggableResources, log
from netweft.api.resources.fwaas.rule_actions import RuleActions
from netweft.api.resources.ipam.address_scope import address_scope
from netweft.api.resources.ipam.ip_availability import IpAvailability
from netweft.api.resources.ipam.subnet import subnet
from netweft.api.resources.ipam.subnetpool import subnetpool
from netweft.api.resources.l2.network import network
from netweft.api.resources.l2.network_segment_range import network_segment_range
from netweft.api.resources.l2.port import port
from netweft.api.resources.l2.port_bindings import PortBindings
from netweft.api.resources.l2.sub_ports import SubPorts
from netweft.api.resources.l2.trunk import trunk
from netweft.api.resources.l2.wiring import PortWiring
from netweft.api.resources.l3.conntrack_helpers import ConntrackHelpers
from netweft.api.resources.l3.counters import Counters
from netweft.api.resources.l3.floating_ip_pools import FloatingIPPools
from netweft.api.resources.l3.floatingip import floatingip
from netweft.api.resources.l3.l3_agents import L3Agents
from netweft.api.resources.l3.metering import metering_label, metering_label_rule
from netweft.api.resources.l3.port_forwardings import PortForwardings
from netweft.api.resources.l3.router import router
from netweft.api.resources.l3.router_actions import RouterActions
from netweft.api.resources.qos import policy
from netweft.api.resources.qos_rules import QosRules
from netweft.api.resources.quotas import Quotas
from netweft.api.resources.rbac_policy import rbac_policy
from netweft.api.resources.security.address_group import address_group
from netweft.api.resources.security.addresses import Addresses
from netweft.api.resources.security.security_group import (
    default_maker,
    default_security_group_rule,
    security_group,
    security_group_rule,
)
from netweft.api.resources.trace.trace import Trace
from netweft.api.spellings import both
from netweft.api.stream.endpoint import Feed
from netweft.control.agents import Agents
from netweft.control.flavors import Flavors, ServiceProfiles
from netweft.control.fwaas.groups import FirewallGroups
from netweft.control.fwaas.logs import Logs
from netweft.control.fwaas.policies import FirewallPolicies
from netweft.control.fwaas.rules import FirewallRules
from netweft.control.ipam.address_scopes import AddressScopes
from netweft.control.ipam.subnetpools import SubnetPools
from netweft.control.ipam.subnets import Subnets
from netweft.control.l2.networks import Networks
from netweft.control.l2.ports import Ports
from netweft.control.l2.segment_ranges import SegmentRanges
from netweft.control.l2.segments import Segments
from netweft.control.l2.trunks import Trunks
from netweft.control.l3.floating_ips import FloatingIPs
from netweft.control.l3.gateways import ExternalSubnets
from netweft.control.l3.metering import MeteringLabelRules, MeteringLabels
from netweft.control.l3.owned import OwnedPorts
from netweft.control.l3.routers import Routers
from netweft.control.qos import QosPolicies
from netweft.control.rbac import RbacPolicies
from netweft.control.security.address_groups import AddressGroups
from netweft.control.security.default_rules import DefaultRules
from netweft.control.security.security_group_rules import SecurityGroupRules
from netweft.control.security.security_groups import SecurityGroups
from netweft.control.sharing import Shareable
from netweft.plugins.identity import Authenticate
from netweft.plugins.segments import segment_types
from netweft.settings import ServerSettings
from netweft.store import Store


class Part(Protocol):
    def routes(self, gate: Gate) -> list[BaseRoute]: ...


# what belongs to a resource, has paths of its own and is no attribute
PARTS: Mapping[str, Callable[[Resource, Store], Part]] = {
    "address_group": Addresses,
    "firewall_policy": RuleActions,
    "log": LoggableResources,
    "flavor": FlavorParts,
    "floatingip": PortForwardings,
    "policy": QosRules,
    "port": PortBindings,
    "router": RouterActions,
    "trunk": SubPorts,
}


def routes(
    store: Store,
    authenticate: Authenticate,
    settings: ServerSettings,
    lags: Lags = dict,
    asks: Asks | None = None,
) -> list[BaseRoute]:
    """Everything under `/` and `/v2.0`.  Writes to the store once: pools, as the settings ask for, and templates.
    lags: how far nodes are behind the feed.  asks: queries nodes."""
    return build(resources(store, settings), store, authenticate, settings, lags, asks)


def build(
    resources: Sequence[Resource],
    store: Store,
    authenticate: Authenticate,
    settings: ServerSettings,
    lags: Lags = dict,
    asks: Asks | None = None,
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
    saved = check()
    more = [*Quotas([*resources, saved], store).routes(gate), *IpAvailability(store).routes(gate)]
    if {"network", "subnet", "router"} <= by_member.keys():
        more += AvailabilityZones(store).routes(gate)
        more += L3Agents(by_member["router"], by_member["agent"], store).routes(gate)
        more += ConntrackHelpers(by_member["router"], store).routes(gate)
        counted = [by_member[member] for member in ("floatingip", "router", "metering_label", "firewall_rule")]
        more += Counters(counted, store).routes(gate)
        more += Activity(resources, store).routes(gate)
        more += Feed(shown(resources), store, authenticate).routes(gate)
        sources = Sources(resources, store, settings, lags, asks)
        trace = Trace(sources)
        more += [
            *Explain(sources).routes(gate),
            *trace.routes(gate),
            *Endpoint(saved, store).routes(gate),
            *CheckRuns(saved, store, trace).routes(gate),
        ]
        more += Fabric(lags, asks).routes(gate)
        more += PortWiring(by_member["port"], store, lags, asks).routes(gate)
        network, subnet, router = (by_member[member] for member in ("network", "subnet", "router"))
        more += FloatingIPPools(network, store).routes(gate)
        more += AutoAllocatedTopology(network, subnet, router, store).routes(gate)
    return both([*described, *parts, *more, *discovery.routes(resources, gate)])


def checks_of(
    resources: Sequence[Resource], store: Store, settings: ServerSettings, lags: Lags, asks: Asks | None
) -> Runner:
    """What runs saved checks when what they depend on changes."""
    return Runner(store, Trace(Sources(resources, store, settings, lags, asks)))


def shown(resources: Sequence[Resource]) -> list[Resource]:
    """Those that the dashboard shows: also what Neutron has not."""
    return [*resources, check()]


def resources(
    store: Store, settings: ServerSettings, firewalls_changed: Callable[[], None] | None = None
) -> list[Resource]:
    """All that there are.  A new plain one is one more line here.
    firewalls_changed: called when it is time to ask nodes for what is pending."""
    subnets, groups = Subnets(), SecurityGroups()
    ports = Ports(settings, groups)
    types = segment_types()
    ranges = SegmentRanges(settings, types)
    templates, make_default = DefaultRules(), default_maker(groups, store)
    make_firewall = firewall.default_maker(store)
    store.run(ranges.prepare)
    store.run(templates.prepare)
    return [
        network(Shareable("networks", Networks(Segments(settings, types, ranges), subnets))),
        network_segment_range(ranges),
        subnet(ExternalSubnets(subnets, ports)),
        address_scope(AddressScopes()),
        subnetpool(Shareable("subnetpools", SubnetPools())),
        port(OwnedPorts(ports), settings.dns_domain),
        trunk(Trunks()),
        flavor(Flavors()),
        service_profile(ServiceProfiles()),
        router(Routers(ports)),
        floatingip(FloatingIPs(ports)),
        metering_label(MeteringLabels()),
        metering_label_rule(MeteringLabelRules()),
        security_group(Shareable("security_groups", groups), make_default),
        security_group_rule(SecurityGroupRules(), make_default),
        default_security_group_rule(templates),
        address_group(Shareable("address_groups", AddressGroups())),
        firewall.firewall_group(FirewallGroups(), make_firewall, firewalls_changed),
        firewall.firewall_policy(FirewallPolicies(), make_firewall, firewalls_changed),
        firewall.firewall_rule(FirewallRules(), make_firewall, firewalls_changed),
        log(Logs()),
        policy(Shareable("policies", QosPolicies())),
        rbac_policy(RbacPolicies()),
        agent(Agents(settings)),
    ]
