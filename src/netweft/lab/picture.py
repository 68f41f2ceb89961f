"""The ways of VMs to the wire, drawn with what Open vSwitch really has: over the overlay, and to physical networks.

`read_*` ask the switches; `draw_*` are pure.
"""

import json
from dataclasses import dataclass
from typing import Any

from netweft.lab.build import node_of
from netweft.lab.cloud import Cloud
from netweft.lab.commands import vsctl
from netweft.lab.host import Host
from netweft.lab.layout import PHYSICAL_NETWORKS, LabError, Layout, NodeLayout
from netweft.lab.vm import Vm

WIDTH = 98
_LEG = 45
_STEM = 6  # the column of the line that joins the boxes


@dataclass(frozen=True)
class Plug:
    """How a VM is plugged in.  patch: what joins `br-int` to the next bridge, an end on each."""

    vm: str
    address: str
    mac: str
    namespace: str
    vif: str
    tag: int
    patch: tuple[str, str]


@dataclass(frozen=True)
class TunnelLeg:
    """One VM's way to the underlay.  uplink: what carries the tunnel's packets, e.g. `br-phy + eth0`."""

    plug: Plug
    tunnel_port: str
    tunnel_ip: str
    uplink: str


@dataclass(frozen=True)
class PhysicalLeg:
    """One VM's way to a plain host on a physical network.  vlan: 0 for untagged."""

    plug: Plug
    network: str
    bridge: str
    nic: str
    vlan: int
    switch: str
    host: str
    host_address: str


def read_tunnel(layout: Layout, vm: Vm) -> TunnelLeg:
    """Raises LabError when the VM is not wired."""
    node = node_of(layout, vm.node)
    interfaces = {row["name"]: row for row in _rows(node, "Interface", "name,type")}
    return TunnelLeg(
        plug=_plug(node, vm, "br-tun"),
        tunnel_port=next((name for name, row in interfaces.items() if row["type"] == "vxlan"), "-"),
        tunnel_ip=node.tunnel_ip,
        uplink="br-phy + eth0" if "br-phy" in interfaces else "eth0",
    )


def read_physical(layout: Layout, vm: Vm, host: Host) -> PhysicalLeg:
    """Raises LabError when the VM is not wired."""
    node = node_of(layout, vm.node)
    network = next(network for network in PHYSICAL_NETWORKS if network.name == host.physical_network)
    plug = _plug(node, vm, network.bridge)
    return PhysicalLeg(
        plug=plug,
        network=network.name,
        bridge=network.bridge,
        nic=next((port for port in _ports(node, network.bridge) if port != plug.patch[1]), "-"),
        vlan=host.vlan,
        switch=network.switch,
        host=host.name,
        host_address=host.addresses[0].partition("/")[0],
    )


def _plug(node: NodeLayout, vm: Vm, bridge: str) -> Plug:
    tag = next((row["tag"] for row in _rows(node, "Port", "name,tag") if row["name"] == vm.vif), None)
    if not isinstance(tag, int):
        raise LabError(f"{vm.vif} of VM {vm.name} has no local VLAN on {node.name}")
    interfaces = _rows(node, "Interface", "name,type,options")
    peers = {row["name"]: dict(row["options"][1]).get("peer", "-") for row in interfaces if row["type"] == "patch"}
    outer = _ports(node, bridge)
    return Plug(
        vm=vm.name,
        address=vm.nic.address,
        mac=vm.nic.mac,
        namespace=node.namespace or "this machine",
        vif=vm.vif,
        tag=tag,
        patch=next(((peers[name], name) for name in sorted(outer) if name in peers), ("-", "-")),
    )


def _ports(node: NodeLayout, bridge: str) -> list[str]:
    return vsctl(node, "list-ports", bridge).split()


def _rows(node: NodeLayout, table: str, columns: str) -> list[dict[str, Any]]:
    answer = json.loads(vsctl(node, "--format=json", f"--columns={columns}", "list", table))
    return [dict(zip(answer["headings"], row, strict=True)) for row in answer["data"]]


@dataclass(frozen=True)
class RouterLeg:
    """A router.  networks: name -> its own address there.  floating: floating IP -> the address that it stands for."""

    name: str
    networks: dict[str, str]
    external: str
    gateway: str
    node: str
    floating: dict[str, str]


def read_router(cloud: Cloud, name: str) -> RouterLeg:
    """As the API has it.  Raises LabError."""
    router = cloud.find("routers", name)
    ports = cloud.list("ports", device_id=router["id"])
    names = {network["id"]: network["name"] for network in cloud.list("networks")}
    outside = next(port for port in ports if port["device_owner"] == "network:router_gateway")
    return RouterLeg(
        name=name,
        networks={names[port["network_id"]]: _first(port) for port in ports if port is not outside},
        external=names[outside["network_id"]],
        gateway=_first(outside),
        node=outside["binding:host_id"],
        floating={
            one["floating_ip_address"]: one["fixed_ip_address"]
            for one in cloud.list("floatingips", router_id=router["id"])
        },
    )


def _first(port: dict[str, Any]) -> str:
    return str(port["fixed_ips"][0]["ip_address"])


def draw_router(leg: RouterLeg) -> str:
    """Its networks on the left, the external one on the right, and what becomes of addresses on the way."""
    inside = [f"{network} ── {address}" for network, address in sorted(leg.networks.items())]
    nat = [f"everybody ─▶ {leg.gateway} (SNAT)"]
    nat += [f"{fixed} ⇄ {floating} (floating IP)" for floating, fixed in sorted(leg.floating.items())]
    rows = max(len(inside), len(nat))
    left = [*inside, *[""] * (rows - len(inside))]
    middle = [*nat, *[""] * (rows - len(nat))]
    width, inner = max(map(len, left)), max(map(len, middle))
    title = f" router {leg.name} "
    lines = [f"  {'':{width}}   ┌{title:─<{inner + 2}}┐"]
    for number, (before, text) in enumerate(zip(left, middle, strict=True)):
        joint = " ──┤" if before else "   │"
        after = f"├── {leg.external}, by {leg.node}" if number == 0 else "│"
        lines.append(f"  {before:>{width}}{joint} {text:<{inner}} {after}")
    return "\n".join([*lines, f"  {'':{width}}   └{'─' * (inner + 2)}┘"])


def draw_tunnel(left: TunnelLeg, right: TunnelLeg, vni: int) -> str:
    """Two VMs of one network, and the wire between them."""
    lines = _side_by_side(_tunnel_leg(left, vni, "▼"), _tunnel_leg(right, vni, "▲"))
    label = f" the wire: VXLAN, UDP port 4789, VNI {vni} "
    first, last = 2 + _STEM, 2 + _LEG + 4 + _STEM
    wire = f"└{label:─^{last - first - 1}}┘"
    return "\n".join([*lines, " " * first + wire])


def draw_physical(left: PhysicalLeg, right: PhysicalLeg) -> str:
    """Two VMs of different networks, each with its host."""
    return "\n".join(_side_by_side(_physical_leg(left), _physical_leg(right)))


def _side_by_side(left: list[str], right: list[str]) -> list[str]:
    return [f"  {a:<{_LEG}}    {b}".rstrip() for a, b in zip(left, right, strict=True)]


def _tunnel_leg(leg: TunnelLeg, vni: int, arrow: str) -> list[str]:
    return [
        *_plugged_in(leg.plug, arrow),
        *_box("br-tun", f"VLAN tag {leg.plug.tag} ⇄ VNI {vni}", f"{leg.tunnel_port}: end point {leg.tunnel_ip}"),
        _joint(arrow, leg.uplink),
    ]


def _physical_leg(leg: PhysicalLeg) -> list[str]:
    wire = f"VLAN {leg.vlan}" if leg.vlan else "untagged (flat)"
    return [
        *_plugged_in(leg.plug, "▼"),
        *_box(leg.bridge, f"VLAN tag {leg.plug.tag} ⇄ {wire}", f"physical network {leg.network}"),
        _joint("▼", f"{leg.nic} ── {leg.switch} of the fabric"),
        *_box(f"host {leg.host}, no VM of ours", leg.host_address, last=True),
    ]


def _plugged_in(plug: Plug, arrow: str) -> list[str]:
    return [
        *_box(f"VM {plug.vm}", plug.address, plug.mac, corner="─"),
        _joint(arrow, f"{plug.vif}  in {plug.namespace}"),
        *_box("br-int", f"local VLAN tag {plug.tag}"),
        _joint(arrow, f"{plug.patch[0]} ══ {plug.patch[1]}"),
    ]


def _joint(arrow: str, text: str) -> str:
    return f"{'':{_STEM}}{arrow}  {text}"


def _box(title: str, *lines: str, corner: str = "┴", last: bool = False) -> list[str]:
    """corner: where the line from above comes in.  last: nothing goes on below."""
    inner, before = _LEG - 4, "─" * (_STEM - 1)
    return [
        f"┌{before}{corner} {title} {'─' * (inner - _STEM - len(title))}┐",
        *(f"│ {line:<{inner}} │" for line in lines),
        f"└{before}{'─' if last else '┬'}{'─' * (inner + 2 - _STEM)}┘",
    ]
