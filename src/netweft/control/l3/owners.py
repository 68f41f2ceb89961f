"""The `device_owner` of ports that are a router's or a floating IP's: their names, and what each means."""

from netweft.model.router import INTERFACE_OWNER
from netweft.store import Object

INTERFACE, GATEWAY, FLOATING = INTERFACE_OWNER, "network:router_gateway", "network:floatingip"
# device_owner -> the kind that device_id names
OWNERS = {INTERFACE: "routers", GATEWAY: "routers", FLOATING: "floatingips"}
# interfaces by all the names that Neutron has for them: no address comes to such a port by itself
INTERFACES = frozenset({INTERFACE, "network:ha_router_replicated_interface", "network:router_interface_distributed"})


# of a gateway or a floating IP that is imported: what its port was (`id`, `mac_address`); the API has no such attribute
ITS_PORT = "netweft:port"


def new_port(device_owner: str, device_id: str, network_id: str, **values: object) -> Object:
    """What makes such a port.  It is on every host where it matters, and so bound to none."""
    wanted: Object = {
        "name": "",
        "description": "",
        "admin_state_up": True,
        "status": "ACTIVE",
        "binding:vnic_type": "normal",
        "qos_policy_id": None,
        "numa_affinity_policy": None,
        "device_profile": None,
    }
    return wanted | {"device_owner": device_owner, "device_id": device_id, "network_id": network_id} | values
