"""What is read of another cloud, whatever it was read from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netweft.store import Object

# Addresses that Neutron's own services hold; Netweft answers by flows and needs none of these ports.
LEFT_OUT: Mapping[str, str] = {
    "network:dhcp": "DHCP is answered on each hypervisor",
    "network:distributed": "metadata and DHCP are answered on each hypervisor",
    "network:router_ha_interface": "routers are on every hypervisor",
    "network:router_centralized_snat": "a gateway node does SNAT with the router's own address",
    "network:floatingip_agent_gateway": "floating IPs are flows",
}


NOT_AS_WRITTEN = (LookupError, TypeError, ValueError, AttributeError, StopIteration)
"""What comes of rows that no Neutron writes: broken by hand, half restored, of a release that has other columns."""


class Unreadable(Exception):
    """The other cloud can't be read; the text says why, in one line."""


@dataclass(frozen=True)
class Cloud:
    """objects: kind -> objects with Neutron's attribute names, `id` among them.

    What belongs to another object is in it: `rules` of a policy, `sub_ports` of a trunk, `port_forwardings` of a
    floating IP, `conntrack_helpers` and `interfaces` (ids of ports) of a router; `port` of a router (of its gateway) or
    of a floating IP is what that port was (`id`, `mac_address`).
    left_out: (kind, id, why), what is not taken over.
    """

    objects: Mapping[str, list[Object]]
    left_out: list[tuple[str, str, str]] = field(default_factory=list)


def without_service_ports(ports: Iterable[Object]) -> tuple[list[Object], list[tuple[str, str, str]]]:
    """Those to take over, and those to leave out."""
    kept, left_out = [], []
    for port in ports:
        why = LEFT_OUT.get(port["device_owner"])
        if why is None:
            kept.append(port)
        else:
            left_out.append(("port", port["id"], why))
    return kept, left_out
