"""The way between two VMs on two hypervisors, drawn with what Open vSwitch really has.

`read` asks the switches; `draw` is pure.
"""

import json
from dataclasses import dataclass
from typing import Any

from netweft.lab.build import node_of
from netweft.lab.commands import vsctl
from netweft.lab.layout import LabError, Layout, NodeLayout
from netweft.lab.vm import Vm

WIDTH = 98
_LEG = 45
_STEM = 6  # the column of the line that joins the boxes


@dataclass(frozen=True)
class Leg:
    """One VM's way to the wire.  uplink: what carries the tunnel's packets, e.g. `br-phy + eth0`."""

    vm: str
    address: str
    mac: str
    node: str
    namespace: str
    tap: str
    tag: int
    patch: tuple[str, str]
    tunnel_port: str
    tunnel_ip: str
    uplink: str


def read(layout: Layout, vm: Vm) -> Leg:
    """Raises LabError when the VM is not wired."""
    node = node_of(layout, vm.node)
    interfaces = {row["name"]: row for row in _rows(node, "Interface", "name,type,options")}
    tag = next((row["tag"] for row in _rows(node, "Port", "name,tag") if row["name"] == vm.vif), None)
    if not isinstance(tag, int):
        raise LabError(f"{vm.vif} of VM {vm.name} has no local VLAN on {node.name}")
    on_integration = set(vsctl(node, "list-ports", "br-int").split())
    patches = {name: dict(row["options"][1]) for name, row in interfaces.items() if row["type"] == "patch"}
    inner = next((name for name in sorted(patches) if name in on_integration), "-")
    return Leg(
        vm=vm.name,
        address=vm.nic.address,
        mac=vm.nic.mac,
        node=node.name,
        namespace=node.namespace,
        tap=vm.vif,
        tag=tag,
        patch=(inner, patches.get(inner, {}).get("peer", "-")),
        tunnel_port=next((name for name, row in interfaces.items() if row["type"] == "vxlan"), "-"),
        tunnel_ip=node.tunnel_ip,
        uplink="br-phy + eth0" if "br-phy" in interfaces else "eth0",
    )


def _rows(node: NodeLayout, table: str, columns: str) -> list[dict[str, Any]]:
    answer = json.loads(vsctl(node, "--format=json", f"--columns={columns}", "list", table))
    return [dict(zip(answer["headings"], row, strict=True)) for row in answer["data"]]


def draw(left: Leg, right: Leg, vni: int) -> str:
    legs = zip(_leg(left, vni, "▼"), _leg(right, vni, "▲"), strict=True)
    lines = [f"  {a:<{_LEG}}    {b}".rstrip() for a, b in legs]
    label = f" the wire: VXLAN, UDP port 4789, VNI {vni} "
    first, last = 2 + _STEM, 2 + _LEG + 4 + _STEM
    wire = f"└{label:─^{last - first - 1}}┘"
    return "\n".join([*lines, " " * first + wire])


def _leg(leg: Leg, vni: int, arrow: str) -> list[str]:
    def line(text: str) -> str:
        return f"{'':{_STEM}}{arrow}  {text}"

    return [
        *_box(f"VM {leg.vm}", leg.address, leg.mac, corner="─"),
        line(f"{leg.tap}  on {leg.node} ({leg.namespace})"),
        *_box("br-int", f"local VLAN tag {leg.tag}"),
        line(f"{leg.patch[0]} ══ {leg.patch[1]}"),
        *_box("br-tun", f"VLAN tag {leg.tag} ⇄ VNI {vni}", f"{leg.tunnel_port}: end point {leg.tunnel_ip}"),
        line(leg.uplink),
    ]


def _box(title: str, *lines: str, corner: str = "┴") -> list[str]:
    """corner: where the line from above comes in."""
    inner, before = _LEG - 4, "─" * (_STEM - 1)
    return [
        f"┌{before}{corner} {title} {'─' * (inner - _STEM - len(title))}┐",
        *(f"│ {line:<{inner}} │" for line in lines),
        f"└{before}┬{'─' * (inner + 2 - _STEM)}┘",
    ]
