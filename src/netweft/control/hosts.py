"""Which hosts there are, and what binding a port to one of them says about its virtual interface."""

from datetime import UTC, datetime

import msgspec

from netweft.model import NodeFacts
from netweft.store import Object, ReadTransaction

HOST_SCOPE = "agent_host"
# Kept on a port, not shown: a node took it because it was plugged in there and bound nowhere.
CLAIMED = "netweft:claimed"

UNBOUND: Object = {"binding:host_id": "", "binding:vif_type": "unbound", "binding:vif_details": {}}


def agent_of(tx: ReadTransaction, host: str) -> Object | None:
    """The agent that reports as this host."""
    holder = tx.holders(HOST_SCOPE, [host]).get(host)
    return tx.get("agents", holder[1]) if holder else None


def seconds_silent(agent: Object) -> float:
    """Since its last sign of life, to whichever server."""
    heard = datetime.strptime(agent["heartbeat_timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return (datetime.now(UTC) - heard).total_seconds()


class Binder:
    """Binds ports within one transaction; each host is looked up once."""

    def __init__(self, tx: ReadTransaction) -> None:
        self._tx = tx
        self._known: dict[str, Object] = {"": UNBOUND}

    def bind(self, host: str) -> Object:
        """The binding attributes of a port on this host."""
        if host not in self._known:
            self._known[host] = binding(host, agent_of(self._tx, host))
        return self._known[host]


def binding(host: str, agent: Object | None) -> Object:
    if agent is None:
        return {"binding:host_id": host, "binding:vif_type": "binding_failed", "binding:vif_details": {}}
    node = msgspec.convert(agent["configurations"], NodeFacts)
    details: Object = {"connectivity": "l2", "port_filter": node.port_filter}
    if node.vif_type == "ovs":
        details |= {
            "ovs_hybrid_plug": False,
            "bridge_name": node.integration_bridge,
            "datapath_type": node.datapath_type,
        }
    return {"binding:host_id": host, "binding:vif_type": node.vif_type, "binding:vif_details": details}
