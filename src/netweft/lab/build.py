"""`lab up` and `lab down`: from nothing to a lab whose agents are alive, and back to nothing."""

import hashlib
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from netweft.lab import fabric, hypervisor, ovn, processes, supervisor, this_machine
from netweft.lab.cloud import Cloud
from netweft.lab.commands import listens
from netweft.lab.layout import FabricLayout, LabError, Layout, NodeLayout
from netweft.lab.supervisor import Command

T = TypeVar("T")
V = TypeVar("V")
PATIENCE = 60.0  # seconds for a server or the agents to come up, on a slow machine


class Plan(Struct, frozen=True, kw_only=True):
    """What a lab is to be.  root_node: which node is the machine itself.  underlay: its IP version.
    mtu: of the fabric.  bfd_interval: the agents' setting.  ovn: its nodes are OVN's, but for the last `ours`."""

    nodes: int = 2
    root_node: str = ""
    underlay: Literal[4, 6] = 4
    mtu: int = 1500
    bfd_interval: int = 70
    ovn: bool = False
    ours: int = 0

    def of_ovn(self, hypervisors: list[NodeLayout]) -> list[NodeLayout]:
        return hypervisors[: len(hypervisors) - self.ours] if self.ovn else []

    def node(self, layout: Layout, number: int) -> NodeLayout:
        return layout.node(number, is_root=self.root_node == f"hv{number}", ip_version=self.underlay)


def up(layout: Layout, plan: Plan) -> None:
    """Leaves either a working lab or nothing.  Raises LabError."""
    if exists(layout):
        raise LabError(f"there is a lab {layout.lab!r} already; first: netweft lab down --name {layout.lab}")
    hypervisors = [plan.node(layout, number) for number in range(1, plan.nodes + 1)]
    root = [node for node in hypervisors if node.is_root]
    if plan.root_node and not root:
        raise LabError(f"{plan.root_node!r} is none of this lab's nodes, which are hv1 to hv{plan.nodes}")
    for node in root:
        this_machine.check(node)
    try:
        _up(layout, plan, hypervisors)
    except BaseException as error:
        logs = _log_tails(layout) if isinstance(error, LabError) else ""
        down(layout)
        if logs:
            raise LabError(f"{error}\n{logs}") from None
        raise


def _up(layout: Layout, plan: Plan, hypervisors: list[NodeLayout]) -> None:
    ours = [node for node in hypervisors if not node.is_root]
    switches: list[FabricLayout | NodeLayout] = [layout.fabric, *ours]
    _write_files(layout, plan, hypervisors)
    fabric.build(layout, hypervisors, plan.mtu)
    _for_each(switches, hypervisor.create_database)
    if plan.ovn:
        ovn.create_databases(layout)
        _declare(layout, *ovn.databases(layout))
    _declare(layout, hypervisor.server(layout), *map(hypervisor.ovsdb_server, switches))
    supervisor.start(layout, hypervisor.NETWEFT)
    _for_each(switches, lambda switch: _initialise_database(switch, hypervisors))
    # not sooner: a vswitchd that finds no database waits for a second, and for two when it loses it later
    _declare(layout, *map(hypervisor.ovs_vswitchd, switches))
    supervisor.reload(layout)
    for node in hypervisors:
        if node.is_root:
            this_machine.borrow(node, hypervisor.datapath_type())
    _wait(lambda: server_answers(layout), "the server to answer")
    if of_ovn := plan.of_ovn(hypervisors):
        _for_each(of_ovn, ovn.prepare)
        _wait(lambda: ovn.are_there(layout), "OVN's databases to answer")
        _declare(layout, ovn.northd(layout), *map(ovn.controller, of_ovn))
    _enrol(layout, hypervisors)
    _declare(layout, *map(hypervisor.agent, hypervisors))
    supervisor.reload(layout)
    names = {node.name for node in hypervisors}
    with Cloud(layout) as cloud:
        _wait(lambda: names <= {a["host"] for a in cloud.list("agents") if a["alive"]}, "the agents to be alive")


def _write_files(layout: Layout, plan: Plan, hypervisors: list[NodeLayout]) -> None:
    for folder in (layout.logs, layout.processes, layout.vms, layout.hosts, layout.server_folder):
        folder.mkdir(parents=True, mode=0o700)
    layout.folder.chmod(0o700)
    for node in hypervisors:
        node.folder.mkdir()
        driver = "ovn" if node in plan.of_ovn(hypervisors) else "openvswitch"
        (node.folder / "netweft.toml").write_text(hypervisor.agent_settings(node, plan.bfd_interval, driver))
    layout.plan_file.write_bytes(msgspec.json.encode(plan))
    settings = hypervisor.server_settings(layout, _free_port(layout.lab), plan.underlay, plan.mtu)
    (layout.server_folder / "netweft.toml").write_text(settings + (ovn.settings(layout) if plan.ovn else ""))
    layout.switches_file.touch(mode=0o600)


def down(layout: Layout) -> list[str]:
    """What was taken down, in words.  Works as well after a crash half-way, without a supervisor, without files."""
    running = processes.find(layout.lab)
    processes.kill_all(layout.lab)
    found, links = fabric.namespaces(layout), fabric.links(layout)
    fabric.remove(found)
    this_machine.give_back(layout)
    had_files = layout.folder.exists()
    shutil.rmtree(layout.folder, ignore_errors=True)
    if layout.folder.exists():
        raise LabError(f"{layout.folder} could not be removed")
    counted = (
        (len(running), "processes"),
        (len(found), "namespaces"),
        (len(links), "links of this machine"),
        (int(had_files), "folder"),
    )
    return [f"{number} {what}" for number, what in counted if number]


def exists(layout: Layout) -> bool:
    """Whether anything of it is left."""
    return (
        layout.folder.exists()
        or bool(fabric.namespaces(layout) or fabric.links(layout) or processes.find(layout.lab))
        or this_machine.is_borrowed(layout)
    )


def node_names(layout: Layout) -> list[str]:
    found = (path.parent.name for path in layout.folder.glob("hv*/netweft.toml"))
    return sorted(found, key=lambda name: int(name.removeprefix("hv")))


def node_of(layout: Layout, name: str) -> NodeLayout:
    if name not in node_names(layout):
        raise LabError(f"lab {layout.lab!r} has no node {name!r}; it has {', '.join(node_names(layout)) or 'none'}")
    plan = msgspec.json.decode(layout.plan_file.read_bytes(), type=Plan)
    return plan.node(layout, int(name.removeprefix("hv")))


def _enrol(layout: Layout, nodes: Iterable[NodeLayout]) -> None:
    """As an operator lets hypervisors in."""
    with Cloud(layout) as cloud:
        for node in nodes:
            path = node.folder / "node.token"
            path.touch(mode=0o600)
            path.write_text(cloud.admit(node.name))


def _declare(layout: Layout, *commands: Command) -> None:
    for command in commands:
        supervisor.declare(layout, command)


def _initialise_database(switch: FabricLayout | NodeLayout, hypervisors: list[NodeLayout]) -> None:
    _wait(lambda: listens(switch.ovs / "db.sock"), f"{switch.name}'s ovsdb-server to answer")
    if isinstance(switch, NodeLayout):
        hypervisor.initialise_database(switch, hypervisor.datapath_type())
    else:
        hypervisor.initialise_fabric(switch, hypervisors, hypervisor.datapath_type())


def server_answers(layout: Layout) -> bool:
    """That somebody listens says little: a server that cannot go on did so, too."""
    with suppress(LabError), Cloud(layout) as cloud:
        return cloud.list("agents") is not None
    return False


def _free_port(lab: str) -> int:
    """The same for the same name where possible, and outside the range that outgoing connections are given."""
    start = int.from_bytes(hashlib.sha256(lab.encode()).digest()[:2]) % 10000
    for offset in range(10000):
        port = 20000 + (start + offset) % 10000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError("no free TCP port")


def _wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"waited {PATIENCE:.0f} s for {what}")
        time.sleep(0.02)


def _for_each(values: Iterable[V], work: Callable[[V], T]) -> list[T]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(work, values))


def _log_tails(layout: Layout) -> str:
    """The last words of each process, before its log is gone."""
    tails = []
    for log in sorted(layout.logs.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-8:]
        tails += [f"--- {log.name}", *lines] if lines else []
    return "\n".join(tails)
