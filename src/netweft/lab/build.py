"""`lab up` and `lab down`: from nothing to a lab whose agents are alive, and back to nothing."""

import hashlib
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from netweft.lab import fabric, hypervisor, processes, supervisor
from netweft.lab.cloud import Cloud, credentials
from netweft.lab.commands import clean_environment, run
from netweft.lab.layout import LabError, Layout, NodeLayout
from netweft.lab.supervisor import Command

T = TypeVar("T")
PATIENCE = 60.0  # seconds for a server or the agents to come up, on a slow machine


def up(layout: Layout, nodes: int) -> None:
    """Leaves either a working lab or nothing.  Raises LabError."""
    if exists(layout):
        raise LabError(f"there is a lab {layout.lab!r} already; first: netweft lab down --name {layout.lab}")
    hypervisors = [layout.node(number) for number in range(1, nodes + 1)]
    try:
        _up(layout, hypervisors)
    except BaseException as error:
        logs = _log_tails(layout) if isinstance(error, LabError) else ""
        down(layout)
        if logs:
            raise LabError(f"{error}\n{logs}") from None
        raise


def _up(layout: Layout, hypervisors: list[NodeLayout]) -> None:
    for folder in (layout.logs, layout.processes, layout.vms, layout.server_folder):
        folder.mkdir(parents=True, mode=0o700)
    layout.folder.chmod(0o700)
    for node in hypervisors:
        node.ovs.mkdir(parents=True)
        (node.folder / "netweft.toml").write_text(hypervisor.agent_settings(node))
    (layout.server_folder / "netweft.toml").write_text(hypervisor.server_settings(layout, _free_port(layout.lab)))
    fabric.build(layout, hypervisors)
    _for_each(hypervisors, hypervisor.create_database)
    _declare(layout, hypervisor.server(layout), *map(hypervisor.ovsdb_server, hypervisors))
    supervisor.start(layout, hypervisor.NETWEFT)
    _for_each(hypervisors, _initialise_database)
    # not sooner: a vswitchd that finds no database waits for a second, and for two when it loses it later
    _declare(layout, *map(hypervisor.ovs_vswitchd, hypervisors))
    supervisor.reload(layout)
    _wait(lambda: server_answers(layout), "the server to answer")
    _for_each(hypervisors, _enrol)
    _declare(layout, *map(hypervisor.agent, hypervisors))
    supervisor.reload(layout)
    names = {node.name for node in hypervisors}
    with Cloud(layout) as cloud:
        _wait(lambda: names <= {a["host"] for a in cloud.list("agents") if a["alive"]}, "the agents to be alive")


def down(layout: Layout) -> list[str]:
    """What was taken down, in words.  Works as well after a crash half-way, without a supervisor, without files."""
    running = processes.find(layout.lab)
    processes.kill_all(layout.lab)
    found = fabric.namespaces(layout)
    fabric.remove(found)
    had_files = layout.folder.exists()
    shutil.rmtree(layout.folder, ignore_errors=True)
    if layout.folder.exists():
        raise LabError(f"{layout.folder} could not be removed")
    counted = ((len(running), "processes"), (len(found), "namespaces"), (int(had_files), "folder"))
    return [f"{number} {what}" for number, what in counted if number]


def exists(layout: Layout) -> bool:
    """Whether anything of it is left."""
    return layout.folder.exists() or bool(fabric.namespaces(layout) or processes.find(layout.lab))


def node_names(layout: Layout) -> list[str]:
    found = (path.parent.name for path in layout.folder.glob("hv*/netweft.toml"))
    return sorted(found, key=lambda name: int(name.removeprefix("hv")))


def node_of(layout: Layout, name: str) -> NodeLayout:
    if name not in node_names(layout):
        raise LabError(f"lab {layout.lab!r} has no node {name!r}; it has {', '.join(node_names(layout)) or 'none'}")
    return layout.node(int(name.removeprefix("hv")))


def _enrol(node: NodeLayout) -> None:
    """As an operator lets a hypervisor in."""
    environment = clean_environment() | credentials(node.layout)
    token = run(str(hypervisor.NETWEFT), "node", "add", node.name, env=environment)
    path = node.folder / "node.token"
    path.touch(mode=0o600)
    path.write_text(token)


def _declare(layout: Layout, *commands: Command) -> None:
    for command in commands:
        supervisor.declare(layout, command)


def _initialise_database(node: NodeLayout) -> None:
    _wait(lambda: _listens(node.ovs / "db.sock"), f"{node.name}'s ovsdb-server to answer")
    hypervisor.initialise_database(node)


def server_answers(layout: Layout) -> bool:
    """That somebody listens says little: a server that cannot go on did so, too."""
    with suppress(LabError), Cloud(layout):
        return True
    return False


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


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


def _for_each(nodes: Iterable[NodeLayout], work: Callable[[NodeLayout], T]) -> list[T]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(work, nodes))


def _log_tails(layout: Layout) -> str:
    """The last words of each process, before its log is gone."""
    tails = []
    for log in sorted(layout.logs.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-8:]
        tails += [f"--- {log.name}", *lines] if lines else []
    return "\n".join(tails)
