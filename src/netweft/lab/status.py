"""What there is of a lab, for a person (`lab status`), for a program (`--json`) and for the shell (`lab env`)."""

import shlex
from typing import Any

import msgspec

from netweft.lab import build, host, processes, vm
from netweft.lab.cloud import credentials
from netweft.lab.hypervisor import NETWEFT
from netweft.lab.layout import PHYSICAL_NETWORKS, Layout, NoLab
from netweft.lab.processes import SUPERVISOR


def collect(layout: Layout) -> dict[str, Any]:
    """nodes, vms and processes; the shape is documented in docs/lab.md.  Raises NoLab where there is no lab."""
    if not build.exists(layout):
        raise NoLab(layout.lab)
    running = processes.supervised(layout.lab)
    nodes = [build.node_of(layout, name) for name in build.node_names(layout)]
    return {
        "name": layout.lab,
        "folder": str(layout.folder),
        "auth_url": credentials(layout)["OS_AUTH_URL"] if layout.openrc.exists() else None,
        "supervisor": next((process.pid for process in running if process.kind == SUPERVISOR), None),
        "nodes": [
            {
                "name": node.name,
                "namespace": node.namespace,
                "tunnel_ip": node.tunnel_ip,
                "ovs_run_dir": str(node.ovs),
                "config": f"{node.folder}/netweft.toml",
                "agent_socket": f"{node.folder}/agent.sock",
            }
            for node in nodes
        ],
        "vms": [_vm(layout, machine) for machine in vm.records(layout).all()],
        "hosts": [_host(layout, found) for found in host.records(layout).all()],
        "fabric": {
            "namespace": layout.fabric.namespace,
            "ovs_run_dir": str(layout.fabric.ovs),
            "switches": {network.name: network.switch for network in PHYSICAL_NETWORKS},
        },
        "processes": [
            {"kind": process.kind, "node": process.node or None, "pid": process.pid}
            for process in running
            if process.kind in ("server", "agent", "ovsdb-server", "ovs-vswitchd")
            and process.node != layout.fabric.name  # the physical network is nobody's to restart
        ],
    }


def _vm(layout: Layout, machine: vm.Vm) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(machine)
    nic: dict[str, Any] = shown.pop("nic")
    namespace = layout.vm_namespace(machine.name) if machine.kind != "qemu" else None
    return shown | nic | {"vif": machine.vif, "namespace": namespace}


def _host(layout: Layout, found: host.Host) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(found)
    return shown | {"namespace": layout.host_namespace(found.name)}


def as_text(status: dict[str, Any]) -> str:
    lines = [f"lab {status['name']}: {status['folder']}, API {status['auth_url'] or 'not there yet'}"]
    if not status["supervisor"]:
        lines.append("its supervisor is gone: a process that dies stays dead; take the lab down and up again")
    lines += _table(
        ("NODE", "TUNNEL IP", "NAMESPACE", "OVS RUN FOLDER"),
        [(n["name"], n["tunnel_ip"], n["namespace"] or "this machine", n["ovs_run_dir"]) for n in status["nodes"]],
    )
    lines += _table(
        ("PROCESS", "NODE", "PID"),
        [(p["kind"], p["node"] or "-", str(p["pid"])) for p in status["processes"]],
    )
    lines += _table(
        ("VM", "NODE", "KIND", "PORT", "MAC", "ADDRESSES"),
        [(v["name"], v["node"], v["kind"], v["port_id"], v["mac"], " ".join(v["addresses"])) for v in status["vms"]],
    )
    lines += _table(
        ("HOST", "PHYSICAL NETWORK", "VLAN", "ADDRESSES"),
        [(h["name"], h["physical_network"], str(h["vlan"] or "-"), " ".join(h["addresses"])) for h in status["hosts"]],
    )
    return "\n".join(lines)


def shell_variables(layout: Layout) -> str:
    """For eval: the admin's credentials, and this installation's commands on the PATH.

    The shell puts its own PATH together: ours may be another one, as below sudo.
    """
    commands = shlex.quote(str(NETWEFT.parent))
    path = f'case ":$PATH:" in *:{commands}:*) ;; *) export PATH={commands}:"$PATH" ;; esac'
    return "\n".join([*(f"export {n}={shlex.quote(v)}" for n, v in credentials(layout).items()), path])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    cells = (("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))) for row in (head, *rows))
    return ["", *(line.rstrip() for line in cells)]
