"""Whether the kernel has the Open vSwitch datapath: one question to generic netlink, without a subprocess; and how
many connections its conntrack has, and may have."""

import errno
import socket
import struct
from pathlib import Path

_NETLINK_NETFILTER, _NETLINK_GENERIC = 12, 16
_CONNTRACK_STATISTICS = 1 << 8 | 5  # of ctnetlink
_CONTROL_FAMILY, _GET_FAMILY, _FAMILY_NAME = 16, 3, 2
_REQUEST, _ERROR = 1, 2
_DATAPATH, _ZONE_LIMITS = "ovs_datapath", "ovs_ct_limit"
_NETFILTER = Path("/proc/sys/net/netfilter")
_TRACKED = _NETFILTER / "nf_conntrack_count"  # of the network namespace of who reads it
_MOST_TRACKED = _NETFILTER / "nf_conntrack_max"  # the same in all of them
_LOOSE = _NETFILTER / "nf_conntrack_tcp_loose"
_BRIDGES_CALL = Path("/proc/sys/net/bridge")


def kernel_has_openvswitch() -> bool:
    """The kernel loads the module for this question if it has one that is not loaded (and we may)."""
    return _has_family(_DATAPATH)


def kernel_limits_zones() -> bool:
    """Whether a conntrack zone can have a limit there: not where Linux was built without NETFILTER_CONNCOUNT."""
    return _has_family(_ZONE_LIMITS)


def _has_family(name: str) -> bool:
    """Of generic netlink."""
    text = f"{name}\0".encode()
    attribute = struct.pack("=HH", 4 + len(text), _FAMILY_NAME) + text
    attribute += bytes(-len(attribute) % 4)
    body = struct.pack("=BBH", _GET_FAMILY, 1, 0) + attribute
    answer = _ask(_NETLINK_GENERIC, _CONTROL_FAMILY, body)
    return len(answer) >= 8 and struct.unpack_from("=H", answer, 4)[0] != _ERROR


def kernel_ends_connections() -> bool:
    """Whether they can be listed and ended: by ctnetlink, which is loaded for this question, too.  Whoever may not ask
    takes it to be there."""
    answer = _ask(_NETLINK_NETFILTER, _CONNTRACK_STATISTICS, bytes(4))
    refused = len(answer) >= 20 and struct.unpack_from("=H", answer, 4)[0] == _ERROR
    return not (refused and struct.unpack_from("=i", answer, 16)[0] == -errno.EINVAL)


def _ask(family: int, kind: int, body: bytes) -> bytes:
    """The first of its answers; empty without one."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as netlink:
            netlink.settimeout(1.0)
            netlink.sendto(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST, 1, 0) + body, (0, 0))
            return netlink.recv(4096)
    except OSError:
        return b""


def kernel_tracks() -> int:
    """Connections, of all zones: vswitchd counts those of its own datapath only.  0 without conntrack."""
    return _number(_TRACKED) or 0


def kernel_may_track() -> int | None:
    """Connections, of all zones and the host's own together.  None without conntrack."""
    return _number(_MOST_TRACKED)


def kernel_tracks_loosely() -> bool:
    """Whether a TCP segment of a connection that it has not seen begin makes it known: unless configured otherwise."""
    return _number(_LOOSE) != 0


def kernel_filters_bridges() -> bool:
    """Whether the host's firewall sees what Linux bridges forward: so it is once br_netfilter is loaded (by Docker)."""
    return any(_number(_BRIDGES_CALL / f"bridge-nf-call-{tables}") for tables in ("iptables", "ip6tables"))


def _number(setting: Path) -> int | None:
    try:
        return int(setting.read_text())
    except OSError:
        return None
