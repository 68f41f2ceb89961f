"""A Linux switch that is a machine of its own: Debian's kernel, its bridge with VLAN filtering, its sshd and iproute2.

Its ports eth0 and eth1 are taps; by eth2 it is managed, through a port of this machine.
"""

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.netns.harness import until

from netweft.lab import guest_image, guest_kernel, guest_qemu
from netweft.lab.commands import ip_batch, run
from netweft.lab.qmp import Qmp

BOOTED_WITHIN: Final = 600.0  # emulated, and at low priority: 180 s were not enough at load 33
MODULES: Final = ("virtio_pci", "virtio_net", "virtio_rng", "bridge", "8021q")
PROGRAMS: Final = ("/usr/sbin/sshd", "/usr/sbin/bridge")
PORTS: Final = ("eth0", "eth1")
INIT: Final = f"""\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /run/sshd
mount -t devpts devpts /dev/pts
for module in $(cat /modules/order); do insmod /modules/$module; done
ip link set lo up
brctl addbr br0
echo 0 >/sys/class/net/br0/bridge/default_pvid
echo 1 >/sys/class/net/br0/bridge/vlan_filtering
for port in {" ".join(PORTS)}; do brctl addif br0 $port; ip link set $port up; done
ip link set br0 up
ip address add 10.0.2.15/24 dev eth2
ip link set eth2 up
exec /usr/sbin/sshd -D -e -f /etc/sshd_config
"""
FILES: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    # while it boots, QEMU keeps trying for clients that have given up since
    "etc/sshd_config": "HostKey /etc/host\nAuthorizedKeysFile /etc/user.pub\nUsePAM no\nStrictModes no\nPidFile none\n"
    "MaxStartups 100\nLoginGraceTime 15\n",
}


class SwitchVm:
    """taps: of its ports; wherever they are moved, they stay its own."""

    def __init__(self, folder: Path, taps: tuple[str, str]) -> None:
        self.folder, self.taps = folder, taps
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def login(self) -> dict[str, object]:
        """As keys of a switch."""
        return {"ip": "127.0.0.1", "port": self.port, "username": "root", "key_file": self.folder / "user"}

    def ssh(self, command: str) -> str:
        """Empty while it does not answer."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=30")
        words = [word for option in options for word in ("-o", option)]
        argv = ("ssh", *words, "-i", str(self.folder / "user"), "-p", str(self.port), "root@127.0.0.1", command)
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def reboot(self) -> None:
        """By its button: what it had is gone."""
        with Qmp(self.folder / "qmp.sock") as monitor:
            monitor.execute("system_reset")

    @contextmanager
    def running(self) -> Iterator[None]:
        self._build()
        ip_batch(line for tap in self.taps for line in (f"tuntap add dev {tap} mode tap", f"link set {tap} up"))
        nics = [f"tap,ifname={tap},script=no,downscript=no" for tap in self.taps]
        nics.append(f"user,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22")
        argv = [
            *(guest_qemu.QEMU, "-accel", "tcg", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none"),
            *("-kernel", str(guest_kernel.kernel()), "-initrd", f"{self.folder}/initrd"),
            *("-append", guest_image.COMMAND_LINE, "-serial", f"file:{self.folder}/console.log"),
            *("-qmp", f"unix:{self.folder}/qmp.sock,server=on,wait=off", "-device", "virtio-rng-pci"),
        ]
        for number, nic in enumerate(nics):
            offloads = "csum=off,gso=off,guest_csum=off,host_tso4=off,host_tso6=off,guest_tso4=off,guest_tso6=off"
            argv += [
                "-netdev",
                f"{nic},id=n{number}",
                "-device",
                f"virtio-net-pci,netdev=n{number},romfile=,{offloads}",
            ]
        with subprocess.Popen(argv) as process:
            try:
                until(lambda: self.ssh("true; echo up"), "the switch takes logins", BOOTED_WITHIN)
                yield
            finally:
                process.terminate()

    def _build(self) -> None:
        for name in ("host", "user"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
        image = self.folder / "initrd"
        guest_image.pack(image, {"init": INIT}, MODULES)
        with tempfile.TemporaryDirectory() as made, image.open("ab") as file:
            root = Path(made)
            for program in PROGRAMS:
                for path in (program, *re.findall(r"(/\S+) \(0x", run("ldd", program))):
                    _copy(Path(path), root)
            for name, text in FILES.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            for name in ("host", "user.pub"):
                _copy(self.folder / name, root, f"/etc/{name}")
            (root / "etc/host").chmod(0o600)
            found = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
            packer = ("cpio", "--create", "--format=newc", "--quiet", f"--directory={root}")
            subprocess.run(packer, input=found.encode(), stdout=file, check=True)


def _copy(path: Path, root: Path, to: str = "") -> None:
    target = root / (to or str(path)).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
