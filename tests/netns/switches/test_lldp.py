"""Which switch port a hypervisor is plugged into is heard by Debian's lldpd on both ends, and followed."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.netns.harness import Lab, until
from tests.netns.switches.switches import RACKS, Racks, vlan

from netweft.lab.commands import in_namespace, run
from netweft.lab.layout import ROOT, LabError, OpenVSwitch, database

SLOWLY = 120.0  # heard each second, asked for twice a second, looked at each second, and then it is begun anew

pytestmark = [
    pytest.mark.timeout(600),
    # 24 of 25 passed at load 16 to 52; once the two did not talk within two minutes, which nobody has explained
    pytest.mark.skipif(not os.environ.get("NETWEFT_LLDP"), reason="make test-lldp"),
]


@pytest.fixture(scope="module")
def racks(lab: Lab) -> Iterator[Racks]:
    lab.let_strangers_in()
    found = Racks(lab)
    found.build()
    text = ""
    for name, bridge, uplink in (("tor1", "switch1", "up1"), ("tor2", "tor2", "up2")):
        keys = {"netweft_remote": database(lab.layout.fabric), "netweft_bridge": bridge, "ngs_trunk_ports": uplink}
        keys |= {"device_type": "ovsdb", "ngs_physical_networks": "physnet1", "netweft_lldp": "true"}
        text += f"[genericswitch:{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
    lab.layout.switches_file.write_text(text)
    try:
        yield found
    finally:
        lab.layout.switches_file.write_text("")
        found.take_down()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where lldpd gets as the user that it becomes: not so in pytest's own, and in a lab's."""
    with tempfile.TemporaryDirectory(prefix="lldp-", dir=ROOT.parent) as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def lldpd(where: OpenVSwitch, nic: str, socket: Path, name: str) -> Iterator[None]:
    """Debian's, on one NIC there; the end says goodbye.

    In a UTS namespace where the machine is called so, and configured before it begins: one that is told its name or its
    interval later goes on by the machine's name, or sends nothing more, now and then."""
    settings, script = socket.with_suffix(".conf"), 'hostname "$0" && exec lldpd -d -u "$1" -I "$2" -O "$3"'
    settings.write_text("configure lldp portidsubtype ifname\nconfigure lldp tx-interval 1\n")
    words = ("unshare", "--uts", "sh", "-c", script, name, str(socket), nic, str(settings))
    command = in_namespace(where.namespace, *words)
    with socket.with_suffix(".log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(partial(_said, socket), f"lldpd of {name} answers")
            yield
        finally:
            process.terminate()


def _said(socket: Path) -> bool:
    """Whether it has been told to say now what it has to say."""
    try:
        run("lldpcli", "-u", str(socket), "update")
    except LabError:
        return False
    return True


def test_a_hypervisors_switch_is_heard_and_a_moved_cable_is_followed(lab: Lab, racks: Racks, folder: Path) -> None:
    network = lab.network("10.62.0.0/24", **vlan(162))
    fabric = lab.layout.fabric
    with ExitStack() as stack:
        for node in RACKS:
            stack.enter_context(lldpd(lab.node(node), "eth1", folder / node, node))
            lab.configure_agent(node, lldp_socket=str(folder / node), lldp_seconds="0.5")
        stack.enter_context(lldpd(fabric, "hv1-1", folder / "tor1", "tor1"))
        one, other = (lab.add_vm(node, network) for node in RACKS)
        with lldpd(fabric, "hv2-1", folder / "tor2", "tor2"):
            until(lambda: lab.ping(one, other.nic.address), "they talk", SLOWLY)
            assert racks.carries(162, "hv1-1", "up1", "up2", "hv2-1")
        racks.vsctl("del-port", "tor2", "hv2-1", "--", "add-port", "switch1", "hv2-1")
        racks.close("hv2-1")
        with lldpd(fabric, "hv2-1", folder / "moved", "tor1"):
            until(lambda: lab.ping(one, other.nic.address), "they talk again, on one switch", SLOWLY)
            until(lambda: not racks.carries(162, "up2"), "the switch that it has left has nothing any more", SLOWLY)
    assert racks.carries(162, "hv2-1")  # lldpd's end changes nothing
