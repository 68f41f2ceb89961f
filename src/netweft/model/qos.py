"""Quality of service: the rules that a policy sets for the ports that have it.

`direction` is the VM's: `egress` is what it sends.  A policy has at most one rule of a type for each direction.
"""

from msgspec import Struct

from netweft.model.network import Network
from netweft.model.port import Port

NETWORK_OWNED = "network:"  # how the device_owner of ports begins that are not VMs'


class BandwidthLimit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """max_burst_kbps: in kilobits, as Neutron means it; 0: whatever suits."""

    direction: str = "egress"
    max_kbps: int
    max_burst_kbps: int = 0


class PacketRateLimit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """In thousands of packets a second."""

    direction: str = "egress"
    max_kpps: int
    max_burst_kpps: int = 0


class MinimumBandwidth(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left for the port on the uplink when others want it too."""

    direction: str = "egress"
    min_kbps: int


class QosPolicy(Struct, frozen=True, kw_only=True, tag="qos_policy", omit_defaults=True):
    """A policy of a port here, or of a network that has a port here; the port's own wins (Port.qos_policy_id).

    dscp_mark: 0 to 56, for all that the VM sends; None: packets keep theirs.
    """

    id: str
    bandwidth_limits: tuple[BandwidthLimit, ...] = ()
    packet_rate_limits: tuple[PacketRateLimit, ...] = ()
    minimum_bandwidths: tuple[MinimumBandwidth, ...] = ()
    dscp_mark: int | None = None


def qos_policy_id(port: Port, network: Network) -> str | None:
    """A port's own policy wins.  A network's is for its VMs, not for the ports that the network itself has."""
    return port.qos_policy_id or (None if port.device_owner.startswith(NETWORK_OWNED) else network.qos_policy_id)
