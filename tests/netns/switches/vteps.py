"""The lab's fabric with a VTEP: Debian's emulator, which drives a bridge of the fabric by `hardware_vtep`."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.netns.harness import Lab, until

from netweft.lab import fabric, host, hypervisor
from netweft.lab.cloud import credentials
from netweft.lab.commands import clean_environment, in_namespace, ip_batch, run, vsctl
from netweft.lab.layout import database

SCHEMA = Path("/usr/share/openvswitch/vtep.ovsschema")
EMULATOR = "/usr/share/openvswitch/scripts/ovs-vtep"
# the emulator starts some fifty programs, one after the other, each time that it looks
SLOWLY = 180.0
DATABASE = "hardware_vtep"
NAME, TUNNEL_IP = "vtep1", "198.18.0.201"
_UNDERLAY, _CABLE = "br-vtep", "vtep-0"  # where its tunnels end, and what leads from there to the underlay's switch


class Vtep:
    name = f"switch:{NAME}"  # as Netweft calls it

    def __init__(self, lab: Lab) -> None:
        self.lab, self._fabric = lab, lab.layout.fabric
        self._racked: list[str] = []
        self._environment = clean_environment() | {"OVS_RUNDIR": str(self._fabric.ovs)}

    def ctl(self, *words: str) -> str:
        return run("vtep-ctl", "--timeout=20", f"--db={database(self._fabric)}", *words).strip()

    def netweft(self, *words: str) -> str:
        """By the command, as an operator asks."""
        return run(str(hypervisor.NETWEFT), *words, env=clean_environment() | credentials(self.lab.layout))

    def has(self, network: str) -> bool:
        return f"netweft-{network}" in self.ctl("list-ls").split()

    def bindings(self, port: str) -> list[str]:
        return self.ctl("list-bindings", NAME, port).split()

    def wipe(self) -> None:
        """As after a restart of a switch that keeps nothing."""
        unbound = {"op": "update", "table": "Physical_Port", "where": [], "row": {"vlan_bindings": ["map", []]}}
        tables = [f"{kind}_Macs_{whose}" for kind in ("Ucast", "Mcast") for whose in ("Local", "Remote")]
        gone = [{"op": "delete", "table": table, "where": []} for table in (*tables, "Logical_Switch")]
        said = run("ovsdb-client", "transact", database(self._fabric), json.dumps([DATABASE, unbound, *gone]))
        assert "error" not in said, said

    def describe(self, *hosts: str) -> None:
        """hosts: HOST:PORT."""
        keys = {"device_type": "hardware_vtep", "netweft_remote": database(self._fabric)}
        keys |= {"ngs_physical_networks": "physnet1", "netweft_hosts": ", ".join(hosts)}
        text = f"[genericswitch:{NAME}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value)
        self.lab.layout.switches_file.write_text(text)

    def plug(self, plain: host.Host, mac: str) -> str:
        """A machine on a port of the switch, with this MAC address; the port."""
        host.add(self.lab.layout, plain)
        port, namespace = f"h-{plain.name}", self.lab.layout.host_namespace(plain.name)
        ip_batch([f"link set eth0 address {mac} mtu 1450"], namespace=namespace)
        vsctl(self._fabric, "del-port", port, "--", "add-port", NAME, port)
        until(lambda: port in self.ctl("list-ports", NAME).split(), "the emulator has seen the port", SLOWLY)
        return port

    def rack(self, *nodes: str) -> None:
        """From now on these hypervisors are on it, and on no other switch of the physical network."""
        ports = [f"{node}-1" for node in nodes]
        moves = [("--", "del-port", port, "--", "add-port", NAME, port) for port in ports]
        vsctl(self._fabric, *(word for move in moves for word in move))
        self._racked = ports
        self.describe(*(f"{node}:{port}" for node, port in zip(nodes, ports, strict=True)))

    def pings(self, machine: str, address: str) -> bool:
        inside = in_namespace(self.lab.layout.host_namespace(machine), "ping", "-nc1", "-w2", address)
        return not subprocess.run(inside, capture_output=True, check=False).returncode

    def _build(self) -> None:
        datapath = hypervisor.datapath_type()
        path = self._fabric.ovs / "vtep.db"
        run("ovsdb-tool", "create", str(path), str(SCHEMA))
        self._appctl("add-db", str(path))
        ip_batch(
            (
                f"link add {_CABLE} type veth peer name {_CABLE}-far",
                f"link set {_CABLE}-far up master {fabric.UNDERLAY_SWITCH}",
                f"link set {_CABLE} up",
            ),
            namespace=self._fabric.namespace,
        )
        hypervisor.spare_the_datapath(self._fabric.namespace, _CABLE)
        words: list[str] = []
        for bridge in (NAME, _UNDERLAY):
            words += ["--", "add-br", bridge, "--", "set", "Bridge", bridge, f"datapath_type={datapath}"]
        vsctl(self._fabric, *words[1:], "--", "add-port", _UNDERLAY, _CABLE)
        addresses = (f"address add {TUNNEL_IP}/24 dev {_UNDERLAY}", f"link set {_UNDERLAY} up")
        ip_batch(addresses, namespace=self._fabric.namespace)
        self.ctl("add-ps", NAME, "--", "set", "Physical_Switch", NAME, f"tunnel_ips={TUNNEL_IP}")

    def _take_down(self) -> None:
        back = [("--", "del-port", port, "--", "add-port", "switch1", port) for port in self._racked]
        if back:
            vsctl(self._fabric, *(word for move in back for word in move))
        bridges = vsctl(self._fabric, "list-br").split()
        ours = [one for one in bridges if one.startswith("vtep") or one == _UNDERLAY]
        vsctl(self._fabric, *(word for one in ours for word in ("--", "del-br", one)))
        self._appctl("remove-db", DATABASE)
        (self._fabric.ovs / "vtep.db").unlink()
        fabric.remove_link(self._fabric.namespace, _CABLE)
        with self.lab.cloud() as cloud:
            for agent in cloud.list("agents", agent_type="Hardware VTEP"):
                cloud.delete("agents", agent["id"])

    def _appctl(self, command: str, argument: str) -> None:
        pid = (self._fabric.ovs / "ovsdb-server.pid").read_text().strip()
        run("ovs-appctl", "-t", f"{self._fabric.ovs}/ovsdb-server.{pid}.ctl", f"ovsdb-server/{command}", argument)

    @contextmanager
    def emulated(self) -> Iterator[None]:
        """While the block lasts; a second time it is a switch that was rebooted."""
        command = in_namespace(self._fabric.namespace, EMULATOR, NAME, "-vconsole:off")
        with subprocess.Popen(command, env=self._environment, start_new_session=True) as process:
            try:
                yield
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # with the program that it has started just now


@contextmanager
def vtep_of(lab: Lab) -> Iterator[Vtep]:
    """Its database, but no emulator yet; afterwards the lab is as it was."""
    made = Vtep(lab)
    made._build()
    made.describe()
    try:
        yield made
    finally:
        lab.layout.switches_file.write_text("")
        until(lambda: made.name not in made.netweft("follower", "list"), "no switch that Netweft knows")
        made._take_down()
