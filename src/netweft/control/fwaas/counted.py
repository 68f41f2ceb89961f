"""Of which firewall rules a node can have counted something: those of its own VMs' ports, and of interfaces of routers
that it routes for, which are all that its ports' networks lead to."""

from collections.abc import Collection
from typing import Final

from netweft.control.fwaas.attachment import GROUPS
from netweft.control.fwaas.rules import KIND, POLICIES
from netweft.control.fwaas.status import POLICIES as OF_A_GROUP
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import gateway_agents
from netweft.control.l3.owners import INTERFACE
from netweft.model.fwaas import FIREWALL_GROUP
from netweft.model.router import NETWORKS
from netweft.store import Object, Query, ReadTransaction

RULES: Final = KIND


def rules_on(tx: ReadTransaction, node: str, ids: Collection[str]) -> set[str]:
    """Of these."""
    ports = tx.query("ports", Query({HOST: [node]}))
    groups = {port[FIREWALL_GROUP] for port in [*ports, *_interfaces(tx, node, ports)] if port.get(FIREWALL_GROUP)}
    named = (group[name] for group in tx.get_many(GROUPS, groups).values() for name in OF_A_GROUP if group[name])
    policies = tx.get_many(POLICIES, set(named)).values()
    return {rule for policy in policies for rule in policy[RULES]}.intersection(ids)


def _interfaces(tx: ReadTransaction, node: str, ports: Collection[Object]) -> list[Object]:
    """Of the routers that lead on from these ports' networks, and from the gateways that it has."""
    found: dict[str, Object] = {}
    routers = set(gateway_agents.routers_with(tx, node))
    networks = {port["network_id"] for port in ports} | _networks(tx, routers)
    ahead = networks
    while ahead:
        new = tx.query("ports", Query({"network_id": sorted(ahead), "device_owner": [INTERFACE]}))
        found |= {port["id"]: port for port in new}
        beyond = {port["device_id"] for port in new} - routers
        routers |= beyond
        ahead = _networks(tx, beyond) - networks
        networks |= ahead
    return list(found.values())


def _networks(tx: ReadTransaction, routers: Collection[str]) -> set[str]:
    return {id for router in tx.get_many("routers", routers).values() for id in router.get(NETWORKS) or ()}
