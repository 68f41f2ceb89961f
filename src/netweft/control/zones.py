"""Availability zones: each agent says in which one its node is.  A router's gateway keeps to those that were requested.

Whatever else a network or a router needs is done on each node that has it, and so in each zone: hints mean gateways.
"""

from collections.abc import Collection, Iterable

from netweft.control.errors import NotFound
from netweft.model.node import DEFAULT_ZONE
from netweft.store import Object, Query, ReadTransaction

HINTS = "availability_zone_hints"
ROUTING = "netweft-agent"  # the binary of agents that route, and answer DHCP
RESOURCES = ("network", "router")


class AvailabilityZoneNotFound(NotFound):
    message = "AvailabilityZone %(availability_zone)s could not be found."


def zone_of(agent: Object) -> str | None:
    """None for agents that do nothing for which zones count."""
    said = agent.get("configurations") or {}
    return str(said.get("availability_zone", DEFAULT_ZONE)) if agent["binary"] == ROUTING else None


def every(tx: ReadTransaction) -> list[Object]:
    """One is available as long as an agent there is not switched off."""
    states: dict[str, bool] = {}
    for agent in _agents(tx):
        if (zone := zone_of(agent)) is not None:
            states[zone] = states.get(zone, False) or bool(agent["admin_state_up"])
    return [
        {"name": zone, "resource": resource, "state": "available" if up else "unavailable"}
        for zone, up in sorted(states.items())
        for resource in RESOURCES
    ]


def check(tx: ReadTransaction, wanted: Iterable[Object]) -> None:
    """That the zones which are requested are there."""
    asked = {zone for one in wanted for zone in one.get(HINTS) or ()}
    known = {zone_of(agent) for agent in _agents(tx)} if asked else set()
    for zone in sorted(asked - known):
        raise AvailabilityZoneNotFound(availability_zone=zone)


def of_hosts(tx: ReadTransaction, hosts: Collection[str]) -> dict[str, str]:
    """host -> zone."""
    found = _agents(tx, hosts) if hosts else []
    return {agent["host"]: zone for agent in found if (zone := zone_of(agent)) is not None}


def _agents(tx: ReadTransaction, hosts: Collection[str] | None = None) -> list[Object]:
    where = {"binary": [ROUTING]} | ({"host": sorted(hosts)} if hosts is not None else {})
    return tx.query("agents", Query(where))
