"""Routers' gateways as Neutron's agent scheduler speaks of them: which agents have them, and moving them."""

from netweft.control.errors import AgentNotFound, Conflict, NotFound
from netweft.control.l2.hosts import HOST
from netweft.control.l3 import attached, gateway_hosts
from netweft.control.l3.errors import RouterNotFound
from netweft.control.l3.owners import GATEWAY
from netweft.control.zones import ROUTING
from netweft.store import Busy, Object, Query, ReadTransaction, WriteTransaction


class InvalidL3Agent(NotFound):
    message = "Agent %(id)s is not a L3 Agent or has been disabled"


class RouterSchedulingFailed(Conflict):
    message = "Failed scheduling router %(router_id)s to the L3 Agent %(agent_id)s."


class RouterNotHostedByL3Agent(Conflict):
    message = "The router %(router_id)s is not hosted by L3 agent %(agent_id)s."


def hosts_of(port: Object) -> list[str]:
    """First the one that has the gateway."""
    return gateway_hosts.order(port)


def routers_on(tx: ReadTransaction, agent: Object) -> list[str]:
    """Their ids."""
    _require_l3(agent, on=False)
    return sorted(routers_with(tx, agent["host"]))


def routers_with(tx: ReadTransaction, host: str) -> set[str]:
    """The ids of routers whose gateway this host has, or may take over."""
    bound = tx.query("ports", Query({HOST: [host], "device_owner": [GATEWAY]}))
    waiting = tx.get_many("ports", tx.held(gateway_hosts.scope(host)).keys()).values()
    return {port["device_id"] for port in (*bound, *waiting)}


def agents_of(tx: ReadTransaction, router_id: str) -> dict[str, str]:
    """Their ids, and whether a gateway of the router is active there or waits to take over."""
    states: dict[str, str] = {}
    for port in attached.gateways(tx, router_id):
        for place, host in enumerate(hosts_of(port)):
            states[host] = "active" if place == 0 else states.get(host, "standby")
    agents = tx.query("agents", Query({"host": sorted(states), "binary": [ROUTING]})) if states else []
    return {agent["id"]: states[agent["host"]] for agent in agents}


def add(tx: WriteTransaction, agent_id: str, router_id: str) -> None:
    """The router's gateways go to this agent's host, and stay there."""
    agent = _agent(tx, agent_id)
    _require_l3(agent)
    router, _ = _held(tx, router_id)
    if not gateway_hosts.moved(tx, router, agent["host"]):
        raise RouterSchedulingFailed(router_id=router_id, agent_id=agent_id)


def remove(tx: WriteTransaction, agent_id: str, router_id: str) -> None:
    """To the best of the others; nowhere, until one comes, if there is none."""
    agent = _agent(tx, agent_id)
    _require_l3(agent, on=False)
    router, ports = _held(tx, router_id)
    if not any(agent["host"] in hosts_of(port) for port in ports):
        raise RouterNotHostedByL3Agent(router_id=router_id, agent_id=agent_id)
    gateway_hosts.moved_away(tx, router, agent["host"])


def switched(tx: WriteTransaction, agent: Object) -> None:
    """On or off: what it has goes elsewhere, if there is somebody else; what is nowhere may come."""
    if agent["binary"] == ROUTING and agent["admin_state_up"]:
        gateway_hosts.host_came(tx, agent["host"], news=True)
    elif agent["binary"] == ROUTING:
        gateway_hosts.host_went(tx, agent["host"])


def _held(tx: WriteTransaction, router_id: str) -> tuple[Object, list[Object]]:
    """The router, with its gateways' ports: nobody gives or takes one meanwhile."""
    ids = {port["id"] for port in attached.gateways(tx.glance, router_id)}
    tx.hold([gateway_hosts.PLACES], [("routers", router_id), *(("ports", id) for id in sorted(ids))])
    router = tx.lock("routers", router_id)
    if router is None:
        raise RouterNotFound(id=router_id)
    ports = attached.gateways(tx, router_id)
    if ids != {port["id"] for port in ports}:
        raise Busy(f"router {router_id} got another gateway")
    return router, ports


def _agent(tx: WriteTransaction, id: str) -> Object:
    agent = tx.glance.get("agents", id)
    if agent is None:
        raise AgentNotFound(id=id)
    return agent


def _require_l3(agent: Object, *, on: bool = True) -> None:
    if agent["binary"] != ROUTING or (on and not agent["admin_state_up"]):
        raise InvalidL3Agent(id=agent["id"])
