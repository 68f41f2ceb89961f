"""Firewall groups (FWaaS) of router ports: evaluated at the ports of the router's networks, after their own groups.

    a VM's egress      ─▶ router_egress     what is for the router's MAC: its port's egress policy
    a VM's ingress     ─▶ router_ingress    what comes from the router's MAC: its port's ingress policy
    next_hop           ─▶ both              to another router, or to a host whose MAC is no port's
    to_router          ─▶ from_the_wire     from physical hosts, by this node's MAC

Ingress is into the port's network, egress out of it, as in Neutron's L3 agent; what is for the router itself, or sent
by it, is not filtered.  So each policy is evaluated where its network's connections are tracked: the egress policy on
the client's node, the ingress policy on the server's, as their security groups' rules are; replies are known there,
whichever nodes route, translate or have the gateway.  Docs: decision 0605.
"""

from collections.abc import Iterator
from typing import Final

from netweft.dataplane.openflow.flow import Action, Clone, Controller, Ct, CtClear, Meter, Move, SetField
from netweft.dataplane.openflow.meters import DropMeter
from netweft.model.wire_macs import wire_mac
from netweft.services.addresses import Prefix, mac
from netweft.services.fields import (
    AGENT,
    ANSWER,
    LOCAL_VLAN,
    OUT_PORT,
    PERMIT,
    PERMITTED,
    REJECTED,
    SERVER_SIDE,
    TRIAL,
    Reason,
    RouterLimit,
    cookie,
    router_meter_number,
)
from netweft.services.l3.routing.routes import DST, ETH
from netweft.services.l3.values import Interface, LocalRouter
from netweft.services.pipeline import INT, BridgeFlow, Value
from netweft.services.security.conntrack import IS_ANSWER, IS_KNOWN, IS_RELATED
from netweft.services.security.firewall_logs import logged
from netweft.services.security.firewall_policies import REFUSE, asked
from netweft.services.service import Service, Wanted
from netweft.services.values import Flood, HostFacts, LocalNetwork, Uplinks

OUT, INTO, VERDICT = INT["router_egress"], INT["router_ingress"], INT["into_network"]
ITSELF, BY = 20, 10
REJECTIONS: Final = 100  # a second, of a network


def router(_: Uplinks, here: LocalRouter) -> Iterator[Wanted]:
    for interface in here.interfaces if here.router.admin_state_up else ():
        if interface.firewall is not None and interface.port.admin_state_up:
            yield from _leaving(here, interface)
            yield from _entering(here, interface)
            yield from logged(interface.firewall, can_limit=here.can_limit)
        if interface.network.firewalled:
            yield from _by_other_macs(here, interface)


def _leaving(here: LocalRouter, interface: Interface) -> Iterator[BridgeFlow]:
    owner = cookie(Reason.ROUTER_FIREWALL, interface.port.id)
    to_it: dict[str, Value] = {LOCAL_VLAN: interface.network.vlan, "eth_dst": mac(interface.port.mac_address)}
    for eth_type in ETH.values():
        yield OUT.flow(BY, owner, {**to_it, "eth_type": eth_type}, *asked(interface.firewall, "egress"))
    for own in own_addresses(here):
        yield OUT.flow(ITSELF, owner, {**to_it, "eth_type": ETH[own.version], DST[own.version]: own.value})


def own_addresses(here: LocalRouter) -> list[Prefix]:
    inside = {own for one in here.interfaces for own in one.addresses}
    return sorted({*inside, *here.outside}, key=lambda own: own[:2])


def _entering(here: LocalRouter, interface: Interface) -> Iterator[BridgeFlow]:
    """On a wire it comes with the MAC of the node that has routed it."""
    owner = cookie(Reason.ROUTER_FIREWALL, interface.port.id)
    for its in sorted(interface.macs(here.node)):
        for eth_type in ETH.values():
            match: dict[str, Value] = {LOCAL_VLAN: interface.network.vlan, "eth_src": its, "eth_type": eth_type}
            yield INTO.flow(BY, owner, match, *asked(interface.firewall, "ingress"))


def _by_other_macs(here: LocalRouter, interface: Interface) -> Iterator[BridgeFlow]:
    """The MACs that nodes have for each other mark packets that were filtered already: no VM may use them."""
    owner, id = cookie(Reason.ROUTER_FIREWALL, interface.port.id), interface.port.id
    ways = [one.there.peer.host_id for one in here.ways if one.interface.port.id == id]
    for node in sorted({here.node, *ways, *interface.nodes}):
        for relayed in (False, True):
            for eth_type in ETH.values():
                to_it: dict[str, Value] = {"eth_dst": wire_mac(node, id, relayed=relayed), "eth_type": eth_type}
                yield OUT.flow(BY, owner, {LOCAL_VLAN: interface.network.vlan, **to_it}, REFUSE)


def handed_on(network: LocalNetwork, to: int, *more: Action) -> tuple[Action, ...]:
    """To this MAC, another router's or no port's: past the firewalls of both routers'
    ports where there are any, since no later table evaluates them."""
    if not network.firewalled:
        return (SetField("eth_dst", to), *more, CtClear(), INT["to_router"].resubmit)
    permitted = SetField(PERMITTED, PERMIT)
    return (permitted, INTO.resubmit, SetField("eth_dst", to), *more, OUT.resubmit, VERDICT.goto)


def network(_: Uplinks, here: LocalNetwork, __: Flood) -> Iterator[Wanted]:
    """What is rejected of what no port with a firewall sends or gets."""
    if not here.firewalled:
        return
    number = router_meter_number(here.vlan, RouterLimit.REJECTED)
    if here.can_limit:
        yield DropMeter(id=number, unit="pktps", rate=REJECTIONS, burst=REJECTIONS)
    up = (*((Meter(number),) if here.can_limit else ()), Controller(AGENT))
    in_it: dict[str, Value] = {LOCAL_VLAN: here.vlan, OUT_PORT: 0}
    yield INT["rejected"].flow(5, cookie(Reason.NETWORK_REJECTED, here.network.id), in_it, *up)


def host(_: HostFacts, uplinks: Uplinks) -> Iterator[Wanted]:
    """What is known of a packet where it started is not known any more in the next network: an answer is marked.
    What is rejected of a known connection is marked as well, by a copy."""
    if not uplinks.routed:
        return
    owner, cleared, permitted = cookie(Reason.PIPELINE), SetField(PERMITTED, 0), {PERMITTED: PERMIT}
    onward = (cleared, CtClear(), INT["to_router"].resubmit)
    yield VERDICT.flow(20, owner, permitted, *onward)
    for state in (IS_ANSWER, IS_RELATED):
        yield VERDICT.flow(30, owner, {**permitted, "ct_state": state}, SetField(TRIAL, ANSWER, ANSWER), *onward)
    for eth_type in ETH.values():
        known: dict[str, Value] = {"eth_type": eth_type, "ct_state": IS_KNOWN}
        yield VERDICT.flow(10, owner, known, *_MARKED)
        named: dict[str, Value] = {PERMITTED: REJECTED, **known}
        yield VERDICT.flow(15, owner, named, Clone(_MARKED), cleared, INT["rejected"].goto)
    yield INT["from_the_wire"].flow(10, owner, permitted, cleared, INT["leaves_network"].goto)
    for table in (VERDICT, INT["from_the_wire"]):
        yield table.flow(5, owner, {PERMITTED: REJECTED}, cleared, INT["rejected"].goto)


_MARKED: Final = (  # in the network where it started
    Move("ct_zone", LOCAL_VLAN, 16),
    CtClear(),
    Ct(zone=LOCAL_VLAN, commit=True, exec=(SetField("ct_mark", SERVER_SIDE, SERVER_SIDE),)),
)

ROUTER_FIREWALLS = Service("routers' firewalls", host=host, network=network, router=router)
