"""The network that a project gets when it has none and asks for any, and the router between it and the external
network: whose they are, and what it takes to make them (decision 0284).
"""

from collections.abc import Sequence

from netweft.control import rbac
from netweft.control.errors import Conflict
from netweft.control.ipam import subnetpools
from netweft.control.l2.networks import default_external
from netweft.control.l3 import attached
from netweft.control.l3.attached import Requester
from netweft.control.l3.interfaces import Interfaces
from netweft.store import Claim, Object, Query, ReadTransaction, WriteTransaction

NETWORK, ROUTER = "auto_allocated_network", "auto_allocated_router"
# of those that were made before there were routers: they get theirs on the next request
WITHOUT_ROUTER = "Made by auto-allocated-topology. Nothing leads outside from here: no router is made with it yet."
_SCOPE = "auto_allocated_topology"  # a project holds one, by its network
_ROUTERS = "auto_allocated_router"  # likewise, by its router, while that is there


class AutoAllocationFailure(Conflict):
    message = "Deployment error: %(reason)s."


def network_of(tx: ReadTransaction, project_id: str) -> str | None:
    holder = tx.holders(_SCOPE, [project_id]).get(project_id)
    return holder[1] if holder else None


def router_of(tx: ReadTransaction, project_id: str) -> str | None:
    holder = tx.holders(_ROUTERS, [project_id]).get(project_id)
    return holder[1] if holder else None


def keep(tx: WriteTransaction, project_id: str, network: Object) -> None:
    """Until the network goes."""
    tx.claim("networks", network["id"], [Claim(_SCOPE, project_id)])


def connect(
    tx: WriteTransaction, interfaces: Interfaces, project_id: str, router: Object, subnets: Sequence[Object]
) -> None:
    """This router is the way outside of these subnets, and is the topology's until it goes."""
    tx.claim("routers", router["id"], [Claim(_ROUTERS, project_id)])
    for subnet in subnets:
        held = tx.lock("routers", router["id"]) or router
        interfaces.add(tx, held, Requester(project_id, is_admin=False), {"subnet_id": subnet["id"]})


def disconnect(tx: WriteTransaction, interfaces: Interfaces, router: Object, subnets: Sequence[str]) -> None:
    """Both are held alone.  Other interfaces that somebody has added keep the router from going."""
    there = {fixed["subnet_id"] for port in attached.interfaces(tx, router["id"]) for fixed in port["fixed_ips"]}
    for subnet in subnets:
        if subnet in there:
            interfaces.remove(tx, tx.lock("routers", router["id"]) or router, {"subnet_id": subnet})


def external(tx: ReadTransaction) -> str:
    """The id of the network that topologies lead to."""
    found = default_external(tx)
    if found is None:
        raise AutoAllocationFailure(reason="No default router:external network")
    return found


def pools(tx: ReadTransaction, project_id: str) -> list[Object]:
    """The default one of each IP version that the project may use."""
    shared = rbac.shared_with(tx, subnetpools.KIND, project_id)
    found = tx.query(subnetpools.KIND, Query({"is_default": [True]}, sort=[("ip_version", False)]))
    return [pool for pool in found if pool["project_id"] == project_id or pool["id"] in shared]
