"""What we ask of the kernel about its interfaces: blocking functions on an open pyroute2 socket.  No state, no loop."""

import errno
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from netweft.dataplane.host import ethtool
from netweft.dataplane.host.errors import HostError
from netweft.dataplane.host.ownership import ADDRESS_PROTOCOL, ALIAS
from netweft.dataplane.host.values import Address, VethPair

_IFF_UP = 1


def ensure_up(netlink: IPRoute, interface: str, mtu: int | None) -> bool:
    link = find(netlink, interface)
    changes: dict[str, Any] = {}
    if not link["flags"] & _IFF_UP:
        changes["state"] = "up"
    if mtu is not None and link.get("IFLA_MTU") != mtu:
        changes["mtu"] = mtu
    if changes:
        netlink.link("set", index=link["index"], **changes)
    return bool(changes)


def ensure_address(netlink: IPRoute, address: Address) -> bool:
    link = find(netlink, address.interface)
    wanted = ip_address(address.ip)
    for message in netlink.addr("dump", index=link["index"]):
        if ip_address(_address_of(message)) == wanted and message["prefixlen"] == address.prefix_length:
            return False
    netlink.addr(
        "add", index=link["index"], address=address.ip, prefixlen=address.prefix_length, proto=ADDRESS_PROTOCOL
    )
    return True


def delete_addresses(netlink: IPRoute, but: frozenset[str]) -> list[str]:
    """Those that carry our mark, but for these.  Returns what went.  Kernels before 5.18 keep no mark."""
    wanted = {ip_address(ip) for ip in but}
    ours = [message for message in netlink.addr("dump") if message.get("IFA_PROTO") == ADDRESS_PROTOCOL]
    gone = [message for message in ours if ip_address(_address_of(message)) not in wanted]
    for message in gone:
        _keep_the_others(netlink, message["index"])
        netlink.addr("del", index=message["index"], address=_address_of(message), prefixlen=message["prefixlen"])
    return [_address_of(message) for message in gone]


def ensure_veth(netlink: IPRoute, pair: VethPair) -> bool:
    created = not exists(netlink, pair.name)
    if created:
        netlink.link("add", ifname=pair.name, kind="veth", peer=pair.peer, mtu=pair.mtu)
    ends = {name: find(netlink, name) for name in (pair.name, pair.peer)}
    if ends[pair.name].get("IFLA_LINK") != ends[pair.peer]["index"]:
        raise HostError(f"{pair.name}: is there and is not a veth with {pair.peer} at its other end")
    changed = created
    for name, link in ends.items():
        if link.get("IFLA_IFALIAS") != ALIAS:
            netlink.link("set", index=link["index"], ifalias=ALIAS)
            changed = True
        changed |= ensure_up(netlink, name, pair.mtu)
        changed |= _ensure_offloads(name, pair.offloads)
    for name in ends:
        if find(netlink, name).get("IFLA_OPERSTATE") != "UP":  # until then the kernel drops what is sent
            raise HostError(f"{name}: is not up yet")
    return changed


def delete_veth(netlink: IPRoute, name: str) -> bool:
    if not exists(netlink, name):
        return False
    link = find(netlink, name)
    if link.get("IFLA_IFALIAS") != ALIAS:
        raise HostError(f"{name}: is not ours")
    netlink.link("del", index=link["index"])
    return True


def exists(netlink: IPRoute, interface: str) -> bool:
    try:
        netlink.link("get", ifname=interface)
    except NetlinkError as error:
        if error.code == errno.ENODEV:
            return False
        raise
    return True


def find(netlink: IPRoute, interface: str) -> Any:
    try:
        (link,) = netlink.link("get", ifname=interface)
    except NetlinkError as error:
        if error.code == errno.ENODEV:
            raise HostError(f"{interface}: there is no such interface") from None
        raise
    return link


def _ensure_offloads(interface: str, on: bool) -> bool:
    """The kernel cuts large frames where it has to fill in their checksums."""
    if ethtool.tx_checksum(interface) == on:
        return False
    ethtool.set_tx_checksum(interface, on)
    return True


def _keep_the_others(netlink: IPRoute, index: int) -> None:
    """With the first address of an interface the kernel takes away the others of its subnet, but for a sysctl."""
    (link,) = netlink.link("get", index=index)
    Path(f"/proc/sys/net/ipv4/conf/{link.get('IFLA_IFNAME')}/promote_secondaries").write_text("1")


def _address_of(message: Any) -> str:
    """Of a point-to-point address IFA_ADDRESS is the far end."""
    return str(message.get("IFA_LOCAL") or message.get("IFA_ADDRESS"))
