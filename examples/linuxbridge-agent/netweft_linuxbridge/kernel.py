"""What the kernel has, and how it is changed: blocking calls on an open pyroute2 socket.

Ours are bridges with our alias, VXLAN devices with our name, and the taps in our bridges.  Nothing else is touched.
"""

from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from netweft_linuxbridge.desired import BRIDGE, OVERLAY, TAP, Bridge, Forward, Item, Key, Member, Overlay, key_of

ALIAS = "netweft"
VXLAN_PORT = 4789
IFF_UP, NTF_SELF, NUD_STATIC = 0x1, 0x02, 0xC0


def read(kernel: IPRoute) -> tuple[set[str], dict[Key, Item]]:
    """The names of all interfaces; and what is ours."""
    links = {link["index"]: link for link in kernel.link("dump")}
    names = {index: str(link.get("IFLA_IFNAME")) for index, link in links.items()}
    marked = {names[index] for index, link in links.items() if link.get("IFLA_IFALIAS") == ALIAS}
    bridges = {name for name in marked if name.startswith(BRIDGE)}
    found = (_item(link, names.get(link.get("IFLA_MASTER"), ""), bridges) for link in links.values())
    items = [item for item in found if item]
    overlays = {i for i, name in names.items() if name.startswith(OVERLAY)}
    for entry in kernel.fdb("dump") if overlays else ():
        if entry["ifindex"] in overlays and entry["flags"] & NTF_SELF and (remote_ip := entry.get("NDA_DST")):
            items.append(Forward(names[entry["ifindex"]], entry.get("NDA_LLADDR"), remote_ip))
    return set(names.values()), {key_of(item): item for item in items}


def _item(link: Any, master: str, our_bridges: set[str]) -> Item | None:
    name, up = link.get("IFLA_IFNAME"), bool(link["flags"] & IFF_UP)
    if name in our_bridges:
        return Bridge(name, up)
    if name.startswith(OVERLAY) and link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") == "vxlan":
        data = link.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
        local_ip = data.get("IFLA_VXLAN_LOCAL") or data.get("IFLA_VXLAN_LOCAL6")
        return Overlay(name, master, data.get("IFLA_VXLAN_ID"), local_ip, link.get("IFLA_MTU"), up)
    return Member(name, master, up) if name.startswith(TAP) and master in our_bridges else None


def put(kernel: IPRoute, was: Item | None, now: Item) -> None:
    """was: what is there in its place.  Raises NetlinkError, OSError."""
    match now:
        case Bridge(name=name):
            if not _index(kernel, name):  # else Nova's plugging was here first: its bridge is taken over
                kernel.link("add", ifname=name, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
            if (knob := Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")).exists():
                knob.write_text("1")  # VMs are not to talk to this host
            kernel.link("set", index=_index(kernel, name), ifalias=ALIAS, state="up")
        case Overlay(name=name):
            if isinstance(was, Overlay) and (was.vni, was.local_ip) != (now.vni, now.local_ip):
                remove(kernel, was)
            if not _index(kernel, name):
                _add_vxlan(kernel, now)
            kernel.link("set", index=_index(kernel, name), master=_index(kernel, now.bridge), mtu=now.mtu, state="up")
        case Member():
            kernel.link("set", index=_index(kernel, now.name), master=_index(kernel, now.bridge), state="up")
        case Forward():
            _fdb(kernel, "append" if was is None else "replace", now)


def remove(kernel: IPRoute, item: Item) -> None:
    """Raises NetlinkError.  What is gone by itself (a tap with its VM, entries with their device) is no error."""
    match item:
        case Forward():
            if _index(kernel, item.overlay):
                _fdb(kernel, "del", item)
        case Member(name=name):
            if index := _index(kernel, name):
                kernel.link("set", index=index, master=0)
        case _:
            if index := _index(kernel, item.name):
                kernel.link("del", index=index)


def _add_vxlan(kernel: IPRoute, overlay: Overlay) -> None:
    """Nothing is learned: the feed knows where every MAC is.  No outer checksum, as with Open vSwitch."""
    if ":" in overlay.local_ip:
        local = {"vxlan_local6": overlay.local_ip, "vxlan_udp_zero_csum6_tx": True, "vxlan_udp_zero_csum6_rx": True}
    else:
        local = {"vxlan_local": overlay.local_ip, "vxlan_udp_csum": False}
    common = {"kind": "vxlan", "vxlan_id": overlay.vni, "vxlan_port": VXLAN_PORT, "vxlan_learning": False}
    kernel.link("add", ifname=overlay.name, **common, **local)


def _fdb(kernel: IPRoute, verb: str, forward: Forward) -> None:
    index = _index(kernel, forward.overlay)
    kernel.fdb(verb, ifindex=index, lladdr=forward.mac, dst=forward.remote_ip, flags=NTF_SELF, state=NUD_STATIC)


def _index(kernel: IPRoute, name: str) -> int:
    """0 if there is none."""
    found = kernel.link_lookup(ifname=name)
    return found[0] if found else 0
