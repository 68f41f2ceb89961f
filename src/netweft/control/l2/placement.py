"""What a port asks of OpenStack's Placement, so that Nova finds a host whose NIC has it: in Placement's words."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence

from netweft.control.l2.segments import PHYSICAL
from netweft.control.qos import KIND, POLICY
from netweft.store import Object, ReadTransaction

REQUEST = "resource_request"
_BANDWIDTH = {"egress": "NET_BW_EGR_KILOBIT_PER_SEC", "ingress": "NET_BW_IGR_KILOBIT_PER_SEC"}
_TUNNEL = "CUSTOM_NETWORK_TUNNEL_PROVIDER"


def requests(tx: ReadTransaction, ports: Iterable[Object], networks: Mapping[str, Object]) -> dict[str, Object | None]:
    """By port: what its policy, else its network's, promises it.  Ports without a policy are left out."""
    asking = [
        (port, network, policy)
        for port in ports
        for network in [networks[port["network_id"]]]
        if (policy := port.get(POLICY) or network.get(POLICY))
    ]
    found = tx.get_many(KIND, {policy for _, _, policy in asking})
    return {port["id"]: _request(port, network, found.get(policy)) for port, network, policy in asking}


def trait(prefix: str, name: str) -> str:
    """A custom trait, by the rules for their names."""
    return "CUSTOM_" + re.sub("[^0-9A-Z_]+", "_", f"{prefix}_{name}".upper())


def _request(port: Object, network: Object, policy: Object | None) -> Object | None:
    promised = [rule for rule in policy["rules"] if rule["type"] == "minimum_bandwidth"] if policy else []
    if not promised:
        return None
    # as Neutron makes it: it stays the same for as long as the port and the rules do, and Nova remembers it
    id = str(uuid.uuid5(uuid.UUID(port["id"]), ":".join(rule["id"] for rule in promised)))
    resources = {_BANDWIDTH[rule["direction"]]: rule["min_kbps"] for rule in promised}
    required = [_reach(network), trait("VNIC_TYPE", port["binding:vnic_type"])]
    return {"request_groups": [{"id": id, "required": required, "resources": resources}], "same_subtree": [id]}


def _reach(network: Object) -> str:
    """What the NIC must be wired to."""
    segments: Sequence[Object] = network.get("segments") or [network]
    physical = segments[0].get(PHYSICAL)
    return trait("PHYSNET", physical) if physical else _TUNNEL
