"""A VM as a cloud has them: Debian 12 with its own cloud-init, which sets up all of it by what the network tells.

The lab tells it nothing.  To the machine's own view of the disk, which scripts/debian_root.sh makes, it adds a service
that takes commands once cloud-init is done.
"""

from pathlib import Path

from netweft.lab import guest_image, guest_qemu
from netweft.lab.guest import Nic
from netweft.lab.guest_qemu import columns, discard, execute, prepare, stop, vif
from netweft.lab.guest_serial import LISTENER
from netweft.lab.layout import LabError, NodeLayout

__all__ = ["check", "columns", "discard", "execute", "prepare", "start", "stop", "vif"]

DISK = Path("/var/lib/netweft/debian/root.ext4")
MODULES = ("virtio_pci", "virtio_blk")
MEMORY = "512"
READY_WITHIN = 600.0  # some 70 s on an idle machine
# what Nova's machines say of themselves: by it cloud-init knows where it is
FIRMWARE = "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova"
INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $(cat /modules/order); do insmod "/modules/$module"; done
mount -t ext4 -o noatime /dev/vda /root
cp /listener /root/usr/local/sbin/netweft-listener
cp /service /root/etc/systemd/system/netweft.service
mkdir -p /root/etc/systemd/system/cloud-init.target.wants
ln -s ../netweft.service /root/etc/systemd/system/cloud-init.target.wants/
umount /sys /proc
mount --move /dev /root/dev
exec switch_root /root /sbin/init
"""
SERVICE = """\
[Unit]
Description=Commands of the lab
After=cloud-final.service
[Service]
ExecStart=/usr/local/sbin/netweft-listener
"""


def check() -> None:
    """Raises LabError with what to install."""
    guest_qemu.check()
    if not DISK.exists():
        raise LabError("--kind debian needs the disk of one: run scripts/install.sh cloud-init")


def start(node: NodeLayout, vm: str, nic: Nic) -> None:
    own = guest_qemu.folder(node, vm)
    own.mkdir()
    files = {"init": INIT, "listener": f"#!/bin/sh\n{LISTENER}", "service": SERVICE}
    guest_image.pack(own / "initrd", files, MODULES)
    disk = ("-drive", f"file={DISK},format=raw,if=virtio,snapshot=on,cache=unsafe")
    machine = guest_qemu.command(node, vm, nic, *disk, "-smbios", FIRMWARE, memory=MEMORY)
    guest_qemu.boot(node, vm, machine, READY_WITHIN)
