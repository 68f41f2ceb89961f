"""Agents, as an admin sees and manages them.  They come into being by connecting: see binding.py."""

from netweft.control.errors import InvalidInput
from netweft.control.l2 import hosts
from netweft.control.l3 import gateway_agents
from netweft.control.standard import now
from netweft.settings import ServerSettings
from netweft.store import Object, ReadTransaction, WriteTransaction


class Agents:
    def __init__(self, settings: ServerSettings) -> None:
        self._down_after = settings.agent_down_seconds

    def create(self, tx: WriteTransaction, wanted: list[Object]) -> list[Object]:
        raise InvalidInput("Agents make themselves known by connecting")

    def update(self, tx: WriteTransaction, current: Object, changes: Object) -> Object:
        updated = tx.update("agents", current["id"], changes | {"updated_at": now()})
        if updated["admin_state_up"] != current["admin_state_up"]:
            gateway_agents.switched(tx, updated)
        return updated

    def delete(self, tx: WriteTransaction, current: Object) -> None:
        tx.delete("agents", current["id"])

    def is_alive(self, agent: Object) -> bool:
        """Heard of not too long ago."""
        return hosts.seconds_silent(agent) < self._down_after

    def status_detail(self, tx: ReadTransaction, agent: Object) -> str:
        """What it says itself, and what it cannot know: looked up on request, so it is never out of date."""
        ip, said = agent.get(hosts.TUNNEL_END), [agent["status_detail"]] if agent.get("status_detail") else []
        also = [f"tunnel_ip {ip} is also that of {host}" for host in hosts.rivals(tx, agent["host"], ip)]
        return "; ".join([*said, *also])
