"""Routers' gateways as Neutron's agent scheduler speaks of them: which agents have them, and moving them."""

from netweft.control.errors import NotFound
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import attached
from netweft.control.l3.owners import GATEWAY
from netweft.control.zones import ROUTING
from netweft.store import Object, Query, ReadTransaction


class InvalidL3Agent(NotFound):
    message = "Agent %(id)s is not a L3 Agent or has been disabled"


def hosts_of(port: Object) -> list[str]:
    """First the one that has the gateway."""
    return [port[HOST]] if port[HOST] else []


def routers_on(tx: ReadTransaction, agent: Object) -> list[str]:
    """Their ids."""
    _require_l3(agent)
    return sorted(routers_with(tx, agent["host"]))


def routers_with(tx: ReadTransaction, host: str) -> set[str]:
    """The ids of routers whose gateway this host has."""
    ports = tx.query("ports", Query({HOST: [host], "device_owner": [GATEWAY]}))
    return {port["device_id"] for port in ports}


def agents_of(tx: ReadTransaction, router_id: str) -> dict[str, str]:
    """Their ids, and whether a gateway of the router is active there or waits to take over."""
    states: dict[str, str] = {}
    for port in attached.gateways(tx, router_id):
        for place, host in enumerate(hosts_of(port)):
            states[host] = "active" if place == 0 else states.get(host, "standby")
    agents = tx.query("agents", Query({"host": sorted(states), "binary": [ROUTING]})) if states else []
    return {agent["id"]: states[agent["host"]] for agent in agents}


def _require_l3(agent: Object) -> None:
    if agent["binary"] != ROUTING or not agent["admin_state_up"]:
        raise InvalidL3Agent(id=agent["id"])
