"""The network that a project gets when it has none and asks for any: whose it is, and what it takes to make one.

It is a network and its subnets, and no router yet: nothing leads from it to the external network, which must be there
all the same (decision 0284).
"""

from netweft.control import rbac
from netweft.control.errors import Conflict
from netweft.control.ipam import subnetpools
from netweft.control.l2.networks import default_external
from netweft.store import Claim, Object, Query, ReadTransaction, WriteTransaction

NETWORK = "auto_allocated_network"
SAID = "Made by auto-allocated-topology. Nothing leads outside from here: no router is made with it yet."
_SCOPE = "auto_allocated_topology"  # a project holds one, by its network


class AutoAllocationFailure(Conflict):
    message = "Deployment error: %(reason)s."


def network_of(tx: ReadTransaction, project_id: str) -> str | None:
    holder = tx.holders(_SCOPE, [project_id]).get(project_id)
    return holder[1] if holder else None


def keep(tx: WriteTransaction, project_id: str, network: Object) -> None:
    """Until the network goes."""
    tx.claim("networks", network["id"], [Claim(_SCOPE, project_id)])


def require_external(tx: ReadTransaction) -> None:
    if default_external(tx) is None:
        raise AutoAllocationFailure(reason="No default router:external network")


def pools(tx: ReadTransaction, project_id: str) -> list[Object]:
    """The default one of each IP version that the project may use."""
    shared = rbac.shared_with(tx, subnetpools.KIND, project_id)
    found = tx.query(subnetpools.KIND, Query({"is_default": [True]}, sort=[("ip_version", False)]))
    return [pool for pool in found if pool["project_id"] == project_id or pool["id"] in shared]
