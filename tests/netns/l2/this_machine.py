"""The machine's own Open vSwitch and a real libvirtd, as a test borrows them.

What runs already is used; what a test starts, it ends, and the files that came with it go.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.netns.harness import until
from tests.waiting import PATIENCE

from netweft.lab import guest_image, guest_serial
from netweft.lab.commands import listens, run
from netweft.lab.guest import Nic
from netweft.lab.layout import SYSTEM_OVS

OVS_CTL = "/usr/share/openvswitch/scripts/ovs-ctl"
OVS_FOLDERS = tuple(
    Path(name) for name in ("/etc/openvswitch", "/var/lib/openvswitch", "/var/log/openvswitch", "/var/run/openvswitch")
)
LIBVIRT_FOLDERS = ("/etc/libvirt", "/run/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")


@contextmanager
def system_ovs() -> Iterator[None]:
    """Started as the distribution starts it, with everything at its default place."""
    if listens(SYSTEM_OVS / "db.sock"):
        yield
        return
    before = {folder: set(folder.glob("*")) for folder in OVS_FOLDERS if folder.exists()}
    run(OVS_CTL, "start", "--system-id=netweft-test", "--no-record-hostname")
    try:
        yield
    finally:
        run(OVS_CTL, "stop")
        for folder in OVS_FOLDERS:
            if folder not in before:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            for path in set(folder.glob("*")) - before[folder]:
                path.unlink()


class Libvirt:
    """A libvirtd with folders and an account of its own, in a mount namespace: the machine keeps nothing of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._uri = f"qemu+unix:///system?socket={folder}/libvirt-sock"

    def virsh(self, *words: str) -> str:
        return run("virsh", "--connect", self._uri, *words)

    @contextmanager
    def domain(self, nics: Mapping[str, Nic]) -> Iterator[Path]:
        """A VM with nothing but the ports' ids and MACs in its description; the socket of its commands.
        nics: by port's id; the VM knows by itself what to do with the first one."""
        guest_image.build(self.folder / "initrd", "libvirt", next(iter(nics.values())))
        description, console = self.folder / "domain.xml", self.folder / "console.log"
        description.write_text(_domain(self.folder, nics))
        self.virsh("create", str(description))
        try:
            booted = "a libvirt domain booted"
            until(lambda: console.exists() and guest_serial.READY in console.read_text(errors="replace"), booted, 120)
            yield self.folder / "commands.sock"
        finally:
            self.virsh("destroy", "netweft-test")
            console.unlink()


@contextmanager
def libvirt() -> Iterator[Libvirt]:
    folder = Path(tempfile.mkdtemp(prefix="nw-libvirt-"))
    (folder / "libvirtd.conf").write_text(
        f'unix_sock_dir = "{folder}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
        f'log_outputs = "3:file:{folder}/libvirtd.log"\n'
    )
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(("unshare", "--mount", "sh", "-ec", _start(folder)), stdout=out, stderr=out)
    try:
        found = Libvirt(folder)
        until(lambda: (folder / "libvirt-sock").exists() or process.poll() is not None, "libvirtd listens")
        yield found
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(folder)


def _start(folder: Path) -> str:
    """A script.  The account is the one that Debian's package for a whole machine would have made."""
    lines = ["mount --make-rprivate /"]
    for number, place in enumerate(LIBVIRT_FOLDERS):
        (folder / str(number)).mkdir()
        lines += [f"mkdir -p {place}", f"mount --bind {folder}/{number} {place}"]
    (folder / "0/qemu.conf").write_text(
        'security_driver = "none"\nuser = "root"\ngroup = "root"\n'
        'cgroup_controllers = []\nnamespaces = []\nstdio_handler = "file"\n'
    )
    for name, entry in (("passwd", "libvirt-qemu:x:64055:64055::/:/bin/false"), ("group", "libvirt-qemu:x:64055:")):
        known = Path(f"/etc/{name}").read_text()
        if "libvirt-qemu:" not in known:
            (folder / name).write_text(f"{known}{entry}\n")
            lines.append(f"mount --bind {folder}/{name} /etc/{name}")
    lines.append(f"exec libvirtd --config {folder}/libvirtd.conf --pid-file {folder}/pid")
    return "\n".join(lines)


def _domain(folder: Path, nics: Mapping[str, Nic]) -> str:
    return f"""\
<domain type='qemu'>
  <name>netweft-test</name>
  <memory unit='MiB'>192</memory>
  <os>
    <type arch='x86_64'>hvm</type>
    <kernel>{guest_image.KERNEL}</kernel>
    <initrd>{folder}/initrd</initrd>
    <cmdline>{guest_image.COMMAND_LINE}</cmdline>
  </os>
  <devices>
    <serial type='file'><source path='{folder}/console.log'/></serial>
    <serial type='unix'><source mode='bind' path='{folder}/commands.sock'/></serial>
{"".join(_interface(port_id, nic.mac) for port_id, nic in nics.items())}
  </devices>
</domain>
"""


def _interface(port_id: str, mac: str) -> str:
    """Without an MTU libvirt takes `br-int`'s, the smallest of any VIF there; the agent puts it right."""
    return f"""\
    <interface type='bridge'>
      <source bridge='br-int'/>
      <virtualport type='openvswitch'><parameters interfaceid='{port_id}'/></virtualport>
      <mac address='{mac}'/>
      <model type='virtio'/>
      <driver>
        <host csum='off' gso='off' tso4='off' tso6='off'/>
        <guest csum='off' tso4='off' tso6='off'/>
      </driver>
    </interface>
"""
