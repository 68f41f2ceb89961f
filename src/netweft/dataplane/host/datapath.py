"""Whether the kernel has the Open vSwitch datapath: one question to generic netlink, without a subprocess; and how
many connections its tracker has."""

import socket
import struct
from pathlib import Path

_NETLINK_GENERIC = 16
_CONTROL_FAMILY, _GET_FAMILY, _FAMILY_NAME = 16, 3, 2
_REQUEST, _ERROR = 1, 2
_DATAPATH = b"ovs_datapath\0"
_TRACKED = Path("/proc/sys/net/netfilter/nf_conntrack_count")  # of the network namespace of who reads it


def kernel_has_openvswitch() -> bool:
    """The kernel loads the module for this question if it has one that is not loaded (and we may)."""
    attribute = struct.pack("=HH", 4 + len(_DATAPATH), _FAMILY_NAME) + _DATAPATH
    attribute += bytes(-len(attribute) % 4)
    body = struct.pack("=BBH", _GET_FAMILY, 1, 0) + attribute
    message = struct.pack("=IHHII", 16 + len(body), _CONTROL_FAMILY, _REQUEST, 1, 0) + body
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_GENERIC) as netlink:
            netlink.settimeout(1.0)
            netlink.sendto(message, (0, 0))
            answer = netlink.recv(4096)
    except OSError:
        return False
    return len(answer) >= 8 and struct.unpack_from("=H", answer, 4)[0] != _ERROR


def kernel_tracks() -> int:
    """Connections, of all zones: vswitchd counts those of its own datapath only.  0 without a tracker."""
    try:
        return int(_TRACKED.read_text())
    except OSError:
        return 0
