"""agents"""

from collections.abc import Sequence

from netweft.api import checks
from netweft.api.attributes import Attribute, Resource
from netweft.api.resources.standard import ID, READ_ONLY, STATUS_DETAIL, flag
from netweft.control.agents import Agents
from netweft.control.errors import AgentNotFound
from netweft.control.zones import zone_of
from netweft.store import Object, ReadTransaction

_SHOWN = Attribute(check=READ_ONLY, filter=True, sort=True)
_TIME = Attribute(check=READ_ONLY, sort=True)

ATTRIBUTES = {
    "id": ID,
    "host": _SHOWN,
    "agent_type": _SHOWN,
    "binary": _SHOWN,
    "topic": _SHOWN,
    "alive": flag(filter=True),
    "admin_state_up": flag(put=True, filter=True, sort=True),
    "description": Attribute(check=checks.or_none(checks.string(255)), put=True, filter=True, sort=True),
    "configurations": Attribute(check=READ_ONLY),
    "availability_zone": Attribute(check=READ_ONLY, filter=True),
    "created_at": _TIME,
    "started_at": _TIME,
    "heartbeat_timestamp": _TIME,
    "status_detail": STATUS_DETAIL,
}


def agent(use_cases: Agents) -> Resource:
    def as_it_is_now(tx: ReadTransaction, agents: Sequence[Object]) -> Sequence[Object]:
        return [
            agent
            | {
                "alive": use_cases.is_alive(agent),
                "availability_zone": zone_of(agent),
                "status_detail": use_cases.status_detail(tx, agent),
            }
            for agent in agents
        ]

    return Resource(
        member="agent",
        collection="agents",
        attributes=ATTRIBUTES,
        use_cases=use_cases,
        not_found=AgentNotFound,
        present=as_it_is_now,
        computed=frozenset({"alive", "availability_zone"}),
        actions=frozenset({"update", "delete"}),
    )
