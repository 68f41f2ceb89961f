"""What is said on the wire when a VM has moved here: RARP with its MAC, from which physical switches learn where it is.

The overlay needs none: its nodes get it from the feed.  QEMU announces a VM as well, but not every hypervisor does, and
switches would send to the old place of a VM that is quiet.
"""

from msgspec import Struct

from netweft.dataplane.openflow.fields import ETH_RARP
from netweft.dataplane.openflow.flow import Action, Output, PushVlan, SetField
from netweft.services.addresses import mac, octets_of_mac
from netweft.services.fields import tagged
from netweft.services.values import LocalPort

_HEAD = bytes.fromhex("0001 0800 06 04 0003")  # Ethernet, IPv4, the lengths of their addresses, request
_SHORTEST = 60
# broadcast, then the groups that every host is in, IPv6's and IPv4's, and IPv6's of routers: everybody's, and different
_EVERYBODY = tuple(map(bytes.fromhex, ("ffffffffffff", "333300000001", "01005e000001", "333300000002")))


class Packet(Struct, frozen=True):
    """A frame of our own, and what the integration bridge is to do with it."""

    frame: bytes
    actions: tuple[Action, ...]


def announcement(here: LocalPort, time: int = 0) -> Packet | None:
    """To say for the nth time, each with another destination: it is a new flow to Open vSwitch's cache, and only from
    such does it learn at once.  None: there is no physical network to tell, or the port has moved on."""
    if here.network.tunnelled or here.uplink is None or not here.port.active:
        return None
    actions = (PushVlan(), SetField("vlan_vid", tagged(here.network.vlan)), Output(here.uplink))
    return Packet(rarp(mac(here.port.mac_address), _EVERYBODY[time % len(_EVERYBODY)]), actions)


def rarp(address: int, to: bytes = _EVERYBODY[0]) -> bytes:
    """Who am I?"""
    own = octets_of_mac(address)
    frame = to + own + ETH_RARP.to_bytes(2, "big") + _HEAD + own + bytes(4) + own + bytes(4)
    return frame.ljust(_SHORTEST, b"\0")
