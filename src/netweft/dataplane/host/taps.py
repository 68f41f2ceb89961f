"""Tap devices of others that are switched off: whoever made one wants frames through it."""

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.netlink import ensure_up

_KIND = "tun"  # what the kernel calls taps, too


def switch_on(interface: str, ifindex: int) -> bool:
    """False: it is no tap, or another one by now.  Raises HostError.  Blocks."""
    try:
        with IPRoute() as netlink:
            (link,) = netlink.link("get", index=ifindex)
            if link.get("IFLA_IFNAME") != interface or link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") != _KIND:
                return False
            return ensure_up(netlink, interface, None)
    except NetlinkError as error:
        raise HostError(f"{interface}: {error}") from None
