"""What can go wrong under a running node, done to hv1 of a lab; where it is an operator's to mend, mended too."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
from tests.netns.harness import Lab, on_the_kernels_datapath, until
from tests.overlay import FEW

from netweft.lab import build, hypervisor, supervisor, vm
from netweft.lab.commands import in_namespace, ip_batch, run
from netweft.lab.layout import LabError, NodeLayout
from netweft.lab.vm import Vm
from netweft.services.fields import OURS, OURS_MASK

OTHER_TUNNEL_IP = "198.18.0.101"
OUR_FLOWS = f"cookie={OURS:#x}/{OURS_MASK:#x}"


class Scene(NamedTuple):
    """Pairs of VMs, the first on hv1, the second on hv2: over VXLAN, and over a VLAN of br-ex."""

    lab: Lab
    overlay: tuple[Vm, Vm]
    wire: tuple[Vm, Vm]

    @property
    def node(self) -> NodeLayout:
        return self.lab.node("hv1")

    @property
    def pairs(self) -> dict[str, tuple[Vm, Vm]]:
        return {"overlay": self.overlay, "wire": self.wire}

    def vsctl(self, *words: str) -> str:
        return self.lab.vsctl("hv1", "--no-wait", *words)


class Fault(NamedTuple):
    """overlay, wire: for how many milliseconds packets may be lost at the most.
    few: packets of the overlay that Open vSwitch itself may lose, since VMs come and go meanwhile (decision 0172).
    netdev: only where the underlay's NIC is in a bridge (docs/datapaths.md).  clock: only where the clock goes on."""

    name: str
    do: Callable[[Scene], None]
    overlay: int = 0
    wire: int = 0
    few: int = 0
    netdev: bool = False
    clock: bool = False


def until_at_rest(scene: Scene) -> None:
    """br-eth1, which carries nothing."""
    until(lambda: "bridge phys:physnet1 at rest" in scene.lab.show("hv1"), "br-eth1 at rest")


def vswitchd_killed(scene: Scene) -> None:
    until_at_rest(scene)
    scene.lab.kill("ovs-vswitchd", "hv1")


def ovsdb_killed(scene: Scene) -> None:
    """Late, not lost: in the userspace datapath vswitchd forwards nothing while it waits, a second or longer, to
    connect to ovsdb-server again.  What comes in meanwhile stays in the sockets' buffers."""
    scene.lab.kill("ovsdb-server", "hv1")


def br_int_deleted(scene: Scene) -> None:
    """With the ports of the VMs, whose rows are not ours: who plugged them in has to do it again."""
    scene.vsctl("del-br", "br-int")
    until(lambda: "br-int" in scene.vsctl("list-br").split(), "br-int made again")
    for here, _ in scene.pairs.values():
        vm.plug_in(scene.node, here)


def br_tun_deleted(scene: Scene) -> None:
    scene.vsctl("del-br", "br-tun")


def br_ex_deleted(scene: Scene) -> None:
    """The operator's, who makes it again."""
    nic = next(port for port in scene.vsctl("list-ports", "br-ex").split() if port.startswith("eth"))
    scene.vsctl("del-br", "br-ex")
    time.sleep(0.3)
    datapath = f"datapath_type={hypervisor.datapath_type()}"
    scene.vsctl("add-br", "br-ex", "--", "set", "Bridge", "br-ex", datapath, "--", "add-port", "br-ex", nic)


def flows_flushed(scene: Scene) -> None:
    """On br-ex ours only: the others are the operator's."""
    for bridge, which in (("br-int", ()), ("br-tun", ()), ("br-ex", (OUR_FLOWS,))):
        scene.lab.ofctl("hv1", "del-flows", bridge, *which)


def flows_at_rest_flushed(scene: Scene) -> None:
    until_at_rest(scene)
    scene.lab.ofctl("hv1", "del-flows", "br-eth1", OUR_FLOWS)
    until(lambda: scene.lab.flows("hv1", "br-eth1"), "there again")


def holder() -> str:
    """What has the tunnel's address."""
    return "eth0" if on_the_kernels_datapath() else "br-phy"


def tunnel_address_removed(scene: Scene) -> None:
    """Not flushed: the agent puts it back as fast."""
    of_it = ("dev", holder())
    listing = run("ip", "-n", scene.node.namespace, "-br", "-4", "address", "show", *of_it)
    (own,) = (word for word in listing.split() if "/" in word)
    run("ip", "-n", scene.node.namespace, "address", "delete", own, *of_it)


def tunnel_address_changed(scene: Scene) -> None:
    settings = scene.node.folder / "netweft.toml"
    settings.write_text(settings.read_text().replace(f'"{scene.node.tunnel_ip}"', f'"{OTHER_TUNNEL_IP}"'))
    scene.lab.kill("agent", "hv1")
    until(lambda: addresses(scene) == {OTHER_TUNNEL_IP}, "the other address, and the old one gone")


def addresses(scene: Scene) -> set[str]:
    listing = run("ip", "-n", scene.node.namespace, "-br", "-4", "address", "show", "dev", holder())
    return {word.partition("/")[0] for word in listing.split() if "/" in word}


def uplink_taken_out(scene: Scene) -> None:
    scene.vsctl("del-port", "eth0")


def uplink_down_and_up(scene: Scene) -> None:
    run("ip", "-n", scene.node.namespace, "link", "set", "eth0", "down")
    time.sleep(0.5)
    run("ip", "-n", scene.node.namespace, "link", "set", "eth0", "up")


def neighbour_unanswered(scene: Scene) -> None:
    """The userspace datapath forgets the tunnel's neighbour, and its question for it is lost: decision 0466."""
    fabric = scene.node.layout.fabric.namespace
    run("ip", "-n", fabric, "link", "set", "hv2-0", "down")
    scene.lab.appctl("hv1", "tnl/neigh/flush")
    time.sleep(0.5)
    run("ip", "-n", fabric, "link", "set", "hv2-0", "up")


def uplink_made_anew(scene: Scene) -> None:
    """As a NIC that is taken out of the machine and put back: another one with the same name."""
    fabric, node = scene.node.layout.fabric.namespace, scene.node.namespace
    mtu = run(*in_namespace(node, "cat", "/sys/class/net/eth0/mtu")).strip()
    run("ip", "-n", fabric, "link", "delete", "hv1-0")
    time.sleep(0.3)
    make = f"link add hv1-0 mtu {mtu} type veth peer name eth0 mtu {mtu} netns {node}"
    ip_batch([make, "link set hv1-0 up master switch0"], namespace=fabric)
    run("ip", "-n", node, "link", "set", "eth0", "up")


def state_disk_full(scene: Scene) -> None:
    """A node goes on, wires what is new, and starts again."""
    folder = scene.node.folder / "agent"
    run("mount", "-t", "tmpfs", "-o", "size=16k", "full", str(folder))
    try:
        (folder / "ballast").write_bytes(bytes(16384))
        scene.lab.kill("agent", "hv1")
        until(lambda: scene.lab.in_sync("hv1"), "in sync without a disk")
        new = scene.lab.add_vm("hv1", scene.overlay[0].network_id)
        log = scene.node.layout.logs / "agent-hv1.log"
        until(lambda: "state file not written" in log.read_text(), "a word of it in the log")
        scene.lab.remove_vm(new)
    finally:
        scene.lab.kill("agent", "hv1")
        run("umount", "--lazy", str(folder))
    scene.lab.kill("agent", "hv1")


def state_file_torn(scene: Scene) -> None:
    view = scene.node.folder / "agent" / "view"
    until(lambda: scene.lab.on_disk("hv1"), "the view is on the disk")
    view.write_bytes(view.read_bytes()[: view.stat().st_size // 2])
    scene.lab.kill("agent", "hv1")


def clock_set(scene: Scene) -> None:
    """Of agent and server, a day ahead and back: nodes stay alive, ports can be bound."""
    with settable_clock(scene) as clock:
        for jump, day in (("+1d", 1), ("+0", 0)):
            clock.write_text(jump)
            until(lambda day=day: heard_of(scene) == today(day), "heard of by the new time")  # type: ignore[misc]
            assert scene.lab.agent_alive("hv1")
            assert scene.lab.agent_alive("hv2")
        scene.lab.remove_vm(scene.lab.add_vm("hv1", scene.overlay[0].network_id))


def heard_of(scene: Scene) -> set[date]:
    """Nobody, if the clock jumps while we ask: the token is of the day before then."""
    with suppress(LabError), scene.lab.cloud() as cloud:
        return {datetime.fromisoformat(agent["heartbeat_timestamp"]).date() for agent in cloud.list("agents")}
    return set()


def today(ahead: int) -> set[date]:
    return {(datetime.now(UTC) + timedelta(days=ahead)).date()}


@contextmanager
def settable_clock(scene: Scene) -> Iterator[Path]:
    """A file; what is written into it goes for the wall clock that agent and server see."""
    layout = scene.node.layout
    clock = layout.folder / "clock"
    clock.write_text("+0")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    fake = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1"}
    fake |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    kept = {name: (layout.processes / f"{name}.json").read_bytes() for name in ("server", "agent-hv1")}
    try:
        for content in kept.values():
            command = msgspec.json.decode(content, type=supervisor.Command)
            changed = msgspec.structs.replace(command, environment={**command.environment, **fake})
            _run_as(scene, changed)
        yield clock
    finally:
        for content in kept.values():
            _run_as(scene, msgspec.json.decode(content, type=supervisor.Command))


def _run_as(scene: Scene, command: supervisor.Command) -> None:
    layout, lab = scene.node.layout, scene.lab
    supervisor.withdraw(layout, command.name)
    supervisor.reload(layout)
    until(lambda: lab.pid(command.kind, command.node) is None, f"{command.name} stopped")
    supervisor.declare(layout, command)
    supervisor.reload(layout)
    until(lambda: lab.pid(command.kind, command.node), f"{command.name} started")
    until(lambda: build.server_answers(layout), "the server answers")


def database_restored(scene: Scene) -> None:
    """From before a port was made that is in use: it is gone, and whoever has it plugged in is told."""
    database = scene.node.layout.server_folder / "netweft.db"
    backup = database.with_suffix(".backup")
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(backup)) as copy:
        live.backup(copy)
    later = scene.lab.add_vm("hv1", scene.overlay[0].network_id)
    owned = f"{later.port_id.replace('-', '')[:10]}"
    assert any(owned in flow for flow in scene.lab.flows("hv1", "br-int"))
    with scene.lab.away("server"):
        for left in database.parent.glob("netweft.db*"):
            if left != backup:
                left.unlink()
        shutil.move(backup, database)
    until(lambda: not any(owned in flow for flow in scene.lab.flows("hv1", "br-int")), "what is gone is unwired")
    vm.remove(scene.node.layout, later)


FAULTS = (
    Fault("ovs-vswitchd killed with -9", vswitchd_killed, overlay=5000, wire=5000),
    Fault("ovsdb-server killed with -9", ovsdb_killed),
    Fault("br-int deleted by hand, VMs plugged in again", br_int_deleted, overlay=5000, wire=5000),
    Fault("br-tun deleted by hand", br_tun_deleted, overlay=5000, wire=1000),
    Fault("br-ex deleted by hand and made again 0.3 s later", br_ex_deleted, overlay=1000, wire=5000),
    Fault("all flows deleted by hand", flows_flushed, overlay=2000, wire=2000),
    Fault("our flows deleted by hand on a bridge that carries nothing", flows_at_rest_flushed),
    Fault("the tunnel address removed by hand", tunnel_address_removed, overlay=5000),
    Fault("the uplink taken out of its bridge by hand", uplink_taken_out, overlay=5000, wire=1000, netdev=True),
    Fault("the uplink down for 0.5 s", uplink_down_and_up, overlay=5000),
    Fault("the tunnel's neighbour forgotten, and no answer for 0.5 s", neighbour_unanswered, overlay=2000),
    Fault("the uplink gone for 0.3 s, another one of its name", uplink_made_anew, overlay=5000, wire=1000),
    Fault("the disk for the agent's state full", state_disk_full, few=FEW),
    Fault("a half-written state file", state_file_torn),
    Fault("the clock set a day ahead and back", clock_set, few=FEW, clock=True),
    Fault("the server's database restored from before", database_restored, few=FEW),
    Fault("another tunnel address in the settings", tunnel_address_changed, overlay=8000),
)
