"""An interface on which this host answers for whole prefixes: what has to be set in the kernel.  Blocking, no state."""

import contextlib
import errno
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netweft.dataplane.host import netlink as links
from netweft.dataplane.host.values import Address, Endpoint

_IFF_NOARP = 0x80
_NONE = 1  # how the kernel makes IPv6 addresses of its own: not at all
_LOCAL_TABLE, _LOCAL = 255, 2
_NOT_THERE = (errno.EAFNOSUPPORT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM)  # a host without IPv6


def ensure(netlink: IPRoute, end: Endpoint) -> bool:
    """True if something had to be changed."""
    link = links.find(netlink, end.interface)
    changed = False
    if link.get("IFLA_ADDRESS") != end.mac or not link["flags"] & _IFF_NOARP:
        netlink.link("set", index=link["index"], address=end.mac, flags=_IFF_NOARP, change=_IFF_NOARP)
        changed = True
    _quiet(end.interface)
    changed |= links.ensure_up(netlink, end.interface, None)
    for ip, length in end.addresses:
        with _suppressed(ip):
            changed |= links.ensure_address(netlink, Address(end.interface, ip, length))
    for prefix in end.prefixes:
        with _suppressed(prefix):
            changed |= _ensure_own(netlink, link["index"], prefix)
    return changed


def _quiet(interface: str) -> None:
    """Nothing comes of itself: neither addresses nor, for what comes by it, a way to anywhere else."""
    settings = {
        f"ipv6/conf/{interface}/disable_ipv6": "0",
        f"ipv6/conf/{interface}/accept_ra": "0",
        f"ipv6/conf/{interface}/forwarding": "0",
        f"ipv4/conf/{interface}/forwarding": "0",
        f"ipv6/conf/{interface}/addr_gen_mode": str(_NONE),
    }
    for name, value in settings.items():
        path = Path("/proc/sys/net", name)
        with contextlib.suppress(FileNotFoundError):
            if path.read_text().strip() != value:
                path.write_text(value)


@contextlib.contextmanager
def _suppressed(address: str) -> Any:
    """What a host without IPv6 cannot have."""
    try:
        yield
    except NetlinkError as error:
        if ":" not in address or error.code not in _NOT_THERE:
            raise


def _ensure_own(netlink: IPRoute, index: int, prefix: str) -> bool:
    family = 10 if ":" in prefix else 2
    try:
        netlink.route(
            "add",
            family=family,
            dst=prefix,
            oif=index,
            table=_LOCAL_TABLE,
            type=_LOCAL,
            scope=0 if family == 10 else 254,
        )
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise
        return False
    return True
